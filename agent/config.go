package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"stoa/agent/containerizer"
	"stoa/agent/peer"
	"stoa/internal/auth"
	"stoa/internal/httpd"
)

// Config is everything an agent is told when it starts. The zero value of a
// field means the default that its comment names; Listener, Master and WorkDir
// have none.
type Config struct {
	// Listener accepts the HTTP API and the libprocess messages, both on this one
	// port. The agent closes it when Run returns.
	Listener net.Listener
	// Advertise is the address put into the agent's UPID (--advertise_ip,
	// --advertise_port); default the listener's own. Every peer must be able to
	// connect to it.
	Advertise netip.AddrPort
	// Master is the master's "host:port" (--master); "zk://..." addresses are
	// refused until a detector for them is given in Detector.
	Master string
	// Detector finds the leading master; default one that always gives Master.
	Detector peer.Detector

	// WorkDir holds the sandboxes and the checkpointed state (--work_dir).
	WorkDir string
	// RuntimeDir holds what must not survive a reboot of the machine
	// (--runtime_dir); default WorkDir/run.
	RuntimeDir string
	// LauncherDir is where mesos-executor and its kind are looked for
	// (--launcher_dir); default the directory of the running binary. A name that is
	// missing there is served by the running binary under that argv[0].
	LauncherDir string
	// SandboxDirectory is where a container with an image of its own sees its
	// sandbox (--sandbox_directory); default /mnt/mesos/sandbox.
	SandboxDirectory string

	// Hostname is what the agent calls itself (--hostname); default the name that
	// the advertised address resolves to, or the address when NoHostnameLookup is set.
	Hostname         string
	NoHostnameLookup bool
	// Resources and Attributes are the texts of --resources and --attributes.
	// cpus, mem, disk and ports that Resources leaves out are detected.
	Resources  string
	Attributes string
	// DefaultRole is the role of resources that name none (--default_role); default "*".
	DefaultRole string

	// Containerizers run the containers; the first that supports a task gets it.
	// Default: the ones that ContainerizerNames names.
	Containerizers []containerizer.Containerizer
	// ContainerizerNames is the text of --containerizers; default "mesos".
	ContainerizerNames string
	// DockerSocket is the Docker engine's socket (--docker_socket).
	DockerSocket string
	// DockerStopTimeout, DockerRemoveDelay and DockerLeaveOrphans are
	// --docker_stop_timeout, --docker_remove_delay (default 6 hours) and the
	// opposite of --docker_kill_orphans.
	DockerStopTimeout  time.Duration
	DockerRemoveDelay  time.Duration
	DockerLeaveOrphans bool
	// DockerConfig is --docker_config, credentials for registries: JSON or the path of a file.
	DockerConfig string
	// DefaultContainerDNS is --default_container_dns: the resolvers of containers that
	// name none, as JSON.
	DefaultContainerDNS string
	// FrameworksHome and FetcherStallTimeout (default 1 minute) are --frameworks_home and
	// --fetcher_stall_timeout.
	FrameworksHome      string
	FetcherStallTimeout time.Duration
	// KeepUser runs every task as the agent's own user (--no-switch_user).
	KeepUser bool
	// HTTPCommandExecutor is --http_command_executor. Stoa's own executors always
	// speak HTTP; the flag only decides what other executors are told.
	HTTPCommandExecutor bool
	// ExecutorEnvironment is added to the environment of every executor
	// (--executor_environment_variables).
	ExecutorEnvironment map[string]string

	// Recover is --recover: "reconnect" (default) takes running executors back,
	// "cleanup" ends them and returns from Run.
	Recover string
	// ReconfigurationPolicy is --reconfiguration_policy: "equal" (default) or "additive".
	ReconfigurationPolicy string
	// Lenient is --no-strict: damaged checkpoints are skipped and counted, not fatal.
	Lenient bool
	// RecoveryTimeout is how long executors wait for the agent to come back; default 15 minutes.
	RecoveryTimeout time.Duration
	// ExecutorRegistrationTimeout is how long a started executor may take to
	// subscribe; default 1 minute.
	ExecutorRegistrationTimeout time.Duration
	// ExecutorReregistrationTimeout is how long executors may take to subscribe
	// again after the agent restarted; default 2 seconds, at most 15.
	ExecutorReregistrationTimeout time.Duration
	// ExecutorShutdownGracePeriod is the time between asking an executor to shut
	// down and destroying its container; default 5 seconds.
	ExecutorShutdownGracePeriod time.Duration
	// RegistrationBackoffFactor is the first bound of the random delays between
	// registration attempts; default 1 second, at most 1 minute. A negative value
	// means no delay before the first attempt.
	RegistrationBackoffFactor time.Duration

	// Authentication is how the agent proves to masters who it is (--credential); nil
	// registers without.
	Authentication *peer.Authentication
	// AuthenticateReadOnly and AuthenticateReadWrite authenticate HTTP clients of the two
	// realms (--authenticate_http_readonly, --authenticate_http_readwrite); nil lets
	// everyone in.
	AuthenticateReadOnly, AuthenticateReadWrite httpd.Authenticator
	// Authorizer says what HTTP clients may see and do (--acls); nil allows all.
	Authorizer *auth.Authorizer
	// DisabledEndpoints are paths that are switched off (--firewall_rules).
	DisabledEndpoints []string

	// GCDelay is the age at which a finished sandbox is removed; default 1 week.
	GCDelay time.Duration
	// GCDiskHeadroom is the fraction of the disk that gc tries to keep free; default 0.1.
	GCDiskHeadroom float64
	// DiskWatchInterval is the time between two looks at the disk; default 1 minute.
	DiskWatchInterval time.Duration
	// MaxCompletedExecutors bounds the history per framework; default 150.
	MaxCompletedExecutors int

	// LogFile, if set, is the agent's own log, shown as /slave/log.
	LogFile string
	// Flags is what /flags and /state show: flag name to value text, set flags only.
	Flags map[string]string
	// Build is what /version and /state say about the binary.
	Build Build
	// Logger gets the agent's log; default slog.Default().
	Logger *slog.Logger
}

