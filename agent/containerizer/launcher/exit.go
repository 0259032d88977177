package launcher

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"stoa/agent/containerizer/proctree"
)

// exitPollInterval is how often a process is looked at where the kernel has no pidfd.
const exitPollInterval = 250 * time.Millisecond

// awaitExit returns when the process that was started at the given time has ended, reaped or
// not, or when the context ends. It needs no thread: the kernel's pidfd becomes readable.
func awaitExit(ctx context.Context, pid int, started uint64) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err == nil {
		file := os.NewFile(uintptr(fd), "pidfd")
		defer file.Close()
		// The pid may have been used again before the pidfd was opened.
		if ended(pid, started) {
			return
		}
		if raw, err := file.SyscallConn(); err == nil {
			stop := context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Unix(1, 0)) })
			defer stop()
			if raw.Read(exited) == nil || ctx.Err() != nil {
				return
			}
		}
	}
	for !ended(pid, started) {
		timer := time.NewTimer(exitPollInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// exited asks a pidfd whether its process has ended.
func exited(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// ended tells whether the process is gone, a zombie, or another one with the same pid.
func ended(pid int, started uint64) bool {
	p, err := proctree.Lookup(pid)
	return err != nil || p.Dead() || (started != 0 && p.Started != started)
}
