package core

import (
	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

// Event is something that happened outside the core. Step takes it.
type Event interface{ event() }

// Recovered starts the agent: it is the first event, once.
type Recovered struct {
	Saved Saved
	// Info is the AgentInfo of this run, without an id. The caller has checked
	// that it is compatible with Saved.Info; if Saved.Info is nil the agent is new.
	Info *mesospb.AgentInfo
	// Changed says that Info differs from Saved.Info, as the policy allows it to: only
	// some masters take that.
	Changed bool
}

// ContainersRecovered says that the containerizers have taken over what still runs.
type ContainersRecovered struct{}

// MasterDetected names the leading master; an empty UPID means that there is none.
type MasterDetected struct {
	UPID     string
	Hostname string
	// Update says that the master takes a changed AgentInfo (AGENT_UPDATE).
	Update bool
}

// MasterExited says that the connection to the master was lost.
type MasterExited struct{ UPID string }

// Message is a libprocess message, of the master or of a v0 executor. Body is one
// of the messages of package internalpb.
type Message struct {
	From string
	Body proto.Message
}

// ExecutorCall is a validated call of the executor API. Call names the request to
// which a Reply or an Accept is due.
type ExecutorCall struct {
	Call uint64
	Body *executorpb.Call
}

// StreamClosed says that an executor's event stream ended at its side.
type StreamClosed struct{ Stream uint64 }

// SandboxReady answers PrepareSandbox.
type SandboxReady struct {
	Run RunID
	// GC is true if directories could not be taken back from garbage collection.
	GC bool
	// Error is the original's text if the sandbox could not be made.
	Error string
}

// ContainerLaunched answers Launch.
type ContainerLaunched struct {
	Run RunID
	// Error is empty if the first process runs.
	Error string
	// Unsupported says that no containerizer takes such a container.
	Unsupported bool
}

// ContainerTerminated says that the container is gone. Termination is nil if no
// containerizer knows it.
type ContainerTerminated struct {
	Run         RunID
	Termination *containerizer.Termination
}

// ContainerUpdated answers UpdateContainer.
type ContainerUpdated struct {
	Run   RunID
	Token uint64
	Error string
}

// ContainerStatus answers QueryStatus; Status is nil if it is not known.
type ContainerStatus struct {
	Run    RunID
	Status *mesospb.ContainerStatus
}

// Tick says that the time of NextTimer has come.
type Tick struct{}

// Shutdown ends every task and then the agent, which unregisters first.
type Shutdown struct{ Reason string }

// Hurry kills at once what Shutdown has asked to end.
type Hurry struct{}

// Stop says that the process is about to end and will come back: only executors that
// cannot outlive it are told to shut down.
type Stop struct{}

func (Recovered) event()           {}
func (ContainersRecovered) event() {}
func (MasterDetected) event()      {}
func (MasterExited) event()        {}
func (Message) event()             {}
func (ExecutorCall) event()        {}
func (StreamClosed) event()        {}
func (SandboxReady) event()        {}
func (ContainerLaunched) event()   {}
func (ContainerTerminated) event() {}
func (ContainerUpdated) event()    {}
func (ContainerStatus) event()     {}
func (Tick) event()                {}
func (Shutdown) event()            {}
func (Hurry) event()               {}
func (Stop) event()                {}
