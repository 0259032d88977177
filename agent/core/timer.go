package core

import (
	"container/heap"
	"time"
)

// timer is something due at a time. Timers with the same time run in the order they were set.
type timer struct {
	at  time.Time
	seq uint64
	run func()
}

type timerHeap struct {
	list []timer
}

func (h *timerHeap) Len() int { return len(h.list) }
func (h *timerHeap) Less(i, j int) bool {
	if h.list[i].at.Equal(h.list[j].at) {
		return h.list[i].seq < h.list[j].seq
	}
	return h.list[i].at.Before(h.list[j].at)
}
func (h *timerHeap) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *timerHeap) Push(x any)    { h.list = append(h.list, x.(timer)) }
func (h *timerHeap) Pop() any {
	last := h.list[len(h.list)-1]
	h.list[len(h.list)-1] = timer{}
	h.list = h.list[:len(h.list)-1]
	return last
}

// after runs the function when d has passed, and returns what cancels it. The function
// must look everything up anew: the world may have changed until then.
func (c *Core) after(d time.Duration, run func()) uint64 {
	c.seq++
	heap.Push(&c.timers, timer{at: c.now.Add(d), seq: c.seq, run: run})
	return c.seq
}

// cancel makes the timer do nothing; 0 and timers that ran are ignored.
func (c *Core) cancel(id *uint64) {
	if *id == 0 {
		return
	}
	for i, t := range c.timers.list {
		if t.seq == *id {
			heap.Remove(&c.timers, i)
			break
		}
	}
	*id = 0
}

// NextTimer is when the next Tick is due; false if nothing waits for time.
func (c *Core) NextTimer() (time.Time, bool) {
	if len(c.timers.list) == 0 {
		return time.Time{}, false
	}
	return c.timers.list[0].at, true
}

func (c *Core) runTimers() {
	for len(c.timers.list) > 0 && !c.timers.list[0].at.After(c.now) {
		heap.Pop(&c.timers).(timer).run()
	}
}
