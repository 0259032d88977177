package clients

import (
	"fmt"
	"net"
	"os"

	"github.com/gogo/protobuf/proto"
	exec "github.com/mesos/mesos-go/api/v0/executor"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
)

// executorVariable makes this test binary an executor.
const executorVariable = "STOA_TEST_EXECUTOR"

// echo is an executor whose tasks run until they are killed, and that answers messages.
type echo struct{}

func runExecutor() int {
	driver, err := exec.NewMesosExecutorDriver(exec.DriverConfig{
		Executor: echo{}, BindingAddress: net.IPv4(127, 0, 0, 1), HostnameOverride: "localhost",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := driver.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func say(d exec.ExecutorDriver, id *mesos.TaskID, state mesos.TaskState, message string, data []byte) {
	status := &mesos.TaskStatus{TaskId: id, State: state.Enum(), Data: data}
	if message != "" {
		status.Message = proto.String(message)
	}
	if _, err := d.SendStatusUpdate(status); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (echo) Registered(exec.ExecutorDriver, *mesos.ExecutorInfo, *mesos.FrameworkInfo, *mesos.SlaveInfo) {
}
func (echo) Reregistered(exec.ExecutorDriver, *mesos.SlaveInfo) {}
func (echo) Disconnected(exec.ExecutorDriver)                   {}
func (echo) LaunchTask(d exec.ExecutorDriver, t *mesos.TaskInfo) {
	say(d, t.TaskId, mesos.TaskState_TASK_RUNNING, "", t.Data)
}
func (echo) KillTask(d exec.ExecutorDriver, id *mesos.TaskID) {
	say(d, id, mesos.TaskState_TASK_KILLED, "killed by the executor", nil)
}
func (echo) FrameworkMessage(d exec.ExecutorDriver, text string) {
	if text == "die" {
		os.Exit(7)
	}
	if _, err := d.SendFrameworkMessage(text + ", " + text); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
func (echo) Shutdown(exec.ExecutorDriver)             { os.Exit(0) }
func (echo) Error(_ exec.ExecutorDriver, text string) { fmt.Fprintln(os.Stderr, text) }
