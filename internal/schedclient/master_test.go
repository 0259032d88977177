package schedclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
	"stoa/internal/mesos/schedulerpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is the master's end of the wire in these tests: it takes what a client sends over a real socket and answers as the
// test says. What a master answers is known from recordings of the original.
type peer struct {
	*httptest.Server
	subscribes chan *subscription
	calls      chan received
	// answer may take over a request before the peer does; true when it did.
	answer func(http.ResponseWriter, *http.Request, *schedulerpb.Call) bool
}

// received is a call with what stood around it.
type received struct {
	call   *schedulerpb.Call
	header http.Header
	path   string
	remote string
}

// subscription is one open stream, seen from the master.
type subscription struct {
	received
	w    http.ResponseWriter
	end  chan struct{}
	done chan struct{}
	mu   sync.Mutex // held while w is written to, and by the handler when it returns
}

func newPeer(tb testing.TB) *peer {
	p := &peer{subscribes: make(chan *subscription, 16), calls: make(chan received, 4096)}
	p.Server = httptest.NewServer(p)
	tb.Cleanup(p.Close)
	return p
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	call := &schedulerpb.Call{}
	if err != nil || proto.Unmarshal(body, call) != nil {
		http.Error(w, "Failed to parse body into Call protobuf", http.StatusBadRequest)
		return
	}
	if p.answer != nil && p.answer(w, r, call) {
		return
	}
	got := received{call: call, header: r.Header, path: r.URL.Path, remote: r.RemoteAddr}
	if call.GetType() != schedulerpb.Call_SUBSCRIBE {
		p.calls <- got
		w.WriteHeader(http.StatusAccepted)
		return
	}
	s := &subscription{received: got, w: w, end: make(chan struct{}), done: make(chan struct{})}
	defer close(s.done)
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Header().Set("Mesos-Stream-Id", fmt.Sprintf("stream-of-%s", r.RemoteAddr))
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	p.subscribes <- s
	select {
	case <-s.end:
	case <-r.Context().Done():
	}
	s.mu.Lock()
	s.w = nil
	s.mu.Unlock()
}

// send writes raw bytes into the stream.
func (s *subscription) send(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return // the client has gone
	}
	_, _ = s.w.Write(raw)
	s.w.(http.Flusher).Flush()
}

func (s *subscription) event(e *schedulerpb.Event) {
	record, err := proto.Marshal(e)
	if err != nil {
		panic(err)
	}
	s.send(recordio.Append(nil, record))
}

// welcome sends what a master sends first.
func (s *subscription) welcome(frameworkID string) {
	s.event(subscribedEvent(frameworkID, 15))
	s.event(heartbeat)
}

func subscribedEvent(frameworkID string, interval float64) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_SUBSCRIBED.Enum(), Subscribed: &schedulerpb.Event_Subscribed{
		FrameworkId:              &mesospb.FrameworkID{Value: proto.String(frameworkID)},
		HeartbeatIntervalSeconds: proto.Float64(interval),
	}}
}

var heartbeat = &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}

func rescind(offer string) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_RESCIND.Enum(), Rescind: &schedulerpb.Event_Rescind{
		OfferId: &mesospb.OfferID{Value: proto.String(offer)},
	}}
}

// journal is a Handler that writes down what happens, one line each, into a channel.
type journal struct {
	lines   chan string
	hook    func(line string) // called in the handler, may be nil
	virtual bool              // inside a synctest bubble
}

func newJournal() *journal { return &journal{lines: make(chan string, 256)} }

func (j *journal) add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if j.hook != nil {
		j.hook(line)
	}
	j.lines <- line
}

func (j *journal) Connected(url string) { j.add("connected %s", url) }
func (j *journal) Subscribed(e *schedulerpb.Event_Subscribed) {
	j.add("subscribed %s", e.GetFrameworkId().GetValue())
}
func (j *journal) Event(e *schedulerpb.Event) {
	j.add("%s %s", e.GetType(), e.GetRescind().GetOfferId().GetValue())
}
func (j *journal) Disconnected(err error) { j.add("disconnected: %v", err) }

// expect waits for the next line and compares its beginning.
func (j *journal) expect(tb testing.TB, want string) string {
	tb.Helper()
	var got string
	if j.virtual {
		got = <-j.lines
	} else {
		got = take(tb, j.lines)
	}
	if !strings.HasPrefix(got, want) {
		tb.Fatalf("handler saw %q, want %q", got, want)
	}
	return got
}

// take waits for a value; a minute without one fails the test. (The virtual minutes of a synctest bubble pass at once: there a
// test reads the channel itself.)
func take[T any](tb testing.TB, c <-chan T) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		tb.Fatal("nothing happened for a minute")
		panic("unreachable")
	}
}

func framework() *mesospb.FrameworkInfo {
	return &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("marathon")}
}

func quickConfig(masters ...string) Config {
	return Config{
		Masters:    masters,
		Framework:  framework(),
		Logger:     slog.New(slog.DiscardHandler),
		MinBackoff: time.Millisecond,
		MaxBackoff: 20 * time.Millisecond,
	}
}

// start runs a client until the test ends. The returned channel gives Run's result.
func start(tb testing.TB, c *Client, h Handler) (stop context.CancelFunc, result <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		finished <- c.Run(ctx, h)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	return cancel, finished
}

func plainAnswer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.Copy(w, bytes.NewReader([]byte(body)))
}
