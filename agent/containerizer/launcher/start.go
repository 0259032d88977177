package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/launch"
	"stoa/agent/containerizer/proctree"
	"stoa/internal/mesos/mesospb"
)

// Program is what the first process of a container is to be.
type Program struct {
	// Name is the argv[0] under which the binary is started again.
	Name string
	// Arguments follow it.
	Arguments []string
	// Environment is the process's whole environment. It should hold MESOS_DIRECTORY, by which processes
	// of the container are recognised.
	Environment []string
	// Info is what the waiting process is told once it may go on.
	Info launch.Info
	// Ambient keeps the agent's own account, whatever the Spec's user is.
	Ambient bool
}

// Preparation is what a containerizer may use before the first process is started.
type Preparation struct {
	// Stdout and Stderr are the sandbox's log files.
	Stdout, Stderr *os.File
	// Account is whom the container runs as.
	Account Account
}

// Launch prepares a container with the given function and starts its first process. When it
// fails nothing runs and the container is unknown, and whoever waited already gets a Termination
// with the error's text. Destroy ends the context that prepare gets.
func (l *Launcher) Launch(ctx context.Context, spec containerizer.Spec, prepare func(context.Context, Preparation) (Program, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	box := &container{
		id:        spec.ID.GetValue(),
		spec:      spec,
		cancel:    cancel,
		resources: spec.Resources,
		running:   make(chan struct{}),
		ended:     make(chan struct{}),
	}
	if err := l.add(box); err != nil {
		return err
	}
	cmd, err := l.launch(ctx, box, prepare)
	if err != nil {
		if l.wasDestroyed(box) {
			err = errors.New("Container is being destroyed during launching")
		}
		close(box.running)
		state, reason := mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED
		l.finish(box, containerizer.Termination{
			State: &state, Reason: &reason, Message: "Failed to launch container: " + err.Error(),
		})
		return err
	}
	close(box.running)
	go l.supervise(box, cmd)
	return nil
}

func (l *Launcher) launch(ctx context.Context, box *container, prepare func(context.Context, Preparation) (Program, error)) (*exec.Cmd, error) {
	spec := box.spec
	account, err := l.account(spec.User)
	if err != nil {
		return nil, err
	}
	if err := account.chown(spec.Sandbox); err != nil {
		return nil, err
	}
	stdout, err := openLog(filepath.Join(spec.Sandbox, "stdout"), account)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := openLog(filepath.Join(spec.Sandbox, "stderr"), account)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	program, err := prepare(ctx, Preparation{Stdout: stdout, Stderr: stderr, Account: account})
	if err != nil {
		return nil, err
	}
	if program.Ambient {
		account = Account{}
	}
	return l.start(ctx, box, program, account, stdout, stderr)
}

// start runs the first process up to the point where it is known on disk and let go.
func (l *Launcher) start(ctx context.Context, box *container, program Program, account Account, stdout, stderr *os.File) (*exec.Cmd, error) {
	gate, release, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("Failed to create pipe: %w", err)
	}
	defer gate.Close()
	defer release.Close()

	cmd := &exec.Cmd{
		Path:       l.config.Executable,
		Args:       append([]string{program.Name}, program.Arguments...),
		Dir:        box.spec.Sandbox,
		Env:        append(program.Environment[:len(program.Environment):len(program.Environment)], launch.PipeVariable+"=3"),
		Stdout:     stdout,
		Stderr:     stderr,
		ExtraFiles: []*os.File{gate},
		SysProcAttr: &syscall.SysProcAttr{
			// A session of its own: no signal that ends the agent's reaches it.
			Setsid:     true,
			Credential: account.Credential,
		},
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("Failed to fork executor: %w", err)
	}
	// From here on the child is waiting; closing the pipe without launch information ends it.
	abandon := func(err error) (*exec.Cmd, error) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	pid := cmd.Process.Pid
	for _, limit := range program.Info.Rlimits {
		// Set from here, while there is the right to raise it.
		if err := unix.Prlimit(pid, limit.Resource, &unix.Rlimit{Cur: limit.Soft, Max: limit.Hard}, nil); err != nil {
			return abandon(fmt.Errorf("Failed to set resource limit %d: %w", limit.Resource, err))
		}
	}
	if err := l.checkpoint(box, pid); err != nil {
		return abandon(err)
	}
	self, err := proctree.Lookup(pid)
	if err != nil {
		return abandon(fmt.Errorf("Failed to look at the executor's process: %w", err))
	}
	if ctx.Err() != nil {
		return abandon(ctx.Err())
	}
	l.mu.Lock()
	box.root = proctree.Root{PID: pid, Mark: Mark(box.spec), Since: self.Started}
	box.started = self.Started
	l.mu.Unlock()
	if err := launch.Write(release, program.Info); err != nil {
		return abandon(fmt.Errorf("Failed to synchronize with child process: %w", err))
	}
	box.released = true
	l.logger.Info("executor started", "container", box.id, "pid", pid)
	return cmd, nil
}

// Mark is the environment entry by which a container's processes are recognised. The sandbox's
// path holds the container's id, so it is unique.
func Mark(spec containerizer.Spec) string { return "MESOS_DIRECTORY=" + spec.Sandbox }

// supervise waits for the first process, ends what it left behind, and reports.
func (l *Launcher) supervise(box *container, cmd *exec.Cmd) {
	// The zombie is only reaped after its leftovers are gone, so that its pid, which names
	// the session, is not used again before.
	awaitExit(context.Background(), cmd.Process.Pid, box.started)
	l.killLeftovers(box.id, box.root)
	var termination containerizer.Termination
	if err := cmd.Wait(); err == nil || errors.As(err, new(*exec.ExitError)) {
		status := int(cmd.ProcessState.Sys().(syscall.WaitStatus))
		termination.WaitStatus = &status
	}
	l.logger.Info("executor ended", "container", box.id, "pid", cmd.Process.Pid, "how", cmd.ProcessState.String())
	l.finish(box, termination)
}

func (l *Launcher) killLeftovers(id string, root proctree.Root) {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	if err := root.Kill(ctx); err != nil {
		l.logger.Error("processes of a container that ended are left", "container", id, "error", err)
	}
}

func (l *Launcher) wasDestroyed(box *container) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return box.destroyed
}

// checkpoint writes the agent's pid file and the runtime directory's.
func (l *Launcher) checkpoint(box *container, pid int) error {
	for _, path := range []string{box.spec.PIDFile, l.runtimePIDFile(box.id)} {
		if path == "" {
			continue
		}
		if err := writeFile(path, []byte(strconv.Itoa(pid))); err != nil {
			return fmt.Errorf("Failed to checkpoint executor's forked pid to '%s': %w", path, err)
		}
	}
	return nil
}

// writeFile replaces a file in one step: readers see the old content or the new one.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
