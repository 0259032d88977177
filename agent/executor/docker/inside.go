package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"stoa/agent/containerizer/docker/engine"
	"stoa/agent/health"
	"stoa/internal/mesos/mesospb"
)

// inside reaches into the container for health checks: commands run in it, connections come from
// its network namespace, where a port on the loopback address is the task's own.
type inside struct {
	docker    *engine.Engine
	container string
	pid       int
}

var _ health.Runtime = inside{}

// Command runs the command with the engine's exec.
func (i inside) Command(ctx context.Context, command *mesospb.CommandInfo) (int, error) {
	path, argv := health.CommandLine(command)
	if path == "" {
		return 0, errors.New("the check has no command")
	}
	// The engine takes the program as argv[0].
	argv = append([]string{path}, argv[min(1, len(argv)):]...)
	var env []string
	for _, variable := range command.GetEnvironment().GetVariables() {
		env = append(env, variable.GetName()+"="+variable.GetValue())
	}
	return i.docker.Exec(ctx, i.container, argv, env, os.Stderr)
}

// Dial makes the socket in the container's network namespace. A socket stays where it was made, so only
// the thread that makes it goes there; the thread is thrown away after.
func (i inside) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if i.pid <= 1 {
		return nil, errors.New("the container does not run")
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// Not unlocked: the runtime ends a thread whose goroutine ends while locked to it.
		runtime.LockOSThread()
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", i.pid))
		if err != nil {
			done <- result{nil, fmt.Errorf("enter the container's network: %w", err)}
			return
		}
		defer namespace.Close()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, fmt.Errorf("enter the container's network: %w", err)}
			return
		}
		// One literal address: the dialer stays in this goroutine.
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
