package core

import (
	"maps"
	"net/url"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

// counters count what happened, under the names of the original's metrics
// (src/master/metrics.cpp); gauges are for readers of snapshots to make.
type counters map[string]float64

func (c *Core) count(name string) { c.counts["master/"+name]++ }

// valid counts a message of a kind that can be of no use.
func (c *Core) valid(ok bool, what string) {
	if ok {
		c.count("valid_" + what)
	} else {
		c.count("invalid_" + what)
	}
}

// countEnd counts a task that ended, or was never begun, by its status.
func (c *Core) countEnd(f *Framework, s *mesospb.TaskStatus) {
	state := strings.ToLower(s.GetState().String())
	c.count(strings.Replace(state, "task_", "tasks_", 1))
	f.count("tasks/terminal/" + state)
	if s.Reason == nil {
		return
	}
	// These names kept the old word for agents.
	old := strings.NewReplacer("_agent", "_slave")
	c.count(state + "/" + old.Replace(strings.ToLower(s.GetSource().String())) + "/" + old.Replace(strings.ToLower(s.GetReason().String())))
}

// callMetrics are the messages_ counters of calls.
var callMetrics = map[schedulerpb.Call_Type]string{
	schedulerpb.Call_TEARDOWN:                     "unregister_framework",
	schedulerpb.Call_DECLINE:                      "decline_offers",
	schedulerpb.Call_REVIVE:                       "revive_offers",
	schedulerpb.Call_SUPPRESS:                     "suppress_offers",
	schedulerpb.Call_KILL:                         "kill_task",
	schedulerpb.Call_ACKNOWLEDGE:                  "status_update_acknowledgement",
	schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS: "operation_status_update_acknowledgement",
	schedulerpb.Call_RECONCILE:                    "reconcile_tasks",
	schedulerpb.Call_RECONCILE_OPERATIONS:         "reconcile_operations",
	schedulerpb.Call_MESSAGE:                      "framework_to_executor",
	schedulerpb.Call_REQUEST:                      "resource_request",
}

func (c *Core) countCall(f *Framework, call *schedulerpb.Call) {
	f.count("calls")
	f.count("calls/" + strings.ToLower(call.GetType().String()))
	if name := callMetrics[call.GetType()]; name != "" {
		c.count("messages_" + name)
	}
	for _, op := range call.GetAccept().GetOperations() {
		if op.GetType() == mesospb.Offer_Operation_LAUNCH {
			if len(op.GetLaunch().GetTaskInfos()) > 0 {
				c.count("messages_launch_tasks")
			} else {
				c.count("messages_decline_offers")
			}
		}
	}
}

func (f *Framework) count(name string) {
	if f.counts == nil {
		f.counts = make(counters)
	}
	f.counts[name]++
}

func (f *Framework) countEvent(e *schedulerpb.Event) {
	f.count("events")
	f.count("events/" + strings.ToLower(e.GetType().String()))
	if n := len(e.GetOffers().GetOffers()); n > 0 {
		f.counts["offers/sent"] += float64(n)
	}
	if e.Rescind != nil {
		f.count("offers/rescinded")
	}
}

// Counters are all counters by name, and the gauges of the allocator, in a map of the
// caller's own. Those of a framework or a role end with it.
func (c *Core) Counters() map[string]float64 {
	out := maps.Clone(map[string]float64(c.counts))
	for _, f := range c.known {
		prefix := "master/frameworks/" + url.PathEscape(f.Info.GetName()) + "/" + f.ID + "/"
		for name, n := range f.counts {
			out[prefix+name] = n
		}
		if f.Connected() {
			out[prefix+"subscribed"] = 1
		} else {
			out[prefix+"subscribed"] = 0
		}
		for _, role := range f.Roles {
			out[prefix+"roles/"+role+"/suppressed"] = 0
			if f.Suppressed[role] {
				out[prefix+"roles/"+role+"/suppressed"] = 1
			}
		}
		if n := c.rates.countOf(f); n != nil {
			of := "frameworks/" + f.Info.GetPrincipal()
			out[of+"/messages_received"], out[of+"/messages_processed"] = n.received, n.processed
		}
	}
	c.allocationGauges(out)
	return out
}
