// Package metrics is what the metrics of the Mesos daemons have in common: timers with
// their statistics, the document of /metrics/snapshot, its rate limit, and the same
// numbers for Prometheus.
//
// Comes in: numbers under the original's names, such as "master/tasks_running", and how
// long things took. Goes out: the JSON of /metrics/snapshot (3rdparty/libprocess/src/metrics
// of the original) and the text that Prometheus reads. It knows no daemon.
package metrics
