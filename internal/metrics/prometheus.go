package metrics

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Prometheus serves /metrics: the same numbers as /metrics/snapshot under names that
// Prometheus takes, and those of the process itself. A name is "mesos_" and the original's
// with underscores; what names a framework, role, principal or cause is a label.
func Prometheus(source Source) gin.HandlerFunc {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return func(c *gin.Context) {
		daemon := prometheus.NewRegistry()
		daemon.MustRegister(collector{c.Request.Context(), source})
		promhttp.HandlerFor(prometheus.Gatherers{daemon, process}, promhttp.HandlerOpts{
			// A name that comes out twice costs that metric, not the whole answer.
			ErrorHandling: promhttp.ContinueOnError,
		}).ServeHTTP(responseWriter{c.Writer}, c.Request)
	}
}

// responseWriter lets promhttp compress by itself.
type responseWriter struct{ http.ResponseWriter }

// collector shows one reading of the source.
type collector struct {
	ctx    context.Context
	source Source
}

// Describe says nothing in advance: names come and go with frameworks and roles.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(out chan<- prometheus.Metric) {
	set := c.source(c.ctx)
	if set == nil {
		return
	}
	for key, value := range set.All() {
		n := nameOf(key)
		kind := prometheus.GaugeValue
		if set.IsCounter(key) {
			kind = prometheus.CounterValue
		}
		desc := prometheus.NewDesc(n.name, "As in /metrics/snapshot.", n.labels, nil)
		if m, err := prometheus.NewConstMetric(desc, kind, value, n.values...); err == nil {
			out <- m
		}
	}
}

// promName is a metric's name for Prometheus.
type promName struct {
	name           string
	labels, values []string
}

// labelled are the names that hold something a label should say. A part of the name that
// has no label goes to the end of the name.
var labelled = []struct {
	expression *regexp.Regexp
	name       string
	labels     []string
}{
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/roles/(.*)/suppressed$`), "master_frameworks_suppressed", []string{"framework", "framework_id", "role"}},
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/calls/([^/]*)$`), "master_frameworks_calls_by_type", []string{"framework", "framework_id", "type"}},
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/events/([^/]*)$`), "master_frameworks_events_by_type", []string{"framework", "framework_id", "type"}},
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/operations/([^/]*)$`), "master_frameworks_operations_by_type", []string{"framework", "framework_id", "type"}},
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/tasks/active/([^/]*)$`), "master_frameworks_tasks_active", []string{"framework", "framework_id", "state"}},
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/tasks/terminal/([^/]*)$`), "master_frameworks_tasks_terminal", []string{"framework", "framework_id", "state"}},
	{regexp.MustCompile(`^master/frameworks/([^/]*)/([^/]*)/(.*)$`), "master_frameworks_", []string{"framework", "framework_id"}},
	{regexp.MustCompile(`^master/(task_[^/]*)/(source_[^/]*)/(reason_[^/]*)$`), "master_tasks_ended_by_reason", []string{"state", "source", "reason"}},
	{regexp.MustCompile(`^allocator/mesos/quota/roles/(.*)/resources/([^/]*)/([^/]*)$`), "allocator_mesos_quota_", []string{"role", "resource"}},
	{regexp.MustCompile(`^allocator/mesos/offer_filters/roles/(.*)/active$`), "allocator_mesos_offer_filters_active", []string{"role"}},
	{regexp.MustCompile(`^allocator/mesos/roles/(.*)/shares/dominant$`), "allocator_mesos_shares_dominant", []string{"role"}},
	{regexp.MustCompile(`^frameworks/(.*)/(messages_[a-z]*)$`), "frameworks_", []string{"principal"}},
}

// plain are characters that are not part of a name.
var plain = regexp.MustCompile(`[^a-zA-Z0-9_]+`)

func nameOf(key string) promName {
	for _, one := range labelled {
		found := one.expression.FindStringSubmatch(key)
		if found == nil {
			continue
		}
		name := one.name
		if rest := found[1+len(one.labels):]; len(rest) > 0 {
			name += rest[0]
		}
		n := promName{name: promMetric(name), labels: one.labels, values: slices.Clone(found[1 : 1+len(one.labels)])}
		if one.labels[0] == "framework" {
			if name, err := url.PathUnescape(n.values[0]); err == nil {
				n.values[0] = name
			}
		}
		for i, value := range n.values {
			n.values[i] = strings.ToValidUTF8(value, "\uFFFD")
		}
		return n
	}
	return promName{name: promMetric(key)}
}

func promMetric(key string) string {
	return "mesos_" + strings.Trim(plain.ReplaceAllString(key, "_"), "_")
}
