package libprocess

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// recorder is an actor that keeps what it is told.
type recorder struct {
	mu       sync.Mutex
	changed  *sync.Cond
	messages []Message
	exits    []UPID
}

func newRecorder() *recorder {
	r := &recorder{}
	r.changed = sync.NewCond(&r.mu)
	return r
}

func (r *recorder) Receive(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, m)
	r.changed.Broadcast()
}

func (r *recorder) Exited(u UPID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exits = append(r.exits, u)
	r.changed.Broadcast()
}

// wait returns when cond holds; it fails the test if that takes too long.
func (r *recorder) wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		late = true
		r.changed.Broadcast()
	})
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !cond() {
		if late {
			t.Fatalf("waited too long for %s; have %d messages, exits %v", what, len(r.messages), r.exits)
		}
		r.changed.Wait()
	}
}

func (r *recorder) received(t testing.TB, n int) []Message {
	t.Helper()
	r.wait(t, "messages", func() bool { return len(r.messages) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Message(nil), r.messages...)
}

func (r *recorder) exited(t testing.TB, n int) []UPID {
	t.Helper()
	r.wait(t, "exited events", func() bool { return len(r.exits) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]UPID(nil), r.exits...)
}

// started runs a transport on a free port until the test ends.
func started(t testing.TB, change func(*Config)) *Transport {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Listener: l}
	if change != nil {
		change(&config)
	}
	tr := New(config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return tr
}

// dialed is a raw connection to a transport.
func dialed(t testing.TB, tr *Transport) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp4", tr.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c, bufio.NewReader(c)
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

// readAnswer reads one answer and returns its status and body.
func readAnswer(t testing.TB, r *bufio.Reader) (int, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("read an answer: %v", err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read an answer's body: %v", err)
	}
	return resp.StatusCode, string(b)
}

// rawPeer is a listener that plays another libprocess.
type rawPeer struct {
	net.Listener
	t testing.TB
}

func newRawPeer(t testing.TB) *rawPeer {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &rawPeer{l, t}
}

func (p *rawPeer) addr() netip.AddrPort { return p.Addr().(*net.TCPAddr).AddrPort() }

func (p *rawPeer) accept() net.Conn {
	p.t.Helper()
	p.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c, err := p.Accept()
	if err != nil {
		p.t.Fatalf("accept: %v", err)
	}
	c.SetDeadline(time.Now().Add(patience))
	p.t.Cleanup(func() { c.Close() })
	return c
}

func mustParse(t testing.TB, s string) UPID {
	t.Helper()
	u, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func message(from, path, body string) string {
	s := "POST " + path + " HTTP/1.1\r\nUser-Agent: libprocess/" + from + "\r\nLibprocess-From: " + from +
		"\r\nConnection: Keep-Alive\r\nHost: \r\n"
	if body == "" {
		return s + "\r\n"
	}
	return s + "Transfer-Encoding: chunked\r\n\r\n" + chunk(body) + "0\r\n\r\n"
}

func chunk(s string) string {
	const hex = "0123456789abcdef"
	var size []byte
	for n := len(s); n > 0; n >>= 4 {
		size = append([]byte{hex[n&15]}, size...)
	}
	return string(size) + "\r\n" + s + "\r\n"
}

func lines(s ...string) string { return strings.Join(s, "\r\n") + "\r\n\r\n" }

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(strings.NewReader(string(b))) }
