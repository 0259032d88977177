// Package proctree finds and ends process trees on Linux.
//
// Comes in: the pid a container began with and a mark that every process of the container
// carries in its environment. Goes out: the processes that belong to it, and signals to them.
// It never decides when something has to end.
package proctree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Process is one line of the process table.
type Process struct {
	PID     int
	PPID    int
	Group   int
	Session int
	// State is the letter of /proc/<pid>/stat, such as 'R', 'S', 'T' or 'Z'.
	State byte
	// Started is the start time in clock ticks since boot. Together with PID it names one
	// process for ever, although pids are used again.
	Started uint64
	// UserTicks and SystemTicks are the processor time used so far, in clock ticks.
	UserTicks, SystemTicks uint64
	// Threads is the number of threads.
	Threads int
	// ResidentPages is the resident memory in pages.
	ResidentPages int64
	// Kernel is true for a thread of the kernel, which has no environment and takes no signals.
	Kernel bool
	// Name is the name of the program, up to 15 bytes.
	Name string
}

// Dead tells whether the process only waits for its parent to notice its end.
func (p Process) Dead() bool { return p.State == 'Z' || p.State == 'X' }

// ErrGone is returned for a process that does not exist (any more).
var ErrGone = errors.New("proctree: no such process")

// maxProcFile bounds what is read of one file below /proc/<pid>.
const maxProcFile = 4 << 20

// Lookup reads one process.
func Lookup(pid int) (Process, error) {
	data, err := readProc(pid, "stat")
	if err != nil {
		return Process{}, err
	}
	return parseStat(data)
}

// Snapshot reads the whole process table. Processes that end meanwhile are left out.
func Snapshot() ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("read the process table: %w", err)
	}
	processes := make([]Process, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := Lookup(pid)
		if err != nil {
			continue
		}
		processes = append(processes, p)
	}
	return processes, nil
}

// HasMark tells whether the environment that the process was started with holds the
// entry mark ("NAME=value"). A process whose environment may not be read has no mark.
func HasMark(pid int, mark string) bool {
	if mark == "" {
		return false
	}
	for entry := range bytes.SplitSeq(environ(pid), []byte{0}) {
		if string(entry) == mark {
			return true
		}
	}
	return false
}

// EnvironContains tells whether text stands anywhere in the environment that the
// process was started with.
func EnvironContains(pid int, text string) bool {
	return text != "" && bytes.Contains(environ(pid), []byte(text))
}

// environ reads the environment that a process was started with; nil if it may not be read.
// For a moment while it executes another program a process has none, so an
// empty one is read again.
func environ(pid int) []byte {
	for range 5 {
		data, err := readProc(pid, "environ")
		if err != nil || len(data) > 0 {
			return data
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

func readProc(pid int, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), name))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, ErrGone
		}
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProcFile))
	if err != nil {
		// ESRCH: the process ended between open and read.
		return nil, ErrGone
	}
	return data, nil
}

// kernelThread is PF_KTHREAD of the kernel's include/linux/sched.h.
const kernelThread = 0x00200000

// parseStat reads a line of /proc/<pid>/stat (proc(5)). The name in parentheses may itself
// hold spaces and parentheses, so fields are counted from the last ')'.
func parseStat(line []byte) (Process, error) {
	open, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return Process{}, fmt.Errorf("proctree: malformed stat line %q", line)
	}
	var p Process
	var err error
	if p.PID, err = strconv.Atoi(string(bytes.TrimSpace(line[:open]))); err != nil {
		return Process{}, fmt.Errorf("proctree: malformed pid in %q", line)
	}
	p.Name = string(line[open+1 : end])
	fields := bytes.Fields(line[end+1:])
	// fields[0] is field 3 of the manual page.
	if len(fields) < 22 || len(fields[0]) != 1 {
		return Process{}, fmt.Errorf("proctree: short stat line %q", line)
	}
	p.State = fields[0][0]
	number := func(manual int) int64 {
		n, e := strconv.ParseInt(string(fields[manual-3]), 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("proctree: field %d of stat line %q: %w", manual, line, e)
		}
		return n
	}
	p.PPID = int(number(4))
	p.Group = int(number(5))
	p.Session = int(number(6))
	p.Kernel = number(9)&kernelThread != 0
	p.UserTicks = uint64(number(14))
	p.SystemTicks = uint64(number(15))
	p.Threads = int(number(20))
	p.Started = uint64(number(22))
	p.ResidentPages = number(24)
	return p, err
}

// FindMark looks through all processes for an environment entry that begins with prefix and
// ends with suffix, and gives the first one found.
func FindMark(prefix, suffix string) (string, bool) {
	processes, err := Snapshot()
	if err != nil {
		return "", false
	}
	for _, p := range processes {
		if p.Kernel || p.Dead() {
			continue
		}
		for entry := range bytes.SplitSeq(environ(p.PID), []byte{0}) {
			if bytes.HasPrefix(entry, []byte(prefix)) && bytes.HasSuffix(entry, []byte(suffix)) {
				return string(entry), true
			}
		}
	}
	return "", false
}
