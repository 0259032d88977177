package peer

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"os"
	"sync"
	"time"

	"stoa/internal/auth/crammd5"
	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// Authentication says who may register over libprocess. The zero value lets everybody
// register, and refuses those who try to prove who they are.
type Authentication struct {
	// Secrets are the secrets of the known principals (`--credentials`).
	Secrets map[string]string
	// Agents and Drivers say who must authenticate (`--authenticate_agents`,
	// `--authenticate_frameworks`).
	Agents, Drivers bool
	// Timeout is how long one handshake may take (`--authentication_v0_timeout`); zero
	// is 15 seconds.
	Timeout time.Duration
}

// Limits of handshakes. More of them at once are refused, which clients answer by trying
// again; registrations that wait for one are dropped, which clients repeat anyway.
const (
	maxHandshakes = 10_000
	maxWaiting    = 8
)

const defaultAuthenticationTimeout = 15 * time.Second

// authenticator knows who is behind which UPID, and the handshakes under way. A UPID
// counts as the master's client claims it, as in the original: with TLS or
// LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH nobody else can claim it.
type authenticator struct {
	Authentication
	transport *libprocess.Transport
	deliver   func(core.Event)
	log       *slog.Logger
	host      string

	mu sync.Mutex
	// principals are those of UPIDs that proved who they are, handshakes those under
	// way, by the UPID that they are for.
	principals map[libprocess.UPID]string
	handshakes map[libprocess.UPID]*handshake
}

func newAuthenticator(a Authentication, transport *libprocess.Transport, deliver func(core.Event), log *slog.Logger) *authenticator {
	if a.Timeout <= 0 {
		a.Timeout = defaultAuthenticationTimeout
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost" // it only makes the challenge look as it should
	}
	return &authenticator{
		Authentication: a,
		transport:      transport,
		deliver:        deliver,
		log:            log,
		host:           host,
		principals:     make(map[libprocess.UPID]string),
		handshakes:     make(map[libprocess.UPID]*handshake),
	}
}

// handshake is the process `crammd5-authenticator-session(N)`.
type handshake struct {
	authenticator *authenticator
	// subject is who wants to register; client is the process that speaks for it.
	self, subject, client libprocess.UPID
	timer                 *time.Timer

	// What follows is guarded by authenticator.mu.
	server  *crammd5.Server
	over    bool
	waiting []core.Event
}

// begin starts a handshake for the process that a client names. One that runs for it
// already is given up: the client is not interested in it any more.
func (a *authenticator) begin(client libprocess.UPID, m *internalpb.AuthenticateMessage) {
	a.deliver(core.AgentMessage{From: client.String(), Message: m}) // to be counted
	subject, err := libprocess.Parse(m.GetPid())
	if err != nil {
		a.log.Warn("authentication ignored: its pid is no address", "pid", m.GetPid(), "from", client.String())
		return
	}
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails
	h := &handshake{authenticator: a, subject: subject, client: client}
	a.mu.Lock()
	delete(a.principals, subject)
	old := a.handshakes[subject]
	if old == nil && len(a.handshakes) >= maxHandshakes {
		a.mu.Unlock()
		a.log.Warn("authentication refused: too many are in progress", "pid", subject.String())
		a.transport.SendProto(a.transport.UPID(Master), client, &internalpb.AuthenticationErrorMessage{
			Error: proto.String("Too many authentications in progress"),
		})
		return
	}
	// 64 random bits beside the time: nobody gets the same challenge twice.
	challenge := crammd5.Challenge(binary.BigEndian.Uint64(random[:]), uint64(time.Now().Unix()), a.host)
	var hello proto.Message
	h.server, hello = crammd5.NewServer(a.Secrets, challenge)
	a.handshakes[subject] = h
	h.self = a.transport.Spawn(a.transport.NextID("crammd5-authenticator-session"), h)
	h.timer = time.AfterFunc(a.Timeout, func() {
		if h.end(crammd5.Broken, nil) {
			a.log.Warn("authentication timed out", "pid", subject.String())
		}
	})
	a.mu.Unlock()
	if old != nil {
		old.end(crammd5.Broken, nil)
	}
	a.log.Info("authenticating", "pid", subject.String())
	a.transport.Link(h.self, client)
	a.transport.SendProto(h.self, client, hello)
}

