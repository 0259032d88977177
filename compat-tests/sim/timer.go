package sim

import (
	"container/heap"
	"time"
)

// alarm is what an agent does at a time.
type alarm int

const (
	alarmRegister  alarm = iota // try to register
	alarmPing                   // the master was silent for too long
	alarmSilence                // stop
	alarmUpdate                 // repeat the task's update
	alarmState                  // the task's next state
	alarmKilled                 // the killed task ends
	alarmOperation              // repeat the operation's status
)

// timer is an alarm that is set. Timers are never removed: one whose generation is not
// the present one of what it is for does nothing.
type timer struct {
	at         time.Time
	seq        uint64
	alarm      alarm
	generation uint32
	task       *task
	operation  *operation
}

type timers []timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if t[i].at.Equal(t[j].at) {
		return t[i].seq < t[j].seq
	}
	return t[i].at.Before(t[j].at)
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = timer{}
	*t = old[:len(old)-1]
	return last
}

// set makes a timer due after d.
func (a *Agent) set(d time.Duration, t timer) {
	a.seq++
	t.at, t.seq = a.now.Add(d), a.seq
	heap.Push(&a.timers, t)
}

// Next is when the agent wants a Tick, zero for never.
func (a *Agent) Next() time.Time {
	if a.silent {
		return a.hearAt
	}
	if len(a.timers) == 0 || a.ended {
		return time.Time{}
	}
	return a.timers[0].at
}

// Tick does what is due.
func (a *Agent) Tick(now time.Time) []Effect {
	a.advance(now)
	if a.silent {
		if a.hearAt.IsZero() || now.Before(a.hearAt) {
			return nil
		}
		a.silent = false
		a.counts.Silent--
	}
	for len(a.timers) > 0 && !a.timers[0].at.After(now) && !a.ended && !a.silent {
		a.ring(heap.Pop(&a.timers).(timer))
	}
	return a.effects()
}

func (a *Agent) ring(t timer) {
	switch t.alarm {
	case alarmRegister:
		if t.generation == a.registering {
			a.register()
		}
	case alarmPing:
		if t.generation == a.pinged && a.registered {
			a.disconnected()
		}
	case alarmSilence:
		a.silent = true
		a.counts.Silent++
		if a.b.SilentFor > 0 {
			a.hearAt = a.now.Add(a.b.SilentFor)
		}
	case alarmUpdate:
		if t.generation == t.task.sent && len(t.task.pending) > 0 && a.registered {
			a.counts.Retries++
			t.task.interval = min(2*t.task.interval, retryMax)
			a.forward(t.task)
		}
	case alarmState:
		a.step(t.task)
	case alarmKilled:
		a.killed(t.task)
	case alarmOperation:
		if t.generation == t.operation.sent && !t.operation.done && a.registered {
			a.counts.Retries++
			t.operation.interval = min(2*t.operation.interval, retryMax)
			a.reportOperation(t.operation)
		}
	}
}
