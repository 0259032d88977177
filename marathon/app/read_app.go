package app

import "stoa/marathon/playjson"

// ReadDefinition reads a complete app; id is required, defaults are filled in. The error is
// a *ReadError.
func ReadDefinition(document *playjson.Value) (*Definition, error) {
	r := NewReader(document)
	d := r.Definition()
	return d, r.Err()
}

// ReadUpdate reads a partial app. The error is a *ReadError.
func ReadUpdate(document *playjson.Value) (*Definition, error) {
	r := NewReader(document)
	d := r.Update()
	return d, r.Err()
}

// Definition reads a complete app at this place.
func (r Reader) Definition() *Definition {
	d := &Definition{}
	if member, ok := r.Required("id"); ok {
		path := member.pathID()
		d.ID = &path
	}
	r.appFields(d)
	d.withDefaults()
	return d
}

// Update reads a partial app at this place.
func (r Reader) Update() *Definition {
	d := &Definition{ID: optional(r, "id", Reader.pathID)}
	r.appFields(d)
	return d
}

func (r Reader) pathID() string { return r.text(1, unlimitedLength, pathIDPattern) }

// PathID reads the id of an app or group, relative or absolute.
func (r Reader) PathID() string { return r.pathID() }

// appFields reads everything but the id, in the order of app.raml.
func (r Reader) appFields(d *Definition) {
	natural := func(r Reader) int { return r.intFrom(0) }
	positive := func(r Reader) float64 { return r.FloatFrom(0) }
	if roles, ok := r.Optional("acceptedResourceRoles"); ok {
		d.AcceptedResourceRoles = roles.StringSet()
	}
	if args, ok := r.Optional("args"); ok {
		d.Args = args.Strings()
	}
	d.BackoffFactor = optional(r, "backoffFactor", func(r Reader) float64 { return r.FloatFrom(1) })
	d.BackoffSeconds = optional(r, "backoffSeconds", natural)
	d.Cmd = optional(r, "cmd", func(r Reader) string { return r.text(1, unlimitedLength, nil) })
	if constraints, ok := r.Optional("constraints"); ok {
		d.Constraints = constraints.stringLists()
	}
	d.Container = optional(r, "container", Reader.container)
	d.CPUs = optional(r, "cpus", positive)
	if dependencies, ok := r.Optional("dependencies"); ok {
		d.Dependencies = dependencies.StringSet()
	}
	d.Disk = optional(r, "disk", positive)
	if env, ok := r.Optional("env"); ok {
		d.Env = readMap(env, Reader.envValue)
	}
	d.Executor = optional(r, "executor", func(r Reader) string { return r.text(0, unlimitedLength, executorPattern) })
	d.ExecutorResources = optional(r, "executorResources", Reader.executorResources)
	d.Fetch = list(r, "fetch", Reader.artifact)
	d.HealthChecks = distinct(list(r, "healthChecks", Reader.healthCheck), HealthCheckDefinition.key)
	d.Check = optional(r, "check", Reader.check)
	d.Instances = optional(r, "instances", natural)
	if labels, ok := r.Optional("labels"); ok {
		d.Labels = labels.stringMap()
	}
	d.MaxLaunchDelaySeconds = optional(r, "maxLaunchDelaySeconds", natural)
	d.Mem = optional(r, "mem", positive)
	d.GPUs = optional(r, "gpus", natural)
	d.IPAddress = optional(r, "ipAddress", Reader.ipAddress)
	d.Networks = list(r, "networks", Reader.network)
	d.Ports = list(r, "ports", Reader.Int)
	d.PortDefinitions = list(r, "portDefinitions", Reader.portDefinition)
	d.ReadinessChecks = list(r, "readinessChecks", Reader.readinessCheck)
	d.Residency = optional(r, "residency", Reader.residency)
	d.ResourceLimits = optional(r, "resourceLimits", Reader.limits)
	d.RequirePorts = optional(r, "requirePorts", Reader.Bool)
	if secrets, ok := r.Optional("secrets"); ok {
		d.Secrets = readMap(secrets, Reader.secret)
	}
	d.TaskKillGracePeriodSeconds = optional(r, "taskKillGracePeriodSeconds", natural)
	d.UpgradeStrategy = optional(r, "upgradeStrategy", Reader.upgradeStrategy)
	d.URIs = list(r, "uris", Reader.String)
	d.User = optional(r, "user", Reader.String)
	d.Version = optional(r, "version", Reader.Time)
	if info, ok := r.Optional("versionInfo"); ok {
		d.hasVersionInfo = true
		info.versionInfo()
	}
	d.KillSelection = optional(r, "killSelection", func(r Reader) KillSelection { return Literal(r, YoungestFirst, OldestFirst) })
	d.UnreachableStrategy = optional(r, "unreachableStrategy", Reader.unreachableStrategy)
	d.TTY = optional(r, "tty", Reader.Bool)
	d.Role = optional(r, "role", func(r Reader) string { return r.text(1, unlimitedLength, nil) })
}

