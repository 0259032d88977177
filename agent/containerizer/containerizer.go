// Package containerizer says what the agent asks of whatever runs containers.
//
// Comes in: a Spec. Goes out: a running executor in its container, later one
// Termination. It never decides which task runs where, and it never speaks to the master.
package containerizer

import (
	"context"
	"errors"

	"stoa/internal/mesos/mesospb"
)

// ErrNotSupported is what Launch returns when this containerizer is not the one
// for the Spec, so that the next one is asked.
var ErrNotSupported = errors.New("containerizer: container type not supported")

// Spec is everything needed to start the container of one executor.
type Spec struct {
	ID        *mesospb.ContainerID
	Framework *mesospb.FrameworkInfo
	Executor  *mesospb.ExecutorInfo
	// Task is set when the executor was made for this one command task.
	Task *mesospb.TaskInfo
	// Resources of the executor and its first tasks together.
	Resources []*mesospb.Resource
	// Sandbox is the absolute path of the executor's run directory; it exists.
	Sandbox string
	// User is the account to run as; empty means the agent's own.
	User string
	// Environment is the executor environment that the agent computed
	// (MESOS_FRAMEWORK_ID and so on), without what the container adds.
	Environment map[string]string
	// PIDFile, if set, is the checkpoint file that must hold the decimal pid of the
	// container's first process before that process does anything.
	PIDFile string
}

// Recovered is a container the agent knew of before it restarted.
type Recovered struct {
	Spec Spec
	// PID is the checkpointed pid of the container's first process; 0 if none was written.
	PID int
}

// Termination says how a container ended.
type Termination struct {
	// WaitStatus is the wait(2) status of the container's first process; nil when it is
	// unknown, as after an agent restart.
	WaitStatus *int
	// State, Reason and Message go into the status updates of the container's
	// tasks when the containerizer knows better than the executor (a limit was
	// reached, the launch failed).
	State   *mesospb.TaskState
	Reason  *mesospb.TaskStatus_Reason
	Message string
	// Limitation holds the resources whose limit was reached.
	Limitation []*mesospb.Resource
}

// Containerizer runs containers. All methods may be called from any goroutine;
// Launch, Update and Destroy may block, so the agent's loop never calls them itself.
type Containerizer interface {
	// Recover takes over the containers that still run and ends orphans.
	Recover(ctx context.Context, known []Recovered) error
	// Launch fetches the URIs and starts the executor. It returns once the first
	// process runs. ErrNotSupported passes the Spec on to the next containerizer.
	Launch(ctx context.Context, spec Spec) error
	// Update changes the resources of a running container.
	Update(ctx context.Context, id *mesospb.ContainerID, resources []*mesospb.Resource) error
	// Wait returns a channel that gives the container's one Termination and is
	// then closed; nil if the container is unknown.
	Wait(id *mesospb.ContainerID) <-chan Termination
	// Destroy ends the whole process tree of the container. Its Termination
	// follows on the Wait channel. An unknown container is no error.
	Destroy(ctx context.Context, id *mesospb.ContainerID) error
	// Status tells addresses, cgroups and the pid of the container.
	Status(ctx context.Context, id *mesospb.ContainerID) (*mesospb.ContainerStatus, error)
	// Usage reads the container's resource statistics.
	Usage(ctx context.Context, id *mesospb.ContainerID) (*mesospb.ResourceStatistics, error)
}
