// Package event holds the events that Marathon tells the world about, and hands them
// to whoever listens.
//
// Comes in: typed events in the order in which things happened, after they became
// durable. Goes out: their JSON, encoded once for all subscribers. A subscriber that
// does not keep up is dropped, never waited for.
package event

import (
	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/level"
	"stoa/marathon/timestamp"
)

// Event is one event. Its JSON keys have the original's order
// (core/event/Events.scala and the formats in api/v2/json/Formats.scala).
type Event interface {
	// Type is the eventType, which is also the name of the frame in the event stream.
	Type() string
	// body writes the JSON; at is when the event came about.
	body(w *writer, at timestamp.Timestamp)
}

// Encode writes the JSON of an event that came about at a time.
func Encode(e Event, at timestamp.Timestamp) []byte {
	return EncodeAt(e, at, level.Present).JSON
}

// The names of the events.
const (
	TypeAPIPost                   = "api_post_event"
	TypeStreamAttached            = "event_stream_attached"
	TypeStreamDetached            = "event_stream_detached"
	TypeSchedulerRegistered       = "scheduler_registered_event"
	TypeSchedulerReregistered     = "scheduler_reregistered_event"
	TypeSchedulerDisconnected     = "scheduler_disconnected_event"
	TypeGroupChangeSuccess        = "group_change_success"
	TypeGroupChangeFailed         = "group_change_failed"
	TypeDeploymentInfo            = "deployment_info"
	TypeDeploymentStepSuccess     = "deployment_step_success"
	TypeDeploymentStepFailure     = "deployment_step_failure"
	TypeDeploymentSuccess         = "deployment_success"
	TypeDeploymentFailed          = "deployment_failed"
	TypeAppTerminated             = "app_terminated_event"
	TypeStatusUpdate              = "status_update_event"
	TypeInstanceChanged           = "instance_changed_event"
	TypeInstanceHealthChanged     = "instance_health_changed_event"
	TypeUnknownInstanceTerminated = "unknown_instance_terminated_event"
	TypeAddHealthCheck            = "add_health_check_event"
	TypeRemoveHealthCheck         = "remove_health_check_event"
	TypeFailedHealthCheck         = "failed_health_check_event"
	TypeHealthStatusChanged       = "health_status_changed_event"
	TypeUnhealthyInstanceKill     = "unhealthy_instance_kill_event"
	TypeFrameworkMessage          = "framework_message_event"
	TypeSubscribe                 = "subscribe_event"
	TypeUnsubscribe               = "unsubscribe_event"
)

// APIPost tells that a call defined an app.
type APIPost struct {
	ClientIP, URI string
	Definition    *app.App
}

// Type is api_post_event.
func (APIPost) Type() string { return TypeAPIPost }

func (e APIPost) body(w *writer, at timestamp.Timestamp) {
	w.StringField("clientIp", e.ClientIP)
	w.StringField("uri", e.URI)
	w.Key("appDefinition")
	w.Raw(e.Definition.AppendAt(nil, w.Style, w.Level))
	w.trailer(e, at)
}

// StreamAttached tells that someone began to read the event stream.
type StreamAttached struct{ RemoteAddress string }

// Type is event_stream_attached.
func (StreamAttached) Type() string { return TypeStreamAttached }

func (e StreamAttached) body(w *writer, at timestamp.Timestamp) {
	w.StringField("remoteAddress", e.RemoteAddress)
	w.trailer(e, at)
}

// StreamDetached tells that a reader of the event stream is gone.
type StreamDetached struct{ RemoteAddress string }

// Type is event_stream_detached.
func (StreamDetached) Type() string { return TypeStreamDetached }

func (e StreamDetached) body(w *writer, at timestamp.Timestamp) {
	w.StringField("remoteAddress", e.RemoteAddress)
	w.trailer(e, at)
}

// SchedulerRegistered tells of the very first registration with a master.
type SchedulerRegistered struct{ FrameworkID, Master string }

// Type is scheduler_registered_event.
func (SchedulerRegistered) Type() string { return TypeSchedulerRegistered }

func (e SchedulerRegistered) body(w *writer, at timestamp.Timestamp) {
	w.StringField("frameworkId", e.FrameworkID)
	w.StringField("master", e.Master)
	w.trailer(e, at)
}

