// Package checkpoint keeps the agent's state below --work_dir in the layout and
// the file formats of the original agent, so that either can take over from the other.
//
// Comes in: messages to keep, and after a restart the directory tree. Goes out: the
// same messages again, with damaged ones counted or refused. It never
// decides what is kept or what happens to it.
//
// Layout: src/slave/paths.hpp of the original; formats: src/slave/state.hpp.
package checkpoint

import (
	"path/filepath"
)

// LatestName is the symbolic link beside agent and run directories that names the newest.
const LatestName = "latest"

// Layout knows where everything is below one work directory. Ids go into paths
// as they are; whoever makes a path from an outside id validates it first.
type Layout struct {
	// Work is the absolute --work_dir.
	Work string
	// Agent is the agent's id; empty until there is one.
	Agent string
}

// Meta is the root of the checkpointed state.
func (l Layout) Meta() string { return filepath.Join(l.Work, "meta") }

// BootID is the file with the kernel's boot id of the last run.
func (l Layout) BootID() string { return filepath.Join(l.Meta(), "boot_id") }

// ResourcesInfo holds the checkpointed resources in the format of old agents.
func (l Layout) ResourcesInfo() string {
	return filepath.Join(l.Meta(), "resources", "resources.info")
}

// ResourceState holds the checkpointed resources and pending operations.
func (l Layout) ResourceState() string {
	return filepath.Join(l.Meta(), "resources", "resources_and_operations.state")
}

// Volume is the directory of a persistent volume on the work directory's disk.
func (l Layout) Volume(role, id string) string {
	return filepath.Join(l.Work, "volumes", "roles", role, id)
}

// LatestAgent is the link to the directory of the agent id in use.
func (l Layout) LatestAgent() string {
	return filepath.Join(l.Meta(), "slaves", LatestName)
}

// AgentsDir holds the sandboxes of all agent ids that this work directory had.
func (l Layout) AgentsDir() string { return filepath.Join(l.Work, "slaves") }

// AgentMeta is the checkpoint directory of the agent id.
func (l Layout) AgentMeta() string { return filepath.Join(l.Meta(), "slaves", l.Agent) }

// AgentWork is the sandbox directory of the agent id.
func (l Layout) AgentWork() string { return filepath.Join(l.Work, "slaves", l.Agent) }

// AgentInfo is the checkpointed AgentInfo.
func (l Layout) AgentInfo() string { return filepath.Join(l.AgentMeta(), "slave.info") }

// DrainConfig is the checkpointed DrainConfig while the agent drains.
func (l Layout) DrainConfig() string { return filepath.Join(l.AgentMeta(), "drain.config") }

// OperationUpdates is the stream of status updates of one operation.
func (l Layout) OperationUpdates(uuid string) string {
	return filepath.Join(l.AgentMeta(), "operations", uuid, "operation.updates")
}

// Framework names one framework's directories.
type Framework struct {
	Layout
	ID string
}

// Framework gives the directories of framework id.
func (l Layout) Framework(id string) Framework { return Framework{l, id} }

// Work is the framework's sandbox directory.
func (f Framework) Work() string { return filepath.Join(f.AgentWork(), "frameworks", f.ID) }

// Meta is the framework's checkpoint directory.
func (f Framework) Meta() string { return filepath.Join(f.AgentMeta(), "frameworks", f.ID) }

// Info is the checkpointed FrameworkInfo.
func (f Framework) Info() string { return filepath.Join(f.Meta(), "framework.info") }

// PID is the UPID of the framework's scheduler; "@0.0.0.0:0" for HTTP schedulers.
func (f Framework) PID() string { return filepath.Join(f.Meta(), "framework.pid") }

// Executor names one executor's directories.
type Executor struct {
	Framework
	ID string
}

// Executor gives the directories of executor id.
func (f Framework) Executor(id string) Executor { return Executor{f, id} }

// Work is the executor's sandbox directory, which holds its runs.
func (e Executor) Work() string { return filepath.Join(e.Framework.Work(), "executors", e.ID) }

// Meta is the executor's checkpoint directory.
func (e Executor) Meta() string { return filepath.Join(e.Framework.Meta(), "executors", e.ID) }

// Info is the checkpointed ExecutorInfo.
func (e Executor) Info() string { return filepath.Join(e.Meta(), "executor.info") }

// Generated is the file that says whether the agent made the executor for a command task.
func (e Executor) Generated() string {
	return filepath.Join(e.Meta(), "executor_generated_for_command_task")
}

// LatestRun is the sandbox link to the newest run.
func (e Executor) LatestRun() string { return filepath.Join(e.Work(), "runs", LatestName) }

// VirtualRun is the path under which /files shows the newest run.
func (e Executor) VirtualRun() string {
	return "/frameworks/" + e.Framework.ID + "/executors/" + e.ID + "/runs/" + LatestName
}

// Run names the directories of one run (one container) of an executor.
type Run struct {
	Executor
	Container string
}

// Run gives the directories of the run in container.
func (e Executor) Run(container string) Run { return Run{e, container} }

// Sandbox is the run's directory, the working directory of its executor.
func (r Run) Sandbox() string { return filepath.Join(r.Executor.Work(), "runs", r.Container) }

// Meta is the run's checkpoint directory.
func (r Run) Meta() string { return filepath.Join(r.Executor.Meta(), "runs", r.Container) }

// Sentinel is the file whose presence says that the run is over and cleaned up.
func (r Run) Sentinel() string { return filepath.Join(r.Meta(), "executor.sentinel") }

// ForkedPID is the pid of the container's first process.
func (r Run) ForkedPID() string { return filepath.Join(r.Meta(), "pids", "forked.pid") }

// LibprocessPID is the UPID of an executor that uses the v0 driver.
func (r Run) LibprocessPID() string { return filepath.Join(r.Meta(), "pids", "libprocess.pid") }

// HTTPMarker is the file whose presence says that the executor uses the HTTP API.
func (r Run) HTTPMarker() string { return filepath.Join(r.Meta(), "http.marker") }

// TaskDir is the checkpoint directory of one task of the run.
func (r Run) TaskDir(task string) string { return filepath.Join(r.Meta(), "tasks", task) }

// TaskInfo is the checkpointed Task.
func (r Run) TaskInfo(task string) string { return filepath.Join(r.TaskDir(task), "task.info") }

// TaskUpdates is the stream of the task's status updates and acknowledgements.
func (r Run) TaskUpdates(task string) string {
	return filepath.Join(r.TaskDir(task), "task.updates")
}
