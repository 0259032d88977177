package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"stoa/agent/containerizer/docker/engine"
	"stoa/internal/flags"
)

// settings are the executor's flags: the original's, and the ones that stand for what its agent did
// itself.
type settings struct {
	container       string
	socket          string
	sandbox         string
	mapped          string
	stopTimeout     time.Duration
	enableCFS       bool
	taskEnvironment map[string]string
	dns             *engine.DefaultDNS
	// volumes are further bindings, host:container:mode.
	volumes []string
	// only runs what the environment variable describes, without speaking to the agent: an
	// executor that brings its own image.
	only bool
}

// readFlags reads the command line.
func readFlags(args []string) (settings, error) {
	var s settings
	var stopTimeout, environment, dns, ignored string
	set := pflag.NewFlagSet(Name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&s.container, "container", "", "The name of the docker container to run")
	set.StringVar(&s.socket, "docker_socket", engine.DefaultSocket, "The engine's unix socket")
	set.StringVar(&s.sandbox, "sandbox_directory", "", "The sandbox on the host")
	set.StringVar(&s.mapped, "mapped_directory", "/mnt/mesos/sandbox", "The sandbox in the container")
	set.StringVar(&stopTimeout, "stop_timeout", "", "The least grace period of a kill")
	set.StringVar(&environment, "task_environment", "", "A JSON object of more environment variables")
	set.StringVar(&dns, "default_container_dns", "", "The agent's flag of this name")
	set.BoolVar(&s.enableCFS, "cgroups_enable_cfs", false, "Limit the container to its cpus")
	set.StringArrayVar(&s.volumes, "volume", nil, "A binding host:container:mode")
	set.BoolVar(&s.only, "run_only", false, "Run a custom executor's container")
	set.StringVar(&ignored, "docker", "", "The docker command; not used")
	set.StringVar(&ignored, "launcher_dir", "", "Not used")
	if err := set.Parse(args); err != nil {
		return settings{}, err
	}
	switch {
	case s.container == "":
		return settings{}, errors.New("Missing required option --container")
	case s.sandbox == "":
		return settings{}, errors.New("Missing required option --sandbox_directory")
	}
	if stopTimeout != "" {
		d, err := flags.ParseDuration(stopTimeout)
		if err != nil {
			return settings{}, fmt.Errorf("Failed to load value '%s' of --stop_timeout: %w", stopTimeout, err)
		}
		s.stopTimeout = d
	}
	if environment != "" {
		if err := json.Unmarshal([]byte(environment), &s.taskEnvironment); err != nil {
			return settings{}, fmt.Errorf("Failed to parse --task_environment: %w", err)
		}
	}
	var err error
	s.dns, err = engine.ParseDefaultDNS(dns)
	return s, err
}
