package httpapi

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEventStream(t *testing.T) {
	a := start(t, func(o *Options) { o.EventHeartbeat = 20 * time.Millisecond })
	for _, accept := range []string{"*/*", "text/event-stream, */*", "TEXT/EVENT-STREAM", "text/event-stream;q=1"} {
		r := a.do("GET", "/v2/events", "", "Accept: "+accept)
		a.want(r, 405, "<html>…")
	}
	request, err := http.NewRequest("GET", a.url+"/v2/events?event_type=api_post_event&event_type=event_stream_attached", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header["Accept"] = []string{"*/*", "text/event-stream"}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	r := reply{Response: response}
	a.header(r, "Content-Type", "text/event-stream;charset=utf-8")
	if response.ContentLength != -1 || len(response.TransferEncoding) != 0 || !response.Close {
		t.Errorf("length %d, encoding %v, close %v", response.ContentLength, response.TransferEncoding, response.Close)
	}
	stream := bufio.NewReader(response.Body)
	frame := func(lines ...string) {
		t.Helper()
		for _, want := range lines {
			line, err := stream.ReadString('\n')
			for line == "\r\n" && want != "\r\n" && err == nil {
				line, err = stream.ReadString('\n') // a heartbeat
			}
			if err != nil || !strings.HasPrefix(line, want) || !strings.HasSuffix(line, "\r\n") {
				t.Fatalf("got %q, %v, want %q", line, err, want)
			}
		}
	}
	frame("event: event_stream_attached\r\n", "data: {\"remoteAddress\":\"127.0.0.1\"}\r\n", "\r\n")
	frame("\r\n", "\r\n") // heartbeats come by themselves
	a.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 100"}`)
	frame("event: api_post_event\r\n", "data: 127.0.0.1 /v2/apps", "\r\n")
	// A subscription that ends, ends the stream.
	a.backend.streams[0].Close()
	for {
		if _, err := stream.ReadString('\n'); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
