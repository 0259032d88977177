package core

import (
	"container/heap"
	"time"
)

// timer is one thing to do at a time; stop takes it back.
type timer struct {
	at    time.Time
	seq   uint64
	index int // in the heap, -1 when not in it
	do    func(now time.Time)
}

// timers are ordered by time, then by when they were set.
type timers struct {
	heap []*timer
	seq  uint64
}

func (t *timers) Len() int { return len(t.heap) }
func (t *timers) Less(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	return a.seq < b.seq
}
func (t *timers) Swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].index, t.heap[j].index = i, j
}
func (t *timers) Push(x any) {
	x.(*timer).index = len(t.heap)
	t.heap = append(t.heap, x.(*timer))
}
func (t *timers) Pop() any {
	last := t.heap[len(t.heap)-1]
	t.heap[len(t.heap)-1] = nil
	t.heap = t.heap[:len(t.heap)-1]
	last.index = -1
	return last
}

func (t *timers) set(at time.Time, do func(time.Time)) *timer {
	t.seq++
	one := &timer{at: at, seq: t.seq, do: do}
	heap.Push(t, one)
	return one
}

// stop takes a timer back; nil and past timers are fine.
func (t *timers) stop(one *timer) {
	if one != nil && one.index >= 0 {
		heap.Remove(t, one.index)
	}
}

// next is the time of the earliest timer, zero if there is none.
func (t *timers) next() time.Time {
	if len(t.heap) == 0 {
		return time.Time{}
	}
	return t.heap[0].at
}

// due takes out the earliest timer that is not after now, or returns nil.
func (t *timers) due(now time.Time) *timer {
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(t).(*timer)
}
