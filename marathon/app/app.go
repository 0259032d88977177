// Package app holds the definition of a long-running app: the typed, normalised form that
// planning, launching and storage work on, and the way between it and JSON. JSON of any
// release since 0.8 comes in (decode, normalise, validate), the JSON of today goes out
// (encode). It does no I/O, reads no clock and knows nothing of other apps.
package app

import (
	"time"

	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// App is one normalised app definition (src/main/scala/mesosphere/marathon/state/AppDefinition.scala).
// It is immutable by convention: whoever wants a change copies the struct and replaces
// whole fields. encoding/json writes and reads it without loss; that form is for storage,
// never for clients, who get AppendJSON's.
type App struct {
	ID id.Path
	// Cmd is the shell command line; "" when there is none.
	Cmd string
	// Args is the argument vector; exclusive with Cmd.
	Args []string
	// User is the user to run as; nil leaves it to the framework.
	User *string
	// Env holds plain values and references to secrets.
	Env       Map[EnvValue]
	Instances int
	Resources Resources
	// Executor is "", "//cmd" or the path of a custom executor.
	Executor          string
	ExecutorResources *ExecutorResources
	ResourceLimits    *ResourceLimits
	Constraints       []Constraint
	Fetch             []FetchURI
	// PortDefinitions is empty outside host mode.
	PortDefinitions []PortDefinition
	RequirePorts    bool
	Backoff         Backoff
	Container       *Container
	HealthChecks    []HealthCheck
	Check           *Check
	ReadinessChecks []ReadinessCheck
	// TaskKillGracePeriod is the time between SIGTERM and SIGKILL; nil means the agent's own.
	TaskKillGracePeriod   *time.Duration
	Dependencies          []id.Path
	UpgradeStrategy       UpgradeStrategy
	Labels                Map[string]
	AcceptedResourceRoles []string
	// Networks is never empty.
	Networks            []Network
	VersionInfo         VersionInfo
	Secrets             Map[Secret]
	UnreachableStrategy UnreachableStrategy
	KillSelection       KillSelection
	TTY                 *bool
	Role                string
}

// VersionInfo tells when the app last changed. The zero value marks an app that is to be
// restarted by the change it is part of; a definition that has not been through a change
// yet has only a Version.
type VersionInfo struct {
	Version            timestamp.Timestamp
	LastScalingAt      timestamp.Timestamp
	LastConfigChangeAt timestamp.Timestamp
	// Full is set when the two Last… fields are known.
	Full bool
}

// NewConfig is the version info of an app whose configuration changed (or began) at version.
func NewConfig(version timestamp.Timestamp) VersionInfo {
	return VersionInfo{Version: version, LastScalingAt: version, LastConfigChangeAt: version, Full: true}
}

// OnlyVersion is the version info of a definition that no change has taken up yet.
func OnlyVersion(version timestamp.Timestamp) VersionInfo { return VersionInfo{Version: version} }

// Scaled is the version info after a change of the instance count, or a restart, at version.
func (v VersionInfo) Scaled(version timestamp.Timestamp) VersionInfo {
	if !v.Full {
		v = NewConfig(v.Version)
	}
	v.Version, v.LastScalingAt = version, version
	return v
}

// ConfigVersion is the version of the last configuration change, which keys the launch backoff.
func (v VersionInfo) ConfigVersion() timestamp.Timestamp {
	if v.Full {
		return v.LastConfigChangeAt
	}
	return v.Version
}

// Version identifies this state of the app.
func (a *App) Version() timestamp.Timestamp { return a.VersionInfo.Version }

// MarkedForRestart is a copy that makes the change it is part of restart all tasks.
func (a *App) MarkedForRestart() *App {
	fresh := *a
	fresh.VersionInfo = VersionInfo{}
	return &fresh
}

// WithInstances is a copy with another instance count.
func (a *App) WithInstances(instances int) *App {
	fresh := *a
	fresh.Instances = instances
	return &fresh
}

// WithVersionInfo is a copy with another version info.
func (a *App) WithVersionInfo(info VersionInfo) *App {
	fresh := *a
	fresh.VersionInfo = info
	return &fresh
}

// Label looks up a label.
func (a *App) Label(key string) (string, bool) { return a.Labels.Get(key) }

// SingleInstanceLabel, set to "true", forbids more than one instance.
const SingleInstanceLabel = "MARATHON_SINGLE_INSTANCE_APP"

// IsSingleInstance tells whether the app may never have two instances.
func (a *App) IsSingleInstance() bool {
	value, _ := a.Labels.Get(SingleInstanceLabel)
	return value == "true"
}

// Volumes gives the container's volumes.
func (a *App) Volumes() []Volume {
	if a.Container == nil {
		return nil
	}
	return a.Container.Volumes
}

// IsResident tells whether the app keeps reservations because it has persistent volumes.
func (a *App) IsResident() bool {
	for _, volume := range a.Volumes() {
		if volume.Persistent != nil {
			return true
		}
	}
	return false
}

// HasHostNetwork tells whether the tasks share the agent's network.
func (a *App) HasHostNetwork() bool {
	return len(a.Networks) == 0 || a.Networks[0].Mode == NetworkHost
}

// HasBridgeNetwork tells whether the tasks are behind a bridge on the agent.
func (a *App) HasBridgeNetwork() bool {
	return len(a.Networks) > 0 && a.Networks[0].Mode == NetworkBridge
}

// PortMappings gives the container's port mappings.
func (a *App) PortMappings() []PortMapping {
	if a.Container == nil {
		return nil
	}
	return a.Container.PortMappings
}

// HostPorts gives the wanted host port of every port of the app, in the order of
// definition: 0 asks for any, nil for none.
func (a *App) HostPorts() []*int {
	if mappings := a.PortMappings(); len(mappings) > 0 {
		ports := make([]*int, len(mappings))
		for i := range mappings {
			ports[i] = mappings[i].HostPort
		}
		return ports
	}
	ports := make([]*int, len(a.PortDefinitions))
	for i := range a.PortDefinitions {
		ports[i] = &a.PortDefinitions[i].Port
	}
	return ports
}

// ServicePorts gives the service port of every port of the app, in the order of definition.
func (a *App) ServicePorts() []int {
	if mappings := a.PortMappings(); len(mappings) > 0 {
		ports := make([]int, len(mappings))
		for i := range mappings {
			ports[i] = mappings[i].ServicePort
		}
		return ports
	}
	ports := make([]int, len(a.PortDefinitions))
	for i := range a.PortDefinitions {
		ports[i] = a.PortDefinitions[i].Port
	}
	return ports
}

// PortNames gives the names of the ports that have one.
func (a *App) PortNames() []string {
	var names []string
	add := func(name string) {
		if name != "" {
			names = append(names, name)
		}
	}
	if a.HasHostNetwork() {
		for i := range a.PortDefinitions {
			add(a.PortDefinitions[i].Name)
		}
		return names
	}
	for _, mapping := range a.PortMappings() {
		add(mapping.Name)
	}
	return names
}
