package app

import (
	"time"

	"stoa/marathon/timestamp"
)

// Definition is an app as a request tells it (docs/docs/rest-api/public/api/v2/types/app.raml),
// today's keys and the old ones. A nil field was not given; an empty slice or map that is not
// nil was given empty. Normalise turns the old keys into today's; App makes the typed form.
type Definition struct {
	ID                         *string
	AcceptedResourceRoles      []string
	Args                       []string
	BackoffFactor              *float64
	BackoffSeconds             *int
	Cmd                        *string
	Constraints                [][]string
	Container                  *ContainerDefinition
	CPUs                       *float64
	Dependencies               []string
	Disk                       *float64
	Env                        Map[EnvValue]
	Executor                   *string
	ExecutorResources          *ExecutorResources
	Fetch                      []FetchURI
	HealthChecks               []HealthCheckDefinition
	Check                      *CheckDefinition
	Instances                  *int
	Labels                     Map[string]
	MaxLaunchDelaySeconds      *int
	Mem                        *float64
	GPUs                       *int
	IPAddress                  *IPAddress
	Networks                   []NetworkDefinition
	Ports                      []int
	PortDefinitions            []PortDefinition
	ReadinessChecks            []ReadinessCheckDefinition
	Residency                  *Residency
	ResourceLimits             *LimitsDefinition
	RequirePorts               *bool
	Secrets                    Map[Secret]
	TaskKillGracePeriodSeconds *int
	UpgradeStrategy            *UpgradeStrategy
	URIs                       []string
	User                       *string
	Version                    *timestamp.Timestamp
	KillSelection              *KillSelection
	UnreachableStrategy        *UnreachableStrategy
	TTY                        *bool
	Role                       *string
	// hasVersionInfo tells that the key was given; its content means nothing.
	hasVersionInfo bool
}

// ContainerDefinition is the container of a request.
type ContainerDefinition struct {
	Type         ContainerType
	Docker       *DockerDefinition
	LinuxInfo    *LinuxInfo
	Volumes      []VolumeDefinition
	PortMappings []PortMapping
}

// DockerDefinition is the image of a request, with keys that moved elsewhere since.
type DockerDefinition struct {
	Credential     *Credential
	PullSecret     *string
	ForcePullImage bool
	Image          string
	// Network is HOST, BRIDGE, USER or NONE.
	Network      *string
	Parameters   []Parameter
	PortMappings []PortMapping
	Privileged   bool
}

// VolumeDefinition is a volume of a request; exactly one of the pointers is set.
type VolumeDefinition struct {
	ContainerPath string
	ReadOnly      bool
	Persistent    *PersistentDefinition
	External      *ExternalDefinition
	Secret        *string
	HostPath      *string
}

// PersistentDefinition is the persistent key of a volume.
type PersistentDefinition struct {
	Type        *DiskType
	Size        int64
	MaxSize     *int64
	ProfileName *string
	Constraints [][]string
}

// ExternalDefinition is the external key of a volume.
type ExternalDefinition struct {
	Size           *int64
	Name, Provider *string
	Options        Map[string]
	Shared         bool
}

// NetworkDefinition is a network of a request.
type NetworkDefinition struct {
	Name   *string
	Mode   NetworkMode
	Labels Map[string]
}

// IPAddress is how networks were asked for before 1.5.
type IPAddress struct {
	// Discovery has the ports; nil when the key was not given.
	Discovery   *Discovery
	Labels      Map[string]
	NetworkName *string
}

// Discovery lists the ports of an IPAddress.
type Discovery struct{ Ports []DiscoveryPort }

// DiscoveryPort is one port of an IPAddress.
type DiscoveryPort struct {
	Number   int
	Name     string
	Protocol PortProtocol
	Labels   Map[string]
}

// HealthCheckDefinition is a health check of a request.
type HealthCheckDefinition struct {
	Command                             *string
	GracePeriodSeconds, IntervalSeconds int
	MaxConsecutiveFailures              int
	Path                                *string
	Port, PortIndex                     *int
	Protocol                            HealthProtocol
	IPProtocol                          IPProtocol
	TimeoutSeconds, DelaySeconds        int
}

// CheckDefinition is a generic check of a request.
type CheckDefinition struct {
	HTTP                                          *HTTPCheck
	TCP                                           *TCPCheck
	Exec                                          *ExecCheck
	IntervalSeconds, TimeoutSeconds, DelaySeconds int
}

// HTTPCheck is the http key of a check.
type HTTPCheck struct {
	PortIndex, Port *int
	Path            *string
	Scheme          string
}

// TCPCheck is the tcp key of a check.
type TCPCheck struct{ PortIndex, Port *int }

// ExecCheck is the exec key of a check.
type ExecCheck struct {
	Shell *string
	Argv  []string
}

// ReadinessCheckDefinition is a readiness check of a request.
type ReadinessCheckDefinition struct {
	Name, Protocol, Path, PortName  string
	IntervalSeconds, TimeoutSeconds int
	HTTPStatusCodesForReady         []int
	PreserveLastResponse            bool
}

// Residency has no effect any more, but validation looks at its presence.
type Residency struct {
	RelaunchEscalationTimeoutSeconds int64
	TaskLostBehavior                 string
}

// LimitsDefinition is the resourceLimits key of a request.
type LimitsDefinition struct{ CPUs, Mem *LimitDefinition }

// LimitDefinition is a number, or a word that should be "unlimited".
type LimitDefinition struct {
	Word   *string
	Number float64
}

// Defaults of the keys of an app.
const (
	defaultBackoffFactor         = 1.15
	defaultBackoffSeconds        = 1
	defaultCPUs                  = 1.0
	defaultMem                   = 128.0
	defaultInstances             = 1
	defaultMaxLaunchDelaySeconds = 300
	defaultCheckDelay            = 15 * time.Second
)

// withDefaults fills what a complete app has and the request left out.
func (d *Definition) withDefaults() {
	setDefault(&d.BackoffFactor, defaultBackoffFactor)
	setDefault(&d.BackoffSeconds, defaultBackoffSeconds)
	setDefault(&d.CPUs, defaultCPUs)
	setDefault(&d.Disk, 0)
	setDefault(&d.Executor, "")
	setDefault(&d.Instances, defaultInstances)
	setDefault(&d.MaxLaunchDelaySeconds, defaultMaxLaunchDelaySeconds)
	setDefault(&d.Mem, defaultMem)
	setDefault(&d.GPUs, 0)
	setDefault(&d.RequirePorts, false)
	setDefault(&d.KillSelection, YoungestFirst)
	if d.Labels == nil {
		d.Labels = Map[string]{}
	}
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
