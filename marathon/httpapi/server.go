package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/level"
)

// Options are everything the API needs. Names in parentheses are the original's flags.
type Options struct {
	// Backend is the scheduler.
	Backend Backend
	// Callbacks are the subscribed URLs; nil answers that there is no such thing
	// (--event_subscriber http_callback).
	Callbacks Callbacks
	// Logger receives failed requests; nil discards them.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// LeaderURL is this process's own address, http://host:port, for X-Marathon-Leader.
	LeaderURL string
	// App holds what definitions are completed and judged by; its Roles are ignored.
	App app.Settings
	// Level is the release whose shapes answers have (--api_compat_level).
	Level level.Level
	// MesosRole is the role of apps that name none; "" is "*" (--mesos_role).
	MesosRole string
	// Credentials is user:password of HTTP basic authentication; "" is none (--http_credentials).
	Credentials string
	// Realm is named to clients without credentials; "" is Mesosphere (--http_realm).
	Realm string
	// NoCompression answers in plain bytes whatever the client accepts (--disable_http_compression).
	NoCompression bool
	// AllowOrigin turns CORS headers on (--access_control_allow_origin).
	AllowOrigin []string
	// MaxBody bounds request bodies in bytes; 0 means httpd.DefaultMaxBody.
	MaxBody int64
	// MaxConcurrent bounds the requests in flight, event streams included; 0 is no bound
	// (--http_max_concurrent_requests).
	MaxConcurrent int64
	// TextPlainTasks turns the text/plain form of task lists on
	// (--deprecated_features text_plain_tasks).
	TextPlainTasks bool
	// PrometheusMetrics serves /metrics/prometheus (--metrics_prometheus).
	PrometheusMetrics bool
	// EventHeartbeat is the pause between heartbeats of an event stream; 0 means 10 s.
	EventHeartbeat time.Duration
	// LogLevel is what POST /logging changes; nil refuses it.
	LogLevel *slog.LevelVar
	// Info is what /v2/info shows of the configuration.
	Info Info
	// UI serves the web pages: /ui, /help, /api-console and /public; nil serves none.
	UI http.Handler
}

// server answers requests. It has no state but the count of requests in flight.
type server struct {
	Options
	inFlight atomic.Int64
	started  time.Time
}

// New makes the handler of the whole API.
func New(options Options) http.Handler {
	s := &server{Options: options}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.MesosRole == "" {
		s.MesosRole = "*"
	}
	if s.Realm == "" {
		s.Realm = "Mesosphere"
	}
	if s.MaxBody <= 0 {
		s.MaxBody = httpd.DefaultMaxBody
	}
	if s.EventHeartbeat <= 0 {
		s.EventHeartbeat = 10 * time.Second
	}
	s.started = s.Now()
	engine := httpd.NewEngine(s.Logger)
	engine.Use(s.limit, s.authenticate, s.standingHeaders)
	engine.NoRoute(s.serve)
	return engine
}

// limit refuses requests beyond --http_max_concurrent_requests.
func (s *server) limit(c *gin.Context) {
	if s.MaxConcurrent <= 0 {
		return
	}
	defer s.inFlight.Add(-1)
	if s.inFlight.Add(1) > s.MaxConcurrent {
		htmlError(c, http.StatusServiceUnavailable, "Too many concurrent requests! Allowed: "+decimal(s.MaxConcurrent)+".")
		c.Abort()
		return
	}
	c.Next()
}

// authenticate asks for the credentials, if there are any.
func (s *server) authenticate(c *gin.Context) {
	if s.Credentials == "" {
		return
	}
	user, password, ok := c.Request.BasicAuth()
	// Hashes have one length, so that the comparison tells nothing about the secret's.
	given, wanted := sha256.Sum256([]byte(user+":"+password)), sha256.Sum256([]byte(s.Credentials))
	if ok && subtle.ConstantTimeCompare(given[:], wanted[:]) == 1 {
		return
	}
	c.Header("WWW-Authenticate", `Basic realm="`+s.Realm+`"`)
	htmlError(c, http.StatusUnauthorized, "Unauthorized")
	c.Abort()
}

// standingHeaders sets what every reply carries (the servlet filters of the original).
func (s *server) standingHeaders(c *gin.Context) {
	h := c.Writer.Header()
	for _, origin := range s.AllowOrigin {
		h.Set("Access-Control-Allow-Origin", origin)
		var asked []string
		for _, value := range c.Request.Header.Values("Access-Control-Request-Headers") {
			for name := range strings.SplitSeq(value, ",") {
				asked = append(asked, strings.TrimSpace(name))
			}
		}
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
		h.Set("Access-Control-Max-Age", "86400")
	}
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "0")
	if s.Backend.Snapshot().Elected {
		if s.LeaderURL != "" {
			h.Set("X-Marathon-Leader", s.LeaderURL)
		}
		h.Set("X-Frame-Options", "DENY")
		// Spelled as the original spells it, which is not the canonical form.
		h["X-XSS-Protection"] = []string{"1; mode=block"}
	}
	if s.NoCompression {
		c.Request.Header.Del("Accept-Encoding")
	}
}

// settings are those of an app at its place in the tree.
func (s *server) settings(roles app.Roles) *app.Settings {
	settings := s.App
	settings.Roles = roles
	return &settings
}

func (s *server) flags() *group.Flags {
	return &group.Flags{App: s.App, MesosRole: s.MesosRole}
}
