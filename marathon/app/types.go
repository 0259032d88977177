package app

import (
	"math"
	"strconv"
	"time"
)

// EnvValue is the value of an environment variable: plain text, or the name of a secret.
type EnvValue struct {
	// Value is the text; the name of the secret when IsSecret is set.
	Value    string
	IsSecret bool
}

// Secret tells where the text of a secret comes from.
type Secret struct{ Source string }

// Resources are what one instance needs: CPUs in cores, Mem and Disk in MiB.
type Resources struct {
	CPUs, Mem, Disk float64
	GPUs            int
}

// ExecutorResources are what the executor of one instance needs on top.
type ExecutorResources struct{ CPUs, Mem, Disk float64 }

// ResourceLimits are the ceilings of one instance; nil means no own limit.
type ResourceLimits struct{ CPUs, Mem *Limit }

// Limit is a number or, as positive infinity, "unlimited".
type Limit float64

// Unlimited tells whether there is no ceiling.
func (l Limit) Unlimited() bool { return math.IsInf(float64(l), 1) }

// MarshalJSON writes "unlimited" for infinity, which JSON numbers lack.
func (l Limit) MarshalJSON() ([]byte, error) {
	if l.Unlimited() {
		return []byte(`"unlimited"`), nil
	}
	return strconv.AppendFloat(nil, float64(l), 'g', -1, 64), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Limit) UnmarshalJSON(text []byte) error {
	if string(text) == `"unlimited"` {
		*l = Limit(math.Inf(1))
		return nil
	}
	value, err := strconv.ParseFloat(string(text), 64)
	*l = Limit(value)
	return err
}

// Operator is the operator of a placement constraint.
type Operator string

// The operators (src/main/proto/marathon.proto, Constraint.Operator).
const (
	Unique  Operator = "UNIQUE"
	Cluster Operator = "CLUSTER"
	GroupBy Operator = "GROUP_BY"
	Like    Operator = "LIKE"
	Unlike  Operator = "UNLIKE"
	MaxPer  Operator = "MAX_PER"
	Is      Operator = "IS"
)

// Constraint restricts the agents an instance may run on.
type Constraint struct {
	Field    string
	Operator Operator
	Value    string
	// HasValue tells an empty value from none.
	HasValue bool
}

// FetchURI is something the agent puts into the sandbox before the task starts.
type FetchURI struct {
	URI                        string
	Extract, Executable, Cache bool
	// DestPath is the file name in the sandbox; nil takes the URI's.
	DestPath *string
}

// PortProtocol is "tcp", "udp" or both.
type PortProtocol string

// The port protocols.
const (
	TCP    PortProtocol = "tcp"
	UDP    PortProtocol = "udp"
	UDPTCP PortProtocol = "udp,tcp"
)

// PortDefinition is a port of a host-network app. Port is at once the service port and,
// with RequirePorts, the host port; 0 asks for any.
type PortDefinition struct {
	Port     int
	Name     string
	Protocol PortProtocol
	Labels   Map[string]
}

// PortMapping is a port of a container with its own network.
type PortMapping struct {
	// ContainerPort 0 means: the same as the host port.
	ContainerPort int
	// HostPort nil means none, 0 any.
	HostPort    *int
	ServicePort int
	Name        string
	Protocol    PortProtocol
	Labels      Map[string]
	// NetworkNames restricts the mapping to these networks.
	NetworkNames []string
}

// NetworkMode is how tasks are attached to the network.
type NetworkMode string

// The network modes.
const (
	NetworkHost      NetworkMode = "host"
	NetworkContainer NetworkMode = "container"
	NetworkBridge    NetworkMode = "container/bridge"
)

// Network is one network the tasks join.
type Network struct {
	Mode NetworkMode
	// Name is set for container mode only.
	Name   string
	Labels Map[string]
}

// ContainerType names the containerizer.
type ContainerType string

// The containerizers.
const (
	ContainerDocker ContainerType = "DOCKER"
	ContainerMesos  ContainerType = "MESOS"
)

// Container says in what the task runs.
type Container struct {
	Type ContainerType
	// Docker is the image; never nil for ContainerDocker.
	Docker *Docker
	// LinuxInfo is for ContainerMesos only.
	LinuxInfo    *LinuxInfo
	Volumes      []Volume
	PortMappings []PortMapping
}

// Docker is a Docker image and how to run it.
type Docker struct {
	Image          string
	ForcePullImage bool
	// Privileged and Parameters are for ContainerDocker only.
	Privileged bool
	Parameters []Parameter
	// PullSecret names the secret with the registry's credentials, ContainerMesos only.
	PullSecret *string
	// Credential is of very old definitions.
	Credential *Credential
}

// Parameter is one option for the Docker command line. Keys may repeat.
type Parameter struct{ Key, Value string }

// Credential is a principal with its secret.
type Credential struct {
	Principal string
	Secret    *string
}

// LinuxInfo holds kernel-level settings of a Mesos container.
type LinuxInfo struct {
	Seccomp *Seccomp
	IPC     *IPCInfo
}

// Seccomp selects a system call filter.
type Seccomp struct {
	Profile    *string
	Unconfined bool
}