// SchedulerReregistered tells of any later registration.
type SchedulerReregistered struct{ Master string }

// Type is scheduler_reregistered_event.
func (SchedulerReregistered) Type() string { return TypeSchedulerReregistered }

func (e SchedulerReregistered) body(w *writer, at timestamp.Timestamp) {
	w.StringField("master", e.Master)
	w.trailer(e, at)
}

// SchedulerDisconnected tells that the connection to the master is lost.
type SchedulerDisconnected struct{}

// Type is scheduler_disconnected_event.
func (SchedulerDisconnected) Type() string { return TypeSchedulerDisconnected }

func (e SchedulerDisconnected) body(w *writer, at timestamp.Timestamp) { w.trailer(e, at) }

// GroupChangeSuccess tells that a change of the tree was accepted.
type GroupChangeSuccess struct {
	GroupID id.Path
	Version timestamp.Timestamp
}

// Type is group_change_success.
func (GroupChangeSuccess) Type() string { return TypeGroupChangeSuccess }

func (e GroupChangeSuccess) body(w *writer, at timestamp.Timestamp) {
	w.StringField("groupId", string(e.GroupID))
	w.TimeField("version", e.Version)
	w.trailer(e, at)
}

// GroupChangeFailed tells that a change of the tree was refused.
type GroupChangeFailed struct {
	GroupID id.Path
	Version timestamp.Timestamp
	Reason  string
}

// Type is group_change_failed.
func (GroupChangeFailed) Type() string { return TypeGroupChangeFailed }

func (e GroupChangeFailed) body(w *writer, at timestamp.Timestamp) {
	w.StringField("groupId", string(e.GroupID))
	w.TimeField("version", e.Version)
	w.StringField("reason", e.Reason)
	w.trailer(e, at)
}

// DeploymentStep tells that a step of a deployment began, succeeded or failed.
type DeploymentStep struct {
	// Kind is TypeDeploymentInfo, TypeDeploymentStepSuccess or TypeDeploymentStepFailure.
	Kind string
	Plan *deployment.Plan
	Step deployment.Step
}

// Type is the Kind.
func (e DeploymentStep) Type() string { return e.Kind }

func (e DeploymentStep) body(w *writer, at timestamp.Timestamp) {
	w.plan(e.Plan)
	w.Key("currentStep")
	w.step(e.Step)
	w.trailer(e, at)
}

// DeploymentSuccess tells that a deployment has reached its aim.
type DeploymentSuccess struct{ Plan *deployment.Plan }

// Type is deployment_success.
func (DeploymentSuccess) Type() string { return TypeDeploymentSuccess }

func (e DeploymentSuccess) body(w *writer, at timestamp.Timestamp) {
	w.StringField("id", e.Plan.ID)
	if !w.Level.Before(level.V0_11) {
		w.plan(e.Plan)
	}
	w.trailer(e, at)
}

// DeploymentFailed tells that a deployment was cancelled or refused.
type DeploymentFailed struct {
	Plan   *deployment.Plan
	Reason string
}

// Type is deployment_failed.
func (DeploymentFailed) Type() string { return TypeDeploymentFailed }

func (e DeploymentFailed) body(w *writer, at timestamp.Timestamp) {
	w.StringField("id", e.Plan.ID)
	if !w.Level.Before(level.V0_11) {
		w.plan(e.Plan)
	}
	w.trailer(e, at)
	if e.Reason != "" && !w.Level.Before(level.V1_6) {
		w.StringField("reason", e.Reason)
	}
}

// AppTerminated tells that an app and all its instances are gone.
type AppTerminated struct{ AppID id.Path }

// Type is app_terminated_event.
func (AppTerminated) Type() string { return TypeAppTerminated }

func (e AppTerminated) body(w *writer, at timestamp.Timestamp) {
	w.StringField("appId", string(e.AppID))
	w.trailer(e, at)
}

// StatusUpdate tells what Mesos reported about a task.
type StatusUpdate struct {
	Instance *instance.Instance
	Task     instance.Task
}

// Type is status_update_event.
func (StatusUpdate) Type() string { return TypeStatusUpdate }

