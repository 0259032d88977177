package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"stoa/internal/flags"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// fixedMetrics are the names that the original has from its start (src/master/metrics.cpp,
// src/master/registrar.cpp, src/master/allocator/mesos/metrics.cpp), so that a dashboard
// finds all of them.
var fixedMetrics = func() []string {
	names := strings.Fields(`
		allocator/event_queue_dispatches allocator/mesos/allocation_runs allocator/mesos/event_queue_dispatches
		master/dropped_messages master/event_queue_dispatches master/event_queue_http_requests
		master/event_queue_messages master/http_cache_hits master/operator_event_stream_subscribers
		master/recovery_slave_removals master/slave_registrations master/slave_removals
		master/slave_removals/reason_registered master/slave_removals/reason_unhealthy
		master/slave_removals/reason_unregistered master/slave_reregistrations master/slave_shutdowns_canceled
		master/slave_shutdowns_completed master/slave_shutdowns_scheduled master/slave_unreachable_canceled
		master/slave_unreachable_completed master/slave_unreachable_scheduled
		registrar/queued_operations registrar/registry_size_bytes`)
	for message := range strings.FieldsSeq(`authenticate deactivate_framework decline_offers executor_to_framework
		exited_executor framework_to_executor kill_task launch_tasks operation_status_update
		operation_status_update_acknowledgement reconcile_operations reconcile_tasks register_framework
		register_slave reregister_framework reregister_slave resource_request revive_offers status_update
		status_update_acknowledgement suppress_offers unregister_framework unregister_slave update_slave`) {
		names = append(names, "master/messages_"+message)
	}
	for what := range strings.FieldsSeq(`executor_to_framework_messages framework_to_executor_messages
		operation_status_update_acknowledgements operation_status_updates status_update_acknowledgements
		status_updates`) {
		names = append(names, "master/valid_"+what, "master/invalid_"+what)
	}
	for state := range strings.FieldsSeq("dropped error failed finished gone gone_by_operator killed lost") {
		names = append(names, "master/tasks_"+state)
	}
	for kind := range strings.FieldsSeq(`- create create_disk destroy destroy_disk grow_volume reserve shrink_volume unreserve`) {
		prefix := "master/operations/" + kind + "/"
		if kind == "-" {
			prefix = "master/operations/"
		}
		for state := range strings.FieldsSeq(`dropped error failed finished gone_by_operator pending recovering
			total unreachable`) {
			names = append(names, prefix+state)
		}
	}
	return names
}()

func onlineCPUs() int {
	// The whole machine counts, not what this process may use.
	if text, err := os.ReadFile("/sys/devices/system/cpu/online"); err == nil {
		if n := countCPUs(strings.TrimSpace(string(text))); n > 0 {
			return n
		}
	}
	return runtime.NumCPU()
}

// countCPUs counts a list such as "0-3,8".
func countCPUs(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		var first, last int
		if k, _ := fmt.Sscanf(part, "%d-%d", &first, &last); k == 2 && last >= first {
			n += last - first + 1
		} else if k == 1 {
			n++
		}
	}
	return n
}

// readMetrics puts the metrics together: gauges are read off a snapshot when they are asked
// for, counters come from Config.Counters.
func (s *server) readMetrics(snapshot *core.Snapshot) map[string]float64 {
	m := make(map[string]float64, 256)
	for _, name := range fixedMetrics {
		m[name] = 0
	}
	if machine, ok := readMachine(); ok {
		m["system/cpus_total"] = float64(machine.cpus)
		m["system/load_1min"] = machine.load1
		m["system/load_5min"] = machine.load5
		m["system/load_15min"] = machine.load15
		m["system/mem_free_bytes"] = float64(machine.free)
		m["system/mem_total_bytes"] = float64(machine.total)
	}
	m["master/uptime_secs"] = time.Since(s.config.Started).Seconds()
	m["master/elected"] = gauge(s.config.Leader().GetId() == s.config.Info.GetId())
	agentMetrics(m, snapshot)
	frameworkMetrics(m, snapshot)
	maps.Copy(m, s.config.Counters())
	return m
}

