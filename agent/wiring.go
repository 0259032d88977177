package agent

import (
	"fmt"
	"strings"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/docker"
	"stoa/agent/containerizer/mesos"
	"stoa/agent/fetcher"
)

// makeContainerizers makes the ones that --containerizers names, in that order.
func makeContainerizers(config Config) ([]containerizer.Containerizer, error) {
	fetch, err := fetcher.New(fetcher.Config{
		FrameworksHome: config.FrameworksHome,
		StallTimeout:   config.FetcherStallTimeout,
		Logger:         config.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("agent: cannot make the fetcher: %w", err)
	}
	var list []containerizer.Containerizer
	for _, name := range strings.Split(config.ContainerizerNames, ",") {
		var one containerizer.Containerizer
		switch strings.TrimSpace(name) {
		case "mesos":
			one, err = mesos.New(mesos.Config{
				LauncherDir: config.LauncherDir,
				WorkDir:     config.WorkDir,
				RuntimeDir:  config.RuntimeDir,
				SwitchUser:  !config.KeepUser,
				Isolation:   strings.Split(config.Flags["isolation"], ","),
				Fetcher:     fetch,
				Logger:      config.Logger,
			})
		case "docker":
			one, err = docker.New(docker.Config{
				Socket:              config.DockerSocket,
				RuntimeDir:          config.RuntimeDir,
				WorkDir:             config.WorkDir,
				LauncherDir:         config.LauncherDir,
				SandboxDirectory:    config.SandboxDirectory,
				StopTimeout:         config.DockerStopTimeout,
				RemoveDelay:         config.DockerRemoveDelay,
				KeepOrphans:         config.DockerLeaveOrphans,
				RegistryConfig:      config.DockerConfig,
				DefaultContainerDNS: config.DefaultContainerDNS,
				EnableCFS:           config.Flags["cgroups_enable_cfs"] == "true",
				SwitchUser:          !config.KeepUser,
				Fetcher:             fetch,
				Logger:              config.Logger,
			})
		default:
			return nil, fmt.Errorf("agent: --containerizers=%s: unknown containerizer '%s'; there are 'mesos' and 'docker'",
				config.ContainerizerNames, name)
		}
		if err != nil {
			return nil, fmt.Errorf("agent: cannot make the %s containerizer: %w", name, err)
		}
		list = append(list, one)
	}
	return list, nil
}
