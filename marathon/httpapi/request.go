package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/marathon/id"
	"stoa/marathon/playjson"
)

// document reads the body as JSON. Errors are those of playjson.Parse and *statusError.
func (s *server) document(c *gin.Context) (*playjson.Value, error) {
	if c.Request.ContentLength > s.MaxBody {
		return nil, errTooLarge
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, s.MaxBody))
	if over := new(http.MaxBytesError); errors.As(err, &over) {
		return nil, errTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.Header("Connection", "close")
		return nil, &statusError{http.StatusRequestTimeout, "Request Timeout"}
	}
	if err != nil {
		return nil, badRequest("Failed to read the request body: " + err.Error())
	}
	document, err := playjson.Parse(text)
	if err != nil {
		return nil, err
	}
	return &document, nil
}

var errTooLarge = &statusError{http.StatusRequestEntityTooLarge, "Request Entity Too Large"}

// flag reads a boolean parameter: "true" in any case is true, anything else false; a blank
// or missing one is the default.
func flag(c *gin.Context, name string, otherwise bool) bool {
	value := strings.TrimSpace(c.Query(name))
	if value == "" {
		return otherwise
	}
	return strings.EqualFold(value, "true")
}

// resolve makes the path of an id in a URL.
func resolve(raw string) id.Path { return id.Resolve(raw, id.Root) }

// wildcard tells the ids that end in "*": the apps of a whole group.
func wildcard(raw string) (groupID id.Path, ok bool) {
	prefix, ok := strings.CutSuffix(raw, "*")
	if !ok || prefix != "" && !strings.HasSuffix(prefix, "/") {
		return "", false
	}
	return resolve(prefix), true
}

// remote is the client's address without its port.
func remote(c *gin.Context) string { return c.RemoteIP() }
