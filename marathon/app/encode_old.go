package app

import (
	"strings"
	"time"

	"stoa/marathon/level"
	"stoa/marathon/playjson"
)

// writeOld writes the keys of the app the way releases before 1.5 did, which had other
// names for ports and networks and showed unset values as null
// (api/v2/json/Formats.scala there).
func (a *App) writeOld(w *playjson.Writer) {
	at := w.Level
	w.StringField("id", a.ID.String())
	nullableString(w, "cmd", a.Cmd)
	nullable(w, "args", len(a.Args) > 0, func() { strs(w, a.Args) })
	nullable(w, "user", a.User != nil, func() { w.String(*a.User) })
	a.writeEnv(w, true)
	w.IntField("instances", a.Instances)
	w.DoubleField("cpus", a.Resources.CPUs)
	w.DoubleField("mem", a.Resources.Mem)
	w.DoubleField("disk", a.Resources.Disk)
	if !at.Before(level.V1_4) {
		w.IntField("gpus", a.Resources.GPUs)
	}
	w.StringField("executor", a.Executor)
	writeConstraints(w, a.Constraints, true)
	w.Key("uris")
	w.BeginArray()
	for i := range a.Fetch {
		w.String(a.Fetch[i].URI)
	}
	w.EndArray()
	if !at.Before(level.V1_1) {
		a.writeFetch(w, true)
	}
	w.StringsField("storeUrls", nil)
	if at.Before(level.V1_4) {
		a.writeOldPorts(w)
	}
	secondsField(w, "backoffSeconds", a.Backoff.Backoff)
	w.DoubleField("backoffFactor", a.Backoff.Factor)
	secondsField(w, "maxLaunchDelaySeconds", a.Backoff.MaxLaunchDelay)
	nullable(w, "container", a.Container != nil, func() { a.writeOldContainer(w) })
	w.Key("healthChecks")
	w.BeginArray()
	for i := range a.HealthChecks {
		a.HealthChecks[i].WriteOld(w)
	}
	w.EndArray()
	if !at.Before(level.V1_1) {
		a.writeReadiness(w, true)
	}
	w.Key("dependencies")
	w.BeginArray()
	for _, dependency := range a.Dependencies {
		w.String(dependency.String())
	}
	w.EndArray()
	w.Key("upgradeStrategy")
	w.BeginObject()
	w.DoubleField("minimumHealthCapacity", a.UpgradeStrategy.MinimumHealthCapacity)
	w.DoubleField("maximumOverCapacity", a.UpgradeStrategy.MaximumOverCapacity)
	w.EndObject()
	writeLabels(w, "labels", a.Labels)
	if at.Before(level.V1_4) {
		a.endBefore14(w)
	} else {
		a.endOf14(w)
	}
}

func (a *App) endBefore14(w *playjson.Writer) {
	if !w.Level.Before(level.V0_11) {
		nullable(w, "acceptedResourceRoles", len(a.AcceptedResourceRoles) > 0, func() { strs(w, a.AcceptedResourceRoles) })
	}
	if !w.Level.Before(level.V1_1) {
		a.writeIPAddress(w)
	}
	w.TimeField("version", a.Version())
	if !w.Level.Before(level.V1_1) {
		nullable(w, "residency", a.IsResident(), func() { a.writeResidencyValue(w) })
	}
	if !w.Level.Before(level.V0_11) {
		a.writeVersionInfo(w)
	}
}

func (a *App) endOf14(w *playjson.Writer) {
	a.writeIPAddress(w)
	w.TimeField("version", a.Version())
	nullable(w, "residency", a.IsResident(), func() { a.writeResidencyValue(w) })
	a.writeSecrets(w, true)
	nullable(w, "taskKillGracePeriodSeconds", a.TaskKillGracePeriod != nil, func() { w.Int(int64(*a.TaskKillGracePeriod / time.Second)) })
	a.writeUnreachable(w)
	w.StringField("killSelection", string(a.KillSelection))
	if len(a.AcceptedResourceRoles) > 0 {
		w.StringsField("acceptedResourceRoles", a.AcceptedResourceRoles)
	}
	if !a.hasContainerNetwork() {
		a.writeOldPorts(w)
	}
	a.writeVersionInfo(w)
}

