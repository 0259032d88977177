package core

import (
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/mesospb"
)

// operatorCall is an operator's call that changes something. Its answer is an
// [Answer] with the status and body of the original.
type operatorCall interface {
	Event
	carryOut(c *Core)
}

type (
	// DrainAgent empties an agent: nothing of it is offered any more and its tasks are
	// killed, each with its own grace period or MaxGracePeriod if that is shorter (nil
	// leaves the tasks theirs). MarkGone marks the agent gone once it is empty.
	DrainAgent struct {
		Request        RequestID
		Agent          string
		MaxGracePeriod *mesospb.DurationInfo
		MarkGone       bool
	}
	// DeactivateAgent takes an agent out of the offers; its tasks run on.
	DeactivateAgent struct {
		Request RequestID
		Agent   string
	}
	// ReactivateAgent ends what DeactivateAgent or a finished DrainAgent began.
	ReactivateAgent struct {
		Request RequestID
		Agent   string
	}
	// MarkAgentGone says that an agent will never come back.
	MarkAgentGone struct {
		Request RequestID
		Agent   string
	}

	// UpdateMaintenance replaces the maintenance schedule. The message must be the
	// caller's own to give away.
	UpdateMaintenance struct {
		Request  RequestID
		Schedule *maintenancepb.Schedule
	}
	// StartMaintenance brings scheduled machines down: agents on them are removed, and
	// kept out from then on.
	StartMaintenance struct {
		Request  RequestID
		Machines []*mesospb.MachineID
	}
	// StopMaintenance brings machines up again and takes them out of the schedule.
	StopMaintenance struct {
		Request  RequestID
		Machines []*mesospb.MachineID
	}

	// SetWhitelist has only agents of these host names offered; nil means all agents,
	// an empty list none. It has no answer.
	SetWhitelist struct{ Hostnames []string }
)

func (SetWhitelist) event()      {}
func (DrainAgent) event()        {}
func (DeactivateAgent) event()   {}
func (ReactivateAgent) event()   {}
func (MarkAgentGone) event()     {}
func (UpdateMaintenance) event() {}
func (StartMaintenance) event()  {}
func (StopMaintenance) event()   {}

func (e SetWhitelist) carryOut(c *Core)      { c.alloc.SetWhitelist(e.Hostnames) }
func (e DrainAgent) carryOut(c *Core)        { c.drainAgent(e) }
func (e DeactivateAgent) carryOut(c *Core)   { c.operatorDeactivate(e) }
func (e ReactivateAgent) carryOut(c *Core)   { c.reactivateAgent(e) }
func (e MarkAgentGone) carryOut(c *Core)     { c.markAgentGone(e) }
func (e UpdateMaintenance) carryOut(c *Core) { c.updateMaintenance(e) }
func (e StartMaintenance) carryOut(c *Core)  { c.startMaintenance(e) }
func (e StopMaintenance) carryOut(c *Core)   { c.stopMaintenance(e) }
