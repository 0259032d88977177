// Command figures measures a whole cluster in one run: start to ready, idle memory,
// the way from POST to TASK_RUNNING for one and for a hundred instances, and the
// size of the binary. It prints; it never judges.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stoa/compat-tests/cluster"
)

func main() {
	binary := flag.String("binary", "bin/stoa", "the stoa binary")
	runs := flag.Int("runs", 5, "how often to repeat each measurement")
	many := flag.Int("instances", 100, "instances of the large app")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *runs, *many); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, runs, many int) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return fmt.Errorf("%w; build it with: make build", err)
	}
	fmt.Printf("binary size                        %.1f MB\n", float64(info.Size())/1e6)

	var start, one, hundred []time.Duration
	var idle int64
	for i := range runs {
		err := func() (err error) {
			dir, err := os.MkdirTemp("", "stoa-figures-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			begin := time.Now()
			l, err := cluster.StartLocal(ctx, cluster.Options{Binary: binary, WorkDir: dir, Log: os.Stderr,
				Args: []string{"--resources=cpus:64;mem:65536;disk:65536"}})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, l.Interrupt(context.WithoutCancel(ctx))) }()
			if err := cluster.Until(ctx, func() error { return l.Ready(ctx) }); err != nil {
				return err
			}
			start = append(start, time.Since(begin))
			if i == 0 {
				// A first collection has to pass before memory says anything.
				idle, err = settledMemory(ctx, l.PID())
				if err != nil {
					return err
				}
			}
			d, err := launch(ctx, l, "one", 1)
			if err != nil {
				return err
			}
			one = append(one, d)
			d, err = launch(ctx, l, "many", many)
			if err != nil {
				return err
			}
			hundred = append(hundred, d)
			return nil
		}()
		if err != nil {
			return err
		}
	}
	print := func(what string, d []time.Duration) {
		slices.Sort(d)
		fmt.Printf("%-34s min %v, median %v, max %v (%d runs)\n", what, round(d[0]), round(d[len(d)/2]), round(d[len(d)-1]), len(d))
	}
	print("start of stoa local to ready", start)
	fmt.Printf("%-34s %.1f MiB\n", "idle resident memory", float64(idle)/1024)
	print("POST to TASK_RUNNING, 1 instance", one)
	print(fmt.Sprintf("POST to TASK_RUNNING, %d instances", many), hundred)
	return nil
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// launch posts an app of n sleeps and returns the time until all of them run.
func launch(ctx context.Context, l *cluster.Local, id string, n int) (time.Duration, error) {
	begin := time.Now()
	a, err := cluster.Do(ctx, http.MethodPost, l.Marathon+"/v2/apps",
		fmt.Sprintf(`{"id":%q,"cmd":"sleep 1000","cpus":0.1,"mem":16,"instances":%d}`, id, n))
	if err != nil {
		return 0, err
	}
	if a.Status != http.StatusCreated {
		return 0, fmt.Errorf("POST /v2/apps: status %d: %s", a.Status, a.Body)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err = cluster.Until(ctx, func() error {
		app, err := l.App(ctx, id)
		if err == nil && app.TasksRunning != n {
			err = fmt.Errorf("%d of %d run", app.TasksRunning, n)
		}
		return err
	})
	return time.Since(begin), err
}

// settledMemory is the resident memory in KiB after ten quiet seconds.
func settledMemory(ctx context.Context, pid int) (int64, error) {
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib, nil
		}
	}
	return 0, errors.New("no VmRSS in the process status")
}
