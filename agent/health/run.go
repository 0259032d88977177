package health

import (
	"context"
	"time"

	"stoa/internal/mesos/mesospb"
)

// Run probes until the context ends: first after the delay, then one interval after the end of the
// probe before. Each outcome goes to report, from this goroutine; a nil status with an error means
// that there was no result. Outcomes of probes that the context cut short are not reported.
func (p Probe) Run(ctx context.Context, runtime Runtime, report func(*mesospb.CheckStatusInfo, error)) {
	if !sleep(ctx, p.delay) {
		return
	}
	for {
		status, err := p.once(ctx, runtime)
		if ctx.Err() != nil {
			return
		}
		report(status, err)
		if !sleep(ctx, max(p.interval, minInterval)) {
			return
		}
	}
}

// sleep tells false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
