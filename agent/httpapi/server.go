// Package httpapi is the agent's HTTP side: the executor API, the operator API and
// the unversioned endpoints.
//
// Comes in: requests. Goes out: answers read from immutable views of the core, and
// executor calls as events for it. It never changes state and never holds the loop up.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/agent/core"
	"stoa/agent/gc"
	"stoa/internal/auth"
	"stoa/internal/files"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesospb"
)

// Build is what /version and /state say about the binary.
type Build struct {
	Version string
	GitSHA, GitBranch, GitTag,
	Date, User string
	// Time is in seconds since 1970.
	Time float64
}

// Containers tells what goes on in containers. Both methods may block, and give nil
// for what is not known.
type Containers interface {
	Usage(ctx context.Context, run core.RunID) *mesospb.ResourceStatistics
	Status(ctx context.Context, run core.RunID) *mesospb.ContainerStatus
}

// Config is what the API shows and whom it asks.
type Config struct {
	// Process is the agent's process id, "slave(1)"; PID its UPID.
	Process, PID string
	// View gives the state after everything that has happened so far.
	View       func(context.Context) *core.View
	Executors  *Executors
	Files      *files.Files
	Containers Containers
	Build      Build
	Flags      map[string]string
	// LogFile is the agent's log, if it has one that is shown.
	LogFile string
	// ReadOnly and ReadWrite authenticate the clients of the two realms; nil lets
	// everybody in. Authorizer says what each may see and do; nil allows all.
	ReadOnly, ReadWrite httpd.Authenticator
	Authorizer          *auth.Authorizer
	// DisabledEndpoints are paths that are switched off (--firewall_rules).
	DisabledEndpoints []string
	// GC and MaxAge are for the metrics.
	GC     func() gc.Counts
	MaxAge func() time.Duration
	Logger *slog.Logger
}

type server struct {
	Config
	logging loggingLevel
}

// New returns the handler of everything that is no libprocess message.
func New(config Config) http.Handler {
	for _, who := range []*httpd.Authenticator{&config.ReadOnly, &config.ReadWrite} {
		if *who == nil {
			*who = httpd.Anyone
		}
	}
	s := &server{Config: config}
	r := httpd.NewRouter(config.Process)
	r.Disable(config.DisabledEndpoints...)
	r.Handle(config.Process, "health", func(c *gin.Context) { httpd.Empty(c, http.StatusOK) })
	r.Handle(config.Process, "state", s.readOnly(s.recovered(s.state)))
	r.Handle(config.Process, "flags", s.readOnly(s.flags))
	r.Handle(config.Process, "monitor/statistics", s.readOnly(s.ruled("/monitor/statistics", s.statistics)))
	r.Handle(config.Process, "containers", s.readOnly(s.ruled("/containers", s.recovered(s.containers))))
	r.Handle(config.Process, "containerizer/debug", s.readOnly(s.ruled("/containerizer/debug",
		func(c *gin.Context) { httpd.JSON(c, []byte(`{"pending":[]}`)) })))
	r.Handle(config.Process, "api/v1", s.readWrite(s.operator))
	r.Handle(config.Process, "api/v1/executor", config.Executors.serve)
	r.Handle("version", "", s.version)
	r.Handle("system", "stats.json", s.systemStats)
	r.Handle("metrics", "snapshot", s.readOnly(s.ruled("/metrics/snapshot", s.metricsSnapshot)))
	r.Handle("logging", "toggle", s.readWrite(s.ruled("/logging/toggle", s.loggingToggle)))
	config.Files.AllowDebug(func(principal string) bool {
		return config.Authorizer.Allowed(auth.As(principal), auth.GetEndpoint, auth.Named("/files/debug"))
	})
	config.Files.Routes(r, s.readOnly)
	engine := httpd.NewEngine(config.Logger)
	engine.NoRoute(r.Serve)
	return engine
}

// recovered serves only what can be known after recovery.
func (s *server) recovered(h func(*gin.Context, *core.View)) gin.HandlerFunc {
	return func(c *gin.Context) {
		view := s.View(c.Request.Context())
		if view.State == core.Recovering {
			httpd.Text(c, http.StatusServiceUnavailable, "Agent has not finished recovery")
			return
		}
		h(c, view)
	}
}
