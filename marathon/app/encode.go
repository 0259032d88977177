package app

import (
	"time"

	"stoa/marathon/level"
	"stoa/marathon/playjson"
)

// Append writes the app as clients see it (App of app.raml): its version info is left out
// when it is not full.
func (a *App) Append(dst []byte, style playjson.Style) []byte {
	return a.AppendAt(dst, style, level.Present)
}

// AppendAt writes the app as clients of a release see it.
func (a *App) AppendAt(dst []byte, style playjson.Style, at level.Level) []byte {
	w := playjson.Writer{Buf: dst, Style: style, Level: at}
	w.BeginObject()
	a.WriteFields(&w)
	w.EndObject()
	return w.Buf
}

// WriteFields writes the keys of the app into an object that has been opened, so that the
// caller can add those of AppInfo.
func (a *App) WriteFields(w *playjson.Writer) {
	if w.Level.Before(level.V1_5) {
		a.writeOld(w)
		return
	}
	w.StringField("id", a.ID.String())
	if len(a.AcceptedResourceRoles) > 0 {
		w.StringsField("acceptedResourceRoles", a.AcceptedResourceRoles)
	}
	if len(a.Args) > 0 {
		w.StringsField("args", a.Args)
	}
	w.DoubleField("backoffFactor", a.Backoff.Factor)
	secondsField(w, "backoffSeconds", a.Backoff.Backoff)
	w.OptionalString("cmd", a.Cmd)
	writeConstraints(w, a.Constraints, false)
	a.writeContainer(w)
	w.DoubleField("cpus", a.Resources.CPUs)
	if len(a.Dependencies) > 0 {
		w.Key("dependencies")
		w.BeginArray()
		for _, dependency := range a.Dependencies {
			w.String(dependency.String())
		}
		w.EndArray()
	}
	w.DoubleField("disk", a.Resources.Disk)
	a.writeEnv(w, false)
	w.StringField("executor", a.Executor)
	if resources := a.ExecutorResources; resources != nil && !w.Level.Before(level.V1_6) {
		w.Key("executorResources")
		w.BeginObject()
		w.DoubleField("cpus", resources.CPUs)
		w.DoubleField("mem", resources.Mem)
		w.DoubleField("disk", resources.Disk)
		w.EndObject()
	}
	a.writeFetch(w, false)
	a.writeChecks(w)
	w.IntField("instances", a.Instances)
	writeLabels(w, "labels", a.Labels)
	secondsField(w, "maxLaunchDelaySeconds", a.Backoff.MaxLaunchDelay)
	w.DoubleField("mem", a.Resources.Mem)
	w.IntField("gpus", a.Resources.GPUs)
	a.writeNetworks(w)
	a.writeReadiness(w, false)
	a.writeResidency(w)
	if !w.Level.Before(level.V1_10) {
		a.writeLimits(w)
	}
	w.BoolField("requirePorts", a.RequirePorts)
	a.writeSecrets(w, false)
	if a.TaskKillGracePeriod != nil {
		secondsField(w, "taskKillGracePeriodSeconds", *a.TaskKillGracePeriod)
	}
	w.Key("upgradeStrategy")
	w.BeginObject()
	w.DoubleField("maximumOverCapacity", a.UpgradeStrategy.MaximumOverCapacity)
	w.DoubleField("minimumHealthCapacity", a.UpgradeStrategy.MinimumHealthCapacity)
	w.EndObject()
	optionalString(w, "user", a.User)
	w.TimeField("version", a.Version())
	a.writeVersionInfo(w)
	w.StringField("killSelection", string(a.KillSelection))
	a.writeUnreachable(w)
	if a.TTY != nil {
		w.BoolField("tty", *a.TTY)
	}
	if !w.Level.Before(level.V1_9) {
		w.StringField("role", a.Role)
	}
}

func (a *App) writeVersionInfo(w *playjson.Writer) {
	info := a.VersionInfo
	if !info.Full {
		return
	}
	w.Key("versionInfo")
	w.BeginObject()
	w.TimeField("lastScalingAt", info.LastScalingAt)
	w.TimeField("lastConfigChangeAt", info.LastConfigChangeAt)
	w.EndObject()
}

func secondsField(w *playjson.Writer, key string, d time.Duration) {
	w.Key(key)
	w.Int(int64(d / time.Second))
}

func optionalString(w *playjson.Writer, key string, value *string) {
	if value != nil {
		w.StringField(key, *value)
	}
}

func optionalInt(w *playjson.Writer, key string, value *int) {
	if value != nil {
		w.IntField(key, *value)
	}
}

