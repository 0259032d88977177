package agent

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// claimWait is how long a work directory may be taken before that is an error: what a killed
// agent was just forking holds it until it executes.
const (
	claimWait  = 3 * time.Second
	claimPause = 10 * time.Millisecond
)

// claim makes the directories and takes the work directory for this process alone: two
// agents on one would ruin each other's checkpoints. Closing the file gives it back, as
// does the end of the process.
func claim(work, runtime string) (*os.File, error) {
	for _, dir := range []string{work, runtime} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("agent: cannot make the directory (check --work_dir and --runtime_dir): %w", err)
		}
	}
	dir, err := os.Open(work)
	if err != nil {
		return nil, fmt.Errorf("agent: cannot use --work_dir: %w", err)
	}
	for giveUp := time.Now().Add(claimWait); ; time.Sleep(claimPause) {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(giveUp) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		dir.Close()
		return nil, fmt.Errorf("agent: another agent uses --work_dir=%s: stop it, or give this one a directory of its own", work)
	case err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK):
		// A file system without locks is no reason not to start.
		dir.Close()
		return nil, fmt.Errorf("agent: cannot lock --work_dir=%s: %w", work, err)
	}
	return dir, nil
}
