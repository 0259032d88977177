package peer

import (
	"log/slog"
	"testing"
	"time"

	"stoa/internal/auth/crammd5"
	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// strict asks everybody who they are.
var strict = Authentication{Secrets: map[string]string{"agent": "a secret"}, Agents: true, Drivers: true}

// authenticating is a master and somebody on another transport who talks to it.
type authenticating struct {
	t             *testing.T
	events        chan core.Event
	here, there   *libprocess.Transport
	agent, client libprocess.UPID
	inbox         chan libprocess.Message
	peer          *Peer
}

func authenticate(t *testing.T, a Authentication) *authenticating {
	t.Helper()
	x := &authenticating{t: t, events: make(chan core.Event, 100), here: transport(t), there: transport(t), inbox: make(chan libprocess.Message, 100)}
	x.peer = New(x.here, func(e core.Event) { x.events <- e }, a, slog.New(slog.DiscardHandler))
	t.Cleanup(x.peer.Close)
	x.agent = x.there.Spawn("slave(1)", &actor{inbox: make(chan libprocess.Message, 100)})
	x.client = x.there.Spawn("crammd5-authenticatee(1)", &actor{inbox: x.inbox})
	return x
}

func (x *authenticating) register(hostname string) {
	x.there.SendProto(x.agent, x.here.UPID(Master), &internalpb.RegisterSlaveMessage{Slave: &mesospb.AgentInfo{Hostname: &hostname}})
}

// handshake plays the client up to, not including, the message with an index.
func (x *authenticating) handshake(principal, secret string, upTo int) crammd5.Outcome {
	x.t.Helper()
	client, say := crammd5.NewClient(x.agent.String(), principal, secret)
	to := x.here.UPID(Master)
	for n := 0; ; n++ {
		if n == upTo {
			return crammd5.Pending
		}
		if say != nil {
			x.there.SendProto(x.client, to, say)
		}
		if n == 0 {
			if e := next(x.t, x.events).(core.AgentMessage); e.Message.(*internalpb.AuthenticateMessage).GetPid() != x.agent.String() {
				x.t.Errorf("counted: %+v", e)
			}
		}
		m := next(x.t, x.inbox)
		message, err := crammd5.Decode(m.Name, m.Body)
		if err != nil {
			x.t.Fatal(err)
		}
		var outcome crammd5.Outcome
		if say, outcome, err = client.Receive(message); err != nil || outcome != crammd5.Pending {
			return outcome
		}
		to = m.From
	}
}

// registered takes the next registration and says whose it is.
func (x *authenticating) registered(hostname, principal string) {
	x.t.Helper()
	e := next(x.t, x.events).(core.AgentMessage)
	m, ok := e.Message.(*internalpb.RegisterSlaveMessage)
	if !ok || m.GetSlave().GetHostname() != hostname || e.Principal != principal {
		x.t.Errorf("event is %+v, want the registration of %s by %q", e, hostname, principal)
	}
}

func TestAnAgentThatAuthenticatedRegisters(t *testing.T) {
	x := authenticate(t, strict)
	x.register("too early") // dropped
	if got := x.handshake("agent", "a secret", -1); got != crammd5.Authenticated {
		t.Fatalf("handshake ends with %v", got)
	}
	x.register("one")
	x.registered("one", "agent")
	x.register("again")
	x.registered("again", "agent")

	// After its connection broke it has to prove itself anew.
	x.peer.Exited(x.agent)
	if _, ok := next(t, x.events).(core.PeerExited); !ok {
		t.Error("the core is not told")
	}
	x.register("forgotten")
	if got := x.handshake("agent", "a secret", -1); got != crammd5.Authenticated {
		t.Fatalf("handshake ends with %v", got)
	}
	x.register("three")
	x.registered("three", "agent")
}

func TestAnAgentThatIsNotBelievedDoesNotRegister(t *testing.T) {
	for _, secret := range []string{"wrong", ""} {
		x := authenticate(t, strict)
		if got := x.handshake("agent", secret, -1); got != crammd5.Refused {
			t.Fatalf("handshake ends with %v", got)
		}
		x.register("never")
		x.there.SendProto(x.agent, x.here.UPID(Master), &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: proto.String("S")}})
		if e := next(t, x.events).(core.AgentMessage); e.Message.(*internalpb.UnregisterSlaveMessage) == nil {
			t.Errorf("event: %+v", e)
		}
	}
}

