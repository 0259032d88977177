package core

import (
	"fmt"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

func owned(principal string) func(*DriverCall) {
	return func(e *DriverCall) { e.Principal = principal }
}

// suppress is a call whose effect is easy to see.
func (w *world) suppress(n int, framework string) {
	w.step(DriverCall{PID: driverAt(n), Message: "mesos.scheduler.Call", Call: &schedulerpb.Call{
		Type: schedulerpb.Call_SUPPRESS.Enum(), FrameworkId: &mesospb.FrameworkID{Value: &framework},
	}})
}

func (w *world) suppressed(framework string) float64 {
	return w.c.known[framework].counts["calls/suppress"]
}

// What a framework says too fast waits its turn; what does not fit the queue is dropped
// and ends the driver.
func TestDriversThatTalkTooMuch(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.RateLimits = &mesospb.RateLimits{Limits: []*mesospb.RateLimit{
			{Principal: proto.String("slow"), Qps: proto.Float64(0.5), Capacity: proto.Uint64(2)},
			{Principal: proto.String("free")},
		}, AggregateDefaultQps: proto.Float64(1), AggregateDefaultCapacity: proto.Uint64(1)}
	})
	slow, free := w.subscribeDriver(1, owned("slow")), w.subscribeDriver(2, owned("free"))
	other, another := w.subscribeDriver(3, owned("other")), w.subscribeDriver(4)
	for n := 1; n <= 4; n++ {
		w.heard(n)
	}
	for range 4 {
		w.suppress(1, slow)
		w.suppress(2, free)
	}
	if w.suppressed(slow) != 1 || w.suppressed(free) != 4 {
		t.Errorf("at once: %v of the slow one, %v of the free one", w.suppressed(slow), w.suppressed(free))
	}
	w.hears(1, "FrameworkError Message mesos.scheduler.Call dropped: capacity(2) exceeded")
	w.advance(2 * time.Second)
	if w.suppressed(slow) != 2 {
		t.Errorf("after two seconds: %v", w.suppressed(slow))
	}
	// Those without a limit of their own share one.
	w.suppress(3, other)
	w.suppress(4, another)
	w.step(DriverDeactivate{PID: driverAt(4), Framework: another})
	w.hears(4, "FrameworkError Message mesos.internal.DeactivateFrameworkMessage dropped: capacity(1) exceeded")
	if w.suppressed(other) != 1 || w.suppressed(another) != 0 {
		t.Errorf("at once: %v and %v", w.suppressed(other), w.suppressed(another))
	}
	// The end of a driver comes after what it said.
	w.step(PeerExited{PID: driverAt(4)})
	if w.c.known[another].State != Active {
		t.Error("the framework ended before it was heard")
	}
	w.advance(5 * time.Second)
	if w.suppressed(slow) != 3 || w.suppressed(another) != 1 || w.c.known[another].State != Disconnected {
		t.Errorf("in the end: %v of the slow one, %v of another, which is %v", w.suppressed(slow), w.suppressed(another), w.c.known[another].State)
	}
	counts := w.c.Counters()
	for name, want := range map[string]float64{
		"slow/messages_received": 4, "slow/messages_processed": 3, "free/messages_received": 4, "free/messages_processed": 4, "other/messages_received": 1,
	} {
		if got := counts["frameworks/"+name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	w.step(Teardown{Framework: slow})
	if _, ok := w.c.Counters()["frameworks/slow/messages_received"]; ok || w.c.rates.counts["slow"] != nil {
		t.Error("the count is still there")
	}
}

func TestRateLimitsThatMakeNoSense(t *testing.T) {
	limit := func(principal string, qps float64) *mesospb.RateLimit {
		return &mesospb.RateLimit{Principal: &principal, Qps: &qps}
	}
	for _, c := range []struct {
		limits *mesospb.RateLimits
		want   string
	}{
		{nil, "<nil>"},
		{&mesospb.RateLimits{Limits: []*mesospb.RateLimit{limit("a", 1), limit("b", 0.1)}}, "<nil>"},
		{&mesospb.RateLimits{Limits: []*mesospb.RateLimit{limit("a", 1), limit("a", 2)}}, "Duplicate principal a found in RateLimits configuration"},
		{&mesospb.RateLimits{Limits: []*mesospb.RateLimit{limit("a", 0)}}, "Invalid qps: 0. It must be a positive number"},
		{&mesospb.RateLimits{AggregateDefaultQps: proto.Float64(-1.5)}, "Invalid aggregate_default_qps: -1.5. It must be a positive number"},
	} {
		if got := fmt.Sprint(CheckRateLimits(c.limits)); got != c.want {
			t.Errorf("%v: %s, want %s", c.limits, got, c.want)
		}
	}
}
