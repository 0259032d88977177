// Package httpd is what the HTTP sides of all daemons share: a gin engine that leaves
// requests alone, answers in the original's form, body limits, compression, credentials,
// JSONP, and the routing of Mesos paths to actors and endpoints.
//
// Comes in: requests and what a handler wants to answer. Goes out: status, headers and
// bytes as libprocess writes them (3rdparty/libprocess/src/{http,encoder,process}.cpp).
// It knows no endpoint.
package httpd

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"

	"github.com/gin-gonic/gin"
)

// Limits of every daemon.
const (
	// DefaultMaxBody is the largest request body in bytes.
	DefaultMaxBody = 64 << 20
	// CompressFrom is the smallest answer body that is compressed, in bytes.
	CompressFrom = 1024
)

var release = sync.OnceFunc(func() { gin.SetMode(gin.ReleaseMode) })

// NewEngine makes a gin engine that neither cleans paths nor redirects nor answers methods
// by itself. A handler that panics is answered with 500 and logged with its stack. A
// request whose body stops coming is given up.
func NewEngine(log *slog.Logger) *gin.Engine {
	release()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.RemoveExtraSlash = false
	e.HandleMethodNotAllowed = false
	e.UseRawPath = true
	e.UnescapePathValues = false
	e.ForwardedByClientIP = false
	e.Use(recovery(log), slowBodies)
	return e
}

// recovery answers 500 for a handler that panicked, unless it began its answer.
func recovery(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			log.Error("A request failed", "method", c.Request.Method, "path", c.Request.URL.Path,
				"error", cause, "stack", string(debug.Stack()))
			c.Abort()
			if c.Writer.Written() {
				panic(http.ErrAbortHandler) // the answer is broken: say so by closing
			}
			Default(c, http.StatusInternalServerError)
		}()
		c.Next()
	}
}