// Receive takes in a message of the client.
func (h *handshake) Receive(m libprocess.Message) {
	message, err := crammd5.Decode(m.Name, m.Body)
	if err != nil || message == nil {
		h.authenticator.log.Warn("message dropped", "message", m.Name, "from", m.From.String(), "error", err)
		return
	}
	a := h.authenticator
	a.mu.Lock()
	if h.over {
		a.mu.Unlock()
		return
	}
	answer, outcome := h.server.Receive(message)
	a.mu.Unlock()
	switch outcome {
	case crammd5.Authenticated:
		a.log.Info("authenticated", "principal", h.server.Principal(), "pid", h.subject.String())
	case crammd5.Refused:
		a.log.Warn("authentication failed: unknown principal or wrong secret", "pid", h.subject.String())
	case crammd5.Broken:
		a.log.Warn("authentication broken off", "pid", h.subject.String(), "error", answer.(*internalpb.AuthenticationErrorMessage).GetError())
	}
	if outcome != crammd5.Pending {
		h.end(outcome, answer)
		return
	}
	if answer != nil {
		a.transport.SendProto(h.self, h.client, answer)
	}
}

// Exited takes in that the client is gone.
func (h *handshake) Exited(libprocess.UPID) { h.end(crammd5.Broken, nil) }

// end ends the handshake, once, with a last word for the client; what waits for it goes
// on unless it broke. It reports whether this was the end.
func (h *handshake) end(outcome crammd5.Outcome, answer proto.Message) bool {
	a := h.authenticator
	a.mu.Lock()
	if h.over {
		a.mu.Unlock()
		return false
	}
	h.over = true
	waiting := h.waiting
	h.waiting = nil
	if a.handshakes[h.subject] == h {
		delete(a.handshakes, h.subject)
		if outcome == crammd5.Authenticated {
			a.principals[h.subject] = h.server.Principal()
		}
	} else {
		waiting = nil // another one is asked now
	}
	a.mu.Unlock()
	h.timer.Stop()
	// Only now: the client registers as soon as it hears that it may.
	if answer != nil {
		a.transport.SendProto(h.self, h.client, answer)
	}
	a.transport.Terminate(h.self.ID)
	if outcome == crammd5.Broken {
		return true
	}
	for _, e := range waiting {
		if e, ok := a.admit(h.subject, e); ok {
			a.deliver(e)
		}
	}
	return true
}

// admit completes a registration with who sent it. It says false for one that has to
// wait for a handshake, or is refused.
func (a *authenticator) admit(from libprocess.UPID, event core.Event) (core.Event, bool) {
	switch e := event.(type) {
	case core.AgentMessage:
		switch e.Message.(type) {
		case *internalpb.RegisterSlaveMessage, *internalpb.ReregisterSlaveMessage:
		default:
			return event, true
		}
		principal, known, wait := a.who(from, event)
		switch {
		case wait:
			return nil, false
		case a.Agents && !known:
			a.log.Warn("agent registration refused: it is not authenticated", "agent_pid", from.String())
			return nil, false
		}
		e.Principal = principal
		return e, true
	case core.DriverCall:
		if e.Call.GetType() != schedulerpb.Call_SUBSCRIBE {
			return event, true
		}
		principal, known, wait := a.who(from, event)
		if wait {
			return nil, false
		}
		e.Principal, e.Unauthenticated = principal, a.Drivers && !known
		return e, true
	}
	return event, true
}

// who is the principal behind a UPID. The event waits if that is being found out.
func (a *authenticator) who(from libprocess.UPID, event core.Event) (principal string, known, wait bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.handshakes[from]; h != nil {
		if len(h.waiting) < maxWaiting {
			h.waiting = append(h.waiting, event)
		}
		return "", false, true
	}
	principal, known = a.principals[from]
	return principal, known, false
}

// forget takes in that the connection to a UPID broke: it authenticates again before it
// registers again.
func (a *authenticator) forget(upid libprocess.UPID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.principals, upid)
}

// close ends all handshakes.
func (a *authenticator) close() {
	a.mu.Lock()
	var list []*handshake
	for _, h := range a.handshakes {
		list = append(list, h)
	}
	a.mu.Unlock()
	for _, h := range list {
		h.end(crammd5.Broken, nil)
	}
}
