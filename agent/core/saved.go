package core

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// Saved is everything that an earlier run of the agent left behind.
type Saved struct {
	// Rebooted is true if the machine was started anew since: no process of
	// the earlier run can be alive.
	Rebooted bool
	// Errors counts the damaged files that were skipped because the recovery is lenient.
	Errors int
	// Info is the checkpointed AgentInfo with its id; nil for a new agent.
	Info *mesospb.AgentInfo
	// Drain is set while the agent was draining.
	Drain *mesospb.DrainConfig
	// Resources are the checkpointed reservations and volumes, Operations the pending operations.
	Resources  []*mesospb.Resource
	Operations []*mesospb.Operation
	Frameworks []SavedFramework
}

// SavedFramework is what is left of one framework. Info is nil if the agent died
// before it was written: there is nothing to recover then.
type SavedFramework struct {
	ID        string
	Info      *mesospb.FrameworkInfo
	PID       string
	Executors []SavedExecutor
}

// SavedExecutor is what is left of one executor. It can be recovered if Info and
// Latest are set.
type SavedExecutor struct {
	ID        string
	Info      *mesospb.ExecutorInfo
	Generated bool
	// Latest is the container id of the newest run; empty if the link is missing or dangling.
	Latest string
	Runs   []SavedRun
}

// Run returns the run with that container id, or nil.
func (e *SavedExecutor) Run(container string) *SavedRun {
	for i := range e.Runs {
		if e.Runs[i].ID == container {
			return &e.Runs[i]
		}
	}
	return nil
}

// SavedRun is what is left of one run of an executor.
type SavedRun struct {
	ID string
	// Completed runs had all their updates acknowledged and were cleaned up.
	Completed bool
	// ForkedPID is the first process of the container; 0 if unknown.
	ForkedPID int
	// LibprocessPID is the v0 executor's UPID; HTTP is true for executors that
	// subscribed over HTTP. Neither is set if the executor never got so far.
	LibprocessPID string
	HTTP          bool
	Tasks         []SavedTask
}

// SavedTask is what is left of one task. Info is nil if it was not written.
type SavedTask struct {
	ID      string
	Info    *mesospb.Task
	Updates []*internalpb.StatusUpdate
	// Acks holds the raw uuids of acknowledged updates.
	Acks map[string]bool
}
