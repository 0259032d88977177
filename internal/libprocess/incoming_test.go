package libprocess

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each way a peer of some age or kind sends a message, and what it is answered.
func TestMessagesOfAllKindsOfPeers(t *testing.T) {
	const from = "slave(1)@127.0.0.1:5051"
	tests := []struct {
		name, request string
		status        int
		text          string
		want          *Message // nil: not delivered
	}{
		{"libmesos 1.12", lines("POST /master/mesos.A HTTP/1.1", "User-Agent: libprocess/"+from, "Libprocess-From: "+from,
			"Connection: Keep-Alive", "Host: 127.0.0.1:5050", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
			202, "", &Message{Name: "mesos.A", Body: []byte("abc")}},
		{"libmesos 1.11: empty Host", lines("POST /master/mesos.A HTTP/1.1", "User-Agent: libprocess/"+from,
			"Libprocess-From: "+from, "Connection: Keep-Alive", "Host: ", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
			202, "", &Message{Name: "mesos.A", Body: []byte("abc")}},
		{"libmesos 0.21: HTTP/1.0 and chunked", lines("POST /master/mesos.A HTTP/1.0", "User-Agent: libprocess/"+from,
			"Connection: Keep-Alive", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
			202, "", &Message{Name: "mesos.A", Body: []byte("abc")}},
		{"mesos-go: own User-Agent, Content-Length", lines("POST /master/mesos.A HTTP/1.1", "Host: 127.0.0.1:5050",
			"User-Agent: Go-http-client/1.1", "Content-Length: 3", "Connection: Keep-Alive",
			"Content-Type: application/x-protobuf", "Libprocess-From: "+from) + "abc",
			202, "", &Message{Name: "mesos.A", Body: []byte("abc")}},
		{"several chunks, an extension and a trailer", lines("POST /master/mesos.A HTTP/1.1", "libprocess-from: "+from,
			"transfer-encoding: Chunked") + "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: v\r\n\r\n",
			202, "", &Message{Name: "mesos.A", Body: []byte("abc")}},
		{"no body", lines("POST /master/mesos.Pong HTTP/1.1", "Libprocess-From: "+from),
			202, "", &Message{Name: "mesos.Pong"}},
		{"only LF", "POST /master/mesos.Pong HTTP/1.1\nLibprocess-From: " + from + "\n\n",
			202, "", &Message{Name: "mesos.Pong"}},
		{"escaped process id", lines("POST /%6daster/mesos.A HTTP/1.1", "Libprocess-From: "+from),
			202, "", &Message{Name: "mesos.A"}},
		{"slashes in the name, and a query", lines("POST /master/a/b/c?x=1 HTTP/1.1", "Libprocess-From: "+from),
			202, "", &Message{Name: "a/b/c"}},
		{"absolute form", lines("POST http://127.0.0.1:1/master/a HTTP/1.1", "Libprocess-From: "+from),
			202, "", &Message{Name: "a"}},
		{"Libprocess-From counts more than User-Agent", lines("POST /master/a HTTP/1.1", "User-Agent: libprocess/x@9.9.9.9:9",
			"Libprocess-From:   "+from+"  "), 202, "", &Message{Name: "a"}},
		{"no such process", lines("POST /nobody/mesos.A HTTP/1.1", "Libprocess-From: "+from, "Content-Length: 1") + "x",
			404, "404 Not Found.", nil},
		{"empty process id", lines("POST //mesos.A HTTP/1.1", "Libprocess-From: "+from), 404, "404 Not Found.", nil},
		{"bad escape", lines("POST /ma%zzter/mesos.A HTTP/1.1", "Libprocess-From: "+from, "Content-Length: 1") + "x",
			500, "Failed to decode URL path: Malformed % escape in 'ma%zzter': '%zz'", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := started(t, nil)
			master := newRecorder()
			tr.Spawn("master", master)
			c, r := dialed(t, tr)
			// Twice, since the second request shows that the first one's end was found.
			for range 2 {
				write(t, c, test.request)
				status, text := readAnswer(t, r)
				if status != test.status || text != test.text {
					t.Errorf("answered %d %q, want %d %q", status, text, test.status, test.text)
				}
			}
			if test.want == nil {
				if len(master.messages) > 0 {
					t.Errorf("delivered %v", master.messages)
				}
				return
			}
			want := *test.want
			want.From, want.To = mustParse(t, from), tr.UPID("master")
			for _, m := range master.received(t, 2) {
				if m.From != want.From || m.To != want.To || m.Name != want.Name || string(m.Body) != string(want.Body) {
					t.Errorf("delivered %+v, want %+v", m, want)
				}
			}
		})
	}
}

// A sender text that is no UPID is delivered from nobody: the original goes on with it.
func TestUnreadableSender(t *testing.T) {
	tr := started(t, nil)
	master := newRecorder()
	tr.Spawn("master", master)
	c, r := dialed(t, tr)
	write(t, c, lines("POST /master/a HTTP/1.1", "Libprocess-From: curl"))
	if status, _ := readAnswer(t, r); status != 202 {
		t.Errorf("answered %d", status)
	}
	if m := master.received(t, 1)[0]; !m.From.IsZero() || m.From.String() != "@0.0.0.0:0" {
		t.Errorf("from %s", m.From)
	}
}

func TestPeerAddressMatch(t *testing.T) {
	tr := started(t, func(c *Config) { c.RequirePeerAddressMatch = true })
	master := newRecorder()
	tr.Spawn("master", master)
	c, r := dialed(t, tr)
	write(t, c, message("a@127.0.0.1:1", "/master/ok", "")+message("a@127.0.0.2:1", "/master/bad", ""))
	if status, _ := readAnswer(t, r); status != 202 {
		t.Errorf("right address: %d", status)
	}
	status, text := readAnswer(t, r)
	if want := "UPID IP address validation failed: Message from a@127.0.0.2:1 was sent from IP " + c.LocalAddr().String(); status != 400 || text != want {
		t.Errorf("wrong address: %d %q, want 400 %q", status, text, want)
	}
}

// The original closes the connection without a word when it cannot read a request.
func TestBrokenRequestsAreClosedSilently(t *testing.T) {
	for name, request := range map[string]string{
		"garbage":            "NONSENSE\r\n\r\n",
		"unknown method":     lines("FROB /x HTTP/1.1", "Host: x"),
		"unknown version":    lines("GET /x HTTP/2.0", "Host: x"),
		"relative path":      lines("GET x HTTP/1.1", "Host: x"),
		"no colon":           lines("GET /x HTTP/1.1", "Host"),
		"space in name":      lines("GET /x HTTP/1.1", "Ho st: x"),
		"folded line":        lines("GET /x HTTP/1.1", "A: b", " c"),
		"two lengths":        lines("POST /x HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
		"signed length":      lines("POST /x HTTP/1.1", "Content-Length: +1"),
		"unknown coding":     lines("POST /x HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
		"bad query escape":   lines("GET /x?a=%zz HTTP/1.1", "Host: x"),
		"endless head":       "GET /x HTTP/1.1\r\nA: " + strings.Repeat("a", 200<<10),
		"long head":          lines("GET /x HTTP/1.1", "A: "+strings.Repeat("a", 100<<10)),
		"bad chunk size":     lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Transfer-Encoding: chunked") + "zz\r\n",
		"huge chunk size":    lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Transfer-Encoding: chunked") + "fffffffffffffffff\r\n",
		"no CRLF after data": lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Transfer-Encoding: chunked") + "1\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			tr := started(t, func(c *Config) {
				c.HTTP = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
			})
			master := newRecorder()
			tr.Spawn("master", master)
			c, r := dialed(t, tr)
			io.WriteString(c, request)
			got, err := io.ReadAll(r)
			var op *net.OpError
			if err != nil && !errors.As(err, &op) {
				t.Fatal(err)
			}
			if err, ok := err.(net.Error); ok && err.Timeout() {
				t.Fatal("the connection stayed open")
			}
			if len(got) > 0 {
				t.Errorf("answered %q", got)
			}
			if len(master.messages) > 0 {
				t.Errorf("delivered %v", master.messages)
			}
		})
	}
}

func TestPathThatIsNoPath(t *testing.T) {
	tr := started(t, nil)
	c, r := dialed(t, tr)
	write(t, c, lines("OPTIONS * HTTP/1.1", "Host: x"))
	if status, text := readAnswer(t, r); status != 400 || text != "Request URL path must start with '/'" {
		t.Errorf("answered %d %q", status, text)
	}
}

func TestMessageLargerThanTheLimit(t *testing.T) {
	for name, request := range map[string]string{
		"length": lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Content-Length: 11"),
		"chunked": lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Transfer-Encoding: chunked") +
			chunk("12345") + chunk("123456"),
	} {
		t.Run(name, func(t *testing.T) {
			tr := started(t, func(c *Config) { c.MaxMessage = 10 })
			master := newRecorder()
			tr.Spawn("master", master)
			c, r := dialed(t, tr)
			write(t, c, request)
			if status, _ := readAnswer(t, r); status != 413 {
				t.Errorf("answered %d", status)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("the connection stayed open: %v", err)
			}
		})
	}
}

// A peer that began a request and stops is dropped; one that is merely silent, before
// the first request or between two, is not.
func TestOnlyUnfinishedRequestsTimeOut(t *testing.T) {
	tr := started(t, func(c *Config) { c.RequestTimeout = 50 * time.Millisecond })
	master := newRecorder()
	tr.Spawn("master", master)
	silent, silentAnswers := dialed(t, tr)
	between, betweenAnswers := dialed(t, tr)
	write(t, between, message("a@127.0.0.1:1", "/master/first", "x"))
	if status, _ := readAnswer(t, betweenAnswers); status != 202 {
		t.Fatal(status)
	}
	for name, part := range map[string]string{
		"head":         "POST /master/x HTTP/1.1\r\nLibproc",
		"body":         lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Content-Length: 10") + "123",
		"chunked body": lines("POST /master/x HTTP/1.1", "Libprocess-From: a@1.2.3.4:5", "Transfer-Encoding: chunked") + "5\r\nab",
	} {
		c, r := dialed(t, tr)
		write(t, c, part)
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("%s: %v, want the end of the connection", name, err)
		}
	}
	// Several timeouts have passed by now.
	write(t, silent, message("a@127.0.0.1:1", "/master/second", ""))
	if status, _ := readAnswer(t, silentAnswers); status != 202 {
		t.Errorf("silent connection: %d", status)
	}
	write(t, between, message("a@127.0.0.1:1", "/master/third", ""))
	if status, _ := readAnswer(t, betweenAnswers); status != 202 {
		t.Errorf("connection between requests: %d", status)
	}
}

// echo answers with the method, the path, the query and the body.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %q %v", r.Method, r.URL.Path, r.URL.RawQuery, b, err)
}