// IPCInfo selects the IPC namespace: "PRIVATE" or "SHARE_PARENT". ShmSize is in MiB.
type IPCInfo struct {
	Mode    string
	ShmSize *int
}

// Volume is one mount; exactly one of Persistent, External, CSI, Secret and HostPath is set.
type Volume struct {
	ContainerPath string
	ReadOnly      bool
	Persistent    *PersistentVolume
	External      *ExternalVolume
	CSI           *CSIVolume
	// Secret names an entry of the app's secrets.
	Secret *string
	// HostPath is a path on the agent.
	HostPath *string
}

// DiskType is the kind of disk a persistent volume lies on.
type DiskType string

// The disk types.
const (
	DiskRoot  DiskType = "root"
	DiskPath  DiskType = "path"
	DiskMount DiskType = "mount"
)

// PersistentVolume is a volume on a reservation; sizes in MiB.
type PersistentVolume struct {
	Type        DiskType
	Size        int64
	MaxSize     *int64
	ProfileName *string
	Constraints []Constraint
}

// ExternalVolume is a volume of an outside provider (dvdi); Size in GiB.
type ExternalVolume struct {
	Size     *int64
	Name     string
	Provider string
	Options  Map[string]
	Shared   bool
}

// CSIVolume is a volume of a container storage interface plugin.
type CSIVolume struct {
	Name              string
	PluginName        string
	AccessMode        string
	AccessType        string
	FSType            string
	MountFlags        []string
	NodeStageSecret   Map[string]
	NodePublishSecret Map[string]
	VolumeContext     Map[string]
}

// HealthProtocol is how, and by whom, health is checked.
type HealthProtocol string

// The health check protocols. The first three are checked by Marathon, the others by the executor.
const (
	HealthHTTP       HealthProtocol = "HTTP"
	HealthHTTPS      HealthProtocol = "HTTPS"
	HealthTCP        HealthProtocol = "TCP"
	HealthCommand    HealthProtocol = "COMMAND"
	HealthMesosHTTP  HealthProtocol = "MESOS_HTTP"
	HealthMesosHTTPS HealthProtocol = "MESOS_HTTPS"
	HealthMesosTCP   HealthProtocol = "MESOS_TCP"
)

// ByMarathon tells whether Marathon itself connects to the task.
func (p HealthProtocol) ByMarathon() bool {
	return p == HealthHTTP || p == HealthHTTPS || p == HealthTCP
}

// IPProtocol is "IPv4" or "IPv6".
type IPProtocol string

// The IP protocols.
const (
	IPv4 IPProtocol = "IPv4"
	IPv6 IPProtocol = "IPv6"
)

// HealthCheck is one health check. Durations are whole seconds.
type HealthCheck struct {
	Protocol HealthProtocol
	// Command is the shell command of HealthCommand.
	Command string
	// Path is the URL path of the HTTP kinds; nil means "/".
	Path *string
	// Port and PortIndex are exclusive; both nil means the app's only port.
	Port, PortIndex        *int
	GracePeriod            time.Duration
	Interval               time.Duration
	Timeout                time.Duration
	Delay                  time.Duration
	MaxConsecutiveFailures int
	IgnoreHTTP1xx          bool
	IPProtocol             IPProtocol
}

// CheckProtocol is the kind of a generic check.
type CheckProtocol string

// The check kinds.
const (
	CheckHTTP    CheckProtocol = "HTTP"
	CheckTCP     CheckProtocol = "TCP"
	CheckCommand CheckProtocol = "COMMAND"
)

// Check is a generic check that the executor runs and reports, without consequences.
type Check struct {
	Protocol CheckProtocol
	// Shell or Argv is set for CheckCommand.
	Shell           *string
	Argv            []string
	Path            *string
	Scheme          string
	Port, PortIndex *int
	Interval        time.Duration
	Timeout         time.Duration
	Delay           time.Duration
}

// ReadinessCheck tells a deployment when an instance may take the place of an old one.
type ReadinessCheck struct {
	Name string
	// Protocol is "HTTP" or "HTTPS".
	Protocol                string
	Path                    string
	PortName                string
	Interval                time.Duration
	Timeout                 time.Duration
	HTTPStatusCodesForReady []int
	PreserveLastResponse    bool
}

// Backoff delays the launch of an app that keeps failing.
type Backoff struct {
	Backoff        time.Duration
	Factor         float64
	MaxLaunchDelay time.Duration
}

// UpgradeStrategy bounds a rolling restart, as parts of the instance count.
type UpgradeStrategy struct {
	MinimumHealthCapacity float64
	MaximumOverCapacity   float64
}

// UnreachableStrategy says what happens to instances on agents that went away.
type UnreachableStrategy struct {
	// Disabled leaves them alone for ever; the durations mean nothing then.
	Disabled bool
	// InactiveAfter is the time until a replacement is launched.
	InactiveAfter time.Duration
	// ExpungeAfter is the time until the instance is forgotten.
	ExpungeAfter time.Duration
}

// KillSelection says which instances go first when there are too many.
type KillSelection string

// The kill selections.
const (
	YoungestFirst KillSelection = "YOUNGEST_FIRST"
	OldestFirst   KillSelection = "OLDEST_FIRST"
)
