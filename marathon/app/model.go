package app

import (
	"slices"
	"strings"
)

// executorRule is the text of the rule that the executor's pattern is.
const executorRule = `must fully match regular expression '^(//cmd)|(/?[^/]+(/[^/]+)*)|$'`

// Validate judges the typed form of an app in its place (AppDefinition.validAppDefinition).
// The error is a *ValidationError.
func (a *App) Validate(s *Settings) error {
	var r Rules
	r.PathID(a.ID.String(), "/id")
	r.Must(!a.ID.IsRoot(), "/id", "Path must contain at least one path element")
	for i, dependency := range a.Dependencies {
		r.PathID(dependency.String(), at("/dependencies", i))
	}
	a.RoleRules(&r, s.Roles)
	a.BasicRules(&r, s.Features)
	return r.Err()
}

// RoleRules judges the role and the accepted roles (AppDefinition.validWithRoleEnforcement).
func (a *App) RoleRules(r *Rules, roles Roles) {
	r.Must(slices.Contains(roles.Valid, a.Role), "/role", "got "+a.Role+", expected one of: ["+strings.Join(roles.Valid, ", ")+"]")
	if a.IsResident() {
		r.Must(a.Role != "*", "/role", "Resident apps cannot have the role *")
		r.Must(roles.Previous == "" || roles.Previous == a.Role || roles.Force, "/role",
			"It is not possible to change the role for existing reservations. If you proceed with this change, all existing "+
				"instances will continue to run under the previous role, "+roles.Previous+". Only new instances will be allocated "+
				"with the new role, "+a.Role+". In order to continue, retry your request with ?force=true")
	}
	r.rolesFor(a.AcceptedResourceRoles, a.Role, "/acceptedResourceRoles")
}

// BasicRules judges what does not depend on the app's place (AppDefinition.validBasicAppDefinition).
// Health checks are not judged again for the whole tree: old apps must not stand in the way of others.
func (a *App) BasicRules(r *Rules, features []string) {
	s := &Settings{Features: features}
	upgrade := &a.UpgradeStrategy
	between := "between 0.0 and 1.0"
	r.Must(upgrade.MinimumHealthCapacity >= 0 && upgrade.MinimumHealthCapacity <= 1,
		"/upgradeStrategy/minimumHealthCapacity", got(upgrade.MinimumHealthCapacity, between))
	r.Must(upgrade.MaximumOverCapacity >= 0 && upgrade.MaximumOverCapacity <= 1,
		"/upgradeStrategy/maximumOverCapacity", got(upgrade.MaximumOverCapacity, between))
	a.containerRules(r, s)
	r.portDefinitions(a.PortDefinitions, "/portDefinitions")
	r.Must(executorPattern.MatchString(a.Executor), "/executor", executorRule)
	cmd, args := a.Cmd != "", len(a.Args) > 0
	image := a.Container != nil && a.Container.Docker != nil
	r.Must(cmd != args || !(cmd && args) && image, "/", needsCommand)
	r.Must(a.Check == nil || a.Container == nil || a.Container.Type != ContainerDocker, "/",
		"AppDefinition must not use 'checks' if using docker")
	a.checkRules(r)
	r.Must(a.Instances >= 0, "/instances", gotInt(a.Instances, "0 or more"))
	for i := range a.Fetch {
		r.Must(validURI(a.Fetch[i].URI), at("/fetch", i)+"/uri", badURI)
	}
	r.Must(a.Resources.Mem >= 0, "/mem", got(a.Resources.Mem, "0.0 or more"))
	r.Must(a.Resources.CPUs >= 0, "/cpus", got(a.Resources.CPUs, "0.0 or more"))
	r.Must(a.Resources.Disk >= 0, "/disk", got(a.Resources.Disk, "0.0 or more"))
	r.Must(a.Resources.GPUs >= 0, "/gpus", gotInt(a.Resources.GPUs, "0 or more"))
	if len(a.Secrets) > 0 && !s.enabled(featureSecrets) {
		r.Break("/secrets", "must be empty")
		r.Break("/secrets", featureOff(featureSecrets))
	}
	if len(a.AcceptedResourceRoles) > 0 {
		r.acceptedRoles(a.AcceptedResourceRoles, a.IsResident(), "/acceptedResourceRoles")
	}
	if a.Resources.GPUs > 0 {
		r.Must(a.Container == nil || a.Container.Type != ContainerDocker, "/", "GPU resources only work with the Mesos containerizer")
		r.mustBeEnabled(s, featureGPUs, "/")
	}
	r.migrationLabels(a.Labels)
	a.upgradeRules(r)
	r.Must(!a.IsResident() || a.UnreachableStrategy.Disabled, "/", "unreachableStrategy must be disabled for resident tasks")
	a.unreachableRules(r)
	a.networkRules(r)
}