// Messages and ordinary requests take turns on one connection, sent without waiting and
// in pieces of every size; the answers come in order.
func TestMixedPipeline(t *testing.T) {
	stream := message("a@127.0.0.1:1", "/master/one", "first") +
		lines("GET /version HTTP/1.1", "Host: x") +
		message("a@127.0.0.1:1", "/master/two", "") +
		lines("POST /echo?q=1 HTTP/1.1", "Host: x", "Content-Length: 5") + "hello" +
		lines("POST /chunked HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") + "2\r\nab\r\n3\r\ncde\r\n0\r\nX: y\r\n\r\n" +
		message("a@127.0.0.1:1", "/nobody/three", "zzz") +
		lines("GET /no-host HTTP/1.1") +
		lines("POST /old HTTP/1.0", "Connection: keep-alive", "Transfer-Encoding: chunked") + "1\r\nz\r\n0\r\n\r\n" +
		lines("GET /bad%zzescape HTTP/1.1", "Host: x") +
		"\r\n" + message("a@127.0.0.1:1", "/master/four", strings.Repeat("4", 5000)) +
		lines("GET /last HTTP/1.0")
	want := []string{
		`202 `, `200 GET /version  "" <nil>`, `202 `, `200 POST /echo q=1 "hello" <nil>`, `200 POST /chunked  "abcde" <nil>`,
		`404 404 Not Found.`, `200 GET /no-host  "" <nil>`, `200 POST /old  "z" <nil>`, `200 GET /bad%zzescape  "" <nil>`, `202 `,
		`200 GET /last  "" <nil>`,
	}
	for _, size := range []int{1, 2, 7, 61, 1000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			tr := started(t, func(c *Config) { c.HTTP = http.HandlerFunc(echo) })
			master := newRecorder()
			tr.Spawn("master", master)
			c, r := dialed(t, tr)
			go func() {
				for rest := stream; rest != ""; {
					n := min(size, len(rest))
					if _, err := io.WriteString(c, rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			}()
			var got []string
			for range want {
				status, text := readAnswer(t, r)
				got = append(got, fmt.Sprint(status, " ", text))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("after an HTTP/1.0 request: %v, want the end", err)
			}
			var names []string
			for _, m := range master.received(t, 3) {
				names = append(names, fmt.Sprint(m.Name, " ", len(m.Body)))
			}
			if diff := cmp.Diff([]string{"one 5", "two 0", "four 5000"}, names); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// A handler that does not read a request's body does not lose the next request's
// beginning.
func TestUnreadBody(t *testing.T) {
	tr := started(t, func(c *Config) {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	})
	tr.Spawn("master", newRecorder())
	c, r := dialed(t, tr)
	write(t, c, lines("POST /a HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")+chunk(strings.Repeat("a", 9000))+"0\r\n\r\n"+
		message("a@127.0.0.1:1", "/master/m", "")+lines("GET /b HTTP/1.1", "Host: x"))
	for _, want := range []string{"200 /a", "202 ", "200 /b"} {
		status, text := readAnswer(t, r)
		if got := fmt.Sprint(status, " ", text); got != want {
			t.Errorf("answered %q, want %q", got, want)
		}
	}
}

// A broken chunked body of an ordinary request ends the connection after an answer; what
// follows is never taken for a request.
func TestBrokenBodyOfAnOrdinaryRequest(t *testing.T) {
	tr := started(t, func(c *Config) { c.HTTP = http.HandlerFunc(echo) })
	master := newRecorder()
	tr.Spawn("master", master)
	c, r := dialed(t, tr)
	write(t, c, lines("POST /a HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")+"zz\r\n"+message("a@127.0.0.1:1", "/master/m", ""))
	readAnswer(t, r)
	if _, err := io.Copy(io.Discard, r); err != nil && !errors.As(err, new(*net.OpError)) {
		t.Error(err)
	}
	if len(master.messages) > 0 {
		t.Error("a message was read from inside a broken body")
	}
}

// A streaming answer reaches the client piece by piece, and the handler notices when the
// client goes away, also when the client has sent further requests meanwhile.
func TestStreamsNoticeDisconnects(t *testing.T) {
	for name, ahead := range map[string]string{
		"nothing ahead":    "",
		"a request ahead":  lines("GET /next HTTP/1.1", "Host: x"),
		"a message before": "before",
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			tr := started(t, func(c *Config) {
				c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					for i := range 3 {
						fmt.Fprintf(w, "event %d\n", i)
						w.(http.Flusher).Flush()
					}
					select {
					case <-r.Context().Done():
						ended <- r.Context().Err()
					case <-time.After(patience):
						ended <- errors.New("the handler was not told")
					}
				})
			})
			tr.Spawn("master", newRecorder())
			c, r := dialed(t, tr)
			if ahead == "before" {
				write(t, c, message("a@127.0.0.1:1", "/master/m", ""))
				readAnswer(t, r)
				ahead = ""
			}
			write(t, c, lines("POST /events HTTP/1.1", "Host: x", "Content-Length: 2")+"{}"+ahead)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			events := bufio.NewReader(resp.Body)
			for i := range 3 {
				if line, err := events.ReadString('\n'); err != nil || line != fmt.Sprintf("event %d\n", i) {
					t.Fatalf("%q %v", line, err)
				}
			}
			c.Close()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

// More requests than are read ahead wait in the socket while one is answered, and are
// all answered then.
func TestManyRequestsBehindASlowOne(t *testing.T) {
	release := make(chan struct{})
	tr := started(t, func(c *Config) {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
		})
	})
	c, r := dialed(t, tr)
	const many = 5000
	write(t, c, lines("GET /slow HTTP/1.1", "Host: x"))
	go func() {
		for range many {
			io.WriteString(c, lines("GET /fast HTTP/1.1", "Host: x"))
		}
	}()
	close(release)
	for range many + 1 {
		if status, _ := readAnswer(t, r); status != 200 {
			t.Fatal(status)
		}
	}
}

// A handler may take the connection over and then reads all that follows the request.
func TestHijack(t *testing.T) {
	tr := started(t, func(c *Config) {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			line, err := rw.ReadString('\n')
			fmt.Fprintf(conn, "raw %q %v", line, err)
		})
	})
	c, r := dialed(t, tr)
	write(t, c, lines("GET /attach HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: tcp")+"POST /not/a/message\n")
	got, err := io.ReadAll(r)
	if want := `raw "POST /not/a/message\n" <nil>`; err != nil || string(got) != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}

// A client that asks before it sends a body is told to go on.
func TestExpectContinue(t *testing.T) {
	tr := started(t, func(c *Config) { c.HTTP = http.HandlerFunc(echo) })
	c, r := dialed(t, tr)
	write(t, c, lines("POST /x HTTP/1.1", "Host: x", "Expect: 100-continue", "Content-Length: 2"))
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q %v", line, err)
	}
	r.ReadString('\n')
	write(t, c, "ok")
	if status, text := readAnswer(t, r); status != 200 || text != `POST /x  "ok" <nil>` {
		t.Errorf("%d %q", status, text)
	}
}

// Go's own client works, keeps its connection, and large bodies pass both ways.
func TestOrdinaryClient(t *testing.T) {
	tr := started(t, func(c *Config) {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			w.Write(b)
		})
	})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for range 3 {
		resp, err := client.Post("http://"+tr.Address().String()+"/x", "text/plain", io.MultiReader(strings.NewReader(big)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != big {
			t.Fatalf("got %d bytes, %v", len(got), err)
		}
	}
}
