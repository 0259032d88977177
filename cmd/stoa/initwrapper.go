package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stoa/internal/flags"
)

// runInitWrapper starts a daemon with what its package left under /etc, as
// /usr/bin/mesos-init-wrapper does.
func runInitWrapper(ctx context.Context, p process) error {
	if len(p.args) == 0 {
		return errors.New("init-wrapper: say which daemon: master, agent (or slave) or marathon")
	}
	component, rest := p.args[0], p.args[1:]
	if component == "slave" {
		component = "agent"
	}
	switch component {
	case "master", "agent":
		pkg, err := flags.MesosPackage(ctx, "/", component, p.environ)
		if err != nil {
			return err
		}
		if err := applyUlimit(pkg.Ulimit); err != nil {
			return err
		}
		p.args, p.environ = append(pkg.Args, rest...), pkg.Environ
		if component == "master" {
			return runMaster(ctx, p)
		}
		return runAgent(ctx, p)
	case "marathon":
		p.args, p.packaged = rest, true
		return runMarathon(ctx, p)
	}
	return fmt.Errorf("init-wrapper: %q is none of master, agent, slave, marathon", p.args[0])
}

// applyUlimit does what the shell's ulimit would with the package's "-n 16384".
func applyUlimit(text string) error {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil
	}
	if len(fields) != 2 || fields[0] != "-n" {
		return fmt.Errorf("ULIMIT=%q: only -n COUNT is understood; set other limits in the service manager", text)
	}
	n, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return fmt.Errorf("ULIMIT=%q: %q is no number", text, fields[1])
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("set the limit of open files to %d: %w", n, err)
	}
	return nil
}
