package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"stoa/agent"
	"stoa/internal/flags"
)

func runAgent(ctx context.Context, p process) error {
	v, err := load(agentFlags(), false, p)
	if err != nil {
		return err
	}
	log, err := newLogging(v, "mesos-agent")
	if err != nil {
		return err
	}
	defer log.done()
	network, err := newMesosNetwork(ctx, v)
	if err != nil {
		return err
	}
	cfg, err := agentConfig(ctx, v, network, log)
	if err != nil {
		network.listener.Close()
		return err
	}
	reportUnread(log.Logger, v)
	a, err := agent.New(ctx, cfg)
	if err != nil {
		network.listener.Close()
		return err
	}
	// As the original on SIGUSR1: unregister and end every task.
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	defer signal.Stop(usr1)
	go func() {
		select {
		case <-usr1:
			a.Shutdown("received SIGUSR1")
		case <-ctx.Done():
		}
	}()
	return a.Run(ctx)
}

func agentConfig(ctx context.Context, v *flags.Values, n mesosNetwork, log *logging) (agent.Config, error) {
	c := agent.Config{
		Listener:                      n.listener,
		Advertise:                     n.advertise,
		Master:                        v.String("master"),
		WorkDir:                       v.String("work_dir"),
		SandboxDirectory:              v.String("sandbox_directory"),
		Hostname:                      mesosHostname(ctx, v, n.advertise.Addr()),
		Resources:                     v.String("resources"),
		Attributes:                    v.String("attributes"),
		DefaultRole:                   v.String("default_role"),
		ContainerizerNames:            v.String("containerizers"),
		DockerSocket:                  v.String("docker_socket"),
		DockerStopTimeout:             v.Duration("docker_stop_timeout"),
		DockerRemoveDelay:             v.Duration("docker_remove_delay"),
		DockerLeaveOrphans:            !v.Bool("docker_kill_orphans"),
		DefaultContainerDNS:           v.String("default_container_dns"),
		DockerConfig:                  v.String("docker_config"),
		FrameworksHome:                v.String("frameworks_home"),
		FetcherStallTimeout:           v.Duration("fetcher_stall_timeout"),
		KeepUser:                      !v.Bool("switch_user"),
		HTTPCommandExecutor:           v.Bool("http_command_executor"),
		Recover:                       v.String("recover"),
		ReconfigurationPolicy:         v.String("reconfiguration_policy"),
		Lenient:                       !v.Bool("strict"),
		RecoveryTimeout:               v.Duration("recovery_timeout"),
		ExecutorRegistrationTimeout:   v.Duration("executor_registration_timeout"),
		ExecutorReregistrationTimeout: v.Duration("executor_reregistration_timeout"),
		ExecutorShutdownGracePeriod:   v.Duration("executor_shutdown_grace_period"),
		RegistrationBackoffFactor:     v.Duration("registration_backoff_factor"),
		GCDelay:                       v.Duration("gc_delay"),
		GCDiskHeadroom:                v.Float("gc_disk_headroom"),
		DiskWatchInterval:             v.Duration("disk_watch_interval"),
		MaxCompletedExecutors:         v.Int("max_completed_executors_per_framework"),
		LogFile:                       log.file,
		Flags:                         settings(v),
		Build:                         readBuild().agent(),
		Logger:                        log.Logger,
	}
	// The agent reads these from its Flags.
	v.String("isolation")
	v.Bool("cgroups_enable_cfs")
	// The compiled-in places of the original need root or its package; without
	// them the agent keeps to its own directories.
	if v.Given("runtime_dir") {
		c.RuntimeDir = v.String("runtime_dir")
	}
	if v.Given("launcher_dir") {
		c.LauncherDir = v.String("launcher_dir")
	}
	if text := v.String("executor_environment_variables"); text != "" {
		if err := json.Unmarshal([]byte(text), &c.ExecutorEnvironment); err != nil {
			return c, fmt.Errorf("--executor_environment_variables must be a JSON object of strings: %w", err)
		}
	}
	if err := secureAgent(v, log.Logger, &c); err != nil {
		return c, err
	}
	if v.String("master_detector") != "" {
		return c, errors.New("--master_detector names a module; modules can't be loaded, use --master")
	}
	return c, nil
}

// settings is what /flags and /state show.
func settings(v *flags.Values) map[string]string {
	m := map[string]string{}
	for _, s := range v.All() {
		m[s.Name] = s.Value
	}
	return m
}
