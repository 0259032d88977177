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

// patient is a body of which something has to come every now and then. done must be
// called when it was read.
func patient(c *gin.Context, body io.ReadCloser) (_ io.ReadCloser, done func()) {
	b := &patientBody{ReadCloser: body, control: http.NewResponseController(c.Writer)}
	return b, func() {
		if b.timed {
			_ = b.control.SetReadDeadline(time.Time{})
		}
	}
}

type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	timed   bool
}

func (b *patientBody) Read(p []byte) (int, error) {
	// Writers of tests have no connection, and so no deadlines.
	b.timed = b.control.SetReadDeadline(time.Now().Add(patience)) == nil
	return b.ReadCloser.Read(p)
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
