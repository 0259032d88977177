package mesos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/mesos/launch"
	"stoa/agent/containerizer/proctree"
	"stoa/agent/fetcher"
	"stoa/internal/mesos/mesospb"
)

// executorName is the command executor's program and argv[0].
const executorName = "mesos-executor"

// Launch fetches the URIs and starts the executor. When it fails nothing runs and the
// container is unknown, and whoever waited already gets a Termination with the error's text.
func (c *Containerizer) Launch(ctx context.Context, spec containerizer.Spec) error {
	if err := supported(spec); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	box := &container{
		id:      spec.ID.GetValue(),
		spec:    spec,
		cancel:  cancel,
		running: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	if err := c.add(box); err != nil {
		return err
	}
	process, err := c.launch(ctx, box)
	if err != nil {
		close(box.running)
		state, reason := mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED
		c.finish(box, containerizer.Termination{
			State: &state, Reason: &reason, Message: "Failed to launch container: " + err.Error(),
		})
		return err
	}
	close(box.running)
	go c.supervise(box, process)
	return nil
}

// supported tells whether this containerizer is the one for the container's type.
func supported(spec containerizer.Spec) error {
	info := spec.Executor.GetContainer()
	if spec.Task.GetContainer() != nil {
		info = spec.Task.GetContainer()
	}
	if info == nil {
		return nil
	}
	if info.GetType() != mesospb.ContainerInfo_MESOS {
		return containerizer.ErrNotSupported
	}
	if image := info.GetMesos().GetImage(); image != nil {
		return fmt.Errorf("Unsupported container image type: %s", image.GetType())
	}
	if len(info.GetVolumes()) > 0 {
		// The text of the filesystem/posix isolator.
		return errors.New("Volumes in ContainerInfo is not supported")
	}
	return nil
}

func (c *Containerizer) launch(ctx context.Context, box *container) (*exec.Cmd, error) {
	spec := box.spec
	account, err := c.account(spec.User)
	if err != nil {
		return nil, err
	}
	if err := account.chown(spec.Sandbox); err != nil {
		return nil, err
	}
	if err := c.linkVolumes(spec.Sandbox, nil, spec.Resources); err != nil {
		return nil, err
	}
	box.resources = spec.Resources

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

	err = c.config.Fetcher.Fetch(ctx, fetcher.Request{
		ContainerID: box.id,
		Command:     spec.Executor.GetCommand(),
		Sandbox:     spec.Sandbox,
		User:        account.name,
		Credential:  account.credential,
		Stdout:      stdout,
		Stderr:      stderr,
	})
	if err != nil {
		if c.wasDestroyed(box) {
			return nil, errors.New("Container is being destroyed during fetching")
		}
		return nil, err
	}
	return c.start(ctx, box, account, stdout, stderr)
}

// start runs the first process up to the point where it is known on disk and let go.
func (c *Containerizer) start(ctx context.Context, box *container, account account, stdout, stderr *os.File) (*exec.Cmd, error) {
	spec := box.spec
	limits, err := c.rlimits(spec)
	if err != nil {
		return nil, err
	}
	info := launch.Info{Rlimits: limits}
	name := executorName
	args := spec.Executor.GetCommand().GetArguments()
	if !c.builtIn(spec) {
		name = launch.Name
		args = []string{name, "launch"}
		info.Path, info.Arguments = commandLine(spec.Executor.GetCommand())
		if info.Path == "" {
			return nil, errors.New("No command given for the executor")
		}
	}
	if len(args) == 0 {
		args = []string{name}
	}

	gate, release, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("Failed to create pipe: %w", err)
	}
	defer gate.Close()
	defer release.Close()

	cmd := &exec.Cmd{
		Path:       c.config.Executable,
		Args:       append([]string{name}, args[1:]...),
		Dir:        spec.Sandbox,
		Env:        append(c.environment(spec), launch.PipeVariable+"=3"),
		Stdout:     stdout,
		Stderr:     stderr,
		ExtraFiles: []*os.File{gate},
		SysProcAttr: &syscall.SysProcAttr{
			// A session of its own: no signal that ends the agent's reaches it.
			Setsid:     true,
			Credential: account.credential,
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
	for _, limit := range limits {
		if err := prlimit(pid, limit); err != nil {
			return abandon(err)
		}
	}
	if err := c.checkpoint(box, pid); err != nil {
		return abandon(err)
	}
	self, err := proctree.Lookup(pid)
	if err != nil {
		return abandon(fmt.Errorf("Failed to look at the executor's process: %w", err))
	}
	if ctx.Err() != nil {
		return abandon(errors.New("Container is being destroyed during launching"))
	}
	c.mu.Lock()
	box.root = proctree.Root{PID: pid, Mark: mark(spec)}
	box.started = self.Started
	c.mu.Unlock()
	if err := launch.Write(release, info); err != nil {
		return abandon(fmt.Errorf("Failed to synchronize with child process: %w", err))
	}
	c.logger.Info("executor started", "container", box.id, "pid", pid)
	return cmd, nil
}

// builtIn tells whether the executor is the command executor and no program of that name is
// installed, so that the binary's own takes its place.
func (c *Containerizer) builtIn(spec containerizer.Spec) bool {
	path := filepath.Join(c.config.LauncherDir, executorName)
	command := spec.Executor.GetCommand()
	if spec.Task == nil && (c.config.LauncherDir == "" || command.GetValue() != path) {
		return false
	}
	if c.config.LauncherDir == "" {
		return true
	}
	_, err := os.Stat(path)
	return err != nil
}

// commandLine turns a CommandInfo into a program and its argv.
func commandLine(command *mesospb.CommandInfo) (string, []string) {
	if command.GetShell() {
		if command.Value == nil {
			return "", nil
		}
		return "/bin/sh", []string{"sh", "-c", command.GetValue()}
	}
	if len(command.GetArguments()) == 0 {
		return command.GetValue(), []string{command.GetValue()}
	}
	return command.GetValue(), command.GetArguments()
}

// supervise waits for the first process, ends what it left behind, and reports.
func (c *Containerizer) supervise(box *container, cmd *exec.Cmd) {
	// The zombie is only reaped after its leftovers are gone, so that its pid, which names
	// the session, is not used again before.
	awaitExit(context.Background(), cmd.Process.Pid, box.started)
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	if err := box.root.Kill(ctx); err != nil {
		c.logger.Error("processes of a container that ended are left", "container", box.id, "error", err)
	}
	var termination containerizer.Termination
	if err := cmd.Wait(); err == nil || errors.As(err, new(*exec.ExitError)) {
		status := int(cmd.ProcessState.Sys().(syscall.WaitStatus))
		termination.WaitStatus = &status
	}
	c.logger.Info("executor ended", "container", box.id, "pid", cmd.Process.Pid, "how", cmd.ProcessState.String())
	c.finish(box, termination)
}

func (c *Containerizer) wasDestroyed(box *container) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return box.destroyed
}

// checkpoint writes the agent's pid file and the runtime directory's.
func (c *Containerizer) checkpoint(box *container, pid int) error {
	for _, path := range []string{box.spec.PIDFile, c.runtimePIDFile(box.id)} {
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
