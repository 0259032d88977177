package httpd

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// hurried makes clients that are too slow noticed within the test.
func hurried(t *testing.T) {
	oldPatience, oldSlowest := patience, slowest
	patience, slowest = 50*time.Millisecond, 1<<40
	t.Cleanup(func() { patience, slowest = oldPatience, oldSlowest })
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestABodyThatDoesNotComeIsGivenUp(t *testing.T) {
	hurried(t)
	s := served(t, func(c *gin.Context) {
		if b, ok := Body(c, 0); ok {
			Text(c, http.StatusOK, string(b))
		}
	})
	conn := dial(t, s.URL)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
		t.Errorf("answer is %s, closing: %v", resp.Status, resp.Close)
	}
}

func TestABodyThatNobodyReadsIsGivenUp(t *testing.T) {
	hurried(t)
	s := served(t, func(c *gin.Context) { Text(c, http.StatusNotFound, "no such thing") })
	conn := dial(t, s.URL)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusNotFound || !resp.Close {
		t.Errorf("answer is %s, closing: %v", resp.Status, resp.Close)
	}
}

// The deadline of a body ends with it: what the handler does then takes as long as it takes.
func TestAfterTheBodyThereIsNoHurry(t *testing.T) {
	hurried(t)
	gone := make(chan error, 1)
	s := served(t, func(c *gin.Context) {
		if _, ok := Body(c, 0); !ok {
			return
		}
		select {
		case <-c.Request.Context().Done():
			gone <- c.Request.Context().Err()
		case <-time.After(4 * patience):
			gone <- nil
		}
		Text(c, http.StatusOK, "done")
	})
	conn := dial(t, s.URL)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if err := <-gone; err != nil {
		t.Errorf("the request was given up: %v", err)
	}
}

func TestABodyThatComesSlowlyIsRead(t *testing.T) {
	hurried(t)
	s := served(t, func(c *gin.Context) {
		if b, ok := Body(c, 0); ok {
			Text(c, http.StatusOK, string(b))
		}
	})
	conn := dial(t, s.URL)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		time.Sleep(patience / 5) // it is the client that is slow
		if _, err := io.WriteString(conn, "a"); err != nil {
			t.Fatal(err)
		}
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("answer is %v, %v", resp, err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	// The connection has no deadline left on it.
	time.Sleep(2 * patience)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb"); err != nil {
		t.Fatal(err)
	}
	if resp, err = http.ReadResponse(reader, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("second answer is %v, %v", resp, err)
	}
}

func TestAnAnswerThatIsNotReadIsGivenUp(t *testing.T) {
	hurried(t)
	done := make(chan struct{}, 1)
	s := served(t, func(c *gin.Context) {
		Bytes(c, http.StatusOK, TypeText, make([]byte, 64<<20))
		done <- struct{}{}
	})
	conn := dial(t, s.URL)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("the handler waits for a client that does not read")
	}
}
