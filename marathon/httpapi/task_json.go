package httpapi

import (
	"stoa/marathon/instance"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// shown tells whether an instance has tasks to show: it has been placed on an agent.
func shown(i *instance.Instance) bool { return i.Agent != nil && len(i.Tasks) > 0 }

// writeTask writes the first task of an instance (raml/TaskConversion.scala), or nothing
// when there is none to show.
func writeTask(w *playjson.Writer, view *View, i *instance.Instance, servicePorts []int) {
	if !shown(i) {
		return
	}
	if w.Level.Before(level.V1_5) {
		writeOldTask(w, view, i, servicePorts)
		return
	}
	task := i.Task()
	active := task.Condition.Active()
	w.BeginObject()
	w.StringField("appId", i.AppID.String())
	w.Key("healthCheckResults")
	w.BeginArray()
	for _, result := range view.Health[i.ID] {
		result.write(w)
	}
	w.EndArray()
	writeCheckResult(w, task)
	w.StringField("host", i.Agent.Host)
	w.StringField("id", task.ID)
	w.Key("ipAddresses")
	w.BeginArray()
	for _, address := range task.Network.IPAddresses {
		w.BeginObject()
		w.StringField("ipAddress", address.Address)
		w.StringField("protocol", address.Protocol)
		w.EndObject()
	}
	w.EndArray()
	ports := task.Network.HostPorts
	if !active {
		ports = nil
	}
	writeInts(w, "ports", ports)
	writeInts(w, "servicePorts", servicePorts)
	w.OptionalString("slaveId", i.Agent.AgentID)
	w.StringField("state", task.Condition.MesosState())
	if active {
		w.TimeField("stagedAt", timestamp.Of(task.StagedAt))
		if !task.StartedAt.IsZero() {
			w.TimeField("startedAt", timestamp.Of(task.StartedAt))
		}
		w.TimeField("version", task.Version)
	}
	w.Key("localVolumes")
	w.BeginArray()
	w.EndArray()
	w.OptionalString("region", i.Agent.Region)
	w.OptionalString("zone", i.Agent.Zone)
	if !w.Level.Before(level.V1_9) {
		w.StringField("role", i.Role)
	}
	w.EndObject()
}

func writeInts(w *playjson.Writer, key string, values []int) {
	w.Key(key)
	w.BeginArray()
	for _, value := range values {
		w.Int(int64(value))
	}
	w.EndArray()
}

// writeCheckResult writes what Mesos last reported of the app's generic check.
func writeCheckResult(w *playjson.Writer, task *instance.Task) {
	check := task.Status.GetCheckStatus()
	one := func(kind, key string, value func()) {
		w.Key("checkResult")
		w.BeginObject()
		w.Key(kind)
		w.BeginObject()
		w.Key(key)
		value()
		w.EndObject()
		w.EndObject()
	}
	switch {
	case check == nil:
	case check.GetHttp() != nil && check.GetHttp().StatusCode != nil:
		one("http", "statusCode", func() { w.Int(int64(check.GetHttp().GetStatusCode())) })
	case check.GetTcp() != nil && check.GetTcp().Succeeded != nil:
		one("tcp", "succeeded", func() { w.Bool(check.GetTcp().GetSucceeded()) })
	case check.GetCommand() != nil && check.GetCommand().ExitCode != nil:
		one("command", "exitCode", func() { w.Int(int64(check.GetCommand().GetExitCode())) })
	}
}

func (h Health) write(w *playjson.Writer) {
	w.BeginObject()
	w.BoolField("alive", h.Alive())
	w.IntField("consecutiveFailures", h.ConsecutiveFailures)
	optionalTime(w, "firstSuccess", h.FirstSuccess)
	// The original prints the debugging form of its id type.
	w.StringField("instanceId", "instance ["+h.InstanceID+"]")
	optionalTime(w, "lastSuccess", h.LastSuccess)
	optionalTime(w, "lastFailure", h.LastFailure)
	w.OptionalString("lastFailureCause", h.LastFailureCause)
	w.EndObject()
}

func optionalTime(w *playjson.Writer, key string, at timestamp.Timestamp) {
	if at != 0 {
		w.TimeField(key, at)
	}
}