func TestWithoutCredentialsNobodyIsBelieved(t *testing.T) {
	x := authenticate(t, Authentication{})
	x.register("free")
	x.registered("free", "")
	if got := x.handshake("agent", "a secret", -1); got != crammd5.Refused {
		t.Fatalf("handshake ends with %v", got)
	}
	x.register("still free")
	x.registered("still free", "")
}

func TestARegistrationWaitsForItsHandshake(t *testing.T) {
	x := authenticate(t, strict)
	x.handshake("agent", "a secret", 1) // the mechanisms are on their way
	x.register("eager")
	// Only the last handshake counts; what waits for the first is dropped with it.
	if got := x.handshake("agent", "a secret", -1); got != crammd5.Authenticated {
		t.Fatalf("handshake ends with %v", got)
	}
	x.register("patient")
	x.registered("patient", "agent")
}

func TestARegistrationGoesOnWhenItsHandshakeIsDone(t *testing.T) {
	x := authenticate(t, strict)
	client, say := crammd5.NewClient(x.agent.String(), "agent", "a secret")
	x.there.SendProto(x.client, x.here.UPID(Master), say)
	next(t, x.events)
	for i := 0; i < 3; i++ {
		m := next(t, x.inbox)
		message, err := crammd5.Decode(m.Name, m.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer, outcome, err := client.Receive(message)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			x.register("eager") // before the answer to the challenge, on the same connection
		}
		if outcome == crammd5.Pending {
			x.there.SendProto(x.client, m.From, answer)
		}
	}
	x.registered("eager", "agent")
}

func TestAHandshakeThatTakesTooLongIsGivenUp(t *testing.T) {
	x := authenticate(t, Authentication{Secrets: strict.Secrets, Agents: true, Timeout: 50 * time.Millisecond})
	_, say := crammd5.NewClient(x.agent.String(), "agent", "a secret")
	x.there.SendProto(x.client, x.here.UPID(Master), say)
	next(t, x.events)
	session := next(t, x.inbox).From
	over := func() bool {
		x.peer.auth.mu.Lock()
		defer x.peer.auth.mu.Unlock()
		return len(x.peer.auth.handshakes) == 0
	}
	for end := time.Now().Add(deadline); !over(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the handshake goes on")
		}
	}
	x.there.SendProto(x.client, session, &internalpb.AuthenticationStartMessage{Mechanism: proto.String(crammd5.Mechanism)})
	x.register("late")
	if got := x.handshake("agent", "a secret", -1); got != crammd5.Authenticated {
		t.Fatalf("handshake ends with %v", got)
	}
}

func TestDriversThatDidNotAuthenticateAreMarked(t *testing.T) {
	x := authenticate(t, strict)
	info := &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n")}
	driver := x.there.Spawn("scheduler-1", &actor{inbox: make(chan libprocess.Message, 10)})
	x.there.SendProto(driver, x.here.UPID(Master), &internalpb.RegisterFrameworkMessage{Framework: info})
	if e := next(t, x.events).(core.DriverCall); !e.Unauthenticated || e.Principal != "" {
		t.Errorf("event: %+v", e)
	}
	x.agent = driver // the handshake is for the driver
	if got := x.handshake("agent", "a secret", -1); got != crammd5.Authenticated {
		t.Fatalf("handshake ends with %v", got)
	}
	x.there.SendProto(driver, x.here.UPID(Master), &internalpb.RegisterFrameworkMessage{Framework: info})
	if e := next(t, x.events).(core.DriverCall); e.Unauthenticated || e.Principal != "agent" {
		t.Errorf("event: %+v", e)
	}
}