func gauge(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var kinds = [...]string{"cpus", "gpus", "mem", "disk"}

func agentMetrics(m map[string]float64, s *core.Snapshot) {
	for _, name := range []string{"connected", "disconnected", "active", "inactive"} {
		m["master/slaves_"+name] = 0
	}
	m["master/slaves_unreachable"] = float64(s.Unreachable)
	var total, used, revocable, revocableUsed [len(kinds)]float64
	var held [len(kinds)]float64 // used or offered
	for _, a := range s.Agents {
		m["master/slaves_connected"] += gauge(a.Connected)
		m["master/slaves_disconnected"] += gauge(!a.Connected)
		m["master/slaves_active"] += gauge(a.Active)
		m["master/slaves_inactive"] += gauge(!a.Active)
		sum(&total, a.Total.NonRevocable())
		sum(&used, a.Used.NonRevocable())
		sum(&revocable, a.Total.Revocable())
		sum(&revocableUsed, a.Used.Revocable())
		sum(&held, a.Used)
		sum(&held, a.Offered)
	}
	for i, kind := range kinds {
		m["master/"+kind+"_total"] = total[i]
		m["master/"+kind+"_used"] = used[i]
		m["master/"+kind+"_percent"] = ratio(used[i], total[i])
		m["master/"+kind+"_revocable_total"] = revocable[i]
		m["master/"+kind+"_revocable_used"] = revocableUsed[i]
		m["master/"+kind+"_revocable_percent"] = ratio(revocableUsed[i], revocable[i])
		if kind != "gpus" {
			m["allocator/mesos/resources/"+kind+"/total"] = total[i] + revocable[i]
			m["allocator/mesos/resources/"+kind+"/offered_or_allocated"] = held[i]
		}
	}
}

func sum(to *[len(kinds)]float64, rs resources.Resources) {
	to[0] += rs.Cpus().Float()
	to[1] += rs.Gpus().Float()
	to[2] += rs.Mem().Float()
	to[3] += rs.Disk().Float()
}

func ratio(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

func frameworkMetrics(m map[string]float64, s *core.Snapshot) {
	for _, name := range []string{"connected", "disconnected", "active", "inactive"} {
		m["master/frameworks_"+name] = 0
	}
	for _, name := range []string{"staging", "starting", "running", "killing", "unreachable"} {
		m["master/tasks_"+name] = 0
	}
	m["master/outstanding_offers"] = 0
	for _, f := range s.Frameworks {
		m["master/frameworks_connected"] += gauge(f.Connected())
		m["master/frameworks_disconnected"] += gauge(!f.Connected())
		m["master/frameworks_active"] += gauge(f.State == core.Active)
		m["master/frameworks_inactive"] += gauge(f.State != core.Active)
		m["master/outstanding_offers"] += float64(len(f.Offers))
		m["master/tasks_unreachable"] += float64(len(f.Unreachable))
		var staging, starting, running, killing float64
		for _, t := range f.Tasks {
			switch t.GetState() {
			case mesospb.TaskState_TASK_STAGING:
				staging++
			case mesospb.TaskState_TASK_STARTING:
				starting++
			case mesospb.TaskState_TASK_RUNNING:
				running++
			case mesospb.TaskState_TASK_KILLING:
				killing++
			}
		}
		m["master/tasks_staging"] += staging
		m["master/tasks_starting"] += starting
		m["master/tasks_running"] += running
		m["master/tasks_killing"] += killing
	}
}

// metricsSnapshot serves /metrics/snapshot: one flat object, names in order, only doubles.
func (s *server) metricsSnapshot(c *gin.Context) {
	if text, ok := httpd.Query(c)["timeout"]; ok {
		// No gauge is ever slow here, so that the value does not matter.
		if _, err := flags.ParseDuration(text); err != nil {
			httpd.Text(c, http.StatusBadRequest, fmt.Sprintf("Invalid timeout '%s': %s.\n", text, err))
			return
		}
	}
	snapshot, ok := s.snapshot(c)
	if !ok {
		return
	}
	m := s.readMetrics(snapshot)
	document(c, func(dst *[]byte) {
		o := mesosjson.BeginObject(dst)
		for _, name := range slices.Sorted(maps.Keys(m)) {
			o.Double(name, m[name])
		}
		o.End()
	})
}
