package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/sim"
	"stoa/internal/store"
	"stoa/marathon"
	"stoa/master"
)

// Environment says where daemons run.
type Environment struct {
	// Binary is the stoa binary, which runs the daemons as processes of their own. It
	// is empty to run them in this process, to profile them; memory then means nothing.
	Binary string
	// Dir keeps their state.
	Dir string
	// Out takes the figures, Log what the daemons say.
	Out, Log io.Writer
}

// Daemon is a master or a Marathon that runs.
type Daemon struct {
	// Address is host:port.
	Address string
	cmd     *exec.Cmd
	stop    func() error
	// again starts it once more, at the same address on the same state.
	again func() (stop func() error, err error)
}

// Stop ends the daemon.
func (d *Daemon) Stop() error { return d.stop() }

// Restart ends a daemon that runs in this process and starts it again.
func (d *Daemon) Restart() error {
	if err := d.stop(); err != nil {
		return err
	}
	stop, err := d.again()
	if err != nil {
		d.stop = func() error { return nil }
		return err
	}
	d.stop = stop
	return nil
}

// startMaster starts a master with an empty registry and waits until it answers.
func (e *Environment) startMaster(ctx context.Context) (*Daemon, error) {
	dir, err := os.MkdirTemp(e.Dir, "master-")
	if err != nil {
		return nil, err
	}
	if e.Binary == "" {
		return e.inProcess(filepath.Join(dir, "registry.db"), func(ln net.Listener, st store.Store) (func(context.Context) error, error) {
			c := master.Config{Store: st, Listener: ln, Logger: slog.New(slog.NewTextHandler(e.Log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
			c.Core.RootSubmissions = true
			m, err := master.New(ctx, c)
			if err != nil {
				return nil, err
			}
			return m.Run, nil
		})
	}
	return e.process(ctx, "/health", "master", "--ip=127.0.0.1", "--hostname=127.0.0.1", "--work_dir="+dir, "--logging_level=WARNING")
}

// startMarathon starts a Marathon without apps for a master and waits until it leads.
func (e *Environment) startMarathon(ctx context.Context, master string) (*Daemon, error) {
	dir, err := os.MkdirTemp(e.Dir, "marathon-")
	if err != nil {
		return nil, err
	}
	if e.Binary == "" {
		d, err := e.inProcess(filepath.Join(dir, "marathon.db"), func(ln net.Listener, st store.Store) (func(context.Context) error, error) {
			c := marathon.DefaultConfig()
			c.Store, c.Listener, c.Masters, c.Hostname = st, ln, []string{master}, "127.0.0.1"
			c.Logger = slog.New(slog.NewTextHandler(e.Log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			m, err := marathon.New(ctx, c)
			if err != nil {
				return nil, err
			}
			return m.Run, nil
		})
		if err != nil {
			return nil, err
		}
		if err := await(ctx, "http://"+d.Address+"/ping"); err != nil {
			return nil, errors.Join(err, d.Stop())
		}
		return d, nil
	}
	return e.process(ctx, "/ping", "marathon", "--master", master, "--hostname", "127.0.0.1", "--http_address", "127.0.0.1",
		"--work_dir", dir)
}

func (e *Environment) inProcess(file string, start func(net.Listener, store.Store) (func(context.Context) error, error)) (*Daemon, error) {
	d := &Daemon{Address: "127.0.0.1:0"}
	d.again = func() (func() error, error) {
		st, err := store.OpenFile(file)
		if err != nil {
			return nil, err
		}
		ln, err := net.Listen("tcp4", d.Address)
		if err != nil {
			st.Close()
			return nil, err
		}
		d.Address = ln.Addr().String()
		run, err := start(ln, st)
		if err != nil {
			ln.Close()
			st.Close()
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		return func() error {
			cancel()
			return errors.Join(<-done, st.Close())
		}, nil
	}
	var err error
	d.stop, err = d.again()
	return d, err
}

// process starts a piece of the binary on a free port and waits until path answers 200.
func (e *Environment) process(ctx context.Context, path, piece string, args ...string) (*Daemon, error) {
	// A daemon does not say which port it took, so one is chosen here.
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	port := []string{"--port=" + strconv.Itoa(int(address.Port()))}
	if piece == "marathon" {
		port = []string{"--http_port", strconv.Itoa(int(address.Port()))}
	}
	d := &Daemon{Address: address.String(), cmd: exec.Command(e.Binary, append(append([]string{piece}, args...), port...)...)}
	d.cmd.Stdout, d.cmd.Stderr = e.Log, e.Log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- d.cmd.Wait() }()
	d.stop = func() error {
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			return errors.Join(fmt.Errorf("stoa %s did not stop", piece), d.cmd.Process.Kill())
		}
	}
	if err := await(ctx, "http://"+d.Address+path); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// await waits until a URL answers 200.
func await(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return cluster.Until(ctx, func() error {
		a, err := cluster.Do(ctx, "GET", url, "")
		if err == nil && a.Status != 200 {
			err = fmt.Errorf("GET %s: status %d", url, a.Status)
		}
		return err
	})
}

// Agents are simulated ones that run.
type Agents struct {
	*sim.Sim
	stop func() error
}

// Stop ends the agents.
func (a *Agents) Stop() error { return a.stop() }

// startAgents starts agents and waits until all are registered.
func startAgents(ctx context.Context, master string, o sim.Options) (*Agents, error) {
	at, err := netip.ParseAddrPort(master)
	if err != nil {
		return nil, err
	}
	o.Master, o.IP = at, at.Addr()
	s, err := sim.New(o, nil)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(own) }()
	a := &Agents{s, func() error { cancel(); return <-done }}
	ctx, cancelWait := context.WithTimeout(ctx, 5*time.Minute)
	defer cancelWait()
	err = cluster.Until(ctx, func() error {
		if c := s.Counts(); c.Registered != o.Count {
			return fmt.Errorf("%d of %d agents are registered", c.Registered, o.Count)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

// usage is what a process has used.
type usage struct {
	resident int64 // bytes
	cpu      time.Duration
}

// usage reads it; zero for daemons in this process.
func (d *Daemon) usage() (usage, error) {
	if d.cmd == nil {
		return usage{}, nil
	}
	proc := fmt.Sprintf("/proc/%d/", d.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		return usage{}, err
	}
	var u usage
	for _, line := range strings.Split(string(status), "\n") {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			u.resident = kib << 10
		}
	}
	stat, err := os.ReadFile(proc + "stat")
	if err != nil {
		return usage{}, err
	}
	// After the command in parentheses: utime and stime are the 12th and 13th, in ticks.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return usage{}, errors.New("/proc/*/stat is too short")
	}
	for _, f := range fields[11:13] {
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return usage{}, err
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	return u, nil
}
