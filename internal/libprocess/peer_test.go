package libprocess

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// received reads one message from the stream of a rawPeer.
func receivedBy(t testing.TB, r *bufio.Reader) (path, from, body string) {
	t.Helper()
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("read a message: %v", err)
	}
	b, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatalf("read a message's body: %v", err)
	}
	return req.URL.Path, req.Header.Get("Libprocess-From"), string(b)
}

// Messages to one address share a connection, come in order, are not held up by
// answers that never come, and when all were sent our side of the connection closes.
func TestSendToAPeerThatNeverAnswers(t *testing.T) {
	tr, peer := started(t, nil), newRawPeer(t)
	var want []string
	for i := range 500 {
		id := fmt.Sprintf("process(%d)", i%3)
		body := strings.Repeat("x", i*7%5000)
		tr.Send(tr.UPID("me"), UPID{id, peer.addr()}, fmt.Sprintf("m%d", i), []byte(body))
		want = append(want, fmt.Sprintf("/%s/m%d %d", id, i, len(body)))
	}
	var got []string
	for len(got) < len(want) {
		c := peer.accept()
		r := bufio.NewReader(c)
		for {
			if _, err := r.Peek(1); err == io.EOF {
				break
			}
			path, from, body := receivedBy(t, r)
			got = append(got, fmt.Sprint(path, " ", len(body)))
			if from != tr.UPID("me").String() {
				t.Errorf("from %s", from)
			}
		}
		c.Close()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-sent +received):\n%s", diff)
	}
}

// What is sent while an unlinked connection is closing goes out on a new one, also when
// the peer does not close its side.
func TestSendAfterTheConnectionWasHalfClosed(t *testing.T) {
	for _, closes := range []bool{true, false} {
		t.Run(fmt.Sprint("peer closes: ", closes), func(t *testing.T) {
			tr, peer := started(t, nil), newRawPeer(t)
			to := UPID{"p", peer.addr()}
			tr.Send(tr.UPID("me"), to, "first", nil)
			c := peer.accept()
			r := bufio.NewReader(c)
			receivedBy(t, r)
			if _, err := r.ReadByte(); err != io.EOF {
				t.Fatalf("our side stayed open: %v", err)
			}
			if closes {
				c.Close()
			}
			tr.Send(tr.UPID("me"), to, "second", nil)
			second := peer.accept()
			if path, _, _ := receivedBy(t, bufio.NewReader(second)); path != "/p/second" {
				t.Errorf("got %s", path)
			}
			second.Close()
			c.Close()
		})
	}
}

// Linking opens a connection and sends nothing; everything sent later uses it; its end
// gives one exited event for each linked UPID and linker, and messages after that go
// out on a new connection.
func TestLinkAndExit(t *testing.T) {
	tr, peer := started(t, nil), newRawPeer(t)
	one, two := newRecorder(), newRecorder()
	tr.Spawn("one", one)
	tr.Spawn("two", two)
	a, b := UPID{"a", peer.addr()}, UPID{"b", peer.addr()}
	tr.Link(tr.UPID("one"), a)
	tr.Link(tr.UPID("one"), a) // once is enough
	tr.Link(tr.UPID("one"), b)
	tr.Link(tr.UPID("two"), b)
	c := peer.accept()
	r := bufio.NewReader(c)
	for i := range 3 {
		tr.Send(tr.UPID("one"), a, fmt.Sprint("m", i), []byte("x"))
		if path, _, _ := receivedBy(t, r); path != fmt.Sprint("/a/m", i) {
			t.Errorf("got %s", path)
		}
	}
	c.Close()
	if got := one.exited(t, 2); len(got) != 2 || got[0] == got[1] {
		t.Errorf("one was told %v", got)
	}
	if got := two.exited(t, 1); len(got) != 1 || got[0] != b {
		t.Errorf("two was told %v", got)
	}
	tr.Send(tr.UPID("one"), a, "later", nil)
	if path, _, _ := receivedBy(t, bufio.NewReader(peer.accept())); path != "/a/later" {
		t.Errorf("got %s", path)
	}
	// No link is left, so the new connection's end is nobody's business.
	tr.Link(tr.UPID("one"), b)
	one.mu.Lock()
	if len(one.exits) != 2 {
		t.Errorf("one was told %v", one.exits)
	}
	one.mu.Unlock()
}

