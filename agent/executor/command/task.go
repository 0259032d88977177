package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"stoa/agent/containerizer/launch"
	"stoa/agent/containerizer/proctree"
	"stoa/agent/executor/session"
	"stoa/agent/health"
	"stoa/internal/mesos/mesospb"
)

// killTimeout bounds the end of a tree whose processes do not go, such as those in
// uninterruptible sleep.
const killTimeout = 10 * time.Second

// taskProcess is the running task.
type taskProcess struct {
	pid int
	// mark is the environment entry that everything in this container has.
	mark string
}

// run starts the task in a session of its own and reports its end to exited, from another
// goroutine. When the program cannot be executed, the failure is returned and exited is called
// with the status 1 that the original's launch helper ends with.
func run(task *mesospb.TaskInfo, env []string, logger *slog.Logger, exited func(pid int, how session.Exit)) (*taskProcess, error) {
	path, argv := health.CommandLine(task.GetCommand())
	environment := taskEnvironment(task, env, logger)
	if !strings.Contains(path, "/") {
		if found, err := launch.LookPath(path, environment); err == nil {
			path = found
		}
	}
	cmd := &exec.Cmd{
		Path:        path,
		Args:        argv,
		Env:         environment,
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno
		}
		err = fmt.Errorf("Failed to execute '%s': %w", task.GetCommand().GetValue(), err)
		fmt.Fprintln(os.Stderr, err)
		go exited(0, session.Exit{Code: 1})
		return &taskProcess{}, err
	}
	process := &taskProcess{pid: cmd.Process.Pid}
	for _, entry := range env {
		if strings.HasPrefix(entry, "MESOS_DIRECTORY=") {
			process.mark = entry
		}
	}
	go func() {
		_ = cmd.Wait()
		exited(process.pid, exitOf(cmd.ProcessState))
	}()
	return process, nil
}

func exitOf(state *os.ProcessState) session.Exit {
	status, ok := state.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return session.Exit{Signal: int(status.Signal()), CoreDumped: status.CoreDump()}
	}
	return session.Exit{Code: state.ExitCode()}
}

// signal reaches the whole tree. SIGKILL also finds what detached itself from it, and stays at
// it until nothing is left.
func (p *taskProcess) signal(sig syscall.Signal, logger *slog.Logger) {
	if p == nil || p.pid == 0 {
		return
	}
	if sig == syscall.SIGKILL {
		ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
		defer cancel()
		if err := (proctree.Root{PID: p.pid, Mark: p.mark}).Kill(ctx); err != nil {
			logger.Error(err.Error())
		}
		return
	}
	signalled, err := proctree.Root{PID: p.pid}.Signal(sig)
	if err != nil {
		logger.Error(fmt.Sprintf("Failed to kill the process tree rooted at pid %d: %v", p.pid, err))
		return
	}
	logger.Info(fmt.Sprintf("Sent SIGTERM to %d processes of the tree at pid %d", len(signalled), p.pid))
}

// taskEnvironment is the executor's, then the command's, which wins, then the allocation role.
func taskEnvironment(task *mesospb.TaskInfo, env []string, logger *slog.Logger) []string {
	index := make(map[string]int, len(env))
	var result []string
	set := func(name, value string, tell bool) {
		entry := name + "=" + value
		i, known := index[name]
		switch {
		case !known:
			index[name] = len(result)
			result = append(result, entry)
		case result[i] != entry:
			if tell {
				logger.Info("Overwriting environment variable '" + name + "'")
			}
			result[i] = entry
		}
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		set(name, value, false)
	}
	for _, variable := range task.GetCommand().GetEnvironment().GetVariables() {
		// A secret that nobody resolved has no value to give.
		if variable.GetType() != mesospb.Environment_Variable_SECRET {
			set(variable.GetName(), variable.GetValue(), true)
		}
	}
	role := ""
	if resources := task.GetResources(); len(resources) > 0 {
		role = resources[0].GetAllocationInfo().GetRole()
	}
	set("MESOS_ALLOCATION_ROLE", role, false)
	return result
}
