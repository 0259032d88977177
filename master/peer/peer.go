// Package peer is the master's side of the libprocess messages: it translates
// between them and the core's events and effects.
//
// Comes in: messages of agents and v0 scheduler drivers to the processes `master` and
// `slave-observer(N)`, and broken links. Goes out: the core's events, in the order in
// which each peer sent them, and the messages the core wants sent. It decides nothing; a
// message that cannot be read is written to the log and dropped, as the original does.
package peer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/driverpb"
	"stoa/internal/mesos/internalpb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// Master is the id of the master's process.
const Master = "master"

const internalPrefix = "mesos.internal."

// Peer is the master's processes on a transport. Deliver must queue an event for
// the core; it may block while the queue is full, which holds back the peer that
// sends too fast.
type Peer struct {
	transport *libprocess.Transport
	deliver   func(core.Event)
	log       *slog.Logger
	master    libprocess.UPID
	auth      *authenticator

	mu        sync.Mutex
	observers map[int]libprocess.UPID
}

// New makes the processes known to the transport. Events may come before it
// returns.
func New(transport *libprocess.Transport, deliver func(core.Event), a Authentication, log *slog.Logger) *Peer {
	p := &Peer{
		transport: transport,
		deliver:   deliver,
		log:       log,
		auth:      newAuthenticator(a, transport, deliver, log),
		observers: make(map[int]libprocess.UPID),
	}
	p.master = transport.Spawn(Master, p)
	return p
}

// Close ends the processes.
func (p *Peer) Close() {
	p.transport.Terminate(Master)
	p.auth.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, upid := range p.observers {
		p.transport.Terminate(upid.ID)
		delete(p.observers, n)
	}
}

// incoming are the messages of agents, by name. Those of drivers are in driver.go.
var incoming = map[string]func() proto.Message{
	"RegisterSlaveMessage":         func() proto.Message { return new(internalpb.RegisterSlaveMessage) },
	"ReregisterSlaveMessage":       func() proto.Message { return new(internalpb.ReregisterSlaveMessage) },
	"UnregisterSlaveMessage":       func() proto.Message { return new(internalpb.UnregisterSlaveMessage) },
	"UpdateSlaveMessage":           func() proto.Message { return new(internalpb.UpdateSlaveMessage) },
	"StatusUpdateMessage":          func() proto.Message { return new(internalpb.StatusUpdateMessage) },
	"ExitedExecutorMessage":        func() proto.Message { return new(internalpb.ExitedExecutorMessage) },
	"ExecutorToFrameworkMessage":   func() proto.Message { return new(internalpb.ExecutorToFrameworkMessage) },
	"UpdateOperationStatusMessage": func() proto.Message { return new(internalpb.UpdateOperationStatusMessage) },
}

// Receive takes in a message to `master`.
func (p *Peer) Receive(m libprocess.Message) {
	if m.Name == internalPrefix+"SubmitSchedulerRequest" {
		// Ancient clients ask the master to run their scheduler. No master ever did.
		p.transport.SendProto(p.master, m.From, &internalpb.SubmitSchedulerResponse{Okay: proto.Bool(false)})
		return
	}
	if m.Name == internalPrefix+"AuthenticateMessage" {
		message := new(internalpb.AuthenticateMessage)
		if err := unmarshal(m.Body, message); err != nil {
			p.log.Warn("message dropped", "message", m.Name, "from", m.From.String(), "error", err)
			return
		}
		p.auth.begin(m.From, message)
		return
	}
	event, err := decode(m)
	if err != nil {
		p.log.Warn("message dropped", "message", m.Name, "from", m.From.String(), "error", err)
		return
	}
	if event, ok := p.auth.admit(m.From, event); ok {
		p.deliver(event)
	}
}

func decode(m libprocess.Message) (core.Event, error) {
	if m.Name == driverCall {
		message := new(driverpb.Call)
		if err := unmarshal(m.Body, message); err != nil {
			return nil, err
		}
		return callOf(m.From.String(), message), nil
	}
	name, ok := strings.CutPrefix(m.Name, internalPrefix)
	if !ok {
		return nil, errUnknown
	}
	if make, ok := incoming[name]; ok {
		message := make()
		if err := unmarshal(m.Body, message); err != nil {
			return nil, err
		}
		return core.AgentMessage{From: m.From.String(), IP: m.From.Addr.Addr().String(), Message: message}, nil
	}
	if make, ok := fromDrivers[name]; ok {
		message := make()
		if err := unmarshal(m.Body, message); err != nil {
			return nil, err
		}
		return driverEvent(m.From.String(), message), nil
	}
	return nil, errUnknown
}

var errUnknown = errors.New("it is not a message this master knows")

func unmarshal(body []byte, m proto.Message) error {
	if err := proto.Unmarshal(body, m); err != nil {
		return fmt.Errorf("its body cannot be read: %w", err)
	}
	return nil
}

// Exited takes in that a link of `master` broke.
func (p *Peer) Exited(to libprocess.UPID) {
	p.auth.forget(to)
	p.deliver(core.PeerExited{PID: to.String()})
}

// observer is one process `slave-observer(N)`: it hears pongs.
type observer struct {
	peer   *Peer
	number int
}

func (o *observer) Receive(m libprocess.Message) {
	if m.Name == internalPrefix+"PongSlaveMessage" {
		o.peer.deliver(core.Pong{Observer: o.number})
	}
}

func (o *observer) Exited(libprocess.UPID) {}

// Do carries out an effect that is for peers, and says whether it was one.
func (p *Peer) Do(effect core.Effect) bool {
	switch e := effect.(type) {
	case core.Send:
		if to, ok := p.address(e.To); ok {
			p.transport.SendProto(p.master, to, e.Message)
		}
	case core.Link:
		if to, ok := p.address(e.To); ok {
			p.transport.Link(p.master, to)
		}
	case core.Observe:
		p.mu.Lock()
		p.observers[e.Observer] = p.transport.Spawn(observerID(e.Observer), &observer{peer: p, number: e.Observer})
		p.mu.Unlock()
	case core.Unobserve:
		p.mu.Lock()
		delete(p.observers, e.Observer)
		p.mu.Unlock()
		p.transport.Terminate(observerID(e.Observer))
	case core.Ping:
		p.mu.Lock()
		from, ok := p.observers[e.Observer]
		p.mu.Unlock()
		if to, okTo := p.address(e.To); ok && okTo {
			p.transport.SendProto(from, to, &internalpb.PingSlaveMessage{Connected: &e.Connected})
		}
	default:
		return false
	}
	return true
}

func observerID(n int) string { return fmt.Sprintf("slave-observer(%d)", n) }

func (p *Peer) address(text string) (libprocess.UPID, bool) {
	upid, err := libprocess.Parse(text)
	if err != nil || upid.Addr == (netip.AddrPort{}) {
		p.log.Error("cannot send to an address", "address", text, "error", err)
		return libprocess.UPID{}, false
	}
	return upid, true
}
