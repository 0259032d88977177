package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
)

// failOld answers the errors whose form was another one in older releases; false means
// that this is none of them.
func (s *server) failOld(c *gin.Context, err error) bool {
	if !s.Level.Before(level.V1_5) {
		return false
	}
	var (
		syntax     *playjson.SyntaxError
		empty      *playjson.EmptyError
		read       *app.ReadError
		validation *app.ValidationError
	)
	switch {
	case errors.As(err, &syntax) && s.Level.Before(level.V0_13):
		messageOnly(c, http.StatusBadRequest, syntax.Message)
	case errors.As(err, &empty) && s.Level.Before(level.V0_13):
		messageOnly(c, http.StatusBadRequest, empty.Error())
	case errors.As(err, &read) && s.Level.Before(level.V0_13):
		messageOnly(c, http.StatusBadRequest, read.Error())
	case errors.As(err, &read):
		withDetails(c, http.StatusBadRequest, "Invalid JSON", violations(read.Violations))
	case errors.As(err, &validation) && s.Level.Before(level.V1_0):
		beanNotValid(c, s.Level, validation.Violations)
	default:
		return false
	}
	return true
}

// beanNotValid is the answer to broken rules up to 0.16.
func beanNotValid(c *gin.Context, at level.Level, list []app.Violation) {
	key := "details"
	if at.Before(level.V0_15) {
		key = "errors"
	}
	w := playjson.Writer{Style: playjson.Play}
	w.BeginObject()
	w.StringField("message", "Bean is not valid")
	w.Key(key)
	w.BeginArray()
	for _, violation := range list {
		w.BeginObject()
		w.StringField("attribute", attribute(violation.Path))
		w.StringField("error", violation.Message)
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
	httpd.Bytes(c, http.StatusUnprocessableEntity, httpd.TypeJSON, w.Buf)
}

// attribute writes a path such as /container/volumes(0)/mode as container.volumes[0].mode.
func attribute(path string) string {
	return strings.NewReplacer("/", ".", "(", "[", ")", "]").Replace(strings.Trim(path, "/"))
}
