// Package health probes tasks: health checks, which can cost a task its life, and general
// checks, which only report.
//
// Comes in: a HealthCheck or CheckInfo and a Runtime that reaches the task. Goes out: results, one at a
// time. It never touches the task and never builds a status update.
//
// HealthState and CheckState hold the decisions and do no I/O; Run does the probing.
package health

import (
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
)

// HealthState counts the results of a health check (src/checks/health_checker.cpp).
type HealthState struct {
	grace    time.Duration
	limit    uint32
	started  time.Time
	failures uint32
	// initializing is true until the first success.
	initializing bool
}

// NewHealthState begins counting at the time when the check was started.
func NewHealthState(check *mesospb.HealthCheck, started time.Time) *HealthState {
	return &HealthState{
		grace:        seconds(check.GetGracePeriodSeconds()),
		limit:        check.GetConsecutiveFailures(),
		started:      started,
		initializing: true,
	}
}

// Verdict is what a result means for the task.
type Verdict struct {
	// Report is true if the scheduler has to hear of it: on the first success, on the first one
	// after failures, and on every counted failure.
	Report  bool
	Healthy bool
	// Kill is true once the task failed often enough in a row.
	Kill bool
	// Failures is the number of failures in a row; Ignored is true for one in the grace period.
	Failures uint32
	Ignored  bool
}

// Result takes the outcome of one probe.
func (h *HealthState) Result(now time.Time, healthy bool) Verdict {
	if healthy {
		verdict := Verdict{Report: h.initializing || h.failures > 0, Healthy: true}
		h.initializing = false
		h.failures = 0
		return verdict
	}
	if h.initializing && h.grace > 0 && now.Sub(h.started) <= h.grace {
		return Verdict{Ignored: true}
	}
	h.failures++
	return Verdict{Report: true, Failures: h.failures, Kill: h.failures >= h.limit}
}

// CheckState remembers the last result of a general check (src/checks/checker.cpp).
type CheckState struct {
	empty    *mesospb.CheckStatusInfo
	previous *mesospb.CheckStatusInfo
}

// NewCheckState begins with the empty result.
func NewCheckState(check *mesospb.CheckInfo) *CheckState {
	empty := EmptyStatus(check)
	return &CheckState{empty: empty, previous: empty}
}

// Result takes the outcome of one probe; nil means that it could not be performed. It gives the result to
// report, or nil if nothing changed.
func (c *CheckState) Result(status *mesospb.CheckStatusInfo) *mesospb.CheckStatusInfo {
	if status == nil {
		status = c.empty
	}
	if proto.Equal(status, c.previous) {
		return nil
	}
	c.previous = status
	return status
}

// EmptyStatus is what the statuses of a checked task carry while there is no result.
func EmptyStatus(check *mesospb.CheckInfo) *mesospb.CheckStatusInfo {
	status := &mesospb.CheckStatusInfo{Type: check.GetType().Enum()}
	switch check.GetType() {
	case mesospb.CheckInfo_COMMAND:
		status.Command = &mesospb.CheckStatusInfo_Command{}
	case mesospb.CheckInfo_HTTP:
		status.Http = &mesospb.CheckStatusInfo_Http{}
	case mesospb.CheckInfo_TCP:
		status.Tcp = &mesospb.CheckStatusInfo_Tcp{}
	}
	return status
}

// seconds converts a wire duration. What does not fit is cut at about 290 years.
func seconds(s float64) time.Duration {
	const limit = float64(1<<63-1) / float64(time.Second)
	switch {
	case !(s > 0): // also NaN
		return 0
	case s >= limit:
		return 1<<63 - 1
	}
	return time.Duration(s * float64(time.Second))
}
