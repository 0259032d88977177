package sim

import (
	"google.golang.org/protobuf/proto"

	"stoa/internal/libprocess"
)

// Effect is something an agent wants done, in order.
type Effect interface{ effect() }

// Send sends a message from the agent.
type Send struct {
	To   libprocess.UPID
	Body proto.Message
}

// Link watches the connection to a process; [Agent.Exited] follows when it breaks.
type Link struct{ To libprocess.UPID }

// End says that the agent has shut down: it hears nothing more.
type End struct{}

func (Send) effect() {}
func (Link) effect() {}
func (End) effect()  {}

// Counts are what has happened to some agents. Those that only grow count since the start.
type Counts struct {
	// Registered agents believe that the master knows them, Silent ones are stopped,
	// Ended ones were told to shut down.
	Registered, Silent, Ended int
	// Tasks are those that were launched and whose end is not acknowledged; Running
	// those of them whose newest state is TASK_RUNNING.
	Tasks, Running int
	// Launched counts tasks, Dropped those that were refused, Updates status updates
	// without the Retries, Acknowledged their acknowledgements, Unexpected
	// acknowledgements that fit no update, Kills the demands to kill,
	// Operations those that were applied.
	Launched, Dropped, Updates, Retries, Acknowledged, Unexpected, Kills, Operations int
	// Registrations counts completed registrations and re-registrations, Ignored the
	// messages that make no sense or come from somebody else.
	Registrations, Ignored int
}

// add sums up.
func (c *Counts) add(o Counts) {
	c.Registered += o.Registered
	c.Silent += o.Silent
	c.Ended += o.Ended
	c.Tasks += o.Tasks
	c.Running += o.Running
	c.Launched += o.Launched
	c.Dropped += o.Dropped
	c.Updates += o.Updates
	c.Retries += o.Retries
	c.Acknowledged += o.Acknowledged
	c.Unexpected += o.Unexpected
	c.Kills += o.Kills
	c.Operations += o.Operations
	c.Registrations += o.Registrations
	c.Ignored += o.Ignored
}
