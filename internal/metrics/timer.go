package metrics

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Window is the time for which the original's timers remember what they measured.
const Window = time.Hour

// capacity is how many values a history holds. Beyond it the older half gets coarser
// (3rdparty/libprocess/include/process/timeseries.hpp).
const capacity = 1000

// Timer measures how long something takes. Its methods may be called from any
// goroutine. The zero value has no history: it shows the last value only.
type Timer struct {
	mu      sync.Mutex
	window  time.Duration
	last    float64 // in milliseconds
	some    bool
	history []sample // in order of time
	next    int      // the next value to drop while the history is too long
}

type sample struct {
	at    time.Time
	value float64
}

// NewTimer makes a timer with a history.
func NewTimer(window time.Duration) *Timer { return &Timer{window: window} }

// Observe notes that something that ended at a time took so long.
func (t *Timer) Observe(at time.Time, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.some = float64(took)/float64(time.Millisecond), true
	if t.window == 0 {
		return
	}
	t.history = append(t.history, sample{at, t.last})
	t.truncate(at)
	t.thin()
}

// truncate forgets what is too old, but for one value.
func (t *Timer) truncate(now time.Time) {
	expired := now.Add(-t.window)
	old := 0
	for old < len(t.history)-1 && !t.history[old].at.After(expired) {
		old++
	}
	if old == 0 {
		return
	}
	t.history = append(t.history[:0], t.history[old:]...)
	if t.next -= old; t.next < 1 {
		t.next = 0
	}
}

// thin drops every other value of the older half, beginning anew when it is through.
func (t *Timer) thin() {
	for len(t.history) > capacity {
		if t.next < 1 || t.next > len(t.history)/2 {
			t.next = 1
		}
		t.history = append(t.history[:t.next], t.history[t.next+1:]...)
		t.next++
	}
}

// Put adds the timer to a set under its name, which should end in the unit "_ms": the
// last value once there is one, and statistics once there are two.
func (t *Timer) Put(s *Set, name string) {
	t.mu.Lock()
	last, some := t.last, t.some
	values := make([]float64, len(t.history))
	for i, one := range t.history {
		values[i] = one.value
	}
	t.mu.Unlock()
	if some {
		s.Gauge(name, last)
	}
	if len(values) < 2 {
		return
	}
	slices.Sort(values)
	s.Gauge(name+"/count", float64(len(values)))
	s.Gauge(name+"/min", values[0])
	s.Gauge(name+"/max", values[len(values)-1])
	for _, p := range percentiles {
		s.Gauge(name+p.suffix, percentile(values, p.part))
	}
}

var percentiles = [...]struct {
	suffix string
	part   float64
}{
	{"/p50", 0.5}, {"/p90", 0.90}, {"/p95", 0.95}, {"/p99", 0.99}, {"/p999", 0.999}, {"/p9999", 0.9999},
}

// percentile interpolates between the values beside the place; there are two at least.
func percentile(sorted []float64, part float64) float64 {
	position := part * float64(len(sorted)-1)
	i := int(math.Floor(position))
	return sorted[i] + (sorted[i+1]-sorted[i])*(position-float64(i))
}
