package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protojson"

	"stoa/agent/containerizer/docker/engine"
	"stoa/internal/mesos/mesospb"
)

// ExecutorVariable carries the ExecutorInfo of an executor that runs in a container of its own.
const ExecutorVariable = "STOA_DOCKER_EXECUTOR"

// EncodeExecutor makes the value of ExecutorVariable.
func EncodeExecutor(executor *mesospb.ExecutorInfo) (string, error) {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(executor)
	return string(data), err
}

// runOnly runs the container of a custom executor in the foreground, as an attached docker command
// does: it ends with the container's exit status, and ends the container when it is told to
// end. The executor inside speaks to the agent itself.
func runOnly(ctx context.Context, docker *engine.Engine, flags settings, env []string, logger *slog.Logger, terminate <-chan os.Signal) int {
	executor := new(mesospb.ExecutorInfo)
	variables := make(map[string]string)
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case ExecutorVariable:
			if err := protojson.Unmarshal([]byte(value), executor); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", ExecutorVariable, err)
				return 1
			}
		case "PATH", "HOME":
			// Of this machine, not of the image.
		default:
			variables[name] = value
		}
	}
	if executor.GetContainer() == nil {
		fmt.Fprintln(os.Stderr, "No container info found, skipping launch")
		return 1
	}
	options, err := engine.NewOptions(engine.Request{
		Name:            flags.container,
		Container:       executor.GetContainer(),
		Command:         executor.GetCommand(),
		Sandbox:         flags.sandbox,
		MappedDirectory: flags.mapped,
		Resources:       executor.GetResources(),
		Environment:     variables,
		Volumes:         flags.volumes,
		EnableCFS:       flags.enableCFS,
		DNS:             flags.dns,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	running, err := docker.Run(ctx, options, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "docker: %v.\n", strings.TrimRight(err.Error(), "."))
		if failure := (*engine.RunError)(nil); errors.As(err, &failure) {
			return failure.Status
		}
		return 125
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-terminate:
			if err := docker.Stop(ctx, flags.container, flags.stopTimeout); err != nil {
				logger.Error(fmt.Sprintf("Failed to stop container '%s': %v", flags.container, err))
			}
		}
	}()
	pid := 0
	if container, err := docker.Inspect(ctx, flags.container); err == nil {
		pid = container.PID
	}
	status, err := running.Wait(ctx, func() bool { return pid > 1 && syscall.Kill(pid, 0) == nil })
	if err != nil {
		logger.Error(err.Error())
		return 1
	}
	return status
}
