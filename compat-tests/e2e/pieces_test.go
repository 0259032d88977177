package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"stoa/compat-tests/cluster"
)

// pieces is a cluster of three processes on fixed ports, each with its own directory.
type pieces struct {
	*cluster.Local
	log                     *logBuffer
	dir                     string
	master, agent, marathon *cluster.Daemon
	ports                   [3]int
}

func startPieces(t *testing.T) *pieces {
	t.Helper()
	p := &pieces{Local: &cluster.Local{}, log: newLog(t), dir: t.TempDir(), ports: freePorts(t)}
	url := func(i int) string { return "http://127.0.0.1:" + strconv.Itoa(p.ports[i]) }
	p.Master, p.Agent, p.Marathon = url(0), url(1), url(2)
	p.startMaster(t)
	p.startAgent(t)
	p.startMarathon(t)
	t.Cleanup(func() {
		// The agent's SIGUSR1 ends every task.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, s := range []struct {
			d   *cluster.Daemon
			sig syscall.Signal
		}{{p.marathon, syscall.SIGTERM}, {p.agent, syscall.SIGUSR1}, {p.master, syscall.SIGTERM}} {
			if err := s.d.Signal(ctx, s.sig); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
	})
	until(t, "the cluster is ready", func() error { return p.Ready(t.Context()) })
	return p
}

// freePorts returns three ports that were free a moment ago. The pieces are
// restarted on the same port, so they can't pick one themselves; nor can the kernel, which
// would give the port of a dead daemon to a connection that somebody makes meanwhile.
func freePorts(t *testing.T) (ports [3]int) {
	t.Helper()
	for i := range ports {
		for ports[i] == 0 {
			// Below what the kernel gives to connections and what the agent gives to tasks.
			port := 20000 + rand.IntN(11000)
			ln, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port))
			if errors.Is(err, syscall.EADDRINUSE) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			ports[i] = port
		}
	}
	return ports
}

func (p *pieces) start(t *testing.T, piece string, args ...string) *cluster.Daemon {
	t.Helper()
	d, err := cluster.StartDaemon(binary, p.log, piece, args...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (p *pieces) startMaster(t *testing.T) {
	p.master = p.start(t, "master", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", p.ports[0]), "--work_dir="+filepath.Join(p.dir, "master"))
}

func (p *pieces) startAgent(t *testing.T) {
	p.agent = p.start(t, "agent", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", p.ports[1]), "--work_dir="+filepath.Join(p.dir, "agent"),
		fmt.Sprintf("--master=127.0.0.1:%d", p.ports[0]), "--resources=cpus:4;mem:4096;disk:4096", "--registration_backoff_factor=10ms")
}

func (p *pieces) startMarathon(t *testing.T) {
	p.marathon = p.start(t, "marathon", "--http_address", "127.0.0.1", "--http_port", strconv.Itoa(p.ports[2]),
		"--master", fmt.Sprintf("127.0.0.1:%d", p.ports[0]), "--work_dir", filepath.Join(p.dir, "marathon"), "--hostname", "127.0.0.1")
}

// Tasks go on while any of the pieces restarts, however it ended.
func TestTasksGoOnWhileAPieceRestarts(t *testing.T) {
	p := startPieces(t)
	send(t, 201, post, p.Marathon+"/v2/apps", `{"id":"steady","cmd":"sleep 1000","cpus":0.1,"mem":10,"instances":2}`)
	before := settled(t, p.Local, "steady", 2)
	pids := []int{shellOf(t, before[0], "sleep 1000"), shellOf(t, before[1], "sleep 1000")}

	restarts := []struct {
		piece string
		which **cluster.Daemon
		start func(*testing.T)
	}{
		{"agent", &p.agent, p.startAgent},
		{"marathon", &p.marathon, p.startMarathon},
		{"master", &p.master, p.startMaster},
	}
	for _, r := range restarts {
		for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(fmt.Sprintf("%s after %v", r.piece, how), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if err := (*r.which).Signal(ctx, how); err != nil && how != syscall.SIGKILL {
					t.Fatal(err)
				}
				r.start(t)
				until(t, "the cluster is ready", func() error { return p.Ready(t.Context()) })
				after := settled(t, p.Local, "steady", 2)
				if fmt.Sprint(idsOf(after)) != fmt.Sprint(idsOf(before)) && fmt.Sprint(idsOf(after)) != fmt.Sprint([]string{before[1].ID, before[0].ID}) {
					t.Errorf("tasks %v, want the old ones %v", idsOf(after), idsOf(before))
				}
				for _, pid := range pids {
					if err := syscall.Kill(pid, 0); err != nil {
						t.Errorf("process %d of a task is gone: %v", pid, err)
					}
				}
			})
		}
	}

	// The cluster still does what it is told.
	send(t, 200, put, p.Marathon+"/v2/apps/steady", `{"instances":3}`)
	settled(t, p.Local, "steady", 3)
	send(t, 200, del, p.Marathon+"/v2/apps/steady", "")
	for _, task := range before {
		gone(t, task.ID)
	}
}
