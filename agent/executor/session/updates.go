package session

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
)

// Updates keeps the status updates of an executor's one task until the agent has taken
// responsibility for them. It does no I/O and belongs to one goroutine.
type Updates struct {
	executor *mesospb.ExecutorID
	task     *mesospb.TaskInfo
	// acknowledged is true once any update was: the agent then knows that the task arrived.
	acknowledged bool
	waiting      []*mesospb.TaskStatus
}

// NewUpdates makes an empty one.
func NewUpdates(executor *mesospb.ExecutorID) *Updates { return &Updates{executor: executor} }

// SetTask remembers the task, so that a new subscription tells that it arrived.
func (u *Updates) SetTask(task *mesospb.TaskInfo) { u.task = task }

// Add completes a status (executor, source, time, uuid), keeps it, and gives the call to send.
func (u *Updates) Add(now time.Time, status *mesospb.TaskStatus) *executorpb.Call {
	status.ExecutorId = u.executor
	status.Source = mesospb.TaskStatus_SOURCE_EXECUTOR.Enum()
	status.Timestamp = proto.Float64(float64(now.UnixMicro()) / 1e6)
	status.Uuid = ids.NewUUID().Bytes()
	u.waiting = append(u.waiting, status)
	return &executorpb.Call{
		Type:   executorpb.Call_UPDATE.Enum(),
		Update: &executorpb.Call_Update{Status: status},
	}
}

// Acknowledge takes an acknowledgement and gives the status that it is for; nil if it is for none.
func (u *Updates) Acknowledge(ack *executorpb.Event_Acknowledged) *mesospb.TaskStatus {
	for i, status := range u.waiting {
		if string(status.GetUuid()) == string(ack.GetUuid()) {
			u.waiting = append(u.waiting[:i:i], u.waiting[i+1:]...)
			u.acknowledged = true
			return status
		}
	}
	return nil
}

// Subscribe is the content of a SUBSCRIBE call.
func (u *Updates) Subscribe() *executorpb.Call_Subscribe {
	subscribe := &executorpb.Call_Subscribe{}
	for _, status := range u.waiting {
		subscribe.UnacknowledgedUpdates = append(subscribe.UnacknowledgedUpdates, &executorpb.Call_Update{Status: status})
	}
	if u.task != nil && !u.acknowledged {
		subscribe.UnacknowledgedTasks = append(subscribe.UnacknowledgedTasks, u.task)
	}
	return subscribe
}

// Terminal tells whether a state is an end.
func Terminal(state mesospb.TaskState) bool {
	switch state {
	case mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskState_TASK_ERROR, mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_DROPPED,
		mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// signalTexts are strsignal(3)'s of glibc where they differ from the package syscall's.
var signalTexts = map[int]string{
	1: "Hangup", 2: "Interrupt", 3: "Quit", 4: "Illegal instruction", 5: "Trace/breakpoint trap",
	6: "Aborted", 7: "Bus error", 8: "Floating point exception", 9: "Killed", 10: "User defined signal 1",
	11: "Segmentation fault", 12: "User defined signal 2", 13: "Broken pipe", 14: "Alarm clock",
	15: "Terminated", 16: "Stack fault", 17: "Child exited", 18: "Continued", 19: "Stopped (signal)",
	20: "Stopped", 21: "Stopped (tty input)", 22: "Stopped (tty output)", 23: "Urgent I/O condition",
	24: "CPU time limit exceeded", 25: "File size limit exceeded", 26: "Virtual timer expired",
	27: "Profiling timer expired", 28: "Window changed", 29: "I/O possible", 30: "Power failure",
	31: "Bad system call",
}

// ExitText words a wait status as WSTRINGIFY does (src/common/status_utils.hpp).
func ExitText(status Exit) string {
	switch {
	case status.Signal == 0:
		return fmt.Sprintf("exited with status %d", status.Code)
	case signalTexts[status.Signal] != "":
		text := "terminated with signal " + signalTexts[status.Signal]
		if status.CoreDumped {
			text += " (core dumped)"
		}
		return text
	case status.Signal >= 34 && status.Signal <= 64:
		return fmt.Sprintf("terminated with signal Real-time signal %d", status.Signal-34)
	}
	return fmt.Sprintf("terminated with signal Unknown signal %d", status.Signal)
}

// Exit says how a process ended: Signal is 0 if it exited by itself.
type Exit struct {
	Code       int
	Signal     int
	CoreDumped bool
}
