package httpd

import (
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Patience with clients. A connection between two requests may be silent for as long as it
// likes: among daemons that is a link.
var (
	// patience is how long nothing at all of a request body may come, and how long
	// an answer may stay unread beside the time for its size.
	patience = time.Minute
	// slowest is the least speed at which a client must read an answer, in bytes per
	// second.
	slowest = 64 << 10
)

// slowBodies gives up requests of whose body nothing comes for too long, also when no handler
// reads it: the server reads what is left of it before it answers.
func slowBodies(c *gin.Context) {
	if c.Request.Body == nil || c.Request.Body == http.NoBody {
		return
	}
	b := &patientBody{ReadCloser: c.Request.Body, control: http.NewResponseController(c.Writer)}
	// Writers of tests have no connection, and so no deadlines.
	if b.control.SetReadDeadline(time.Now().Add(patience)) == nil {
		c.Request.Body = b
	}
}

type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(patience))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		// From here on the server watches whether the client is still there.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// writeSlowly writes a body to a client that may be slow, but not as slow as it likes.
func writeSlowly(c *gin.Context, body []byte) {
	control := http.NewResponseController(c.Writer)
	if len(body) > 4<<10 { // what the kernel takes at once needs no clock
		limit := patience + time.Duration(len(body)/slowest)*time.Second
		if control.SetWriteDeadline(time.Now().Add(limit)) == nil {
			defer func() {
				_ = control.Flush() // what is left must not wait for ever either
				_ = control.SetWriteDeadline(time.Time{})
			}()
		}
	}
	// An error means that the client is gone.
	_, _ = c.Writer.Write(body)
}

// Patient is a writer to a client from which every single write must be taken in time: for
// answers of unknown or great length.
func Patient(c *gin.Context) io.Writer {
	return patientWriter{c.Writer, http.NewResponseController(c.Writer)}
}

type patientWriter struct {
	io.Writer
	control *http.ResponseController
}

func (w patientWriter) Write(p []byte) (int, error) {
	if w.control.SetWriteDeadline(time.Now().Add(patience)) == nil {
		defer func() { _ = w.control.SetWriteDeadline(time.Time{}) }()
	}
	return w.Writer.Write(p)
}
