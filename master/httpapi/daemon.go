package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"stoa/internal/auth"
	"stoa/internal/flags"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"

	"github.com/gin-gonic/gin"
	"golang.org/x/sys/unix"
)

// health serves /health, whoever leads.
func (s *server) health(c *gin.Context) { httpd.Empty(c, http.StatusOK) }

// redirect serves /redirect: where the leader is, also if that is here. Nothing is below
// this path.
func (s *server) redirect(c *gin.Context) {
	if httpd.Path(c) != "/master/redirect" {
		httpd.NotFound(c)
		return
	}
	leader := s.config.Leader()
	if leader == nil {
		httpd.Text(c, http.StatusServiceUnavailable, "No leader elected")
		return
	}
	c.Header("Location", address(leader))
	httpd.Empty(c, http.StatusTemporaryRedirect)
}

// flags serves /flags.
func (s *server) flags(c *gin.Context) {
	if s.config.Authorizer != nil && (!httpd.Allow(c, http.MethodGet) || !s.allowed(c, auth.ViewFlags, nil)) {
		return
	}
	document(c, func(dst *[]byte) {
		o := mesosjson.BeginObject(dst)
		s.flagsField(o)
		o.End()
	})
}

func (s *server) flagsField(o mesosjson.Object) {
	list := o.Object("flags")
	for _, name := range slices.Sorted(maps.Keys(s.config.Flags)) {
		list.String(name, s.config.Flags[name])
	}
	list.End()
}

// version serves /version, with its keys in alphabetical order.
func (s *server) version(c *gin.Context) {
	document(c, func(dst *[]byte) { *dst = mesosjson.AppendSorted(*dst, s.config.Build, mesosjson.V0) })
}

// teardown serves POST /teardown, whose body is a form.
func (s *server) teardown(c *gin.Context) {
	body, ok := httpd.Body(c, 0)
	if !ok {
		return
	}
	form, err := httpd.ParseQuery(string(body))
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, "Unable to decode query string: "+err.Error())
		return
	}
	framework, ok := form["frameworkId"]
	if !ok {
		httpd.Text(c, http.StatusBadRequest, "Missing 'frameworkId' query parameter in the request body")
		return
	}
	s.tearDown(c, framework)
}

func (s *server) tearDown(c *gin.Context, framework string) {
	if s.config.Teardown == nil {
		unsupported(c)
		return
	}
	if !s.mayTearDown(c, framework) {
		return
	}
	status, text := s.config.Teardown(c.Request.Context(), framework)
	if status == http.StatusOK {
		httpd.Empty(c, status)
		return
	}
	httpd.Text(c, status, text)
}

// mayTearDown says whether the client may end a framework, or answers that it may not.
// One that is not known may be asked for by everybody.
func (s *server) mayTearDown(c *gin.Context, framework string) bool {
	if s.config.Authorizer == nil {
		return true
	}
	snapshot, ok := s.snapshot(c)
	if !ok {
		return false
	}
	f := snapshot.Framework(framework)
	return f == nil || s.allowed(c, auth.TeardownFramework, &auth.Object{Framework: f.Info})
}

// toggleLogging serves /logging/toggle: it shows the log level, or raises it for a while.
func (s *server) toggleLogging(c *gin.Context) {
	q := httpd.Query(c)
	levelText, hasLevel := q["level"]
	durationText, hasDuration := q["duration"]
	switch {
	case !hasLevel && !hasDuration:
		httpd.Text(c, http.StatusOK, strconv.Itoa(s.config.Verbosity())+"\n")
		return
	case !hasLevel:
		httpd.Text(c, http.StatusBadRequest, "Expecting 'level=value' in query.\n")
		return
	case !hasDuration:
		httpd.Text(c, http.StatusBadRequest, "Expecting 'duration=value' in query.\n")
		return
	}
	level, err := strconv.ParseInt(levelText, 10, 32)
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, fmt.Sprintf("Failed to convert '%s' to number.\n", levelText))
		return
	}
	if level < 0 {
		httpd.Text(c, http.StatusBadRequest, fmt.Sprintf("Invalid level '%s'.\n", levelText))
		return
	}
	if level < int64(s.config.Verbosity()) {
		httpd.Text(c, http.StatusBadRequest, fmt.Sprintf("'%s' < original level.\n", levelText))
		return
	}
	d, err := flags.ParseDuration(durationText)
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, err.Error()+".\n")
		return
	}
	s.setVerbosity(int(level), d)
	httpd.Empty(c, http.StatusOK)
}

func (s *server) setVerbosity(level int, d time.Duration) {
	if s.config.SetVerbosity != nil {
		s.config.SetVerbosity(level, d)
	}
}

// noProfiler serves /profiler/*, which the original's packages answer the same way.
func noProfiler(c *gin.Context) {
	httpd.Text(c, http.StatusBadRequest, "Perftools is disabled. To enable perftools, configure libprocess with --enable-perftools.\n")
}

// machine is the load and memory of the machine.
type machine struct {
	load1, load5, load15 float64
	cpus                 int
	free, total          uint64
}

func readMachine() (machine, bool) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return machine{}, false
	}
	const fixed = 1 << 16 // loads are fixed point numbers
	unit := uint64(info.Unit)
	return machine{
		load1:  float64(info.Loads[0]) / fixed,
		load5:  float64(info.Loads[1]) / fixed,
		load15: float64(info.Loads[2]) / fixed,
		cpus:   onlineCPUs(),
		free:   info.Freeram * unit,
		total:  info.Totalram * unit,
	}, true
}

// systemStats serves /system/stats.json.
func (s *server) systemStats(c *gin.Context) {
	m, ok := readMachine()
	document(c, func(dst *[]byte) {
		o := mesosjson.BeginObject(dst)
		if ok {
			o.Double("avg_load_15min", m.load15)
			o.Double("avg_load_1min", m.load1)
			o.Double("avg_load_5min", m.load5)
			o.Int("cpus_total", int64(m.cpus))
			o.Uint("mem_free_bytes", m.free)
			o.Uint("mem_total_bytes", m.total)
		}
		o.End()
	})
}
