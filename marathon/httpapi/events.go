package httpapi

import (
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/marathon/level"
)

// noEvents answers methods that the event stream does not have.
func (s *server) noEvents(c *gin.Context) error {
	c.Header("Allow", "GET, HEAD, OPTIONS")
	htmlError(c, http.StatusMethodNotAllowed, "Method Not Allowed")
	return nil
}

// events is GET /v2/events: an endless stream of frames
// (core/event/impl/stream/HttpEventStreamServlet.scala on Jetty's EventSourceServlet).
func (s *server) events(c *gin.Context) error {
	// The header must be exactly this; anything around it is refused.
	if !slices.Contains(c.Request.Header.Values("Accept"), "text/event-stream") {
		return s.noEvents(c)
	}
	if !s.Backend.Snapshot().Elected {
		return ErrNotLeader
	}
	h := c.Writer.Header()
	h.Set("Content-Type", "text/event-stream;charset=utf-8")
	// Asks net/http for a body that ends with the connection, without chunks.
	h.Set("Transfer-Encoding", "identity")
	h.Set("Connection", "close")
	c.Status(http.StatusOK)
	if c.Request.Method == http.MethodHead {
		c.Writer.WriteHeaderNow()
		return nil
	}
	var accept func(string) bool
	if types := c.QueryArray("event_type"); len(types) > 0 {
		accept = func(eventType string) bool { return slices.Contains(types, eventType) }
	}
	subscription := s.Backend.Subscribe(remote(c), accept)
	defer subscription.Close()
	c.Writer.WriteHeaderNow()
	c.Writer.Flush()
	s.stream(c, subscription)
	return nil
}

// sendTime is how long a client may leave a frame lying before its stream ends.
const sendTime = 30 * time.Second

// stream writes frames until the client or the subscription is gone.
func (s *server) stream(c *gin.Context, subscription Subscription) {
	connection := http.NewResponseController(c.Writer)
	send := func(part string) bool {
		// The wall clock: deadlines of sockets know no other.
		if err := connection.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
			return false
		}
		if _, err := io.WriteString(c.Writer, part); err != nil {
			return false
		}
		return connection.Flush() == nil
	}
	heartbeat := time.NewTicker(s.EventHeartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-c.Request.Context().Done():
			return
		case event, open := <-subscription.Events():
			if !open {
				return
			}
			name := "event: " + event.Type + "\r\n"
			if s.Level.Before(level.V0_11) {
				// Frames had no names then.
				name = ""
			}
			if !send(name + "data: " + string(event.JSON) + "\r\n\r\n") {
				return
			}
		case <-heartbeat.C:
			// An empty line in two halves: a dead peer shows with the second.
			if !send("\r") || !send("\n") {
				return
			}
		}
	}
}
