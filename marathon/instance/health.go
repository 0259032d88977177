package instance

import (
	"time"

	"stoa/marathon/app"
)

// Health is what one health check knows of one task. Zero times mean never.
type Health struct {
	FirstSuccess        time.Time
	LastSuccess         time.Time
	LastFailure         time.Time
	LastFailureCause    string
	ConsecutiveFailures int
}

// Alive says that the last result was a success.
func (h Health) Alive() bool {
	return !h.LastSuccess.IsZero() && h.LastSuccess.After(h.LastFailure)
}

// Known says that there was a result that counts.
func (h Health) Known() bool { return !h.LastSuccess.IsZero() || !h.LastFailure.IsZero() }

// Succeeded records a success.
func (h Health) Succeeded(now time.Time) Health {
	if h.FirstSuccess.IsZero() {
		h.FirstSuccess = now
	}
	if !now.After(h.LastFailure) {
		now = h.LastFailure.Add(time.Millisecond)
	}
	h.LastSuccess = now
	h.ConsecutiveFailures = 0
	return h
}

// Failed records a failure of a task that has run since runningSince, and tells
// whether it counts and whether the task is to be killed. Failures within the grace
// period do not count until there was a success. The decision to kill looks at the
// failures before this one, so that maxConsecutiveFailures of 3 kills at the fourth.
// Original: core/health/impl/HealthCheckActor.scala.
func (h Health) Failed(check app.HealthCheck, cause string, runningSince, now time.Time) (next Health, counts, kill bool) {
	if h.FirstSuccess.IsZero() && now.Before(runningSince.Add(check.GracePeriod)) {
		return h, false, false
	}
	kill = check.MaxConsecutiveFailures > 0 && h.ConsecutiveFailures >= check.MaxConsecutiveFailures
	if now.Before(h.LastSuccess) {
		now = h.LastSuccess
	}
	h.LastFailure = now
	h.LastFailureCause = cause
	h.ConsecutiveFailures++
	return h, true, kill
}

// Aggregate is the health over all checks of a task: true when all are alive, nil when
// one has no result yet, false otherwise.
func Aggregate(checks []Health) *bool {
	all := true
	for _, h := range checks {
		if !h.Known() {
			return nil
		}
		all = all && h.Alive()
	}
	return &all
}
