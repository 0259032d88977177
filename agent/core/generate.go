package core

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/flags"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// What an executor that the agent makes up costs on top of its task
// (DEFAULT_EXECUTOR_CPUS and DEFAULT_EXECUTOR_MEM, src/slave/constants.hpp).
const (
	executorCPUs = 0.1
	executorMem  = 32
)

// A command executor gets this much longer to shut down than its task
// (process::MAX_REAP_INTERVAL plus one second).
const executorShutdownSlack = 2 * time.Second

// executorInfo is the task's executor: its own, or the command executor that
// runs it (Slave::getExecutorInfo).
func (c *Core) executorInfo(framework *mesospb.FrameworkInfo, task *mesospb.TaskInfo) *mesospb.ExecutorInfo {
	if task.GetExecutor() != nil {
		return task.GetExecutor()
	}
	command := task.GetCommand()
	info := &mesospb.ExecutorInfo{
		ExecutorId:  &mesospb.ExecutorID{Value: proto.String(task.GetTaskId().GetValue())},
		FrameworkId: framework.GetId(),
		Container:   task.GetContainer(),
		Name:        proto.String("Command Executor " + executorName(task)),
		Source:      proto.String(task.GetTaskId().GetValue()),
		Labels:      task.GetLabels(),
		Discovery:   task.GetDiscovery(),
		Command: &mesospb.CommandInfo{
			Uris:        command.GetUris(),
			Environment: command.GetEnvironment(),
			User:        command.User,
		},
		Resources: overhead(task.GetResources()),
	}
	if grace := task.GetKillPolicy().GetGracePeriod(); grace != nil {
		info.ShutdownGracePeriod = &mesospb.DurationInfo{
			Nanoseconds: proto.Int64(grace.GetNanoseconds() + executorShutdownSlack.Nanoseconds()),
		}
	}
	const program = "mesos-executor"
	path, err := c.options.Executable(program)
	if err != nil {
		info.Command.Shell = proto.Bool(true)
		info.Command.Value = proto.String("echo '" + strings.ReplaceAll(err.Error(), "'", "") + "'; exit 1")
		return info
	}
	info.Command.Shell = proto.Bool(false)
	info.Command.Value = proto.String(path)
	info.Command.Arguments = []string{program, "--launcher_dir=" + c.options.LauncherDir}
	if task.GetContainer().GetType() == mesospb.ContainerInfo_MESOS && task.GetContainer().GetMesos().GetImage() != nil {
		info.Command.Arguments = append(info.Command.Arguments, "--sandbox_directory="+c.options.SandboxDirectory)
		if c.options.SwitchUser {
			user := framework.GetUser()
			if command.User != nil {
				user = command.GetUser()
			}
			info.Command.Arguments = append(info.Command.Arguments, "--user="+user)
		}
	}
	return info
}

// executorName is the readable part of a command executor's name. The cut is
// after 12 bytes, as in the original.
func executorName(task *mesospb.TaskInfo) string {
	command := task.GetCommand()
	name := "(Task: " + task.GetTaskId().GetValue() + ") "
	short := func(text string) string {
		if len(text) > 15 {
			return text[:12] + "..."
		}
		return text
	}
	switch {
	case command.GetShell() && command.Value == nil:
		return name + "(Command: NO COMMAND)"
	case command.GetShell():
		return name + "(Command: sh -c '" + short(command.GetValue()) + "')"
	case command.Value == nil:
		return name + "(Command: NO EXECUTABLE)"
	}
	return name + "(Command: [" + short(command.GetValue()+", "+strings.Join(command.GetArguments(), ", ")) + "])"
}

// overhead is what the command executor itself needs, in the role of its task.
func overhead(task []*mesospb.Resource) []*mesospb.Resource {
	scalar := func(name string, value float64) *mesospb.Resource {
		return &mesospb.Resource{
			Name:   proto.String(name),
			Type:   mesospb.Value_SCALAR.Enum(),
			Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)},
		}
	}
	list := []*mesospb.Resource{scalar("cpus", executorCPUs), scalar("mem", executorMem)}
	for _, resource := range task {
		if info := resource.GetAllocationInfo(); info != nil {
			return resources.New(list...).Allocate(info.GetRole()).Proto()
		}
	}
	return list
}

// environment is what the agent itself puts into an executor's environment
// (executorEnvironment in src/slave/slave.cpp).
func (c *Core) environment(f *framework, e *executor) map[string]string {
	env := map[string]string{}
	for name, value := range c.options.Environment {
		env[name] = value
	}
	flag := func(b bool) string {
		if b {
			return "1"
		}
		return "0"
	}
	grace := c.options.ExecutorShutdownGracePeriod
	if d := e.info.GetShutdownGracePeriod(); d != nil {
		grace = time.Duration(d.GetNanoseconds())
	}
	env["LIBPROCESS_PORT"] = "0"
	env["MESOS_FRAMEWORK_ID"] = f.id
	env["MESOS_EXECUTOR_ID"] = e.run.Executor
	env["MESOS_DIRECTORY"] = e.directory
	env["MESOS_SLAVE_ID"] = c.info.GetId().GetValue()
	env["MESOS_SLAVE_PID"] = c.options.UPID
	env["MESOS_AGENT_ENDPOINT"] = c.options.Endpoint
	env["MESOS_CHECKPOINT"] = flag(e.checkpoint)
	env["MESOS_HTTP_COMMAND_EXECUTOR"] = flag(c.options.HTTPCommandExecutor)
	env["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] = flags.FormatDuration(grace)
	if e.checkpoint {
		env["MESOS_RECOVERY_TIMEOUT"] = flags.FormatDuration(c.options.RecoveryTimeout)
		env["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = flags.FormatDuration(c.options.ExecutorReregistrationTimeout)
	}
	return env
}

// defaultExecutorCommand is how the executor for task groups is started.
func (c *Core) defaultExecutorCommand(user string) *mesospb.CommandInfo {
	const program = "mesos-default-executor"
	command := &mesospb.CommandInfo{Shell: proto.Bool(false)}
	path, err := c.options.Executable(program)
	if err != nil {
		command.Shell = proto.Bool(true)
		command.Value = proto.String("echo '" + strings.ReplaceAll(err.Error(), "'", "") + "'; exit 1")
		return command
	}
	command.Value = &path
	command.Arguments = []string{program, "--launcher_dir=" + c.options.LauncherDir}
	if user != "" {
		command.User = &user
	}
	return command
}
