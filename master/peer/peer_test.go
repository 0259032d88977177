package peer

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

const deadline = 20 * time.Second

func transport(t *testing.T) *libprocess.Transport {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := libprocess.New(libprocess.Config{Listener: listener})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = tr.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return tr
}

type actor struct{ inbox chan libprocess.Message }

func (a *actor) Receive(m libprocess.Message) { a.inbox <- m }
func (a *actor) Exited(libprocess.UPID)       {}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(deadline):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

// Messages become events with their sender, pongs with their observer; pings go out
// from the observer's process; a broken link is an event.
func TestMessagesBothWays(t *testing.T) {
	events := make(chan core.Event, 100)
	here, there := transport(t), transport(t)
	p := New(here, func(e core.Event) { events <- e }, Authentication{}, slog.New(slog.DiscardHandler))
	defer p.Close()
	agent := &actor{inbox: make(chan libprocess.Message, 100)}
	self := there.Spawn("slave(1)", agent)
	master := here.UPID(Master)

	there.SendProto(self, master, &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: proto.String("S0")}})
	m := next(t, events).(core.AgentMessage)
	if m.From != self.String() || m.IP != "127.0.0.1" || m.Message.(*internalpb.UnregisterSlaveMessage).GetSlaveId().GetValue() != "S0" {
		t.Errorf("event: %+v", m)
	}
	for _, e := range []core.Effect{core.Link{To: self.String()}, core.Observe{Observer: 3}, core.Ping{Observer: 3, To: self.String(), Connected: true}} {
		if !p.Do(e) {
			t.Errorf("%T is not for peers", e)
		}
	}
	ping := next(t, agent.inbox)
	if ping.From.ID != "slave-observer(3)" || ping.Name != "mesos.internal.PingSlaveMessage" {
		t.Errorf("ping: %+v", ping)
	}
	there.SendProto(self, ping.From, &internalpb.PongSlaveMessage{})
	if got := next(t, events); got != (core.Pong{Observer: 3}) {
		t.Errorf("event: %+v", got)
	}
	p.Do(core.Unobserve{Observer: 3})
	p.Do(core.Ping{Observer: 3, To: self.String()}) // nobody to send it from
	p.Do(core.Send{To: "not an address", Message: &internalpb.PongSlaveMessage{}})
	p.Do(core.Send{To: self.String(), Message: &internalpb.ShutdownMessage{Message: proto.String("go")}})
	if got := next(t, agent.inbox); got.From != master || got.Name != "mesos.internal.ShutdownMessage" {
		t.Errorf("message: %+v", got)
	}
	if p.Do(core.CloseStream{}) {
		t.Error("a stream is not for peers")
	}
	there.Close()
	if got := next(t, events); got != (core.PeerExited{PID: self.String()}) {
		t.Errorf("event: %+v", got)
	}
}

// Whatever bytes come under whatever name: an event or an error, never a panic, and
// an event only for a message that is complete.
func FuzzDecode(f *testing.F) {
	for name := range incoming {
		f.Add("mesos.internal."+name, []byte("\x0a\x02\x0a\x00"))
	}
	for name := range fromDrivers {
		f.Add("mesos.internal."+name, []byte("\x0a\x02\x0a\x00"))
	}
	f.Add(driverCall, []byte("\x0a\x02\x0a\x00\x10\x01\x1a\x08\x0a\x04\x0a\x00\x12\x00\x10\x01"))
	f.Add("PING", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		event, err := decode(libprocess.Message{Name: name, Body: body})
		if (event == nil) == (err == nil) {
			t.Fatalf("event %v, error %v", event, err)
		}
		var message proto.Message
		switch e := event.(type) {
		case core.AgentMessage:
			message = e.Message.(proto.Message)
		case core.DriverCall:
			message = e.Call
		}
		if message != nil {
			if err := proto.CheckInitialized(message); err != nil {
				t.Fatal(err)
			}
		}
	})
}
