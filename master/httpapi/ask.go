package httpapi

import (
	"net/http"

	"stoa/internal/httpd"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// ask has the core carry out an operator's call, and answers with what comes of it: a
// status and, for all that failed, a text.
func (s *server) ask(c *gin.Context, event func(core.RequestID) core.Event) {
	if s.config.Ask == nil {
		unsupported(c)
		return
	}
	a, err := s.config.Ask(c.Request.Context(), event)
	switch {
	case err != nil:
		httpd.Text(c, http.StatusServiceUnavailable, "The master is shutting down")
	case a.Body == "":
		httpd.Empty(c, a.Status)
	default:
		httpd.Text(c, a.Status, a.Body)
	}
}