// Build describes the running binary the way the original's /version does
// (src/common/build.hpp of the original).
type Build struct {
	// Version is in x.y.z form; a master ignores agents under 1.0.0. Default "1.11.0".
	Version string
	GitSHA, GitBranch, GitTag,
	Date, User string
	// Time is in seconds since 1970.
	Time float64
}

const maxReregistrationTimeout = 15 * time.Second

// withDefaults returns the configuration with every default filled in, or an
// error that names the field and says what to do.
func (c Config) withDefaults() (Config, error) {
	if c.Listener == nil {
		return c, errors.New("agent: no listener given")
	}
	if c.WorkDir == "" {
		return c, errors.New("agent: --work_dir is missing: name a directory that survives reboots, such as /var/lib/mesos")
	}
	abs, err := filepath.Abs(c.WorkDir)
	if err != nil {
		return c, fmt.Errorf("agent: --work_dir %q: %w", c.WorkDir, err)
	}
	c.WorkDir = abs
	if c.Detector == nil {
		if c.Detector, err = peer.NewFixed(c.Master); err != nil {
			return c, err
		}
	}
	setDefault(&c.RuntimeDir, filepath.Join(c.WorkDir, "run"))
	setDefault(&c.SandboxDirectory, "/mnt/mesos/sandbox")
	setDefault(&c.DefaultRole, "*")
	setDefault(&c.ContainerizerNames, "mesos")
	setDefault(&c.DockerSocket, "/var/run/docker.sock")
	setDefault(&c.DockerRemoveDelay, 6*time.Hour)
	setDefault(&c.Recover, "reconnect")
	setDefault(&c.ReconfigurationPolicy, "equal")
	setDefault(&c.RecoveryTimeout, 15*time.Minute)
	setDefault(&c.ExecutorRegistrationTimeout, time.Minute)
	setDefault(&c.ExecutorReregistrationTimeout, 2*time.Second)
	setDefault(&c.ExecutorShutdownGracePeriod, 5*time.Second)
	setDefault(&c.RegistrationBackoffFactor, time.Second)
	setDefault(&c.GCDelay, 7*24*time.Hour)
	setDefault(&c.GCDiskHeadroom, 0.1)
	setDefault(&c.DiskWatchInterval, time.Minute)
	setDefault(&c.MaxCompletedExecutors, 150)
	setDefault(&c.Build.Version, "1.11.0")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.LauncherDir == "" {
		exe, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("agent: cannot find the running binary (set --launcher_dir): %w", err)
		}
		c.LauncherDir = filepath.Dir(exe)
	}
	if c.Flags == nil {
		c.Flags = map[string]string{}
	}
	return c, c.validate()
}

func (c Config) validate() error {
	switch {
	case c.Recover != "reconnect" && c.Recover != "cleanup":
		return fmt.Errorf("agent: --recover=%s: say 'reconnect' or 'cleanup'", c.Recover)
	case c.ReconfigurationPolicy != "equal" && c.ReconfigurationPolicy != "additive":
		return fmt.Errorf("agent: --reconfiguration_policy=%s: say 'equal' or 'additive'", c.ReconfigurationPolicy)
	case c.ExecutorReregistrationTimeout > maxReregistrationTimeout:
		return fmt.Errorf("agent: --executor_reregistration_timeout=%s: at most 15secs, or the master takes the agent for lost", c.ExecutorReregistrationTimeout)
	case c.RegistrationBackoffFactor > time.Minute:
		return fmt.Errorf("agent: --registration_backoff_factor=%s: at most 1mins", c.RegistrationBackoffFactor)
	case c.GCDiskHeadroom < 0 || c.GCDiskHeadroom > 1:
		return fmt.Errorf("agent: --gc_disk_headroom=%g: must be between 0 and 1", c.GCDiskHeadroom)
	case runtime.GOOS != "linux":
		return errors.New("agent: this agent runs on Linux only")
	}
	return nil
}

// setDefault gives *p the value v if it is zero.
func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
