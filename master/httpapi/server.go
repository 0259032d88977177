package httpapi

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"stoa/internal/auth"
	"stoa/internal/files"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"
)

// server holds what every handler needs. It does not change after newServer.
type server struct {
	config Config
	press  *press
}

func newServer(config Config) *server {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Leader == nil {
		config.Leader = func() *mesospb.MasterInfo { return config.Info }
	}
	if config.Recovered == nil {
		config.Recovered = func() bool { return true }
	}
	for _, who := range []*httpd.Authenticator{&config.ReadOnly, &config.ReadWrite, &config.Frameworks} {
		if *who == nil {
			*who = httpd.Anyone
		}
	}
	config.Build = completed(config.Build)
	if config.Files == nil {
		config.Files = files.New()
	}
	if config.Counters == nil {
		config.Counters = func() map[string]float64 { return nil }
	}
	if config.MaxWatchBacklog <= 0 {
		config.MaxWatchBacklog = defaultBacklog
	}
	if config.Verbosity == nil {
		config.Verbosity = func() int { return 0 }
	}
	return &server{config: config, press: newPress()}
}

// completed sets what a build does not know of itself, since clients expect it.
func completed(build *mesospb.VersionInfo) *mesospb.VersionInfo {
	b := &mesospb.VersionInfo{}
	if build != nil {
		b = proto.Clone(build).(*mesospb.VersionInfo)
	}
	b.Version = proto.String(b.GetVersion())
	b.BuildDate = proto.String(b.GetBuildDate())
	b.BuildTime = proto.Float64(b.GetBuildTime())
	b.BuildUser = proto.String(b.GetBuildUser())
	return b
}

// routes names every endpoint of the daemon. Order of checks in each: who asks, whether
// this master leads, the method, the parameters.
func (s *server) routes() *httpd.Router {
	r := httpd.NewRouter("master")
	r.Disable(s.config.DisabledEndpoints...)
	master := func(endpoint string, h gin.HandlerFunc) { r.Handle("master", endpoint, h) }

	master("state", s.readOnly(s.leading(s.state)))
	master("state-summary", s.readOnly(s.leading(s.stateSummary)))
	master("slaves", s.readOnly(s.leading(s.slaves)))
	master("frameworks", s.readOnly(s.leading(s.frameworks)))
	master("tasks", s.readOnly(s.leading(s.tasks)))
	master("roles", s.readOnly(s.leading(s.roles)))
	master("flags", s.readOnly(s.flags))
	master("health", s.health)
	master("redirect", s.redirect)
	master("maintenance/status", s.readOnly(s.leading(only(s.maintenanceStatus, http.MethodGet))))

	master("maintenance/schedule", s.readWrite(s.leading(methods{http.MethodGet: s.maintenanceSchedule, http.MethodPost: s.setMaintenanceSchedule}.serve)))
	master("machine/down", s.readWrite(s.leading(only(machines(s.startMaintenance), http.MethodPost))))
	master("machine/up", s.readWrite(s.leading(only(machines(s.stopMaintenance), http.MethodPost))))
	master("weights", s.readWrite(s.leading(methods{http.MethodGet: s.weights, http.MethodPut: s.putWeights}.serve)))
	master("quota", s.readWrite(s.leading(methods{http.MethodGet: s.quotas, http.MethodPost: s.postQuota, http.MethodDelete: s.deleteQuota}.serve)))
	master("teardown", s.readWrite(s.leading(only(s.teardown, http.MethodPost))))
	for endpoint, form := range operationForms {
		master(endpoint, s.readWrite(s.leading(only(form.serve(s), http.MethodPost))))
	}
	master("api/v1", s.readWrite(s.leading(s.operator)))
	if s.config.Scheduler != nil {
		master("api/v1/scheduler", httpd.Authenticated(s.config.Frameworks, RealmScheduler, s.leading(s.config.Scheduler)))
	}

	r.Handle("registrar(1)", "registry", s.readOnly(s.registry))
	r.Handle("version", "", s.version)
	r.Handle("metrics", "snapshot", s.readOnly(s.ruled("/metrics/snapshot", s.metricsSnapshot)))
	r.Handle("logging", "toggle", s.readWrite(s.ruled("/logging/toggle", s.toggleLogging)))
	r.Handle("system", "stats.json", s.systemStats)
	r.Handle("profiler", "start", noProfiler)
	r.Handle("profiler", "stop", noProfiler)
	s.config.Files.AllowDebug(func(principal string) bool {
		return s.config.Authorizer.Allowed(auth.As(principal), auth.GetEndpoint, auth.Named("/files/debug"))
	})
	s.config.Files.Routes(r, s.readOnly)
	if s.config.UI != nil {
		ui := gin.WrapH(s.config.UI)
		master("", ui)
		for _, segment := range []string{"app", "assets", "static"} {
			r.Assets(segment, ui)
		}
	}
	return r
}

// leading sends clients of a master that does not lead to the one that does.
func (s *server) leading(h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		leader := s.config.Leader()
		switch {
		case leader == nil:
			httpd.Text(c, http.StatusServiceUnavailable, "No leader elected")
		case leader.GetId() != s.config.Info.GetId():
			location := address(leader) + httpd.Path(c)
			if q := c.Request.URL.RawQuery; q != "" {
				location += "?" + q
			}
			c.Header("Location", location)
			httpd.Empty(c, http.StatusTemporaryRedirect)
		default:
			h(c)
		}
	}
}

// address is where a master is, as redirects say it: without a scheme.
func address(m *mesospb.MasterInfo) string {
	host := m.GetHostname()
	if host == "" {
		host = m.GetAddress().GetIp()
	}
	return "//" + host + ":" + strconv.FormatUint(uint64(m.GetPort()), 10)
}

// only refuses other methods.
func only(h gin.HandlerFunc, method string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if httpd.Allow(c, method) {
			h(c)
		}
	}
}

// methods has a handler for each method of an endpoint.
type methods map[string]gin.HandlerFunc

// methodOrder is how the original lists methods in its answers.
var methodOrder = []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete}

func (m methods) serve(c *gin.Context) {
	var names []string
	for _, name := range methodOrder {
		if m[name] != nil {
			names = append(names, name)
		}
	}
	if httpd.Allow(c, names...) {
		m[c.Request.Method](c)
	}
}

// unsupported answers the calls that this master does not carry out.
func unsupported(c *gin.Context) { httpd.Default(c, http.StatusNotImplemented) }

// snapshot returns the state, or answers why there is none.
func (s *server) snapshot(c *gin.Context) (*core.Snapshot, bool) {
	snapshot, err := s.config.Snapshot(c.Request.Context())
	if err != nil {
		httpd.Text(c, http.StatusServiceUnavailable, "The master is shutting down")
		return nil, false
	}
	return snapshot, true
}

// documents are buffers for encoded documents.
var documents = sync.Pool{New: func() any { return new([]byte) }}

// keptDocument is the largest buffer that is kept, in bytes.
const keptDocument = 64 << 20

// document encodes into a pooled buffer and answers with what is in it.
func document(c *gin.Context, encode func(dst *[]byte)) {
	buf := emptyDocument()
	encode(buf)
	httpd.JSON(c, *buf)
	keepDocument(buf)
}

func emptyDocument() *[]byte {
	buf := documents.Get().(*[]byte)
	*buf = (*buf)[:0]
	return buf
}

func keepDocument(buf *[]byte) {
	if cap(*buf) <= keptDocument {
		documents.Put(buf)
	}
}