func (r Reader) envValue() EnvValue {
	if r.value.Kind == playjson.String {
		return EnvValue{Value: r.value.Text}
	}
	if !r.isObject() {
		return EnvValue{}
	}
	if name, ok := r.Mandatory("secret"); ok {
		return EnvValue{Value: name.String(), IsSecret: true}
	}
	return EnvValue{}
}

func (r Reader) executorResources() ExecutorResources {
	// The bounds are the integer parts of those in resources.raml, as in the original's readers.
	return ExecutorResources{
		CPUs: orElse(r, "cpus", func(r Reader) float64 { return r.FloatFrom(0) }, 0.1),
		Mem:  orElse(r, "mem", func(r Reader) float64 { return r.FloatFrom(32) }, 32),
		Disk: orElse(r, "disk", func(r Reader) float64 { return r.FloatFrom(10) }, 10),
	}
}

func (r Reader) artifact() FetchURI {
	var fetch FetchURI
	if uri, ok := r.Required("uri"); ok {
		fetch.URI = uri.text(1, longestURI, nil)
	}
	fetch.Extract = orElse(r, "extract", Reader.Bool, true)
	fetch.Executable = orElse(r, "executable", Reader.Bool, false)
	fetch.Cache = orElse(r, "cache", Reader.Bool, false)
	fetch.DestPath = optional(r, "destPath", func(r Reader) string { return r.text(1, longestURI, nil) })
	return fetch
}

func (r Reader) secret() Secret {
	if source, ok := r.Required("source"); ok {
		return Secret{source.text(1, unlimitedLength, nil)}
	}
	return Secret{}
}

func (r Reader) residency() Residency {
	return Residency{
		RelaunchEscalationTimeoutSeconds: orElse(r, "relaunchEscalationTimeoutSeconds", func(r Reader) int64 { return r.longFrom(0) }, 3600),
		TaskLostBehavior: orElse(r, "taskLostBehavior",
			func(r Reader) string { return Literal(r, "WAIT_FOREVER", "RELAUNCH_AFTER_TIMEOUT") }, "WAIT_FOREVER"),
	}
}

func (r Reader) limits() LimitsDefinition {
	if !r.isObject() {
		return LimitsDefinition{}
	}
	return LimitsDefinition{CPUs: optional(r, "cpus", Reader.limit), Mem: optional(r, "mem", Reader.limit)}
}

func (r Reader) limit() LimitDefinition {
	if r.value.Kind == playjson.String {
		return LimitDefinition{Word: &r.value.Text}
	}
	return LimitDefinition{Number: r.Float()}
}

func (r Reader) upgradeStrategy() UpgradeStrategy {
	var strategy UpgradeStrategy
	if over, ok := r.Required("maximumOverCapacity"); ok {
		strategy.MaximumOverCapacity = over.floatWithin(0, 1)
	}
	if health, ok := r.Required("minimumHealthCapacity"); ok {
		strategy.MinimumHealthCapacity = health.floatWithin(0, 1)
	}
	return strategy
}

func (r Reader) versionInfo() {
	if !r.isObject() {
		return
	}
	for _, key := range [...]string{"lastScalingAt", "lastConfigChangeAt"} {
		if at, ok := r.Mandatory(key); ok {
			at.Time()
		}
	}
}

func (r Reader) unreachableStrategy() UnreachableStrategy {
	// Any string means disabled.
	if r.value.Kind == playjson.String {
		return UnreachableStrategy{Disabled: true}
	}
	natural := func(r Reader) int64 { return r.longFrom(0) }
	return UnreachableStrategy{
		InactiveAfter: seconds(orElse(r, "inactiveAfterSeconds", natural, 0)),
		ExpungeAfter:  seconds(orElse(r, "expungeAfterSeconds", natural, 0)),
	}
}
