package core

import (
	"log/slog"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// RunID names one run of an executor.
type RunID struct{ Framework, Executor, Container string }

// TaskID names one task within a run.
type TaskID struct {
	RunID
	Task string
}

// Effect is something the core wants done. Effects are carried out in the order
// in which they are returned; those that keep state are on disk before the
// next one begins.
type Effect interface{ effect() }

// Send is a libprocess message to the UPID To.
type Send struct {
	To   string
	Body proto.Message
}

// LinkMaster watches the connection to the master.
type LinkMaster struct{ UPID string }

// Detect asks the detector for the leading master, from scratch.
type Detect struct{}

// SendEvent is an event for an executor on its HTTP stream.
type SendEvent struct {
	Stream uint64
	Event  *executorpb.Event
}

// CloseStream ends an executor's HTTP stream after what was sent before.
type CloseStream struct{ Stream uint64 }

// Accept answers a SUBSCRIBE call with 200 and an event stream.
type Accept struct{ Call, Stream uint64 }

// Reply answers an executor call.
type Reply struct {
	Call   uint64
	Status int
	Body   string
}

// PrepareSandbox takes the executor's directories back from garbage collection
// and makes the sandbox. SandboxReady answers.
type PrepareSandbox struct {
	Run  RunID
	User string
}

// Launch starts a container; Spec lacks what only the loop knows (Sandbox and
// PIDFile are filled in, Environment is complete). ContainerLaunched answers, and
// ContainerTerminated follows in any case.
type Launch struct {
	Run  RunID
	Spec containerizer.Spec
}

// RecoverContainers hands the containers of an earlier run to the containerizers.
// ContainersRecovered answers, then one ContainerTerminated for each when it ends.
type RecoverContainers struct{ Known []containerizer.Recovered }

// UpdateContainer changes a container's resources. ContainerUpdated answers.
type UpdateContainer struct {
	Run       RunID
	Token     uint64
	Resources []*mesospb.Resource
}

// QueryStatus asks for a container's status. ContainerStatus answers.
type QueryStatus struct{ Run RunID }

// Destroy ends a container.
type Destroy struct{ Run RunID }

// SaveAgent checkpoints AgentInfo and makes its id the latest.
type SaveAgent struct{ Info *mesospb.AgentInfo }

// SaveBootID checkpoints the kernel's boot id.
type SaveBootID struct{}

// SaveFramework checkpoints FrameworkInfo and the scheduler's UPID.
type SaveFramework struct {
	Info *mesospb.FrameworkInfo
	PID  string
}

// SaveExecutor checkpoints ExecutorInfo and the directory of a new run.
type SaveExecutor struct {
	Run       RunID
	Info      *mesospb.ExecutorInfo
	Generated bool
}

// SaveTask checkpoints a task before it goes to its executor.
type SaveTask struct {
	Run  RunID
	Task *mesospb.Task
}

// SaveUpdate appends to a task's update stream.
type SaveUpdate struct {
	Task   TaskID
	Record *internalpb.StatusUpdateRecord
}

// CloseUpdates releases a task's update stream.
type CloseUpdates struct{ Task TaskID }

// SaveExecutorPID checkpoints how a run's executor is reached: the UPID of a v0
// executor, or empty for one that uses the HTTP API.
type SaveExecutorPID struct {
	Run RunID
	PID string
}

// SaveCompleted marks a run as over and cleaned up.
type SaveCompleted struct{ Run RunID }

// SaveDrain checkpoints the drain configuration; nil removes it.
type SaveDrain struct{ Config *mesospb.DrainConfig }

// SaveResources checkpoints reservations, volumes and operations, after the
// directories of new volumes are made and those of destroyed ones removed.
type SaveResources struct {
	Resources        []*mesospb.Resource
	Operations       []*mesospb.Operation
	Created, Removed []*mesospb.Resource
}

// SaveOperationUpdate appends to an operation's update stream; a nil record
// removes the stream.
type SaveOperationUpdate struct {
	UUID   string
	Record *internalpb.UpdateOperationStatusRecord
}

// Scope says which directory Collect means.
type Scope int

// Scopes of Collect.
const (
	ScopeRun Scope = iota
	ScopeExecutor
	ScopeFramework
	ScopeTask
)

// Collect schedules a sandbox directory, and its checkpoint directory if Meta,
// for garbage collection. /files stops showing it when it is gone.
type Collect struct {
	Task  TaskID
	Scope Scope
	// Work and Meta say which of the two trees are meant.
	Work, Meta bool
}

// CollectOldAgents schedules the directories of former agent ids.
type CollectOldAgents struct{}

// Attach makes a sandbox readable through /files.
type Attach struct{ Run RunID }

// Log is a line for the agent's log.
type Log struct {
	Level   slog.Level
	Message string
	Args    []any
}

// Exit ends the agent. Error is empty when it ends as it was told.
type Exit struct{ Error string }

func (Send) effect()                {}
func (LinkMaster) effect()          {}
func (Detect) effect()              {}
func (SendEvent) effect()           {}
func (CloseStream) effect()         {}
func (Accept) effect()              {}
func (Reply) effect()               {}
func (PrepareSandbox) effect()      {}
func (Launch) effect()              {}
func (RecoverContainers) effect()   {}
func (UpdateContainer) effect()     {}
func (QueryStatus) effect()         {}
func (Destroy) effect()             {}
func (SaveAgent) effect()           {}
func (SaveBootID) effect()          {}
func (SaveFramework) effect()       {}
func (SaveExecutor) effect()        {}
func (SaveTask) effect()            {}
func (SaveUpdate) effect()          {}
func (CloseUpdates) effect()        {}
func (SaveExecutorPID) effect()     {}
func (SaveCompleted) effect()       {}
func (SaveDrain) effect()           {}
func (SaveResources) effect()       {}
func (SaveOperationUpdate) effect() {}
func (Collect) effect()             {}
func (CollectOldAgents) effect()    {}
func (Attach) effect()              {}
func (Log) effect()                 {}
func (Exit) effect()                {}
