package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"stoa/agent/core"
	"stoa/internal/flags"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// metrics are the values of /metrics/snapshot (src/slave/metrics.cpp and others). Names are
// the original's; what Stoa's agent has no part for (resource providers, an image
// store) stays 0.
func (s *server) metrics(ctx context.Context) map[string]float64 {
	v := s.View(ctx)
	m := map[string]float64{
		"containerizer/fetcher/cache_size_total_bytes":              2 << 30,
		"containerizer/fetcher/cache_size_used_bytes":               0,
		"containerizer/fetcher/task_fetches_failed":                 0,
		"containerizer/fetcher/task_fetches_succeeded":              0,
		"containerizer/mesos/container_destroy_errors":              0,
		"containerizer/mesos/provisioner/bind/remove_rootfs_errors": 0,
		"containerizer/mesos/provisioner/remove_container_errors":   0,
		"resource_provider_manager/events/disconnect":               0,
		"resource_provider_manager/events/subscribe":                0,
		"resource_provider_manager/subscribed":                      0,
		"slave/executors_preempted":                                 0,
		"slave/container_launch_errors":                             float64(v.Metrics.ContainerLaunchErrors),
		"slave/executor_directory_max_allowed_age_secs":             s.MaxAge().Seconds(),
		"slave/executors_terminated":                                float64(v.Metrics.ExecutorsTerminated),
		"slave/frameworks_active":                                   float64(len(v.Frameworks)),
		"slave/invalid_framework_messages":                          float64(v.Metrics.InvalidFrameworkMessages),
		"slave/invalid_status_updates":                              float64(v.Metrics.InvalidStatusUpdates),
		"slave/valid_framework_messages":                            float64(v.Metrics.ValidFrameworkMessages),
		"slave/valid_status_updates":                                float64(v.Metrics.ValidStatusUpdates),
		"slave/recovery_errors":                                     float64(v.RecoveryErrors),
		"slave/registered":                                          0,
		"slave/tasks_finished":                                      float64(v.Metrics.TasksFinished),
		"slave/tasks_failed":                                        float64(v.Metrics.TasksFailed),
		"slave/tasks_killed":                                        float64(v.Metrics.TasksKilled),
		"slave/tasks_lost":                                          float64(v.Metrics.TasksLost),
		"slave/tasks_gone":                                          float64(v.Metrics.TasksGone),
		"slave/uptime_secs":                                         float64(time.Now().UnixMicro())/1e6 - v.StartTime,
	}
	if v.Registered {
		m["slave/registered"] = 1
	}
	if v.RecoveryTime > 0 {
		m["slave/recovery_time_secs"] = v.RecoveryTime.Seconds()
	}
	counts := s.GC()
	m["gc/path_removals_succeeded"] = float64(counts.Succeeded)
	m["gc/path_removals_failed"] = float64(counts.Failed)
	m["gc/path_removals_pending"] = float64(counts.Pending)
	countTasks(m, v)
	resourceMetrics(m, v)
	systemMetrics(m)
	return m
}

func countTasks(m map[string]float64, v *core.View) {
	for _, name := range []string{"staging", "starting", "running", "killing"} {
		m["slave/tasks_"+name] = 0
	}
	for _, name := range []string{"registering", "running", "terminating"} {
		m["slave/executors_"+name] = 0
	}
	for _, f := range v.Frameworks {
		m["slave/tasks_staging"] += float64(len(f.Pending))
		for _, e := range f.Executors {
			switch e.State {
			case core.ExecutorRegistering:
				m["slave/executors_registering"]++
			case core.ExecutorRunning:
				m["slave/executors_running"]++
			case core.ExecutorTerminating:
				m["slave/executors_terminating"]++
			}
			m["slave/tasks_staging"] += float64(len(e.Queued))
			for _, t := range e.Launched {
				switch t.GetState() {
				case mesospb.TaskState_TASK_STAGING:
					m["slave/tasks_staging"]++
				case mesospb.TaskState_TASK_STARTING:
					m["slave/tasks_starting"]++
				case mesospb.TaskState_TASK_RUNNING:
					m["slave/tasks_running"]++
				case mesospb.TaskState_TASK_KILLING:
					m["slave/tasks_killing"]++
				}
			}
		}
	}
}

func resourceMetrics(m map[string]float64, v *core.View) {
	inUse := v.Allocated()
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		for _, kind := range []struct {
			infix string
			of    func(resources.Resources) resources.Resources
		}{{"", resources.Resources.NonRevocable}, {"_revocable", resources.Resources.Revocable}} {
			total, _ := kind.of(v.Total).Scalar(name)
			used, _ := kind.of(inUse).Scalar(name)
			prefix := "slave/" + name + kind.infix
			m[prefix+"_total"] = total.Float()
			m[prefix+"_used"] = used.Float()
			m[prefix+"_percent"] = 0
			if total > 0 {
				m[prefix+"_percent"] = used.Float() / total.Float()
			}
		}
	}
}

// metricsSnapshot answers GET /metrics/snapshot. Nothing here is ever slow, so a
// timeout is only checked for its form.
func (s *server) metricsSnapshot(c *gin.Context) {
	if text, ok := httpd.Query(c)["timeout"]; ok {
		if _, err := flags.ParseDuration(text); err != nil {
			httpd.Text(c, http.StatusBadRequest, "Invalid timeout '"+text+"': "+err.Error()+".\n")
			return
		}
	}
	m := s.metrics(c.Request.Context())
	var body []byte
	o := mesosjson.BeginObject(&body)
	for _, name := range sortedKeys(m) {
		o.Double(name, m[name])
	}
	o.End()
	httpd.JSON(c, body)
}
