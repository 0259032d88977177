package gc

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func collector(t *testing.T) *Collector {
	t.Helper()
	c := New(slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return c
}

func directory(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(filepath.Join(path, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestDirectoriesGoWhenTheyAreDue(t *testing.T) {
	soon, later := directory(t, "soon"), directory(t, "later")
	synctest.Test(t, func(t *testing.T) {
		c := collector(t)
		removed := false
		c.Schedule(later, time.Now().Add(2*time.Hour), nil)
		c.Schedule(soon, time.Now().Add(time.Hour), func() { removed = true })
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if !exists(soon) {
			t.Error("removed too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if exists(soon) || !removed || !exists(later) {
			t.Errorf("after an hour: soon %v, told %v, later %v", exists(soon), removed, exists(later))
		}
		if got := c.Counts(); got != (Counts{Succeeded: 1, Pending: 1}) {
			t.Errorf("counts: %+v", got)
		}
	})
}

func TestWhatIsTakenBackStays(t *testing.T) {
	path := directory(t, "kept")
	synctest.Test(t, func(t *testing.T) {
		c := collector(t)
		c.Schedule(path, time.Now().Add(time.Hour), nil)
		if was, err := c.Unschedule(t.Context(), path); !was || err != nil {
			t.Errorf("Unschedule: %v, %v", was, err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if !exists(path) {
			t.Error("the directory is gone")
		}
	})
}

func TestAFullDiskMakesThemGoEarlier(t *testing.T) {
	near, far := directory(t, "near"), directory(t, "far")
	synctest.Test(t, func(t *testing.T) {
		c := collector(t)
		c.Schedule(near, time.Now().Add(time.Hour), nil)
		c.Schedule(far, time.Now().Add(100*time.Hour), nil)
		c.Prune(10 * time.Hour)
		synctest.Wait()
		if exists(near) || !exists(far) {
			t.Errorf("near %v, far %v", exists(near), exists(far))
		}
	})
}

func TestLinksAreNotFollowed(t *testing.T) {
	path, outside := directory(t, "box"), directory(t, "outside")
	if err := os.Symlink(outside, filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := collector(t)
		c.Schedule(path, time.Now(), nil)
		synctest.Wait()
		if exists(path) || !exists(filepath.Join(outside, "sub")) {
			t.Errorf("box %v, outside %v", exists(path), exists(filepath.Join(outside, "sub")))
		}
	})
}

func TestMountPointsAreLeftAlone(t *testing.T) {
	if err := removeTree("/proc"); err == nil {
		t.Fatal("a mount point was not recognised")
	}
}

func TestMaxAge(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, c := range []struct {
		headroom, usage float64
		want            time.Duration
	}{
		// The recorded agent at no usage: 544320 seconds.
		{0.1, 0, 544320 * time.Second}, {0.1, 0.4, week / 2}, {0.1, 0.95, 0}, {0, 1, 0},
	} {
		if got := MaxAge(week, c.headroom, c.usage); got.Round(time.Second) != c.want {
			t.Errorf("MaxAge(%v, %v) = %v, want %v", c.headroom, c.usage, got, c.want)
		}
	}
}
