package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"stoa/agent"
	"stoa/internal/flags"
	"stoa/internal/store"
	"stoa/marathon"
	"stoa/master"
)

// localOptions are the flags of `stoa local`; scripts rely on their names.
type localOptions struct {
	ip, workDir                                                  string
	masterPort, agentPort, marathonPort, chronosPort, bridgePort int
	resources, dockerSocket                                      string
	verbose                                                      bool
}

func localCommand() *cobra.Command {
	var o localOptions
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a whole cluster on this machine: master, agent and Marathon",
		Long: "Run a whole cluster on this machine: master, agent and Marathon in one process.\n" +
			"The state is kept below --work_dir; the next start finds the apps again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runLocal(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.ip, "ip", "127.0.0.1", "address to listen on; 0.0.0.0 for all")
	f.StringVar(&o.workDir, "work_dir", ".stoa", "directory for everything that is kept")
	f.IntVar(&o.masterPort, "master_port", 5050, "port of the master")
	f.IntVar(&o.agentPort, "agent_port", 5051, "port of the agent")
	f.IntVar(&o.marathonPort, "marathon_port", 8080, "port of Marathon")
	f.IntVar(&o.chronosPort, "chronos_port", 4400, "port of Chronos; accepted, nothing listens there in this version")
	f.IntVar(&o.bridgePort, "bridge_port", 9090, "port of the HAProxy bridge; accepted, nothing listens there in this version")
	f.StringVar(&o.resources, "resources", "", "resources the agent offers, like cpus:4;mem:4096; the rest is found by itself")
	f.StringVar(&o.dockerSocket, "docker_socket", "/var/run/docker.sock", "socket of the Docker engine, if there is one")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log everything, not only warnings")
	return cmd
}

// local is the three daemons of one machine and what they stand on.
type local struct {
	stores   []*store.File
	listen   [3]net.Listener // master, agent, Marathon
	master   *master.Master
	agent    *agent.Agent
	marathon *marathon.Service
	log      *logging
}

func runLocal(ctx context.Context, o localOptions) error {
	logs := &logging{level: &slog.LevelVar{}, base: slog.LevelWarn}
	if o.verbose {
		logs.base = slog.LevelInfo
	}
	logs.level.Set(logs.base)
	logs.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logs.level}))
	l, err := newLocal(ctx, o, logs)
	if err != nil {
		return err
	}
	defer l.close()
	l.banner(os.Stdout, o)
	return l.run(ctx)
}

func newLocal(ctx context.Context, o localOptions, log *logging) (_ *local, err error) {
	dir, err := filepath.Abs(o.workDir)
	if err != nil {
		return nil, fmt.Errorf("--work_dir: %w", err)
	}
	l := &local{log: log}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	// Each daemon's directory is what it would use on its own.
	registry, err := l.open(filepath.Join(dir, "master"), "registry.db")
	if err != nil {
		return nil, err
	}
	apps, err := l.open(filepath.Join(dir, "marathon"), "marathon.db")
	if err != nil {
		return nil, err
	}
	for i, port := range []struct {
		number int
		flag   string
	}{{o.masterPort, "master_port"}, {o.agentPort, "agent_port"}, {o.marathonPort, "marathon_port"}} {
		if l.listen[i], err = listen(ctx, o.ip, port.number, port.flag); err != nil {
			return nil, err
		}
	}
	m, err := l.masterConfig(ctx, filepath.Join(dir, "master"), registry)
	if err != nil {
		return nil, err
	}
	if l.master, err = master.New(ctx, m); err != nil {
		return nil, err
	}
	a, err := l.agentConfig(ctx, o, filepath.Join(dir, "agent"))
	if err != nil {
		return nil, err
	}
	if l.agent, err = agent.New(ctx, a); err != nil {
		return nil, err
	}
	c, err := l.marathonConfig(apps)
	if err != nil {
		return nil, err
	}
	if l.marathon, err = marathon.New(ctx, c); err != nil {
		return nil, err
	}
	return l, nil
}

// mesosFlags loads a daemon's table with what every daemon of `stoa local` has, as if
// it had been given on a command line: /flags shows it.
func (l *local) mesosFlags(t *flags.Table, i int, dir string, more ...string) (*flags.Values, mesosNetwork, error) {
	at := l.reachable(i)
	v, err := t.Load(flags.Source{Args: append([]string{
		"--ip=" + at.Addr().String(), fmt.Sprintf("--port=%d", at.Port()), "--hostname=" + at.Addr().String(), "--work_dir=" + dir,
	}, more...)})
	return v, mesosNetwork{listener: l.listen[i], advertise: at}, err
}

func (l *local) masterConfig(ctx context.Context, dir string, st store.Store) (master.Config, error) {
	v, n, err := l.mesosFlags(masterFlags(), 0, dir)
	if err != nil {
		return master.Config{}, err
	}
	return masterConfig(ctx, v, st, n, l.log.of("master"))
}

