package core

import "stoa/internal/mesos/mesospb"

// History keeps the last tasks put into it, up to a bound, oldest first. With
// unique ids a task takes the place of an older one of the same id; without, the
// same id may be there more than once.
type History struct {
	max    int
	unique bool
	tasks  []*mesospb.Task // oldest first from start on; nil where one was taken out
	start  int
	index  map[string]int // task id -> its newest position in tasks
	live   int
}

func newHistory(max int, unique bool) *History {
	return &History{max: max, unique: unique, index: make(map[string]int)}
}

// Len is the number of tasks kept.
func (h *History) Len() int { return h.live }

// Get returns the newest task with that id, or nil.
func (h *History) Get(id string) *mesospb.Task {
	if i, ok := h.index[id]; ok {
		return h.tasks[i]
	}
	return nil
}

// All returns the tasks, oldest first, in a slice of the caller's own.
func (h *History) All() []*mesospb.Task {
	out := make([]*mesospb.Task, 0, h.live)
	for _, t := range h.tasks[h.start:] {
		if t != nil {
			out = append(out, t)
		}
	}
	return out
}

func (h *History) add(t *mesospb.Task) {
	if h.max == 0 {
		return
	}
	id := t.GetTaskId().GetValue()
	if h.unique {
		h.remove(id)
	}
	h.tasks = append(h.tasks, t)
	h.index[id] = len(h.tasks) - 1
	h.live++
	for h.live > h.max {
		h.dropOldest()
	}
	h.compact()
}

// remove takes every task with that id out.
func (h *History) remove(id string) {
	newest, ok := h.index[id]
	if !ok {
		return
	}
	delete(h.index, id)
	first := h.start
	if h.unique {
		first = newest
	}
	for i := first; i <= newest; i++ {
		if h.tasks[i] != nil && h.tasks[i].GetTaskId().GetValue() == id {
			h.tasks[i] = nil
			h.live--
		}
	}
}

func (h *History) dropOldest() {
	for ; h.start < len(h.tasks); h.start++ {
		t := h.tasks[h.start]
		if t == nil {
			continue
		}
		if id := t.GetTaskId().GetValue(); h.index[id] == h.start {
			delete(h.index, id)
		}
		h.tasks[h.start] = nil
		h.start++
		h.live--
		return
	}
}

// compact moves the tasks to the front once holes are more than half.
func (h *History) compact() {
	if len(h.tasks) < 32 || h.live*2 > len(h.tasks) {
		return
	}
	h.tasks, h.start = h.All(), 0
	for i, t := range h.tasks {
		h.index[t.GetTaskId().GetValue()] = i
	}
}
