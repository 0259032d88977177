// Package gc removes directories of finished executors after a while, or earlier
// when the disk gets full.
//
// Comes in: paths with the time when they may go. Goes out: the paths' removal, and a
// call for each. It never removes what was taken back, and never follows a link or
// crosses a mount point.
package gc

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Collector holds the paths that are to be removed. Its methods may be called from
// any goroutine.
type Collector struct {
	logger *slog.Logger

	mutex   sync.Mutex
	paths   map[string]*entry
	changed chan struct{}

	succeeded, failed int
}

type entry struct {
	due     time.Time
	removed func()
	// removing is closed when a removal that has begun is over.
	removing chan struct{}
}

// Counts are what /metrics/snapshot says about garbage collection.
type Counts struct{ Succeeded, Failed, Pending int }

// New returns a collector that removes nothing until Run.
func New(logger *slog.Logger) *Collector {
	return &Collector{logger: logger, paths: map[string]*entry{}, changed: make(chan struct{}, 1)}
}

// Schedule has path removed at due; removed, if not nil, is called after that. A path that is
// scheduled already gets the new time.
func (c *Collector) Schedule(path string, due time.Time, removed func()) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if old := c.paths[path]; old != nil && old.removing != nil {
		return
	}
	c.paths[path] = &entry{due: due, removed: removed}
	c.wake()
}

// Unschedule takes path back and says whether it was scheduled. If it is just being
// removed that is waited for: the caller then makes it anew.
func (c *Collector) Unschedule(ctx context.Context, path string) (bool, error) {
	c.mutex.Lock()
	e := c.paths[path]
	if e == nil {
		c.mutex.Unlock()
		return false, nil
	}
	if e.removing == nil {
		delete(c.paths, path)
		c.mutex.Unlock()
		return true, nil
	}
	c.mutex.Unlock()
	select {
	case <-e.removing:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Prune removes now what would be removed within d anyhow.
func (c *Collector) Prune(d time.Duration) {
	limit := time.Now().Add(d)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, e := range c.paths {
		if e.removing == nil && !e.due.After(limit) {
			e.due = time.Time{}
		}
	}
	c.wake()
}

// Counts returns the present numbers.
func (c *Collector) Counts() Counts {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return Counts{Succeeded: c.succeeded, Failed: c.failed, Pending: len(c.paths)}
}

func (c *Collector) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Run removes paths when their time comes, until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		path, e, wait := c.next()
		if e != nil {
			c.remove(path, e)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-c.changed:
		case <-ctx.Done():
			return
		}
	}
}

// next marks one due path as being removed, or says how long none will be due.
func (c *Collector) next() (string, *entry, time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	wait := time.Hour
	for path, e := range c.paths {
		until := time.Until(e.due)
		if until <= 0 {
			e.removing = make(chan struct{})
			return path, e, 0
		}
		wait = min(wait, until)
	}
	return "", nil, wait
}

func (c *Collector) remove(path string, e *entry) {
	err := removeTree(path)
	c.mutex.Lock()
	delete(c.paths, path)
	if err != nil {
		c.failed++
	} else {
		c.succeeded++
	}
	c.mutex.Unlock()
	close(e.removing)
	if err != nil {
		c.logger.Warn("Failed to delete directory", "path", path, "error", err)
		return
	}
	c.logger.Info("Deleted directory", "path", path)
	if e.removed != nil {
		e.removed()
	}
}

// removeTree refuses trees that something is mounted in: what is behind a mount
// (a persistent volume) is not ours to delete.
func removeTree(path string) error {
	mounted, err := mountBelow(path)
	if err != nil {
		return err
	}
	if mounted != "" {
		return &os.PathError{Op: "remove", Path: mounted, Err: syscall.EBUSY}
	}
	return os.RemoveAll(path)
}

// mountBelow returns a mount point at or below path.
func mountBelow(path string) (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 5 {
			continue
		}
		target := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if target == path || strings.HasPrefix(target, path+"/") {
			return target, nil
		}
	}
	return "", scanner.Err()
}

// Usage is the used fraction of the file system that holds path.
func Usage(path string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	if s.Blocks == 0 {
		return 0, nil
	}
	return float64(s.Blocks-s.Bfree) / float64(s.Blocks), nil
}

// MaxAge is the age that directories may reach at this disk usage.
func MaxAge(delay time.Duration, headroom, usage float64) time.Duration {
	return time.Duration(float64(delay) * max(0, 1-headroom-usage))
}
