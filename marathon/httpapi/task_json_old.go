package httpapi

import (
	"stoa/marathon/instance"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// writeOldTask writes a task the way releases before 1.5 did: what is empty is left out
// or null (api/v2/json/Formats.scala there). 1.4 wrote the keys in the order of a hash
// table, which is the order that was seen.
func writeOldTask(w *playjson.Writer, view *View, i *instance.Instance, servicePorts []int) {
	task := i.Task()
	active := task.Condition.Active()
	started := func() {
		w.Key("startedAt")
		if task.StartedAt.IsZero() {
			w.Null()
		} else {
			w.Time(timestamp.Of(task.StartedAt))
		}
	}
	w.BeginObject()
	if w.Level.Before(level.V1_4) {
		w.StringField("id", task.ID)
		if !w.Level.Before(level.V1_1) {
			w.StringField("slaveId", i.Agent.AgentID)
		}
		w.StringField("host", i.Agent.Host)
		if w.Level.Before(level.V1_1) {
			writeInts(w, "ports", task.Network.HostPorts)
			started()
			w.TimeField("stagedAt", timestamp.Of(task.StagedAt))
			w.TimeField("version", task.Version)
			if !w.Level.Before(level.V0_11) {
				w.StringField("slaveId", i.Agent.AgentID)
			}
		} else {
			w.StringField("state", task.Condition.MesosState())
			if active {
				started()
				w.TimeField("stagedAt", timestamp.Of(task.StagedAt))
				writeInts(w, "ports", task.Network.HostPorts)
				w.TimeField("version", task.Version)
			}
			writeOldAddresses(w, task)
		}
		w.StringField("appId", i.AppID.String())
	} else {
		writeOldAddresses(w, task)
		if active {
			w.TimeField("stagedAt", timestamp.Of(task.StagedAt))
		}
		w.StringField("state", task.Condition.MesosState())
		if active {
			writeInts(w, "ports", task.Network.HostPorts)
			started()
			w.TimeField("version", task.Version)
		}
		w.StringField("id", task.ID)
		w.StringField("appId", i.AppID.String())
		w.StringField("slaveId", i.Agent.AgentID)
		w.StringField("host", i.Agent.Host)
	}
	if len(servicePorts) > 0 {
		writeInts(w, "servicePorts", servicePorts)
	}
	if results := view.Health[i.ID]; len(results) > 0 {
		w.Key("healthCheckResults")
		w.BeginArray()
		for _, result := range results {
			result.writeOld(w, task.ID)
		}
		w.EndArray()
	}
	w.EndObject()
}

func writeOldAddresses(w *playjson.Writer, task *instance.Task) {
	if len(task.Network.IPAddresses) == 0 {
		return
	}
	w.Key("ipAddresses")
	w.BeginArray()
	for _, address := range task.Network.IPAddresses {
		w.BeginObject()
		w.StringField("ipAddress", address.Address)
		w.StringField("protocol", address.Protocol)
		w.EndObject()
	}
	w.EndArray()
}

func (h Health) writeOld(w *playjson.Writer, taskID string) {
	nullTime := func(key string, at timestamp.Timestamp) {
		w.Key(key)
		if at == 0 {
			w.Null()
		} else {
			w.Time(at)
		}
	}
	w.BeginObject()
	w.BoolField("alive", h.Alive())
	w.IntField("consecutiveFailures", h.ConsecutiveFailures)
	nullTime("firstSuccess", h.FirstSuccess)
	nullTime("lastFailure", h.LastFailure)
	nullTime("lastSuccess", h.LastSuccess)
	if w.Level.Before(level.V1_4) {
		w.StringField("taskId", taskID)
	} else {
		nullString(w, "lastFailureCause", h.LastFailureCause)
		w.StringField("instanceId", h.InstanceID)
	}
	w.EndObject()
}
