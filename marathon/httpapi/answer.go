package httpapi

import (
	"context"
	"errors"
	"html"
	"net/http"
	"strconv"
	"sync"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// statusError is an error whose text and status the client gets.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

func badRequest(message string) error { return &statusError{http.StatusBadRequest, message} }
func conflict(message string) error   { return &statusError{http.StatusConflict, message} }
func unknown(message string) error    { return &statusError{http.StatusNotFound, message} }
func illegalArgument(message string) error {
	return &statusError{http.StatusUnprocessableEntity, message}
}

func noApp(appID id.Path) error { return unknown("App '" + appID.String() + "' does not exist") }
func noGroup(groupID id.Path) error {
	return unknown("Group '" + groupID.String() + "' does not exist")
}

// fail answers with what the original's exception mapper makes of an error
// (api/MarathonExceptionMapper.scala).
func (s *server) fail(c *gin.Context, err error) {
	if c.Writer.Written() || s.failOld(c, err) {
		return
	}
	var (
		status     *statusError
		syntax     *playjson.SyntaxError
		empty      *playjson.EmptyError
		limit      *playjson.LimitError
		read       *app.ReadError
		validation *app.ValidationError
		locked     *LockedError
		tooMany    *TooManyDeploymentsError
		not        *UnavailableError
	)
	switch {
	case errors.As(err, &status):
		messageOnly(c, status.status, status.message)
	case errors.As(err, &syntax):
		withDetails(c, http.StatusBadRequest, "Invalid JSON", func(w *playjson.Writer) { w.String(syntax.Message) })
	case errors.As(err, &empty):
		withDetails(c, http.StatusBadRequest, "Please specify data in JSON format", func(w *playjson.Writer) { w.String(empty.Error()) })
	case errors.As(err, &limit):
		messageOnly(c, http.StatusUnprocessableEntity, limit.Message)
	case errors.As(err, &read):
		withDetails(c, http.StatusUnprocessableEntity, "Invalid JSON", violations(read.Violations))
	case errors.As(err, &validation):
		withDetails(c, http.StatusUnprocessableEntity, "Object is not valid", violations(validation.Violations))
	case errors.As(err, &locked):
		lockedAnswer(c, locked)
	case errors.As(err, &tooMany):
		messageOnly(c, http.StatusForbidden, tooMany.Error())
	case errors.Is(err, ErrNotLeader):
		htmlError(c, http.StatusBadGateway, "Could not determine the current leader")
	case errors.As(err, &not):
		messageOnly(c, http.StatusServiceUnavailable, not.Reason)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		messageOnly(c, http.StatusServiceUnavailable, err.Error())
	default:
		s.Logger.Error("A request failed", "method", c.Request.Method, "path", c.Request.URL.Path, "error", err)
		messageOnly(c, http.StatusInternalServerError, err.Error())
	}
}

func lockedAnswer(c *gin.Context, locked *LockedError) {
	w := playjson.Writer{Style: playjson.Play}
	w.BeginObject()
	w.StringField("message", locked.Error())
	w.Key("deployments")
	w.BeginArray()
	for _, deployment := range locked.DeploymentIDs {
		w.BeginObject()
		w.StringField("id", deployment)
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	httpd.Bytes(c, http.StatusConflict, httpd.TypeJSON, w.Buf)
}

// messageOnly answers {"message":…}.
func messageOnly(c *gin.Context, status int, message string) {
	var w playjson.Writer
	w.BeginObject()
	w.StringField("message", message)
	w.EndObject()
	httpd.Bytes(c, status, httpd.TypeJSON, w.Buf)
}

// messageAndNothing answers {"message":…,"details":[]}, as resources do by themselves.
func (s *server) messageAndNothing(c *gin.Context, status int, message string) error {
	if s.Level.Before(level.Jackson) {
		messageOnly(c, status, message)
		return nil
	}
	withDetails(c, status, message, func(w *playjson.Writer) { w.BeginArray(); w.EndArray() })
	return nil
}

func withDetails(c *gin.Context, status int, message string, details func(*playjson.Writer)) {
	w := playjson.Writer{Style: playjson.Play}
	w.BeginObject()
	w.StringField("message", message)
	w.Key("details")
	details(&w)
	w.EndObject()
	httpd.Bytes(c, status, httpd.TypeJSON, w.Buf)
}

// violations writes what is wrong place by place, in order of discovery.
func violations(list []app.Violation) func(*playjson.Writer) {
	return func(w *playjson.Writer) {
		var paths []string
		byPath := map[string][]string{}
		for _, violation := range list {
			if _, seen := byPath[violation.Path]; !seen {
				paths = append(paths, violation.Path)
			}
			byPath[violation.Path] = append(byPath[violation.Path], violation.Message)
		}
		w.BeginArray()
		for _, path := range paths {
			w.BeginObject()
			w.StringField("path", path)
			w.StringsField("errors", byPath[path])
			w.EndObject()
		}
		w.EndArray()
	}
}

// htmlError answers with a page in the manner of the original's servlet container.
func htmlError(c *gin.Context, status int, message string) {
	reason := html.EscapeString(message)
	number := strconv.Itoa(status)
	page := "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n<title>Error " + number + " " + reason +
		"</title>\n</head>\n<body><h2>HTTP ERROR " + number + "</h2>\n<p>Problem accessing " + html.EscapeString(c.Request.URL.Path) +
		". Reason:\n<pre>    " + reason + "</pre></p>\n</body>\n</html>\n"
	httpd.Bytes(c, status, "text/html;charset=iso-8859-1", []byte(page))
}

// largestKept bounds the buffers that are kept for later documents, in bytes.
const largestKept = 64 << 20

// buffers are those of documents that have been sent: a list of many apps would else grow
// a new one from nothing for every request.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// newDocument begins a document in the style of REST answers; answer ends its life.
func (s *server) newDocument() *playjson.Writer {
	buffer, _ := buffers.Get().(*[]byte)
	return &playjson.Writer{Buf: (*buffer)[:0], Style: playjson.StyleAt(s.Level, playjson.Jackson), Level: s.Level}
}

// answer sends a document with 200. Its buffer must not be used any more.
func answer(c *gin.Context, w *playjson.Writer) error { return answerWith(c, http.StatusOK, w) }

func answerWith(c *gin.Context, status int, w *playjson.Writer) error {
	httpd.Bytes(c, status, httpd.TypeJSON, w.Buf)
	if cap(w.Buf) <= largestKept {
		buffers.Put(&w.Buf)
	}
	return nil
}

const deploymentHeader = "Marathon-Deployment-Id"

// deployed answers with a DeploymentResult.
func (s *server) deployed(c *gin.Context, status int, result Deployed) error {
	var w playjson.Writer
	w.BeginObject()
	if s.Level.Before(level.Jackson) {
		w.TimeField("version", result.Version)
		w.StringField("deploymentId", result.DeploymentID)
	} else {
		w.StringField("deploymentId", result.DeploymentID)
		w.TimeField("version", result.Version)
	}
	w.EndObject()
	setDeployment(c, result)
	httpd.Bytes(c, status, httpd.TypeJSON, w.Buf)
	return nil
}

func setDeployment(c *gin.Context, result Deployed) { c.Header(deploymentHeader, result.DeploymentID) }

// setLocation makes an entity's path absolute the way Jersey does: against the base URI.
func setLocation(c *gin.Context, path string) {
	scheme := "http://"
	if c.Request.TLS != nil {
		scheme = "https://"
	}
	c.Header("Location", scheme+c.Request.Host+path)
}

func timestampError(raw string) error {
	return illegalArgument("Invalid timestamp provided '" + raw + "'. Expecting ISO-8601 datetime string.")
}

func parseVersion(raw string) (timestamp.Timestamp, error) {
	version, err := timestamp.Parse(raw)
	if err != nil {
		return 0, timestampError(raw)
	}
	return version, nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