func writeLabels(w *playjson.Writer, key string, labels Map[string]) {
	w.Key(key)
	w.BeginObject()
	for _, label := range labels {
		w.AnyKey(label.Key)
		w.String(label.Value)
	}
	w.EndObject()
}

func writeConstraints(w *playjson.Writer, constraints []Constraint, always bool) {
	if len(constraints) == 0 && !always {
		return
	}
	w.Key("constraints")
	w.BeginArray()
	for _, constraint := range constraints {
		w.BeginArray()
		for _, part := range constraint.Strings() {
			w.String(part)
		}
		w.EndArray()
	}
	w.EndArray()
}

func (a *App) writeEnv(w *playjson.Writer, always bool) {
	if len(a.Env) == 0 && !always {
		return
	}
	w.Key("env")
	w.BeginObject()
	for _, variable := range a.Env {
		w.AnyKey(variable.Key)
		if !variable.Value.IsSecret {
			w.String(variable.Value.Value)
			continue
		}
		w.BeginObject()
		w.StringField("secret", variable.Value.Value)
		w.EndObject()
	}
	w.EndObject()
}

func (a *App) writeSecrets(w *playjson.Writer, always bool) {
	if len(a.Secrets) == 0 && !always {
		return
	}
	w.Key("secrets")
	w.BeginObject()
	for _, secret := range a.Secrets {
		w.AnyKey(secret.Key)
		w.BeginObject()
		w.StringField("source", secret.Value.Source)
		w.EndObject()
	}
	w.EndObject()
}

func (a *App) writeFetch(w *playjson.Writer, always bool) {
	if len(a.Fetch) == 0 && !always {
		return
	}
	w.Key("fetch")
	w.BeginArray()
	for i := range a.Fetch {
		fetch := &a.Fetch[i]
		w.BeginObject()
		w.StringField("uri", fetch.URI)
		w.BoolField("extract", fetch.Extract)
		w.BoolField("executable", fetch.Executable)
		w.BoolField("cache", fetch.Cache)
		optionalString(w, "destPath", fetch.DestPath)
		w.EndObject()
	}
	w.EndArray()
}

func (a *App) writeNetworks(w *playjson.Writer) {
	w.Key("networks")
	w.BeginArray()
	for i := range a.Networks {
		network := &a.Networks[i]
		w.BeginObject()
		w.OptionalString("name", network.Name)
		w.StringField("mode", string(network.Mode))
		if len(network.Labels) > 0 {
			writeLabels(w, "labels", network.Labels)
		}
		w.EndObject()
	}
	w.EndArray()
	if !a.HasHostNetwork() {
		return
	}
	w.Key("portDefinitions")
	w.BeginArray()
	for i := range a.PortDefinitions {
		port := &a.PortDefinitions[i]
		w.BeginObject()
		w.IntField("port", port.Port)
		if len(port.Labels) > 0 {
			writeLabels(w, "labels", port.Labels)
		}
		w.OptionalString("name", port.Name)
		w.StringField("protocol", string(port.Protocol))
		w.EndObject()
	}
	w.EndArray()
}

func (a *App) writeResidency(w *playjson.Writer) {
	if !a.IsResident() {
		return
	}
	w.Key("residency")
	a.writeResidencyValue(w)
}

func (a *App) writeResidencyValue(w *playjson.Writer) {
	timeout := time.Hour
	if !a.UnreachableStrategy.Disabled {
		timeout = a.UnreachableStrategy.InactiveAfter
	}
	w.BeginObject()
	secondsField(w, "relaunchEscalationTimeoutSeconds", timeout)
	w.StringField("taskLostBehavior", "WAIT_FOREVER")
	w.EndObject()
}

func (a *App) writeLimits(w *playjson.Writer) {
	if a.ResourceLimits == nil {
		return
	}
	limit := func(key string, value *Limit) {
		switch {
		case value == nil:
		case value.Unlimited():
			w.StringField(key, "unlimited")
		default:
			w.DoubleField(key, float64(*value))
		}
	}
	w.Key("resourceLimits")
	w.BeginObject()
	limit("cpus", a.ResourceLimits.CPUs)
	limit("mem", a.ResourceLimits.Mem)
	w.EndObject()
}

func (a *App) writeUnreachable(w *playjson.Writer) {
	w.Key("unreachableStrategy")
	if a.UnreachableStrategy.Disabled {
		w.String("disabled")
		return
	}
	w.BeginObject()
	secondsField(w, "inactiveAfterSeconds", a.UnreachableStrategy.InactiveAfter)
	secondsField(w, "expungeAfterSeconds", a.UnreachableStrategy.ExpungeAfter)
	w.EndObject()
}