func (l *local) agentConfig(ctx context.Context, o localOptions, dir string) (agent.Config, error) {
	more := []string{"--master=" + l.reachable(0).String(), "--containerizers=docker,mesos", "--docker_socket=" + o.dockerSocket}
	if o.resources != "" {
		more = append(more, "--resources="+o.resources)
	}
	v, n, err := l.mesosFlags(agentFlags(), 1, dir, more...)
	if err != nil {
		return agent.Config{}, err
	}
	c, err := agentConfig(ctx, v, n, l.log.of("agent"))
	// The master is in this process: there is nobody to spread the load for.
	c.RegistrationBackoffFactor = -1
	return c, err
}

func (l *local) marathonConfig(st store.Store) (marathon.Config, error) {
	v, err := marathonFlags().LoadScallop(flags.Source{Args: []string{
		"--master", l.reachable(0).String(), "--hostname", l.reachable(2).Addr().String(),
	}})
	if err != nil {
		return marathon.Config{}, err
	}
	c, err := marathonConfig(v, st, l.listen[2], l.log.of("marathon"))
	if err != nil {
		return c, err
	}
	c.MesosUser, err = currentUser()
	return c, err
}

func (l *local) open(dir, name string) (*store.File, error) {
	st, err := openStore(dir, name)
	if err == nil {
		l.stores = append(l.stores, st)
	}
	return st, err
}

func (l *local) close() {
	for _, ln := range l.listen {
		if ln != nil {
			ln.Close()
		}
	}
	for _, st := range l.stores {
		if err := st.Close(); err != nil {
			l.log.Error("close the store", "error", err)
		}
	}
}

// reachable is the address at which the others, on any machine, find a listener.
func (l *local) reachable(i int) netip.AddrPort {
	at := l.listen[i].Addr().(*net.TCPAddr).AddrPort()
	ip := at.Addr().Unmap()
	if ip.IsUnspecified() {
		ip = machineAddress(context.Background())
	}
	return netip.AddrPortFrom(ip, at.Port())
}

// currentUser is who tasks run as: whoever started the cluster.
func currentUser() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find the current user: %w", err)
	}
	return u.Username, nil
}

// daemon is one of the three while it runs.
type daemon struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid once done is closed
}

// start runs f until cancel: each daemon is stopped on its own, in order, so none
// of them hangs on the context of the signal.
func start(ctx context.Context, name string, f func(context.Context) error) *daemon {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &daemon{name: name, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.err = f(own)
	}()
	return d
}

// stop ends the daemon and returns what its Run said.
func (d *daemon) stop() error {
	d.cancel()
	<-d.done
	if d.err != nil {
		return fmt.Errorf("%s: %w", d.name, d.err)
	}
	return nil
}

// run ends when ctx ends or a daemon fails. Marathon stops first, so that it does
// not mistake the end of its tasks for failures; then the agent ends every
// task; the master stops last.
func (l *local) run(ctx context.Context) error {
	m := start(ctx, "master", l.master.Run)
	a := start(ctx, "agent", l.agent.Run)
	s := start(ctx, "marathon", l.marathon.Run)
	var early error
	select {
	case <-ctx.Done():
	case <-m.done:
		early = errors.New("the master stopped by itself")
	case <-a.done:
		early = errors.New("the agent stopped by itself")
	case <-s.done:
		early = errors.New("marathon stopped by itself")
	}
	err := s.stop()
	l.endTasks(a.done)
	err = errors.Join(err, a.stop(), m.stop())
	if err != nil {
		return err
	}
	return early
}

// endTasks returns when the agent has ended every task. Tasks may ask for a grace period
// of any length, but nobody waits for long at a terminal: another Ctrl-C ends the waiting.
func (l *local) endTasks(ended <-chan struct{}) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	l.agent.Shutdown("stoa local is stopping")
	select {
	case <-ended:
		return
	case <-again:
	case <-time.After(shutdownHint):
		fmt.Fprintf(os.Stderr, "Waiting up to %v for tasks to end. Ctrl-C again kills them.\n", shutdownTimeout)
		select {
		case <-ended:
			return
		case <-again:
		case <-time.After(shutdownTimeout):
		}
	}
	l.agent.Hurry()
	select {
	case <-ended:
	case <-time.After(killTimeout):
		l.log.Error("some tasks could not be killed")
	}
}

func (l *local) banner(w io.Writer, o localOptions) {
	url := func(i int) string { return "http://" + l.reachable(i).String() }
	fmt.Fprintf(w, `Stoa %s
  Mesos master  %s
  Mesos agent   %s
  Marathon      %[4]s

State is kept in %[5]s. Ctrl-C stops everything; the next start brings the apps back.
Start an app:
  curl -X POST %[4]s/v2/apps -H 'Content-type: application/json' \
    -d '{"id":"basic1","cmd":"while true; do echo Hello marathon; sleep 5; done","cpus":0.1,"mem":10,"instances":1}'

`, version, url(0), url(1), url(2), o.workDir)
}

// How the end is waited for when everything stops.
const (
	// shutdownHint is when the user is told what is being waited for.
	shutdownHint = time.Second
	// shutdownTimeout bounds how long tasks may take to end: the default grace period of
	// executors and some more.
	shutdownTimeout = 15 * time.Second
	// killTimeout bounds how long killed tasks are waited for.
	killTimeout = 10 * time.Second
)