func (a *App) containerRules(r *Rules, s *Settings) {
	container := a.Container
	if container == nil {
		return
	}
	for i := range container.Volumes {
		if container.Volumes[i].External != nil {
			r.mustBeEnabled(s, featureExternalVolumes, at("/container/volumes", i)+"/volume")
		}
	}
	if info := container.LinuxInfo; info != nil {
		if seccomp := info.Seccomp; seccomp != nil {
			const path = "/container/linuxInfo/seccomp"
			r.Must(seccomp.Profile == nil || !seccomp.Unconfined, path, "Seccomp unconfined can NOT be true when Profile is defined")
			r.Must(seccomp.Profile != nil || seccomp.Unconfined, path, "Seccomp unconfined must be true when Profile is NOT defined")
		}
		if ipc := info.IPC; ipc != nil {
			r.Must(ipc.Mode != "SHARE_PARENT" || ipc.ShmSize == nil, "/container/linuxInfo/ipcInfo",
				"ipcInfo shmSize can NOT be set when mode is SHARE_PARENT")
		}
	}
	if a.HasBridgeNetwork() {
		for i := range container.PortMappings {
			r.Must(container.PortMappings[i].HostPort != nil, at("/container/portMappings", i), "hostPort is required for BRIDGE mode.")
		}
	}
}

// checkRules judges the port indices of health checks and of the generic check.
func (a *App) checkRules(r *Rules) {
	ports := len(a.HostPorts())
	valid := func(port, index *int) bool {
		if index != nil {
			return *index < ports
		}
		return port != nil || ports == 1
	}
	for i := range a.HealthChecks {
		check := &a.HealthChecks[i]
		r.Must(check.Protocol == HealthCommand || valid(check.Port, check.PortIndex), at("/healthChecks", i),
			"Health check port indices must address an element of the ports array or container port mappings.")
	}
	if check := a.Check; check != nil {
		r.Must(check.Protocol == CheckCommand || valid(check.Port, check.PortIndex), "/check",
			"check port index must address an element of the ports array or container port mappings.")
	}
}

func (a *App) upgradeRules(r *Rules) {
	if !a.IsSingleInstance() {
		return
	}
	r.Must(a.Instances <= 1, "/", "Single instance app may only have one instance")
	var broken Rules
	broken.upgradeForSingle(&a.UpgradeStrategy, "/upgradeStrategy")
	if len(broken.Broken()) > 0 {
		// The rule is "is no single instance app, or …": both halves show.
		r.Break("/isSingleInstance", "must be false")
		r.Under("", &broken)
	}
}

func (a *App) unreachableRules(r *Rules) {
	strategy := &a.UnreachableStrategy
	if strategy.Disabled || strategy.InactiveAfter <= strategy.ExpungeAfter {
		return
	}
	r.Break("/unreachableStrategy/inactiveAfterSeconds",
		"inactiveAfterSeconds ("+wholeSeconds(strategy.InactiveAfter)+") must be less or equal to expungeAfterSeconds, which is "+
			wholeSeconds(strategy.ExpungeAfter))
}

func (a *App) networkRules(r *Rules) {
	var names []string
	counts := map[NetworkMode]int{}
	for i := range a.Networks {
		counts[a.Networks[i].Mode]++
		if a.Networks[i].Mode == NetworkContainer {
			names = append(names, a.Networks[i].Name)
		}
	}
	r.Must(unique(names), "/networks", "Duplicate networks are not allowed")
	host, bridge, container := counts[NetworkHost], counts[NetworkBridge], counts[NetworkContainer]
	r.Must(host+bridge == 1 && container == 0 || host+bridge == 0 && container > 0, "/networks",
		"Must specify either a single host network, single bridge network, or else 1-to-n container networks")
}

const changesResources = "Services with persistent volumes configured may not change resource requirements. " +
	"If you need to make this change, please create a new service."

// ResidentChangeRules judges a change of an app that keeps reservations, which cannot
// follow every change (AppDefinition.residentUpdateIsValid).
func (a *App) ResidentChangeRules(to *App) *Rules {
	r := &Rules{}
	r.Must(samePersistentVolumes(a.Volumes(), to.Volumes()), "/", "Persistent volumes can not be changed!")
	r.Must(a.Resources.CPUs == to.Resources.CPUs, "/cpus", changesResources)
	r.Must(a.Resources.Mem == to.Resources.Mem, "/mem", changesResources)
	r.Must(a.Resources.Disk == to.Resources.Disk, "/disk", changesResources)
	r.Must(a.Resources.GPUs == to.Resources.GPUs, "/gpus", changesResources)
	r.Must(a.RequirePorts == to.RequirePorts, "/requirePorts", changesResources)
	r.Must(slices.EqualFunc(a.HostPorts(), to.HostPorts(), samePointee), "/",
		"Services with persistent volumes configured may not change host ports. If you need to make this change, please create a new service.")
	r.upgradeForResident(&to.UpgradeStrategy, "/upgradeStrategy")
	return r
}

func samePersistentVolumes(from, to []Volume) bool {
	persistent := func(volumes []Volume) []Volume {
		return slices.DeleteFunc(slices.Clone(volumes), func(v Volume) bool { return v.Persistent == nil })
	}
	before, after := persistent(from), persistent(to)
	if len(before) != len(after) {
		return false
	}
	for _, volume := range before {
		at := slices.IndexFunc(after, func(v Volume) bool { return v.ContainerPath == volume.ContainerPath })
		if at < 0 || !volume.equal(after[at]) {
			return false
		}
	}
	return true
}
