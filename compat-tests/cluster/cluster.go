// Package cluster runs the stoa binary as a user would: as processes, on free
// ports, in a directory of its own.
//
// Comes in: a path to the binary, options. Goes out: addresses, and answers of the
// HTTP APIs. It never looks inside the processes.
package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options says what to start.
type Options struct {
	// Binary is the path of the stoa binary.
	Binary string
	// WorkDir keeps the state; reuse it to start again on the same state.
	WorkDir string
	// Args are added to the command line.
	Args []string
	// Log receives what the process writes to standard error; nil discards it.
	Log io.Writer
}

// Local is a running `stoa local`.
type Local struct {
	// Master, Agent and Marathon are base URLs without a trailing slash.
	Master, Agent, Marathon string

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

var bannerLine = regexp.MustCompile(`^\s+(Mesos master|Mesos agent|Marathon)\s+(http://\S+)`)

// StartLocal starts `stoa local` on free ports and returns once it has printed its
// banner, which it does when it listens.
func StartLocal(ctx context.Context, o Options) (*Local, error) {
	args := append([]string{"local", "--work_dir=" + o.WorkDir, "--master_port=0", "--agent_port=0", "--marathon_port=0"}, o.Args...)
	l := &Local{cmd: exec.Command(o.Binary, args...), done: make(chan struct{})}
	l.cmd.Stderr = o.Log
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Binary, err)
	}
	var banner sync.WaitGroup
	banner.Add(1)
	go func() {
		l.readBanner(out, sync.OnceFunc(banner.Done))
		l.err = l.cmd.Wait()
		close(l.done)
	}()
	ready := make(chan struct{})
	go func() { banner.Wait(); close(ready) }()
	select {
	case <-ready:
	case <-ctx.Done():
		l.Kill()
		return nil, ctx.Err()
	}
	if l.Marathon == "" {
		<-l.done
		return nil, fmt.Errorf("stoa local ended before it listened: %w", l.err)
	}
	return l, nil
}

func (l *Local) readBanner(out io.Reader, whole func()) {
	defer whole()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m := bannerLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		switch m[1] {
		case "Mesos master":
			l.Master = m[2]
		case "Mesos agent":
			l.Agent = m[2]
		case "Marathon":
			l.Marathon = m[2]
			whole()
		}
	}
}

// PID is the process id of `stoa local`.
func (l *Local) PID() int { return l.cmd.Process.Pid }

// Done is closed once the process has ended.
func (l *Local) Done() <-chan struct{} { return l.done }

// Interrupt does what Ctrl-C does and waits for the end.
func (l *Local) Interrupt(ctx context.Context) error { return l.end(ctx, syscall.SIGINT) }

// Kill ends the process at once (kill -9); its tasks go on.
func (l *Local) Kill() {
	l.cmd.Process.Kill()
	<-l.done
}

func (l *Local) end(ctx context.Context, s os.Signal) error {
	if err := l.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return fmt.Errorf("stoa did not stop: %w", ctx.Err())
	}
}

// Daemon is one piece that runs on its own.
type Daemon struct {
	*Local
}

// StartDaemon starts `stoa <piece> args...` and does not wait for anything.
func StartDaemon(binary string, log io.Writer, piece string, args ...string) (*Daemon, error) {
	d := &Daemon{&Local{cmd: exec.Command(binary, append([]string{piece}, args...)...), done: make(chan struct{})}}
	d.cmd.Stderr, d.cmd.Stdout = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start stoa %s: %w", piece, err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	return d, nil
}

// Signal sends s, which is expected to end the daemon, and waits for the end.
func (d *Daemon) Signal(ctx context.Context, s os.Signal) error { return d.end(ctx, s) }

// Until calls f until it gives no error, or returns its last error when ctx ends.
func Until(ctx context.Context, f func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		}
	}
}

// oneLine shortens a body for an error text.
func oneLine(body []byte) string {
	s := strings.Join(strings.Fields(string(body)), " ")
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return s
}
