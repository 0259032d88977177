package allocator

import (
	"container/heap"
	"time"
)

// deadline is something to do at a time.
type deadline struct {
	at    time.Time
	seq   uint64
	index int // in the heap; -1 when it is out
	do    func()
}

// deadlines are ordered by time, then by when they were set.
type deadlines struct {
	list []*deadline
	seq  uint64
}

func (d *deadlines) Len() int { return len(d.list) }
func (d *deadlines) Less(i, j int) bool {
	if x, y := d.list[i], d.list[j]; !x.at.Equal(y.at) {
		return x.at.Before(y.at)
	}
	return d.list[i].seq < d.list[j].seq
}
func (d *deadlines) Swap(i, j int) {
	d.list[i], d.list[j] = d.list[j], d.list[i]
	d.list[i].index, d.list[j].index = i, j
}
func (d *deadlines) Push(x any) {
	one := x.(*deadline)
	one.index = len(d.list)
	d.list = append(d.list, one)
}
func (d *deadlines) Pop() any {
	last := d.list[len(d.list)-1]
	d.list[len(d.list)-1] = nil
	d.list = d.list[:len(d.list)-1]
	last.index = -1
	return last
}

func (d *deadlines) set(at time.Time, do func()) *deadline {
	d.seq++
	one := &deadline{at: at, seq: d.seq, do: do}
	heap.Push(d, one)
	return one
}

// stop takes a deadline back; nil and past ones are fine.
func (d *deadlines) stop(one *deadline) {
	if one != nil && one.index >= 0 {
		heap.Remove(d, one.index)
	}
}

// next is the earliest time, zero for none.
func (d *deadlines) next() time.Time {
	if len(d.list) == 0 {
		return time.Time{}
	}
	return d.list[0].at
}

// due says whether something is to be done now.
func (d *deadlines) due(now time.Time) bool {
	return len(d.list) > 0 && !d.list[0].at.After(now)
}

// run does everything that is due.
func (d *deadlines) run(now time.Time) {
	for d.due(now) {
		heap.Pop(d).(*deadline).do()
	}
}
