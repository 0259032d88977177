package httpapi

import (
	"net/http"

	"stoa/internal/httpd"
	"stoa/internal/mesos/internalpb"

	"github.com/gin-gonic/gin"
)

// registry serves /registrar(1)/registry: what the master remembers across a failover.
func (s *server) registry(c *gin.Context) {
	if s.config.Registry == nil {
		sorted(c, &internalpb.Registry{})
		return
	}
	r, err := s.config.Registry(c.Request.Context())
	if err != nil {
		httpd.Text(c, http.StatusServiceUnavailable, err.Error())
		return
	}
	r.Master = &internalpb.Registry_Master{Info: s.config.Info}
	sorted(c, r)
}