func TestLinkToAnAddressThatDoesNotListen(t *testing.T) {
	tr, peer := started(t, nil), newRawPeer(t)
	peer.Close()
	me := newRecorder()
	tr.Spawn("me", me)
	to := UPID{"a", peer.addr()}
	tr.Link(tr.UPID("me"), to)
	if got := me.exited(t, 1)[0]; got != to {
		t.Errorf("told of %s", got)
	}
	tr.Link(tr.UPID("me"), to)
	me.exited(t, 2)
}

// Two transports: a link survives any number of messages, a missing process is no exit,
// and stopping the other one is.
func TestTwoTransports(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	agent := New(Config{Listener: l})
	done := make(chan error, 1)
	go func() { done <- agent.Run(t.Context()) }()
	master := started(t, nil)
	masterEvents, agentEvents := newRecorder(), newRecorder()
	master.Spawn("master", masterEvents)
	agent.Spawn("slave(1)", agentEvents)

	master.Link(master.UPID("master"), agent.UPID("slave(1)"))
	master.Link(master.UPID("master"), agent.UPID("nobody"))
	agent.Link(agent.UPID("slave(1)"), master.UPID("master"))
	const many = 2000
	for i := range many {
		master.SendProto(master.UPID("master"), agent.UPID("slave(1)"), wrapperspb.UInt32(uint32(i)))
		agent.SendProto(agent.UPID("slave(1)"), master.UPID("master"), wrapperspb.UInt32(uint32(i)))
		master.Send(master.UPID("master"), agent.UPID("nobody"), "lost", nil)
	}
	for who, r := range map[string]*recorder{"master": masterEvents, "agent": agentEvents} {
		for i, m := range r.received(t, many) {
			if want := string(wrapperspbBytes(uint32(i))); string(m.Body) != want || m.Name != "google.protobuf.UInt32Value" {
				t.Fatalf("%s: message %d is %s %x", who, i, m.Name, m.Body)
			}
		}
	}
	agent.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := masterEvents.exited(t, 2); len(got) != 2 {
		t.Errorf("exits %v", got)
	}
	if len(agentEvents.exits) != 0 {
		t.Errorf("a stopped transport told of %v", agentEvents.exits)
	}
}

func wrapperspbBytes(i uint32) []byte {
	if i == 0 {
		return nil
	}
	b := []byte{8}
	for i >= 0x80 {
		b = append(b, byte(i)|0x80)
		i >>= 7
	}
	return append(b, byte(i))
}

