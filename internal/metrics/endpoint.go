package metrics

import (
	"context"
	"net/http"

	"stoa/internal/flags"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"

	"github.com/gin-gonic/gin"
)

// Source reads all metrics of a daemon as they are now; nil says that it is going down.
type Source func(context.Context) *Set

// Snapshot serves /metrics/snapshot: one flat object, names in order, only doubles. No
// metric is ever slow here, so that the timeout a client gives does not matter, only its
// form.
func Snapshot(source Source, limiter *Limiter) gin.HandlerFunc {
	return func(c *gin.Context) {
		if text, ok := httpd.Query(c)["timeout"]; ok {
			if _, err := flags.ParseDuration(text); err != nil {
				httpd.Text(c, http.StatusBadRequest, "Invalid timeout '"+text+"': "+err.Error()+".\n")
				return
			}
		}
		if limiter.Wait(c.Request.Context()) != nil {
			return // the client is gone
		}
		set := source(c.Request.Context())
		if set == nil {
			httpd.Text(c, http.StatusServiceUnavailable, "The daemon is shutting down")
			return
		}
		httpd.JSON(c, set.append(nil))
	}
}

func (s *Set) append(dst []byte) []byte {
	o := mesosjson.BeginObject(&dst)
	for name, value := range s.All() {
		o.Double(name, value)
	}
	o.End()
	return dst
}
