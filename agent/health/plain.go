package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"stoa/agent/containerizer/proctree"
	"stoa/internal/mesos/mesospb"
)

// Plain reaches tasks that share the executor's network and file system.
type Plain struct {
	// Environment is that of command checks, to which the check's own is added.
	Environment []string
	// Dir is their working directory.
	Dir string
	// Output takes what they print; nil throws it away.
	Output *os.File
}

var _ Runtime = Plain{}

// Dial connects directly.
func (Plain) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}

// Command runs the command in a session of its own. When the context ends, its
// whole process tree does.
func (p Plain) Command(ctx context.Context, command *mesospb.CommandInfo) (int, error) {
	path, argv := CommandLine(command)
	if path == "" {
		return 0, errors.New("the check has no command")
	}
	if resolved, err := exec.LookPath(path); err == nil {
		path = resolved
	}
	cmd := &exec.Cmd{
		Path:        path,
		Args:        argv,
		Dir:         p.Dir,
		Env:         withVariables(p.Environment, command),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if p.Output != nil {
		cmd.Stdout, cmd.Stderr = p.Output, p.Output
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("Failed to create subprocess: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = proctree.Root{PID: cmd.Process.Pid}.Kill(bounded)
	})
	err := cmd.Wait()
	if !stop() {
		return 0, ctx.Err()
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("Failed to reap the command process: %w", err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// CommandLine gives the program and argv of a check's command.
func CommandLine(command *mesospb.CommandInfo) (string, []string) {
	if command.Value == nil {
		return "", nil
	}
	if command.GetShell() {
		return "/bin/sh", []string{"sh", "-c", command.GetValue()}
	}
	if len(command.GetArguments()) == 0 {
		return command.GetValue(), []string{command.GetValue()}
	}
	return command.GetValue(), command.GetArguments()
}

func withVariables(environment []string, command *mesospb.CommandInfo) []string {
	result := append([]string(nil), environment...)
	for _, variable := range command.GetEnvironment().GetVariables() {
		result = append(result, variable.GetName()+"="+variable.GetValue())
	}
	return result
}
