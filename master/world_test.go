package master

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
	"stoa/internal/store"

	"google.golang.org/protobuf/proto"
)

// deadline is how long a test waits for what must happen.
const deadline = 20 * time.Second

// testMaster is a master on a port of its own.
type testMaster struct {
	*Master
	t    *testing.T
	stop func()
	http *http.Client
}

// startMaster runs a master over the registry in dir until the test ends or stop is
// called.
func startMaster(t *testing.T, dir string, change ...func(*Config)) *testMaster {
	t.Helper()
	state, err := store.OpenFile(filepath.Join(dir, "master.db"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Store: state, Listener: listener,
		Build:  &mesospb.VersionInfo{Version: proto.String("1.12.0")},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	cfg.Core.RootSubmissions = true
	for _, f := range change {
		f(&cfg)
	}
	m, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	stopped := false
	tm := &testMaster{Master: m, t: t, http: &http.Client{Transport: &http.Transport{}}}
	tm.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the master ended with %v", err)
		}
		tm.http.CloseIdleConnections()
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(tm.stop)
	return tm
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

func (m *testMaster) url(path string) string { return "http://" + m.Address().String() + path }

func (m *testMaster) upid() libprocess.UPID {
	u, err := libprocess.Parse(m.Info().GetPid())
	if err != nil {
		m.t.Fatal(err)
	}
	return u
}

// fakeAgent is a process `slave(1)` that says what a test has it say, through a real
// transport, and answers pings.
type fakeAgent struct {
	t         *testing.T
	transport *libprocess.Transport
	self      libprocess.UPID
	master    libprocess.UPID
	inbox     chan libprocess.Message
	pings     chan libprocess.Message
	stop      func()
}

func startAgent(t *testing.T, m *testMaster) *fakeAgent {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &fakeAgent{
		t: t, transport: libprocess.New(libprocess.Config{Listener: listener}), master: m.upid(),
		inbox: make(chan libprocess.Message, 10000), pings: make(chan libprocess.Message, 10000),
	}
	a.self = a.transport.Spawn("slave(1)", a)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = a.transport.Run(ctx); close(done) }()
	a.stop = func() { cancel(); <-done }
	t.Cleanup(a.stop)
	return a
}

func (a *fakeAgent) Receive(m libprocess.Message) {
	if m.Name == "mesos.internal.PingSlaveMessage" {
		a.pings <- m
		a.transport.SendProto(a.self, m.From, &internalpb.PongSlaveMessage{})
		return
	}
	a.inbox <- m
}

func (a *fakeAgent) Exited(libprocess.UPID) {}

func (a *fakeAgent) address() netip.AddrPort { return a.self.Addr }

func (a *fakeAgent) send(m proto.Message) { a.transport.SendProto(a.self, a.master, m) }

// next waits for the next message that is not a ping.
func (a *fakeAgent) next() libprocess.Message {
	a.t.Helper()
	select {
	case m := <-a.inbox:
		return m
	case <-time.After(deadline):
		a.t.Fatal("no message came to the agent")
	}
	panic("unreachable")
}

// expect waits for a message of the type of into, passing over others.
func (a *fakeAgent) expect(into proto.Message) {
	a.t.Helper()
	name := string(into.ProtoReflect().Descriptor().FullName())
	for {
		m := a.next()
		if m.Name == name {
			if err := proto.Unmarshal(m.Body, into); err != nil {
				a.t.Fatal(err)
			}
			return
		}
	}
}

// register has the agent register with resources and returns its id.
func (a *fakeAgent) register(list []*mesospb.Resource) string {
	a.t.Helper()
	a.send(&internalpb.RegisterSlaveMessage{
		Slave: &mesospb.AgentInfo{
			Hostname: proto.String("agent1"), Port: proto.Int32(int32(a.address().Port())),
			Resources: list, Checkpoint: proto.Bool(true),
		},
		Version:             proto.String("1.11.0"),
		AgentCapabilities:   agentCapabilities,
		ResourceVersionUuid: &mesospb.UUID{Value: []byte("0123456789abcdef")},
	})
	var m internalpb.SlaveRegisteredMessage
	a.expect(&m)
	return m.GetSlaveId().GetValue()
}

var agentCapabilities = []*mesospb.AgentInfo_Capability{
	{Type: mesospb.AgentInfo_Capability_MULTI_ROLE.Enum()},
	{Type: mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESOURCE_PROVIDER.Enum()},
	{Type: mesospb.AgentInfo_Capability_AGENT_DRAINING.Enum()},
}

// scheduler is a v1 scheduler over JSON.
type scheduler struct {
	t      *testing.T
	m      *testMaster
	id     string // of the framework
	stream string // Mesos-Stream-Id
	events chan string
	body   io.Closer
	// offers are those that are out, as they came.
	offers map[string]*mesospb.Offer
}

// subscribe opens a stream. Its events, without heartbeats, come to events as JSON.
func subscribe(t *testing.T, m *testMaster, body string) *scheduler {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, m.url("/api/v1/scheduler"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	response, err := m.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("SUBSCRIBE: %s, %s", response.Status, text)
	}
	s := &scheduler{
		t: t, m: m, stream: response.Header.Get("Mesos-Stream-Id"), body: response.Body,
		events: make(chan string, 100000), offers: make(map[string]*mesospb.Offer),
	}
	if len(s.stream) != 36 {
		t.Errorf("Mesos-Stream-Id is %q", s.stream)
	}
	go func() {
		defer close(s.events)
		records := recordio.NewReader(bufio.NewReader(response.Body), recordio.DefaultMaxRecord)
		for {
			record, err := records.Next()
			if err != nil {
				return
			}
			if text := string(record); text != `{"type":"HEARTBEAT"}` {
				s.events <- text
			}
		}
	}()
	t.Cleanup(func() { response.Body.Close() })
	return s
}

// next waits for the next event of one of the types, passing over others. It is empty
// when the stream ended.
func (s *scheduler) next(types ...string) string {
	s.t.Helper()
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return ""
			}
			var head struct {
				Type       string
				Subscribed struct {
					FrameworkID struct{ Value string } `json:"framework_id"`
				}
			}
			if err := json.Unmarshal([]byte(e), &head); err != nil {
				s.t.Fatalf("event %s: %v", e, err)
			}
			if head.Type == "SUBSCRIBED" {
				s.id = head.Subscribed.FrameworkID.Value
			}
			for _, one := range types {
				if head.Type == one {
					return e
				}
			}
		case <-time.After(deadline):
			s.t.Fatalf("no event of %v came", types)
		}
	}
}

// call makes a call and returns its answer.
func (s *scheduler) call(body string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.m.url("/api/v1/scheduler"), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Mesos-Stream-Id", s.stream)
	response, err := s.m.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

var offerID = regexp.MustCompile(`"id":\{"value":"([^"]+-O\d+)"\}`)

// nextOffer waits for an OFFERS event and returns the id of its first offer and the
// event.
func (s *scheduler) nextOffer() (string, string) {
	s.t.Helper()
	e := s.next("OFFERS")
	found := offerID.FindStringSubmatch(e)
	if found == nil {
		s.t.Fatalf("no offer in %s", e)
	}
	return found[1], e
}

func (s *scheduler) must(body string) {
	s.t.Helper()
	if status, text := s.call(body); status != http.StatusAccepted {
		s.t.Fatalf("%s: %d %s", body, status, text)
	}
}

func subscribeBody(id string) string {
	extra := ""
	if id != "" {
		extra = fmt.Sprintf(`,"id":{"value":%q}`, id)
	}
	body := `"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"t","failover_timeout":600,"checkpoint":true` + extra + `}}}`
	if id != "" {
		return fmt.Sprintf(`{"framework_id":{"value":%q},`, id) + body
	}
	return "{" + body
}
