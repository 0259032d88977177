package httpapi

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/playjson"
)

// redirectToUI is GET /.
func (s *server) redirectToUI(c *gin.Context) error {
	setLocation(c, "/ui/")
	httpd.Empty(c, http.StatusFound)
	return nil
}

// ping is GET /ping; its form follows the Accept header (api/SystemResource.scala).
func (s *server) ping(c *gin.Context) error {
	accepts := func(media string) bool { return httpd.AcceptsType(c.Request, media) }
	switch {
	case accepts("text/plain"):
		httpd.Bytes(c, http.StatusOK, "text/plain", []byte("pong"))
	case accepts("text/html"):
		httpd.Bytes(c, http.StatusOK, "text/html", []byte("pong"))
	case accepts(httpd.TypeJSON):
		httpd.Bytes(c, http.StatusOK, httpd.TypeJSON, []byte(`"pong"`))
	default:
		httpd.Empty(c, http.StatusNoContent)
	}
	return nil
}

// gauge is one number about the scheduler under its name in the original.
type gauge struct {
	name  string
	value float64
}

// gauges are read from the snapshot; nothing is counted between requests.
func (s *server) gauges() []gauge {
	view := s.Backend.Snapshot()
	info := &appInfo{view: view, now: s.Now()}
	var total taskCounts
	apps, groups := 0, 1
	for a := range view.Root.AllApps() {
		apps++
		counts := info.count(view.Instances[a.ID], anyVersion)
		total.staged += counts.staged
		total.running += counts.running
	}
	for range view.Root.AllGroups() {
		groups++
	}
	return []gauge{
		{"marathon.apps.active.gauge", float64(apps)},
		{"marathon.deployments.active.gauge", float64(len(view.Deployments))},
		{"marathon.groups.active.gauge", float64(groups)},
		{"marathon.instances.running.gauge", float64(total.running)},
		{"marathon.instances.staged.gauge", float64(total.staged)},
		{"marathon.uptime.gauge.seconds", s.Now().Sub(s.started).Seconds()},
	}
}

// metrics is GET /metrics (raml/MetricsConversion.scala).
func (s *server) metrics(c *gin.Context) error {
	w := s.newDocument()
	w.BeginObject()
	w.StringField("version", "4.0.0")
	for _, kind := range [...]string{"counters", "gauges", "histograms", "meters", "timers"} {
		w.Key(kind)
		w.BeginObject()
		if kind == "gauges" {
			for _, g := range s.gauges() {
				w.Key(g.name)
				w.BeginObject()
				w.DoubleField("value", g.value)
				w.EndObject()
			}
		}
		w.EndObject()
	}
	w.EndObject()
	return answer(c, w)
}

// prometheus is GET /metrics/prometheus.
func (s *server) prometheus(c *gin.Context) error {
	if !s.PrometheusMetrics {
		return s.messageAndNothing(c, http.StatusNotFound, "Prometheus reporter is disabled")
	}
	var text strings.Builder
	for _, g := range s.gauges() {
		name := strings.NewReplacer(".", "_", "-", "_").Replace(g.name)
		text.WriteString("# TYPE " + name + " gauge\n" + name + " " + strconv.FormatFloat(g.value, 'g', -1, 64) + "\n")
	}
	httpd.Bytes(c, http.StatusOK, "text/plain", []byte(text.String()))
	return nil
}

// rootLogger is the only logger there is.
const rootLogger = "ROOT"

// loggers is GET /logging.
func (s *server) loggers(c *gin.Context) error {
	w := playjson.Writer{Style: playjson.Play}
	w.BeginObject()
	level := slog.LevelInfo
	if s.LogLevel != nil {
		level = s.LogLevel.Level()
	}
	w.StringField(rootLogger, level.String())
	w.EndObject()
	return answer(c, &w)
}

var levels = map[string]slog.Level{
	"trace": slog.LevelDebug - 4, "debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// changeLogger is POST /logging. There is one logger, named ROOT; others are refused.
func (s *server) changeLogger(c *gin.Context) error {
	document, err := s.document(c)
	if err != nil {
		return err
	}
	r := app.NewReader(document)
	var level, logger string
	if member, ok := r.Mandatory("level"); ok {
		level = app.Literal(member, "trace", "debug", "info", "warn", "error")
	}
	if member, ok := r.Mandatory("logger"); ok {
		logger = member.String()
	}
	duration, limited := r.Optional("durationSeconds")
	seconds := 0
	if limited {
		seconds = duration.Int()
	}
	if err := r.Err(); err != nil {
		return err
	}
	var rules app.Rules
	rules.Must(logger != "", "/logger", "must not be empty")
	if logger != "" {
		rules.Must(logger == rootLogger && s.LogLevel != nil, "/logger", "there is no other logger than "+rootLogger)
	}
	if err := rules.Err(); err != nil {
		return err
	}
	before := s.LogLevel.Level()
	s.LogLevel.Set(levels[level])
	if limited {
		time.AfterFunc(time.Duration(seconds)*time.Second, func() { s.LogLevel.Set(before) })
	}
	w := s.newDocument()
	w.BeginObject()
	w.StringField("level", level)
	w.StringField("logger", logger)
	if limited {
		w.IntField("durationSeconds", seconds)
	}
	w.EndObject()
	return answer(c, w)
}