func (e StatusUpdate) body(w *writer, at timestamp.Timestamp) {
	host := e.Instance.Hostname()
	if host == "" {
		host = "unknown"
	}
	state := "TASK_STAGING"
	if e.Task.Status != nil {
		state = e.Task.Status.GetState().String()
	}
	w.StringField("slaveId", e.Task.Status.GetAgentId().GetValue())
	w.StringField("taskId", e.Task.ID)
	w.StringField("taskStatus", state)
	w.StringField("message", e.Task.Status.GetMessage())
	w.StringField("appId", string(e.Instance.AppID))
	w.StringField("host", host)
	if !w.Level.Before(level.V0_14) {
		w.Key("ipAddresses")
		w.array(len(e.Task.Network.IPAddresses), func(i int) {
			ip := e.Task.Network.IPAddresses[i]
			w.BeginObject()
			w.StringField("ipAddress", ip.Address)
			w.StringField("protocol", ip.Protocol)
			w.EndObject()
		})
	}
	w.Key("ports")
	w.array(len(e.Task.Network.HostPorts), func(i int) {
		w.Int(int64(e.Task.Network.HostPorts[i]))
	})
	w.TimeField("version", e.Instance.Version)
	w.trailer(e, at)
}

// InstanceChanged tells that the condition or the goal of an instance is another one.
type InstanceChanged struct{ Instance *instance.Instance }

// Type is instance_changed_event.
func (InstanceChanged) Type() string { return TypeInstanceChanged }

func (e InstanceChanged) body(w *writer, at timestamp.Timestamp) {
	i := e.Instance
	w.StringField("instanceId", i.ID)
	w.StringField("condition", string(i.State.Condition))
	w.StringField("runSpecId", string(i.AppID))
	if i.Agent != nil {
		w.StringField("agentId", i.Agent.AgentID)
		w.StringField("host", i.Agent.Host)
	} else {
		w.null("agentId")
		w.null("host")
	}
	w.TimeField("runSpecVersion", i.Version)
	w.TimeField("timestamp", at)
	w.StringField("eventType", e.Type())
}

// InstanceHealthChanged tells that the health of an instance, over all its checks, is
// another one; nil means that it is not known any more.
type InstanceHealthChanged struct {
	Instance *instance.Instance
	Healthy  *bool
}

// Type is instance_health_changed_event.
func (InstanceHealthChanged) Type() string { return TypeInstanceHealthChanged }

func (e InstanceHealthChanged) body(w *writer, at timestamp.Timestamp) {
	w.StringField("instanceId", e.Instance.ID)
	w.StringField("runSpecId", string(e.Instance.AppID))
	if e.Healthy != nil {
		w.BoolField("healthy", *e.Healthy)
	} else {
		w.null("healthy")
	}
	w.TimeField("runSpecVersion", e.Instance.Version)
	w.TimeField("timestamp", at)
	w.StringField("eventType", e.Type())
}

// UnknownInstanceTerminated tells of the end of a task that Marathon does not know.
type UnknownInstanceTerminated struct {
	InstanceID string
	AppID      id.Path
	Condition  instance.Condition
}

// Type is unknown_instance_terminated_event.
func (UnknownInstanceTerminated) Type() string { return TypeUnknownInstanceTerminated }

func (e UnknownInstanceTerminated) body(w *writer, at timestamp.Timestamp) {
	if w.Level.Before(level.V1_4) {
		w.StringField("taskId", e.InstanceID)
		w.StringField("appId", string(e.AppID))
		w.StringField("taskStatus", e.Condition.MesosState())
		w.trailer(e, at)
		return
	}
	w.StringField("instanceId", e.InstanceID)
	w.StringField("runSpecId", string(e.AppID))
	w.StringField("condition", string(e.Condition))
	w.TimeField("timestamp", at)
	w.StringField("eventType", e.Type())
}

// AddHealthCheck tells that Marathon begins to perform a check for a version of an app.
type AddHealthCheck struct {
	AppID   id.Path
	Version timestamp.Timestamp
	Check   app.HealthCheck
}

// Type is add_health_check_event.
func (AddHealthCheck) Type() string { return TypeAddHealthCheck }

