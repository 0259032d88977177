package proctree

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// maxFreezeRounds bounds how often the table is read again for processes that were
// forked while the others were being stopped.
const maxFreezeRounds = 64

// Signal sends one signal to the whole tree at a point where none of it runs: it stops the
// members until no new ones appear, signals them, and lets them go on. So a process that
// forks all the time cannot slip through. It gives the processes that were signalled.
func (r Root) Signal(signal syscall.Signal) ([]Process, error) {
	stopped := make(map[int]Process)
	var failure error
	for round := 0; round < maxFreezeRounds; round++ {
		living, err := r.Living()
		if err != nil {
			failure = err
			break
		}
		fresh := 0
		for _, p := range living {
			if known, ok := stopped[p.PID]; ok && known.Started == p.Started {
				continue
			}
			if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
				failure = fmt.Errorf("stop process %d: %w", p.PID, err)
			}
			stopped[p.PID] = p
			fresh++
		}
		if fresh == 0 {
			break
		}
	}
	processes := make([]Process, 0, len(stopped))
	for pid, p := range stopped {
		processes = append(processes, p)
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			failure = fmt.Errorf("send %v to process %d: %w", signal, pid, err)
		}
	}
	if signal != syscall.SIGKILL && signal != syscall.SIGSTOP {
		for pid := range stopped {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
	return processes, failure
}

// Kill ends the whole tree with SIGKILL and returns when nothing of it lives. It gives up with
// the context's error; processes in uninterruptible sleep can hold it up.
func (r Root) Kill(ctx context.Context) error {
	pause := time.Millisecond
	for {
		killed, failure := r.Signal(syscall.SIGKILL)
		if len(killed) == 0 && failure == nil {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			if failure == nil {
				failure = ctx.Err()
			}
			return fmt.Errorf("end the process tree of %d (%d left): %w", r.PID, len(killed), failure)
		case <-timer.C:
		}
		if pause < 100*time.Millisecond {
			pause *= 2
		}
	}
}
