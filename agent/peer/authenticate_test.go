package peer

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/auth/crammd5"
	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
)

// fakeMaster is the master's side of the handshake, on a transport of its own.
type fakeMaster struct {
	transport *libprocess.Transport
	secrets   map[string]string
	// silent is how many attempts it leaves unanswered; broken how many it answers with
	// an error after that.
	silent, broken int
	attempts       int
	session        *crammd5.Server
	pids           chan string
}

func (m *fakeMaster) Receive(l libprocess.Message) {
	message, err := crammd5.Decode(l.Name, l.Body)
	if err != nil || message == nil {
		return
	}
	session := m.transport.UPID("crammd5-authenticator-session(1)")
	var answer proto.Message
	switch begin, ok := message.(*internalpb.AuthenticateMessage); {
	case ok:
		m.attempts++
		m.pids <- begin.GetPid()
		if m.attempts <= m.silent {
			return
		}
		if m.attempts <= m.silent+m.broken {
			answer = &internalpb.AuthenticationErrorMessage{Error: proto.String("No authenticator loaded")}
			break
		}
		m.session, answer = crammd5.NewServer(m.secrets, "<1.2@master>")
	default:
		answer, _ = m.session.Receive(message)
	}
	m.transport.SendProto(session, l.From, answer)
}

func (m *fakeMaster) Exited(libprocess.UPID) {}

func startTransport(t *testing.T) *libprocess.Transport {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := libprocess.New(libprocess.Config{Listener: listener})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = transport.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return transport
}

func (m *fakeMaster) start(t *testing.T) {
	m.transport = startTransport(t)
	m.secrets = map[string]string{"agent": "s3cret"}
	m.pids = make(chan string, 100)
	m.transport.Spawn(MasterID, m)
	m.transport.Spawn("crammd5-authenticator-session(1)", m)
}

// watch runs an agent's side until the test ends.
func watch(t *testing.T, master *fakeMaster, a Authentication) (events chan core.Event, refused chan error) {
	t.Helper()
	events, refused = make(chan core.Event, 100), make(chan error, 1)
	transport := startTransport(t)
	p := New(transport, func(e core.Event) { events <- e }, slog.New(slog.DiscardHandler))
	p.Authenticate(a, func(err error) { refused <- err })
	detector, err := NewFixed(master.transport.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Watch(ctx, detector, make(chan struct{})); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return events, refused
}

func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not come", what)
	}
	panic("unreachable")
}

var quick = Authentication{
	Principal: "agent", Secret: "s3cret",
	TimeoutMin: 100 * time.Millisecond, TimeoutMax: 200 * time.Millisecond, BackoffFactor: time.Millisecond,
}

func TestTheMasterIsKnownOnceItBelieves(t *testing.T) {
	for _, m := range []*fakeMaster{{}, {silent: 2}, {broken: 2}, {silent: 1, broken: 1}} {
		m.start(t)
		events, refused := watch(t, m, quick)
		if pid := within(t, m.pids, "the first attempt"); !strings.HasPrefix(pid, ID+"@127.0.0.1:") {
			t.Errorf("the agent authenticates %q", pid)
		}
		e := within(t, events, "the master").(core.MasterDetected)
		if want := (libprocess.UPID{ID: MasterID, Addr: m.transport.Address()}).String(); e.UPID != want {
			t.Errorf("the master is %q, want %q", e.UPID, want)
		}
		for range m.silent + m.broken {
			within(t, m.pids, "another attempt")
		}
		if len(refused) > 0 {
			t.Errorf("refused: %v", <-refused)
		}
	}
}

func TestAnAgentThatIsRefusedGivesUp(t *testing.T) {
	m := &fakeMaster{}
	m.start(t)
	wrong := quick
	wrong.Secret = "guess"
	events, refused := watch(t, m, wrong)
	err := within(t, refused, "the refusal")
	if !strings.HasPrefix(err.Error(), "Master master@"+m.transport.Address().String()+" refused authentication") || strings.Contains(err.Error(), "guess") {
		t.Errorf("refused: %v", err)
	}
	if len(events) > 0 {
		t.Errorf("event: %v", <-events)
	}
}
