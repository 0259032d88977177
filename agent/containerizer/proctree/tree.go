package proctree

import "os"

// Root says what belongs to a tree.
type Root struct {
	// PID is the first process. It may have ended: what it left in its process group and
	// session still belongs to the tree.
	PID int
	// Mark, if set, is an environment entry ("NAME=value"). Processes that carry it belong to the
	// tree even if they left its sessions and were adopted by init.
	Mark string
	// Since is when the first process was started (Process.Started); 0 if that is unknown. What is
	// older is not looked at for marks, which keeps the search short.
	Since uint64
}

// Members picks from processes those that belong to the tree: the first process, every
// descendant, and everything in the process group or session of one of these. Group and
// session only count for the ones that the tree itself leads, so that a first process that
// was not started in a session of its own does not take its surroundings with it.
func (r Root) Members(processes []Process) []Process {
	self := os.Getpid()
	children := make(map[int][]int, len(processes))
	groups := make(map[int][]int)
	sessions := make(map[int][]int)
	for i, p := range processes {
		children[p.PPID] = append(children[p.PPID], i)
		groups[p.Group] = append(groups[p.Group], i)
		sessions[p.Session] = append(sessions[p.Session], i)
	}
	taken := make([]bool, len(processes))
	var queue []int // indexes into processes
	take := func(indexes []int) {
		for _, i := range indexes {
			p := processes[i]
			// The kernel's own, init and whoever asks never belong to a container.
			if taken[i] || p.PID <= 1 || p.PID == self || p.Kernel {
				continue
			}
			taken[i] = true
			queue = append(queue, i)
		}
	}
	follow := func(pid int) {
		take(children[pid])
		// A pid that leads no group or session finds nothing here.
		take(groups[pid])
		take(sessions[pid])
	}
	if r.PID > 1 {
		for i, p := range processes {
			if p.PID == r.PID {
				take([]int{i})
			}
		}
		follow(r.PID)
	}
	drain := func() {
		for len(queue) > 0 {
			i := queue[0]
			queue = queue[1:]
			follow(processes[i].PID)
		}
	}
	drain()
	if r.Mark != "" {
		for i, p := range processes {
			if !taken[i] && !p.Kernel && p.PID > 1 && p.Started >= r.Since && !p.Dead() && HasMark(p.PID, r.Mark) {
				take([]int{i})
				drain()
			}
		}
	}
	var members []Process
	for i, in := range taken {
		if in {
			members = append(members, processes[i])
		}
	}
	return members
}

// Living takes a snapshot and gives the members of the tree that have not ended.
func (r Root) Living() ([]Process, error) {
	processes, err := Snapshot()
	if err != nil {
		return nil, err
	}
	var living []Process
	for _, p := range r.Members(processes) {
		if !p.Dead() {
			living = append(living, p)
		}
	}
	return living, nil
}
