package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the stoa binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv(executorVariable) != "" {
		os.Exit(runExecutor())
	}
	if master := os.Getenv(schedulerVariable); master != "" {
		os.Exit(runScheduler(master))
	}
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stoa-clients-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "stoa")
		build := exec.Command("go", "build", "-o", binary, "./cmd/stoa")
		build.Dir = "../.." // the product's module
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the binary: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience bounds every wait: how long a broken cluster may keep the test waiting.
const patience = 60 * time.Second

// cluster is a running stoa.
type cluster struct {
	t      *testing.T
	master string // host:port
}

// startCluster starts `stoa local` on free ports, of which only the master and the agent
// are used. It ends with the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	return start(t, regexp.MustCompile(`^\s+Mesos master\s+http://(\S+)`), "local", "--work_dir="+t.TempDir(), "--verbose",
		"--master_port=0", "--agent_port=0", "--marathon_port=0", "--resources=cpus:4;mem:4096;disk:4096")
}

// startMaster starts a lone `stoa master`.
func startMaster(t *testing.T, args ...string) *cluster {
	t.Helper()
	return start(t, regexp.MustCompile(`"?master starts"?.* address=(\S+)`),
		append([]string{"master", "--work_dir=" + t.TempDir(), "--ip=127.0.0.1", "--port=0"}, args...)...)
}

// start runs stoa and waits for the line that tells the master's address.
func start(t *testing.T, line *regexp.Regexp, args ...string) *cluster {
	t.Helper()
	log := new(logBuffer)
	out, in := io.Pipe()
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = in, io.MultiWriter(log, in)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := line.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	go func() {
		ended <- cmd.Wait()
		in.Close()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("what stoa logged:\n" + log.String())
		}
	})
	c := &cluster{t: t}
	select {
	case c.master = <-found:
	case err := <-ended:
		t.Fatalf("stoa ended before it listened: %v\n%s", err, log)
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatalf("stoa does not listen:\n%s", log)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("stoa ended with %v", err)
			}
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Error("stoa did not stop")
		}
	})
	return c
}

// framework is what /state shows of one.
type framework struct {
	ID, Name, PID, Principal     string
	Active, Connected, Recovered bool
	Tasks                        []struct{ ID, State string }
}

// frameworks reads /state.
func (c *cluster) frameworks() (active, completed []framework) {
	c.t.Helper()
	response, err := http.Get("http://" + c.master + "/state")
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var state struct {
		Frameworks          []framework
		CompletedFrameworks []framework `json:"completed_frameworks"`
	}
	if err := json.Unmarshal(body, &state); err != nil {
		c.t.Fatalf("/state: %v: %s", err, body)
	}
	return state.Frameworks, state.CompletedFrameworks
}

// framework returns the framework of that id, with whether it is among the completed.
func (c *cluster) framework(id string) (framework, bool) {
	c.t.Helper()
	active, completed := c.frameworks()
	for _, f := range active {
		if f.ID == id {
			return f, false
		}
	}
	for _, f := range completed {
		if f.ID == id {
			return f, true
		}
	}
	c.t.Fatalf("framework %s is not in /state", id)
	panic("unreachable")
}

// until waits until f gives no error.
func until(t *testing.T, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, err)
		}
	}
}

// inbox holds what a client was told, until the test asks for it.
type inbox[T any] struct {
	arrived chan T
	held    []T
}

func newInbox[T any]() *inbox[T] { return &inbox[T]{arrived: make(chan T, 10000)} }

func (i *inbox[T]) put(v T) { i.arrived <- v }

// await takes the first value that fits and leaves the others.
func (i *inbox[T]) await(t *testing.T, what string, fits func(T) bool) T {
	t.Helper()
	for n, v := range i.held {
		if fits(v) {
			i.held = slices.Delete(i.held, n, n+1)
			return v
		}
	}
	limit := time.After(patience)
	for {
		select {
		case v := <-i.arrived:
			if fits(v) {
				return v
			}
			i.held = append(i.held, v)
		case <-limit:
			t.Fatalf("waiting for %s; there is %v", what, i.held)
		}
	}
}

// next takes the first value, whatever it is.
func (i *inbox[T]) next(t *testing.T, what string) T {
	t.Helper()
	return i.await(t, what, func(T) bool { return true })
}

// logBuffer keeps what stoa logs, for a failing test.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
