package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines notifies when a line with a text was written.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	want string
	seen chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := strings.Contains(l.all.String(), l.want)
	l.all.Write(p)
	if !before && strings.Contains(l.all.String(), l.want) {
		close(l.seen)
	}
	return len(p), nil
}

// A whole `stoa master` and `stoa sim agents`, by their flags.
func TestSimulatedAgentsRegisterWithAMaster(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	defer func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	go func() {
		ended <- run(ctx, []string{"stoa", "master", "--ip=127.0.0.1", "--port=" + port, "--work_dir=" + t.TempDir(), "--logging_level=ERROR"})
	}()
	out := &lines{want: "registered 7/7", seen: make(chan struct{})}
	go func() {
		cmd := rootCommand(process{environ: os.Environ()})
		cmd.SetArgs([]string{"sim", "agents", "--master=127.0.0.1:" + port, "--count=7", "--agents_per_address=3",
			"--registration_backoff_factor=50ms", "--report_interval=10ms"})
		cmd.SetOut(out)
		ended <- cmd.ExecuteContext(ctx)
	}()
	select {
	case <-out.seen:
	case <-time.After(30 * time.Second):
		t.Errorf("not all agents registered; output:\n%s", out.all.String())
	}
}

func TestMistakesInSimulatedAgents(t *testing.T) {
	for text, args := range map[string]string{
		"--master is missing":              "--count=3",
		"is not host:port":                 "--master=nowhere",
		"has no valid port":                "--master=127.0.0.1:0",
		"--task_states":                    "--master=127.0.0.1:5050 --task_states=resting",
		"IPv4 address of this":             "--master=127.0.0.1:5050 --ip=0.0.0.0",
		"number of agents must be":         "--master=127.0.0.1:5050 --count=0",
		"a fraction is a number":           "--master=127.0.0.1:5050 --fail=2",
		"unknown flag: --no_such_flag":     "--no_such_flag",
		"Bad value for resources, missing": "--master=127.0.0.1:5050 --resources=cpus",
	} {
		cmd := rootCommand(process{})
		cmd.SetArgs(append([]string{"sim", "agents"}, strings.Fields(args)...))
		cmd.SetOut(io.Discard)
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: error %v, not %q", args, err, text)
		}
	}
}