// A peer that reads nothing fills its queue; then the connection counts as failed, which
// is logged once.
func TestFullQueue(t *testing.T) {
	var log lockedBuffer
	tr := started(t, func(c *Config) {
		c.MaxQueue = 1 << 20
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	peer := newRawPeer(t)
	me := newRecorder()
	tr.Spawn("me", me)
	to := UPID{"a", peer.addr()}
	tr.Link(tr.UPID("me"), to)
	peer.accept()
	body := make([]byte, 100<<10)
	for range 2000 {
		me.mu.Lock()
		told := len(me.exits)
		me.mu.Unlock()
		if told > 0 {
			break
		}
		tr.Send(tr.UPID("me"), to, "m", body)
	}
	me.exited(t, 1)
	if n := strings.Count(log.String(), "Too many messages wait"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.String()
}

// Relink makes a new connection; the end of the old one is nobody's exit.
func TestRelink(t *testing.T) {
	tr, peer := started(t, nil), newRawPeer(t)
	me := newRecorder()
	tr.Spawn("me", me)
	a, b := UPID{"a", peer.addr()}, UPID{"b", peer.addr()}
	tr.Link(tr.UPID("me"), a)
	old := peer.accept()
	tr.Relink(tr.UPID("me"), b)
	if _, err := old.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the old connection: %v", err)
	}
	fresh := peer.accept()
	tr.Send(tr.UPID("me"), a, "m", nil)
	receivedBy(t, bufio.NewReader(fresh))
	if len(me.exits) > 0 {
		t.Errorf("told of %v", me.exits)
	}
	fresh.Close()
	if got := me.exited(t, 2); len(got) != 2 {
		t.Errorf("told of %v", got)
	}
}

// Local processes talk without a connection, in order, and never inside Send.
func TestLocalProcesses(t *testing.T) {
	tr := New(Config{Advertise: netip.MustParseAddrPort("127.0.0.1:5050")})
	defer tr.Close()
	a, b := newRecorder(), newRecorder()
	tr.Spawn("a", a)
	tr.Spawn("b", b)
	a.mu.Lock() // Send would hang if it called the actor
	for i := range 100 {
		tr.Send(tr.UPID("b"), tr.UPID("a"), fmt.Sprint("m", i), []byte{byte(i)})
	}
	a.mu.Unlock()
	for i, m := range a.received(t, 100) {
		if m.Name != fmt.Sprint("m", i) || m.From != tr.UPID("b") {
			t.Errorf("message %d: %v", i, m)
		}
	}
	tr.Link(tr.UPID("a"), tr.UPID("b"))
	tr.Link(tr.UPID("a"), tr.UPID("nobody"))
	if got := a.exited(t, 1)[0]; got.ID != "nobody" {
		t.Errorf("told of %s", got)
	}
	tr.Terminate("b")
	if got := a.exited(t, 2)[1]; got.ID != "b" {
		t.Errorf("told of %s", got)
	}
	tr.Send(tr.UPID("a"), tr.UPID("b"), "late", nil)
	tr.Send(tr.UPID("a"), UPID{}, "to nobody", nil)
}

func TestLocalQueueIsBounded(t *testing.T) {
	var log lockedBuffer
	tr := New(Config{Advertise: netip.MustParseAddrPort("127.0.0.1:5050"), MaxLocal: 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer tr.Close()
	a := newRecorder()
	tr.Spawn("a", a)
	a.mu.Lock() // the actor is busy
	for range 100 {
		tr.Send(UPID{}, tr.UPID("a"), "m", nil)
	}
	a.mu.Unlock()
	a.received(t, 10)
	if n := strings.Count(log.String(), "Too many messages"); n < 1 || n > 2 {
		t.Errorf("logged %d times", n)
	}
}

// A process that ended gets neither messages nor exits, and its id can be used again.
func TestTerminate(t *testing.T) {
	tr, peer := started(t, nil), newRawPeer(t)
	old, fresh := newRecorder(), newRecorder()
	id := tr.NextID("slave")
	if id != "slave(1)" || tr.NextID("slave") != "slave(2)" || tr.NextID("x") != "x(1)" {
		t.Errorf("id %s", id)
	}
	tr.Spawn(id, old)
	to := UPID{"a", peer.addr()}
	tr.Link(tr.UPID(id), to)
	tr.Terminate(id)
	tr.Spawn(id, fresh)
	other := newRecorder()
	tr.Spawn("other", other)
	tr.Link(tr.UPID("other"), to)
	peer.accept().Close()
	other.exited(t, 1)
	if len(old.exits)+len(fresh.exits) > 0 {
		t.Error("the link of an ended process was reported")
	}
}

func TestCloseWithoutRun(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := New(Config{Listener: l})
	peer := newRawPeer(t)
	tr.Link(tr.UPID("me"), UPID{"a", peer.addr()})
	c := peer.accept()
	tr.Close()
	tr.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the link stayed open: %v", err)
	}
	tr.Link(tr.UPID("me"), UPID{"a", peer.addr()})
	tr.Send(tr.UPID("me"), UPID{"a", peer.addr()}, "m", nil)
	if err := tr.Run(t.Context()); err != nil {
		t.Errorf("Run after Close: %v", err)
	}
}

func BenchmarkMessages(b *testing.B) {
	for _, size := range []int{0, 200, 10_000} {
		b.Run(fmt.Sprint("body=", size), func(b *testing.B) {
			from, to := started(b, nil), started(b, nil)
			// At most so many messages are under way, to stay inside the queue limit.
			counter := &countingActor{window: make(chan struct{}, 2000)}
			to.Spawn("to", counter)
			from.Link(from.UPID("from"), to.UPID("to"))
			body := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				counter.window <- struct{}{}
				from.Send(from.UPID("from"), to.UPID("to"), "mesos.internal.StatusUpdateMessage", body)
			}
			for range cap(counter.window) {
				counter.window <- struct{}{}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

type countingActor struct{ window chan struct{} }

func (a *countingActor) Receive(Message) { <-a.window }
func (a *countingActor) Exited(UPID)     { panic("the connection failed") }
