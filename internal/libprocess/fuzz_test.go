package libprocess

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func seeds() []string {
	return []string{
		message("a@127.0.0.1:1", "/master/mesos.A", "body"),
		message("a@127.0.0.1:1", "/master/mesos.A", ""),
		lines("GET /version?a=b HTTP/1.0", "Connection: keep-alive"),
		lines("POST /%6d HTTP/1.1", "Content-Length: 3") + "abc",
		lines("POST /x HTTP/1.1", "Transfer-Encoding: chunked") + "2;e\r\nab\r\n0\r\nT: v\r\n\r\n",
		"GET / HTTP/1.1\nHost:\n\n",
	}
}

// What parseHead accepts, net/http accepts too after our rewriting, and both agree on
// method, path and framing. Anything else would let one request hide in another.
func FuzzHead(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, n, err := parseHead(data)
		if err != nil {
			return
		}
		if n > len(data) {
			t.Fatalf("took %d of %d bytes", n, len(data))
		}
		if h.path != "" && h.path[0] == '/' {
			h.addressee()
			h.sender(func(string) (UPID, error) { return UPID{}, errHost })
		} else {
			return
		}
		head := h.appendHTTP(nil, data)
		r, err := http.ReadRequest(newReader(head))
		if err != nil {
			return // net/http answers 400 and closes
		}
		if r.Method != h.method {
			t.Errorf("method %q and %q", h.method, r.Method)
		}
		chunks := len(r.TransferEncoding) > 0
		if chunks != (h.framing == chunked) || (!chunks && h.framing == byLength && r.ContentLength != h.length) ||
			(h.framing == noBody && r.ContentLength != 0) {
			t.Errorf("framing %v %d and %v %d of %q", h.framing, h.length, r.TransferEncoding, r.ContentLength, head)
		}
	})
}

// Any split of the input gives the same content, and never more than the input.
func FuzzBody(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\nrest"), 2)
	f.Add([]byte("1;x\r\na\r\n0\r\nT: v\r\n\r\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		if step < 1 {
			step = 1
		}
		read := func(step int) (content []byte, taken int, failed bool) {
			s := bodyScanner{framing: chunked}
			for taken < len(data) && !s.done {
				n, size, err := s.scan(data[taken:min(len(data), taken+step)])
				taken += n
				if err != nil {
					return content, taken, true
				}
				content = append(content, data[taken-size:taken]...)
			}
			return content, taken, false
		}
		whole, n, failed := read(len(data))
		pieces, m, failedToo := read(step)
		if !bytes.Equal(whole, pieces) || n != m || failed != failedToo || len(whole) > len(data) {
			t.Errorf("%q %d %v and %q %d %v", whole, n, failed, pieces, m, failedToo)
		}
	})
}

// Whatever comes in, the server neither panics nor hangs, and goes on.
func FuzzConnection(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s+s), 7)
	}
	tr := started(f, func(c *Config) { c.HTTP = http.HandlerFunc(echo) })
	tr.Spawn("master", newRecorder())
	f.Fuzz(func(t *testing.T, data []byte, split int) {
		c, err := net.Dial("tcp4", tr.Address().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		if split > 0 && split < len(data) {
			c.Write(data[:split])
			data = data[split:]
		}
		c.Write(data)
		c.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Fatal("the connection stayed open after the client's end")
			}
		}
	})
}