func (e AddHealthCheck) body(w *writer, at timestamp.Timestamp) {
	w.StringField("appId", string(e.AppID))
	if w.Level.Before(level.V1_5) {
		w.TimeField("version", e.Version)
		w.healthCheck(e.Check)
		w.trailer(e, at)
		return
	}
	w.StringField("eventType", e.Type())
	w.healthCheck(e.Check)
	w.TimeField("timestamp", at)
	w.TimeField("version", e.Version)
}

// RemoveHealthCheck tells that a check of an app is not performed any more.
type RemoveHealthCheck struct{ AppID id.Path }

// Type is remove_health_check_event.
func (RemoveHealthCheck) Type() string { return TypeRemoveHealthCheck }

func (e RemoveHealthCheck) body(w *writer, at timestamp.Timestamp) {
	w.StringField("appId", string(e.AppID))
	w.trailer(e, at)
}

// FailedHealthCheck tells of one failed check that counts.
type FailedHealthCheck struct {
	AppID      id.Path
	InstanceID string
	Check      app.HealthCheck
}

// Type is failed_health_check_event.
func (FailedHealthCheck) Type() string { return TypeFailedHealthCheck }

func (e FailedHealthCheck) body(w *writer, at timestamp.Timestamp) {
	w.StringField("appId", string(e.AppID))
	if w.Level.Before(level.V1_5) {
		w.StringField("taskId", e.InstanceID)
		w.healthCheck(e.Check)
		w.trailer(e, at)
		return
	}
	w.StringField("eventType", e.Type())
	w.healthCheck(e.Check)
	// Upstream has kept the old key for what is an instance's id now.
	w.StringField("taskId", e.InstanceID)
	w.TimeField("timestamp", at)
}

// HealthStatusChanged tells that a check turned from success to failure or back.
type HealthStatusChanged struct {
	AppID      id.Path
	InstanceID string
	Version    timestamp.Timestamp
	Alive      bool
}

// Type is health_status_changed_event.
func (HealthStatusChanged) Type() string { return TypeHealthStatusChanged }

func (e HealthStatusChanged) body(w *writer, at timestamp.Timestamp) {
	w.StringField("appId", string(e.AppID))
	key := "instanceId"
	if w.Level.Before(level.V1_4) {
		key = "taskId"
	}
	w.StringField(key, e.InstanceID)
	w.TimeField("version", e.Version)
	w.BoolField("alive", e.Alive)
	w.trailer(e, at)
}

// UnhealthyInstanceKill tells that an instance is killed for its failed checks.
type UnhealthyInstanceKill struct {
	Instance *instance.Instance
	Version  timestamp.Timestamp
	Reason   string
}

// Type is unhealthy_instance_kill_event.
func (UnhealthyInstanceKill) Type() string { return TypeUnhealthyInstanceKill }

func (e UnhealthyInstanceKill) body(w *writer, at timestamp.Timestamp) {
	taskID := ""
	if t := e.Instance.Task(); t != nil {
		taskID = t.ID
	}
	w.StringField("appId", string(e.Instance.AppID))
	w.StringField("taskId", taskID)
	if !w.Level.Before(level.V1_4) {
		w.StringField("instanceId", e.Instance.ID)
	}
	w.TimeField("version", e.Version)
	w.StringField("reason", e.Reason)
	w.StringField("host", e.Instance.Hostname())
	if e.Instance.Agent != nil && e.Instance.Agent.AgentID != "" {
		w.StringField("slaveId", e.Instance.Agent.AgentID)
	}
	w.trailer(e, at)
}

// FrameworkMessage passes on what an executor sent.
type FrameworkMessage struct {
	ExecutorID, AgentID string
	Data                []byte
}

// Type is framework_message_event.
func (FrameworkMessage) Type() string { return TypeFrameworkMessage }

func (e FrameworkMessage) body(w *writer, at timestamp.Timestamp) {
	w.StringField("executorId", e.ExecutorID)
	w.StringField("slaveId", e.AgentID)
	w.Key("message")
	// The original writes a Java byte array, whose bytes are signed.
	w.array(len(e.Data), func(i int) { w.Int(int64(int8(e.Data[i]))) })
	w.trailer(e, at)
}
