// Package docker is the Docker containerizer: containers of type DOCKER run in a Docker engine,
// each seen to by an executor process that outlives the agent.
//
// Comes in: a Spec. Goes out: the image, a `mesos-docker-executor` process and, through it, a container
// named mesos-<container id>; later one Termination. It never speaks to the master, and it works as soon as
// an engine is there: none is needed to start the agent.
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/docker/engine"
	"stoa/agent/containerizer/launcher"
	executor "stoa/agent/executor/docker"
	"stoa/agent/fetcher"
	"stoa/internal/flags"
	"stoa/internal/mesos/mesospb"
)

// namePrefix begins the names of the agent's containers (src/slave/containerizer/docker.cpp).
const namePrefix = "mesos-"

// Config is what the containerizer needs.
type Config struct {
	// Socket is --docker_socket; empty means /var/run/docker.sock.
	Socket string
	// RuntimeDir is --runtime_dir.
	RuntimeDir string
	// WorkDir is --work_dir, below which persistent volumes lie.
	WorkDir string
	// Executable is the binary that is started again for executors; empty means the running one.
	Executable string
	// LauncherDir is --launcher_dir; the executor is told, for its log.
	LauncherDir string
	// SandboxDirectory is --sandbox_directory, the sandbox's place in containers; empty means
	// /mnt/mesos/sandbox.
	SandboxDirectory string
	// StopTimeout is --docker_stop_timeout: what a container gets when the agent destroys it.
	StopTimeout time.Duration
	// RemoveDelay is --docker_remove_delay: how long ended containers are kept. 0 removes them at once;
	// the original's default is 6 hours.
	RemoveDelay time.Duration
	// KeepOrphans is --no-docker_kill_orphans: leave mesos- containers alone that the agent does not know.
	KeepOrphans bool
	// RegistryConfig is --docker_config: a docker configuration with credentials, as JSON or a file's path.
	RegistryConfig string
	// DefaultContainerDNS is --default_container_dns: JSON with the resolver configuration for bridged
	// and user-defined networks.
	DefaultContainerDNS string
	// EnableCFS is --cgroups_enable_cfs.
	EnableCFS bool
	// SwitchUser is --switch_user; it only concerns who owns the sandbox's files and fetches them.
	SwitchUser bool
	// Fetcher fetches the URIs. Required.
	Fetcher *fetcher.Fetcher
	Logger  *slog.Logger
}

// Containerizer implements containerizer.Containerizer with a Docker engine.
type Containerizer struct {
	config   Config
	logger   *slog.Logger
	docker   *engine.Engine
	launcher *launcher.Launcher
}

var _ containerizer.Containerizer = (*Containerizer)(nil)