// hasContainerNetwork tells whether every task has an address of its own.
func (a *App) hasContainerNetwork() bool { return !a.HasHostNetwork() && !a.HasBridgeNetwork() }

func (a *App) writeOldPorts(w *playjson.Writer) {
	ports := a.ServicePorts()
	w.Key("ports")
	w.BeginArray()
	for _, port := range ports {
		w.Int(int64(port))
	}
	w.EndArray()
	if !w.Level.Before(level.V1_1) {
		w.Key("portDefinitions")
		w.BeginArray()
		for i, port := range ports {
			definition := PortDefinition{Protocol: TCP}
			if i < len(a.PortDefinitions) {
				definition = a.PortDefinitions[i]
			}
			w.BeginObject()
			w.IntField("port", port)
			w.StringField("protocol", string(definition.Protocol))
			w.OptionalString("name", definition.Name)
			writeLabels(w, "labels", definition.Labels)
			w.EndObject()
		}
		w.EndArray()
	}
	w.BoolField("requirePorts", a.RequirePorts)
}

// writeIPAddress is the network of tasks that have an address of their own.
func (a *App) writeIPAddress(w *playjson.Writer) {
	nullable(w, "ipAddress", a.hasContainerNetwork(), func() {
		network := &a.Networks[0]
		w.BeginObject()
		w.StringsField("groups", nil)
		writeLabels(w, "labels", network.Labels)
		w.Key("discovery")
		w.BeginObject()
		w.Key("ports")
		w.BeginArray()
		if a.Container != nil && a.Container.Type == ContainerMesos {
			for i := range a.Container.PortMappings {
				mapping := &a.Container.PortMappings[i]
				w.BeginObject()
				w.IntField("number", mapping.ContainerPort)
				w.StringField("name", mapping.Name)
				w.StringField("protocol", strings.Split(string(mapping.Protocol), ",")[0])
				writeLabels(w, "labels", mapping.Labels)
				w.EndObject()
			}
		}
		w.EndArray()
		w.EndObject()
		if !w.Level.Before(level.V1_4) {
			w.OptionalString("networkName", network.Name)
		}
		w.EndObject()
	})
}

// writeOldContainer has the ports and the network inside the docker part.
func (a *App) writeOldContainer(w *playjson.Writer) {
	container := a.Container
	w.BeginObject()
	w.StringField("type", string(container.Type))
	w.Key("volumes")
	w.BeginArray()
	for i := range container.Volumes {
		container.Volumes[i].writeOld(w)
	}
	w.EndArray()
	docker := container.Docker
	switch {
	case docker == nil && w.Level.Before(level.V1_4):
		w.Key("docker")
		w.Null()
	case docker == nil:
	case container.Type == ContainerMesos:
		w.Key("docker")
		w.BeginObject()
		w.StringField("image", docker.Image)
		nullable(w, "credential", docker.Credential != nil, func() {
			w.BeginObject()
			w.StringField("principal", docker.Credential.Principal)
			optionalString(w, "secret", docker.Credential.Secret)
			w.EndObject()
		})
		w.BoolField("forcePullImage", docker.ForcePullImage)
		w.EndObject()
	default:
		w.Key("docker")
		w.BeginObject()
		w.StringField("image", docker.Image)
		network := "USER"
		if a.HasHostNetwork() {
			network = "HOST"
		} else if a.HasBridgeNetwork() {
			network = "BRIDGE"
		}
		w.StringField("network", network)
		nullable(w, "portMappings", !a.HasHostNetwork(), func() {
			w.BeginArray()
			for i := range container.PortMappings {
				container.PortMappings[i].writeOld(w)
			}
			w.EndArray()
		})
		w.BoolField("privileged", docker.Privileged)
		w.Key("parameters")
		w.BeginArray()
		for _, parameter := range docker.Parameters {
			w.BeginObject()
			w.StringField("key", parameter.Key)
			w.StringField("value", parameter.Value)
			w.EndObject()
		}
		w.EndArray()
		w.BoolField("forcePullImage", docker.ForcePullImage)
		w.EndObject()
	}
	w.EndObject()
}

