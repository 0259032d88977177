// Package mesos is the Mesos containerizer with the posix launcher: containers are plain
// process trees, each in its own session, with the sandbox as working directory.
//
// Comes in: a Spec. Goes out: a running executor that outlives the agent, and one Termination when its
// first process has ended and nothing of its tree lives any more.
package mesos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/launch"
	"stoa/agent/containerizer/launcher"
	"stoa/agent/fetcher"
	"stoa/internal/mesos/mesospb"
)

// executorName is the command executor's program and argv[0].
const executorName = "mesos-executor"

// Config is what the containerizer needs.
type Config struct {
	// LauncherDir is --launcher_dir. If it holds a program mesos-executor, that runs command tasks;
	// otherwise the binary's own executor does.
	LauncherDir string
	// WorkDir is --work_dir; persistent volumes are linked from there. Optional.
	WorkDir string
	// RuntimeDir is --runtime_dir. Below containers/ it gets one directory per container, by which
	// containers are found that the agent no longer knows of. Empty: no such search.
	RuntimeDir string
	// Executable is the binary that is started again for the built-in executors; empty means the
	// running one.
	Executable string
	// SwitchUser is --switch_user: run executors as the Spec's user.
	SwitchUser bool
	// Isolation is --isolation, split at the commas. Only posix/rlimits changes what is done.
	Isolation []string
	// Fetcher fetches the URIs. Required.
	Fetcher *fetcher.Fetcher
	Logger  *slog.Logger
}

// Containerizer implements containerizer.Containerizer with plain processes.
type Containerizer struct {
	config   Config
	launcher *launcher.Launcher
}

var _ containerizer.Containerizer = (*Containerizer)(nil)

// New makes a containerizer. It fails if the configuration cannot work.
func New(config Config) (*Containerizer, error) {
	if config.Fetcher == nil {
		return nil, errors.New("mesos containerizer: a fetcher is required")
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	processes, err := launcher.New(launcher.Config{
		RuntimeDir: config.RuntimeDir,
		Executable: config.Executable,
		SwitchUser: config.SwitchUser,
		Logger:     config.Logger.With("containerizer", "mesos"),
	})
	if err != nil {
		return nil, fmt.Errorf("mesos containerizer: %w", err)
	}
	return &Containerizer{config: config, launcher: processes}, nil
}

// Recover takes over the known containers whose first process still lives, gives a Termination
// without a wait status to the others, and ends containers that are in the runtime
// directory only. known holds the containers of all containerizers.
func (c *Containerizer) Recover(ctx context.Context, known []containerizer.Recovered) error {
	ids := make(map[string]bool, len(known))
	for _, recovered := range known {
		ids[recovered.Spec.ID.GetValue()] = true
		if !errors.Is(supported(recovered.Spec), containerizer.ErrNotSupported) {
			c.launcher.Recover(ctx, recovered)
		}
	}
	return c.launcher.RemoveOrphans(ctx, ids)
}

// Launch fetches the URIs and starts the executor. When it fails nothing runs and the
// container is unknown, and whoever waited already gets a Termination with the error's text.
func (c *Containerizer) Launch(ctx context.Context, spec containerizer.Spec) error {
	if err := supported(spec); err != nil {
		return err
	}
	return c.launcher.Launch(ctx, spec, func(ctx context.Context, p launcher.Preparation) (launcher.Program, error) {
		if err := launcher.LinkVolumes(c.config.WorkDir, spec.Sandbox, nil, spec.Resources); err != nil {
			return launcher.Program{}, err
		}
		err := c.config.Fetcher.Fetch(ctx, fetcher.Request{
			ContainerID: spec.ID.GetValue(),
			Command:     spec.Executor.GetCommand(),
			Sandbox:     spec.Sandbox,
			User:        p.Account.Name,
			Credential:  p.Account.Credential,
			Stdout:      p.Stdout,
			Stderr:      p.Stderr,
		})
		if err != nil {
			return launcher.Program{}, err
		}
		return c.program(spec)
	})
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

// program is the executor's: the binary's own, or another by way of the launch helper.
func (c *Containerizer) program(spec containerizer.Spec) (launcher.Program, error) {
	limits, err := c.rlimits(spec)
	if err != nil {
		return launcher.Program{}, err
	}
	command := spec.Executor.GetCommand()
	program := launcher.Program{
		Environment: c.environment(spec),
		Info:        launch.Info{Rlimits: limits},
	}
	if c.builtIn(spec) {
		program.Name = executorName
		if arguments := command.GetArguments(); len(arguments) > 1 {
			program.Arguments = arguments[1:]
		}
		return program, nil
	}
	program.Name = launch.Name
	program.Arguments = []string{"launch"}
	program.Info.Path, program.Info.Arguments = commandLine(command)
	if program.Info.Path == "" {
		return launcher.Program{}, errors.New("No command given for the executor")
	}
	return program, nil
}

// builtIn tells whether the executor is the command executor and no program of that name is
// installed, so that the binary's own takes its place.
func (c *Containerizer) builtIn(spec containerizer.Spec) bool {
	path := filepath.Join(c.config.LauncherDir, executorName)
	if spec.Task == nil && (c.config.LauncherDir == "" || spec.Executor.GetCommand().GetValue() != path) {
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

// Update changes the resources of a running container: persistent volumes are linked into the
// sandbox or taken away. Processor and memory are not limited by this containerizer.
func (c *Containerizer) Update(_ context.Context, id *mesospb.ContainerID, resources []*mesospb.Resource) error {
	return c.launcher.Update(id, resources, func(spec containerizer.Spec, before, after []*mesospb.Resource) error {
		return launcher.LinkVolumes(c.config.WorkDir, spec.Sandbox, before, after)
	})
}

// Wait implements containerizer.Containerizer.
func (c *Containerizer) Wait(id *mesospb.ContainerID) <-chan containerizer.Termination {
	return c.launcher.Wait(id)
}

// Destroy ends the container's processes and returns when none is left.
func (c *Containerizer) Destroy(ctx context.Context, id *mesospb.ContainerID) error {
	return c.launcher.Destroy(ctx, id)
}

// Status tells the executor's pid.
func (c *Containerizer) Status(_ context.Context, id *mesospb.ContainerID) (*mesospb.ContainerStatus, error) {
	return c.launcher.Status(id)
}

// Usage reads what the processes of the container use now.
func (c *Containerizer) Usage(_ context.Context, id *mesospb.ContainerID) (*mesospb.ResourceStatistics, error) {
	return c.launcher.Usage(id)
}