// New makes a containerizer. No engine needs to be there yet.
func New(config Config) (*Containerizer, error) {
	if config.Fetcher == nil {
		return nil, errors.New("docker containerizer: a fetcher is required")
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.SandboxDirectory == "" {
		config.SandboxDirectory = "/mnt/mesos/sandbox"
	}
	if _, err := engine.ParseDefaultDNS(config.DefaultContainerDNS); err != nil {
		return nil, fmt.Errorf("docker containerizer: %w", err)
	}
	docker, err := engine.New(config.Socket)
	if err != nil {
		return nil, fmt.Errorf("docker containerizer: %w", err)
	}
	c := &Containerizer{config: config, logger: config.Logger.With("containerizer", "docker"), docker: docker}
	c.launcher, err = launcher.New(launcher.Config{
		RuntimeDir: config.RuntimeDir,
		Executable: config.Executable,
		SwitchUser: config.SwitchUser,
		Ended:      c.ended,
		Logger:     c.logger,
	})
	if err != nil {
		return nil, fmt.Errorf("docker containerizer: %w", err)
	}
	return c, nil
}

// info is the ContainerInfo that counts: the command task's, or the executor's own.
func info(spec containerizer.Spec) *mesospb.ContainerInfo {
	if spec.Task.GetContainer() != nil {
		return spec.Task.GetContainer()
	}
	return spec.Executor.GetContainer()
}

// ours says that the container is one of Docker's. The type of an absent ContainerInfo reads as
// DOCKER too, the first value of the enum.
func ours(spec containerizer.Spec) bool {
	i := info(spec)
	return i != nil && i.GetType() == mesospb.ContainerInfo_DOCKER
}

func containerName(id *mesospb.ContainerID) string { return namePrefix + id.GetValue() }

// Launch fetches the URIs, makes the image present and starts the executor, which runs the container.
func (c *Containerizer) Launch(ctx context.Context, spec containerizer.Spec) error {
	if !ours(spec) {
		return containerizer.ErrNotSupported
	}
	docker := info(spec).GetDocker()
	if docker == nil {
		return errors.New("No docker info found in container info")
	}
	return c.launcher.Launch(ctx, spec, func(ctx context.Context, p launcher.Preparation) (launcher.Program, error) {
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
		credentials, err := engine.ReadCredentials(spec.Sandbox, c.config.RegistryConfig)
		if err != nil {
			return launcher.Program{}, fmt.Errorf("Failed to read the docker configuration: %w", err)
		}
		if err := c.docker.Ensure(ctx, docker.GetImage(), docker.GetForcePullImage(), credentials); err != nil {
			return launcher.Program{}, err
		}
		return c.program(spec)
	})
}

// program is the executor process with the original's flags.
func (c *Containerizer) program(spec containerizer.Spec) (launcher.Program, error) {
	arguments := []string{
		"--cgroups_enable_cfs=" + fmt.Sprint(c.config.EnableCFS),
		"--container=" + containerName(spec.ID),
		"--docker=docker",
		"--docker_socket=" + c.docker.Host(),
		"--launcher_dir=" + c.config.LauncherDir,
		"--mapped_directory=" + c.config.SandboxDirectory,
		"--sandbox_directory=" + spec.Sandbox,
		"--stop_timeout=" + flags.FormatDuration(c.config.StopTimeout),
	}
	if c.config.DefaultContainerDNS != "" {
		arguments = append(arguments, "--default_container_dns="+c.config.DefaultContainerDNS)
	}
	for _, resource := range spec.Resources {
		volume, ok, err := launcher.PersistentVolume(c.config.WorkDir, resource)
		if err != nil {
			return launcher.Program{}, err
		}
		if !ok {
			continue
		}
		mode := "rw"
		if volume.ReadOnly {
			mode = "ro"
		}
		place := volume.ContainerPath
		if !strings.HasPrefix(place, "/") {
			place = c.config.SandboxDirectory + "/" + place
		}
		arguments = append(arguments, "--volume="+volume.Source+":"+place+":"+mode)
	}
	env := maps.Clone(spec.Environment)
	if env == nil {
		env = make(map[string]string)
	}
	env["MESOS_DIRECTORY"] = spec.Sandbox
	env["MESOS_SANDBOX"] = c.config.SandboxDirectory
	if spec.Task == nil {
		// A custom executor runs in the container itself.
		encoded, err := executor.EncodeExecutor(c.withResources(spec))
		if err != nil {
			return launcher.Program{}, err
		}
		arguments = append(arguments, "--run_only")
		env[executor.ExecutorVariable] = encoded
	}
	for _, name := range []string{"PATH", "HOME"} {
		if _, ok := env[name]; !ok {
			if value, ok := os.LookupEnv(name); ok {
				env[name] = value
			}
		}
	}
	program := launcher.Program{Name: executor.Name, Arguments: arguments, Ambient: true}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		program.Environment = append(program.Environment, name+"="+env[name])
	}
	return program, nil
}

// withResources is the ExecutorInfo with all resources of the container.
func (c *Containerizer) withResources(spec containerizer.Spec) *mesospb.ExecutorInfo {
	info := proto.CloneOf(spec.Executor)
	info.Resources = spec.Resources
	return info
}

// Update changes the limits of a custom executor's container. A command task's never change.
func (c *Containerizer) Update(ctx context.Context, id *mesospb.ContainerID, resources []*mesospb.Resource) error {
	var custom bool
	err := c.launcher.Update(id, resources, func(spec containerizer.Spec, _, _ []*mesospb.Resource) error {
		custom = spec.Task == nil
		return nil
	})
	if err != nil || !custom {
		return err
	}
	err = c.docker.Limit(ctx, containerName(id), launcher.Scalar(resources, "cpus"), int64(launcher.Scalar(resources, "mem")*(1<<20)))
	if engine.IsNotFound(err) {
		return nil // it is not created yet, or has ended
	}
	return err
}

// Wait implements containerizer.Containerizer.
func (c *Containerizer) Wait(id *mesospb.ContainerID) <-chan containerizer.Termination {
	return c.launcher.Wait(id)
}

// Destroy ends the executor and then the container, which gets the stop timeout.
func (c *Containerizer) Destroy(ctx context.Context, id *mesospb.ContainerID) error {
	return c.launcher.Destroy(ctx, id)
}

// Status tells no more than the id: addresses come with the executor's updates.
func (c *Containerizer) Status(_ context.Context, id *mesospb.ContainerID) (*mesospb.ContainerStatus, error) {
	status, err := c.launcher.Status(id)
	if err != nil {
		return nil, err
	}
	status.ExecutorPid = nil
	return status, nil
}

// Usage reads the container's statistics from the engine.
func (c *Containerizer) Usage(ctx context.Context, id *mesospb.ContainerID) (*mesospb.ResourceStatistics, error) {
	resources, ok := c.launcher.Resources(id)
	if !ok {
		return nil, launcher.ErrUnknown
	}
	usage, err := c.docker.Usage(ctx, containerName(id))
	if err != nil {
		return nil, err
	}
	statistics := &mesospb.ResourceStatistics{
		Timestamp:          proto.Float64(float64(time.Now().UnixMicro()) / 1e6),
		CpusUserTimeSecs:   proto.Float64(usage.User.Seconds()),
		CpusSystemTimeSecs: proto.Float64(usage.System.Seconds()),
		MemRssBytes:        proto.Uint64(usage.Memory),
	}
	launcher.SetLimits(statistics, resources)
	return statistics, nil
}