func (m *PortMapping) writeOld(w *playjson.Writer) {
	w.BeginObject()
	w.IntField("containerPort", m.ContainerPort)
	if m.HostPort != nil {
		w.IntField("hostPort", *m.HostPort)
	} else if w.Level.Before(level.V1_4) {
		w.IntField("hostPort", 0)
	}
	w.IntField("servicePort", m.ServicePort)
	w.StringField("protocol", string(m.Protocol))
	if !w.Level.Before(level.V1_1) {
		w.OptionalString("name", m.Name)
		writeLabels(w, "labels", m.Labels)
	}
	w.EndObject()
}

func (v *Volume) writeOld(w *playjson.Writer) {
	w.BeginObject()
	w.StringField("containerPath", v.ContainerPath)
	optionalString(w, "hostPath", v.HostPath)
	mode := "RW"
	if v.ReadOnly {
		mode = "RO"
	}
	w.StringField("mode", mode)
	switch {
	case v.Persistent != nil:
		w.Key("persistent")
		w.BeginObject()
		w.Key("size")
		w.Int(v.Persistent.Size)
		if v.Persistent.MaxSize != nil {
			w.Key("maxSize")
			w.Int(*v.Persistent.MaxSize)
		}
		w.StringField("type", string(v.Persistent.Type))
		writeConstraints(w, v.Persistent.Constraints, true)
		w.EndObject()
	case v.External != nil:
		v.External.write(w)
	}
	w.EndObject()
}

// WriteOld writes the health check the way releases before 1.5 did.
func (h *HealthCheck) WriteOld(w *playjson.Writer) {
	http := strings.Contains(string(h.Protocol), "HTTP")
	times := func() {
		secondsField(w, "gracePeriodSeconds", h.GracePeriod)
		secondsField(w, "intervalSeconds", h.Interval)
		secondsField(w, "timeoutSeconds", h.Timeout)
		w.IntField("maxConsecutiveFailures", h.MaxConsecutiveFailures)
	}
	command := func() {
		if h.Protocol == HealthCommand {
			w.Key("command")
			w.BeginObject()
			w.StringField("value", h.Command)
			w.EndObject()
		}
	}
	w.BeginObject()
	if w.Level.Before(level.V1_4) {
		optionalString(w, "path", h.Path)
		w.StringField("protocol", string(h.Protocol))
		optionalInt(w, "portIndex", h.PortIndex)
		command()
		times()
		w.BoolField("ignoreHttp1xx", h.IgnoreHTTP1xx)
		if !w.Level.Before(level.V1_1) {
			optionalInt(w, "port", h.Port)
		}
		w.EndObject()
		return
	}
	times()
	optionalInt(w, "portIndex", h.PortIndex)
	optionalInt(w, "port", h.Port)
	if http {
		optionalString(w, "path", h.Path)
		w.StringField("protocol", string(h.Protocol))
	}
	if !h.Protocol.ByMarathon() {
		secondsField(w, "delaySeconds", h.Delay)
	} else if http {
		w.BoolField("ignoreHttp1xx", h.IgnoreHTTP1xx)
	}
	command()
	if !http {
		w.StringField("protocol", string(h.Protocol))
	}
	w.EndObject()
}

// nullable writes a key with a value, or with null when there is none.
func nullable(w *playjson.Writer, key string, there bool, value func()) {
	w.Key(key)
	if !there {
		w.Null()
		return
	}
	value()
}

func nullableString(w *playjson.Writer, key, value string) {
	nullable(w, key, value != "", func() { w.String(value) })
}

func strs(w *playjson.Writer, values []string) {
	w.BeginArray()
	for _, value := range values {
		w.String(value)
	}
	w.EndArray()
}
