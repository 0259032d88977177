package core

import (
	"time"

	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// Effects are the outcome of decisions. Writes come first, as one atomic batch; only
// when it is durable may After be carried out, in order.
type Effects struct {
	Writes []Write
	After  []Effect
}

// Empty says that there is nothing to do.
func (e *Effects) Empty() bool { return len(e.Writes) == 0 && len(e.After) == 0 }

// Take gives the effects since the last Take.
func (c *Core) Take() Effects {
	out := c.out
	c.out = Effects{}
	return out
}

func (c *Core) write(w Write)   { c.out.Writes = append(c.out.Writes, w) }
func (c *Core) effect(e Effect) { c.out.After = append(c.out.After, e) }

func (c *Core) call(call *schedulerpb.Call) {
	if c.connected {
		c.effect(Call{call})
	}
}

// Answer has do called once everything decided so far is durable.
func (c *Core) Answer(do func()) { c.effect(Answer{do}) }

func (c *Core) publish(e event.Event, now time.Time) {
	c.effect(Publish{e, timestamp.Of(now)})
}

// Write is a change of the durable state. Later writes of a batch win.
type Write interface{ write() }

// The durable records.
type (
	// PutFrameworkID stores the id that Mesos gave out.
	PutFrameworkID struct{ ID string }
	// PutTree stores the groups of a tree, without their apps.
	PutTree struct{ Root *group.Root }
	// PutVersion stores the version of the tree alone.
	PutVersion struct{ Version timestamp.Timestamp }
	// PutApp stores the present definition of an app, and as a version of it.
	PutApp struct{ App *app.App }
	// DropApp removes the present definition of an app; its versions stay.
	DropApp struct{ AppID id.Path }
	// DropVersion removes one version of an app.
	DropVersion struct {
		AppID   id.Path
		Version timestamp.Timestamp
	}
	// PutChange stores how the tree changed.
	PutChange struct{ Change RootChange }
	// DropChange removes the oldest such record.
	DropChange struct{ Version timestamp.Timestamp }
	// PutInstance stores an instance.
	PutInstance struct{ Instance *instance.Instance }
	// DropInstance removes one.
	DropInstance struct{ InstanceID string }
	// PutDeployment stores a running deployment.
	PutDeployment struct{ Plan *deployment.Plan }
	// DropDeployment removes one that has ended.
	DropDeployment struct{ ID string }
	// PutFailure stores the last failure of an app.
	PutFailure struct{ Failure *TaskFailure }
	// DropFailure removes it.
	DropFailure struct{ AppID id.Path }
)

func (PutFrameworkID) write() {}
func (PutTree) write()        {}
func (PutVersion) write()     {}
func (PutApp) write()         {}
func (DropApp) write()        {}
func (DropVersion) write()    {}
func (PutChange) write()      {}
func (DropChange) write()     {}
func (PutInstance) write()    {}
func (DropInstance) write()   {}
func (PutDeployment) write()  {}
func (DropDeployment) write() {}
func (PutFailure) write()     {}
func (DropFailure) write()    {}

// Effect is something to do once the writes are durable.
type Effect interface{ effect() }

// The effects.
type (
	// Call sends a call to the master; the framework id is filled in on the way.
	Call struct{ Call *schedulerpb.Call }
	// Publish tells an event.
	Publish struct {
		Event event.Event
		At    timestamp.Timestamp
	}
	// Roles tells the roles to subscribe with, and those of them without demand.
	Roles struct{ All, Suppressed []string }
	// StartProbe begins to check the health of a task; results come to HealthResult.
	StartProbe struct{ Probe Probe }
	// StopProbe ends it.
	StopProbe struct{ Key ProbeKey }
	// StartReadiness begins to ask a task whether it is ready; results come to
	// ReadinessResult.
	StartReadiness struct{ Probe ReadinessProbe }
	// StopReadiness ends it.
	StopReadiness struct{ TaskID string }
	// Answer lets a caller know that its request is durable.
	Answer struct{ Do func() }
)

func (Call) effect()           {}
func (Publish) effect()        {}
func (Roles) effect()          {}
func (StartProbe) effect()     {}
func (StopProbe) effect()      {}
func (StartReadiness) effect() {}
func (StopReadiness) effect()  {}
func (Answer) effect()         {}

// TaskFailure is the last failure of a task of an app.
type TaskFailure struct {
	AppID     id.Path
	TaskID    string
	AgentID   string
	Host      string
	State     string
	Message   string
	Version   timestamp.Timestamp
	Timestamp timestamp.Timestamp
}

// RootChange tells how to get from a version of the tree to the one before.
type RootChange struct {
	Version, Previous timestamp.Timestamp
	// Apps are those that changed, each with the version it had before; 0 when it did
	// not exist.
	Apps []AppVersion
	// Groups are the groups before, nil when they were the same.
	Groups []GroupRecord `json:",omitempty"`
}

// AppVersion is a reference to a stored definition.
type AppVersion struct {
	AppID   id.Path
	Version timestamp.Timestamp
}

// GroupRecord is a group without what is in it.
type GroupRecord struct {
	ID           id.Path
	Dependencies []id.Path `json:",omitempty"`
	EnforceRole  bool      `json:",omitempty"`
}

// GroupRecords lists the groups of a tree, parents first, the root included.
func GroupRecords(root *group.Root) []GroupRecord {
	out := []GroupRecord{{ID: id.Root, Dependencies: root.Dependencies, EnforceRole: root.EnforceRole}}
	for g := range root.AllGroups() {
		out = append(out, GroupRecord{ID: g.ID, Dependencies: g.Dependencies, EnforceRole: g.EnforceRole})
	}
	return out
}
