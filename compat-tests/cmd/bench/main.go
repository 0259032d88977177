// Command bench measures masters and Marathons with simulated agents: tasks per
// second, latencies, memory. It prints figures, and fails when something was lost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"

	"stoa/compat-tests/bench"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/stoa", "the stoa binary, which runs the daemons; empty runs them in this process")
	flag.StringVar(&o.only, "only", "", "which to run, comma-separated: "+strings.Join(names(), ", ")+"; empty runs all")
	flag.StringVar(&o.profiles, "profiles", "", "directory for a processor profile of each: of the daemons with --binary=, else of the simulated agents and schedulers only")
	flag.BoolVar(&o.verbose, "verbose", false, "show what the daemons log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	binary, only, profiles string
	verbose                bool
}

func names() []string {
	var list []string
	for _, b := range bench.All {
		list = append(list, b.Name)
	}
	return list
}

func run(ctx context.Context, o options) (err error) {
	wanted := names()
	if o.only != "" {
		wanted = strings.Split(o.only, ",")
		for _, name := range wanted {
			if !slices.Contains(names(), name) {
				return fmt.Errorf("--only: there is no %q; there are %s", name, strings.Join(names(), ", "))
			}
		}
	}
	e := &bench.Environment{Out: os.Stdout, Log: io.Discard}
	if o.verbose {
		e.Log = os.Stderr
	}
	if o.binary != "" {
		if e.Binary, err = filepath.Abs(o.binary); err != nil {
			return err
		}
		if _, err := os.Stat(e.Binary); err != nil {
			return fmt.Errorf("%w; build it with: make build", err)
		}
	}
	if e.Dir, err = os.MkdirTemp("", "stoa-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(e.Dir)) }()
	fmt.Printf("%d processor(s), %s\n", runtime.NumCPU(), runtime.Version())
	for _, b := range bench.All {
		if !slices.Contains(wanted, b.Name) {
			continue
		}
		if err := profiled(o.profiles, b.Name, func() error { return b.Run(ctx, e) }); err != nil {
			return fmt.Errorf("%s: %w", b.Name, err)
		}
	}
	return nil
}

// profiled runs f with a processor profile, if there is a directory for it.
func profiled(dir, name string, f func() error) error {
	if dir == "" {
		return f()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, name+".cpu"))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}
