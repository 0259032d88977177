package peer

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"stoa/agent/core"
	"stoa/internal/libprocess"
)

func TestFixedAddresses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"127.0.0.1:5050", "127.0.0.1:5050"}, {"master@127.0.0.1:5050", "127.0.0.1:5050"}, {"localhost:5050", "127.0.0.1:5050"},
	} {
		d, err := NewFixed(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		leader, err := d.Detect(t.Context(), nil)
		if err != nil || leader.Address.String() != c.want {
			t.Errorf("%s: %v, %v", c.text, leader, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Detect(ctx, &leader); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the leader changed: %v", c.text, err)
		}
	}
	for _, text := range []string{"", "zk://a:2181/mesos", "host", "host:0", "host:99999", "host:x"} {
		if _, err := NewFixed(text); err == nil || !strings.Contains(err.Error(), "--master") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// script is told who leads; like a real detector it can be asked for the same
// answer more than once.
type script struct {
	mu      sync.Mutex
	leader  *Leader
	changed chan struct{}
}

func newScript() *script { return &script{changed: make(chan struct{})} }

func (s *script) set(l Leader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader = &l
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *script) Detect(ctx context.Context, previous *Leader) (Leader, error) {
	for {
		s.mu.Lock()
		leader, changed := s.leader, s.changed
		s.mu.Unlock()
		if leader != nil && (previous == nil || *leader != *previous) {
			return *leader, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Leader{}, ctx.Err()
		}
	}
}

func TestEveryChangeOfTheLeaderIsTold(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := libprocess.New(libprocess.Config{Listener: listener})
	defer transport.Close()
	events := make(chan core.Event, 10)
	p := New(transport, func(e core.Event) { events <- e }, slog.New(slog.DiscardHandler))
	s := newScript()
	again := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Watch(ctx, s, again)
	}()
	expect := func(want core.MasterDetected) {
		t.Helper()
		select {
		case got := <-events:
			if got != core.Event(want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no %+v", want)
		}
	}
	one := netip.MustParseAddrPort("127.0.0.1:5050")
	s.set(Leader{Address: one, Hostname: "a"})
	expect(core.MasterDetected{UPID: "master@127.0.0.1:5050", Hostname: "a"})
	s.set(Leader{})
	expect(core.MasterDetected{})
	again <- struct{}{}
	expect(core.MasterDetected{}) // asked anew, told again
	s.set(Leader{Address: one, Update: true})
	expect(core.MasterDetected{UPID: "master@127.0.0.1:5050", Update: true})
	stop()
	<-done
}

func FuzzDecode(f *testing.F) {
	f.Add("mesos.internal.RunTaskMessage", []byte{18, 0})
	f.Add("mesos.internal.PingSlaveMessage", []byte{8, 1})
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		if m, ok, err := Decode(name, body); ok && err == nil && m == nil {
			t.Fatal("nothing decoded")
		}
	})
}
