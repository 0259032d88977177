package clients

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/gogo/protobuf/proto"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
	util "github.com/mesos/mesos-go/api/v0/mesosutil"
	sched "github.com/mesos/mesos-go/api/v0/scheduler"
)

// v0 is a framework on mesos-go's v0 driver: what its callbacks are told, it hands to the
// test.
type v0 struct {
	t      *testing.T
	driver *sched.MesosSchedulerDriver

	registered *inbox[*mesos.FrameworkID]
	offers     *inbox[*mesos.Offer]
	updates    *inbox[*mesos.TaskStatus]
	messages   *inbox[string]
	lost       *inbox[string]
	errors     *inbox[string]
}

// startV0 starts a driver; a nil id is a new framework.
func startV0(t *testing.T, c *cluster, id *mesos.FrameworkID, change ...func(*sched.DriverConfig)) *v0 {
	t.Helper()
	f := &v0{
		t: t, registered: newInbox[*mesos.FrameworkID](), offers: newInbox[*mesos.Offer](), updates: newInbox[*mesos.TaskStatus](),
		messages: newInbox[string](), lost: newInbox[string](), errors: newInbox[string](),
	}
	cfg := sched.DriverConfig{
		Scheduler: f, Master: c.master, BindingAddress: net.IPv4(127, 0, 0, 1), HostnameOverride: "localhost",
		Framework: &mesos.FrameworkInfo{
			User: proto.String(""), Name: proto.String("mesos-go v0"), Id: id,
			FailoverTimeout: proto.Float64(600), Checkpoint: proto.Bool(true),
		},
	}
	for _, change := range change {
		change(&cfg)
	}
	driver, err := sched.NewMesosSchedulerDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.driver = driver
	if status, err := driver.Start(); err != nil || status != mesos.Status_DRIVER_RUNNING {
		t.Fatalf("driver: %v, %v", status, err)
	}
	t.Cleanup(func() {
		if driver.Running() {
			_, _ = driver.Stop(true)
		}
	})
	return f
}

func (f *v0) Registered(_ sched.SchedulerDriver, id *mesos.FrameworkID, _ *mesos.MasterInfo) {
	f.registered.put(id)
}
func (f *v0) Reregistered(sched.SchedulerDriver, *mesos.MasterInfo)     {}
func (f *v0) Disconnected(sched.SchedulerDriver)                        {}
func (f *v0) OfferRescinded(sched.SchedulerDriver, *mesos.OfferID)      {}
func (f *v0) StatusUpdate(_ sched.SchedulerDriver, s *mesos.TaskStatus) { f.updates.put(s) }
func (f *v0) ResourceOffers(_ sched.SchedulerDriver, list []*mesos.Offer) {
	for _, o := range list {
		f.offers.put(o)
	}
}
func (f *v0) FrameworkMessage(_ sched.SchedulerDriver, _ *mesos.ExecutorID, _ *mesos.SlaveID, text string) {
	f.messages.put(text)
}
func (f *v0) SlaveLost(_ sched.SchedulerDriver, id *mesos.SlaveID) { f.lost.put(id.GetValue()) }
func (f *v0) ExecutorLost(_ sched.SchedulerDriver, id *mesos.ExecutorID, _ *mesos.SlaveID, status int) {
	f.lost.put(fmt.Sprintf("%s %d", id.GetValue(), status))
}
func (f *v0) Error(_ sched.SchedulerDriver, text string) { f.errors.put(text) }

func (f *v0) must(_ mesos.Status, err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *v0) awaitRegistered() *mesos.FrameworkID {
	f.t.Helper()
	return f.registered.next(f.t, "registered()")
}

func (f *v0) offer() *mesos.Offer {
	f.t.Helper()
	return f.offers.next(f.t, "an offer")
}

func (f *v0) update(task string, state mesos.TaskState) *mesos.TaskStatus {
	f.t.Helper()
	return f.updates.await(f.t, task+" "+state.String(), func(s *mesos.TaskStatus) bool {
		return s.GetTaskId().GetValue() == task && s.GetState() == state
	})
}

func commandTask(o *mesos.Offer, id, command string) *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name: proto.String(id), TaskId: util.NewTaskID(id), SlaveId: o.SlaveId, Command: util.NewCommandInfo(command),
		Resources: []*mesos.Resource{util.NewScalarResource("cpus", 0.1), util.NewScalarResource("mem", 32)},
	}
}

func refuse(seconds float64) *mesos.Filters { return &mesos.Filters{RefuseSeconds: &seconds} }

// A framework on an old driver: tasks run, are killed, finish and are reconciled.
func TestV0FrameworkRunsTasks(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	f := startV0(t, c, nil)
	id := f.awaitRegistered()
	o := f.offer()
	if scalar(o.Resources, "cpus") != 4 || o.GetHostname() == "" || o.GetUrl() == nil {
		t.Errorf("offer: %v", o)
	}
	if shown, _ := c.framework(id.GetValue()); shown.PID == "" || !shown.Active || !shown.Connected {
		t.Errorf("shown as %+v", shown)
	}

	f.must(f.driver.LaunchTasks([]*mesos.OfferID{o.Id}, []*mesos.TaskInfo{
		commandTask(o, "long", "sleep 1000"), commandTask(o, "short", "exit 0"), commandTask(o, "bad", "exit 3"),
	}, refuse(0)))
	if s := f.update("long", mesos.TaskState_TASK_RUNNING); s.Uuid == nil || s.GetSource() != mesos.TaskStatus_SOURCE_EXECUTOR || s.GetSlaveId().GetValue() != o.SlaveId.GetValue() {
		t.Errorf("running: %v", s)
	}
	// Each state of a task waits until the one before is acknowledged, so these came by
	// way of acknowledgements.
	f.update("short", mesos.TaskState_TASK_FINISHED)
	f.update("bad", mesos.TaskState_TASK_FAILED)

	f.must(f.driver.ReconcileTasks([]*mesos.TaskStatus{{TaskId: util.NewTaskID("long"), SlaveId: o.SlaveId, State: mesos.TaskState_TASK_STAGING.Enum()}}))
	reconciled := func(s *mesos.TaskStatus) bool { return s.GetReason() == mesos.TaskStatus_REASON_RECONCILIATION }
	if s := f.updates.await(t, "a reconciliation", reconciled); s.GetState() != mesos.TaskState_TASK_RUNNING || s.Uuid != nil {
		t.Errorf("reconciled: %v", s)
	}
	f.must(f.driver.ReconcileTasks(nil))
	if s := f.updates.await(t, "an implicit reconciliation", reconciled); s.GetTaskId().GetValue() != "long" {
		t.Errorf("reconciled: %v", s)
	}
	f.must(f.driver.KillTask(util.NewTaskID("never")))
	f.update("never", mesos.TaskState_TASK_LOST)
	f.must(f.driver.KillTask(util.NewTaskID("long")))
	if s := f.update("long", mesos.TaskState_TASK_KILLED); s.GetMessage() != "Command terminated with signal Terminated" {
		t.Errorf("killed: %v", s)
	}

	f.must(f.driver.Stop(false)) // unregisters
	until(t, "the framework is over", func() error {
		if shown, over := c.framework(id.GetValue()); !over {
			return fmt.Errorf("shown as %+v", shown)
		}
		return nil
	})
}

func scalar(list []*mesos.Resource, name string) (sum float64) {
	for _, r := range list {
		if r.GetName() == name {
			sum += r.GetScalar().GetValue()
		}
	}
	return sum
}

// Offers that are declined come back after their filter, or at once when the framework
// asks; a driver that is silent for long is not lost.
func TestV0FrameworkDeclinesAndRevives(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	f := startV0(t, c, nil)
	f.awaitRegistered()
	f.must(f.driver.DeclineOffer(f.offer().Id, refuse(3600)))
	f.must(f.driver.ReviveOffers())
	// The driver's own server gives up requests that take ten seconds.
	f.must(f.driver.DeclineOffer(f.offer().Id, refuse(12)))
	o := f.offer()
	f.must(f.driver.LaunchTasks([]*mesos.OfferID{o.Id}, []*mesos.TaskInfo{commandTask(o, "late", "exit 0")}, refuse(0)))
	f.update("late", mesos.TaskState_TASK_FINISHED)
	if len(f.errors.arrived) > 0 {
		t.Errorf("the driver was told %q", <-f.errors.arrived)
	}
}

// The scheduler's process dies and another comes, with the task still there; then one
// more comes while it is there, which has to stop.
func TestV0FrameworkFailsOver(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	id, kill := startSchedulerProcess(t, c)
	kill()
	until(t, "the master notices", func() error {
		if shown, _ := c.framework(id.GetValue()); shown.Connected || shown.Active {
			return fmt.Errorf("shown as %+v", shown)
		}
		return nil
	})

	second := startV0(t, c, id)
	if got := second.awaitRegistered(); got.GetValue() != id.GetValue() {
		t.Errorf("registered as %s", got)
	}
	second.offer()
	second.must(second.driver.ReconcileTasks(nil))
	second.update("long", mesos.TaskState_TASK_RUNNING)

	third := startV0(t, c, id)
	third.awaitRegistered()
	if text := second.errors.next(t, "an error"); text != "Framework failed over" {
		t.Errorf("the second one was told %q", text)
	}
	third.must(third.driver.KillTask(util.NewTaskID("long")))
	third.update("long", mesos.TaskState_TASK_KILLED)
	third.must(third.driver.Stop(false))
	until(t, "the framework is over", func() error {
		if shown, over := c.framework(id.GetValue()); !over {
			return fmt.Errorf("shown as %+v", shown)
		}
		return nil
	})
	// Nobody can be this framework again.
	fourth := startV0(t, c, id)
	if text := fourth.errors.next(t, "an error"); text != "Framework has been removed" {
		t.Errorf("the fourth one was told %q", text)
	}
}

// An executor on mesos-go's v0 driver, and messages between it and its scheduler, which
// pass by the master.
func TestV0Executor(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := startCluster(t)
	f := startV0(t, c, nil)
	f.awaitRegistered()
	o := f.offer()
	executor := &mesos.ExecutorInfo{
		ExecutorId: util.NewExecutorID("echo"), Name: proto.String("echo"), Source: proto.String("go_test"),
		Command: &mesos.CommandInfo{
			Value:       proto.String(self),
			Environment: &mesos.Environment{Variables: []*mesos.Environment_Variable{{Name: proto.String(executorVariable), Value: proto.String("1")}}},
		},
	}
	var tasks []*mesos.TaskInfo
	for _, id := range []string{"a", "b"} {
		one := commandTask(o, id, "")
		one.Command, one.Executor, one.Data = nil, executor, []byte("data of "+id)
		tasks = append(tasks, one)
	}
	f.must(f.driver.LaunchTasks([]*mesos.OfferID{o.Id}, tasks, refuse(3600)))
	running := map[string]bool{}
	for len(running) < 2 {
		s := f.updates.await(t, "both tasks to run", func(s *mesos.TaskStatus) bool { return s.GetState() == mesos.TaskState_TASK_RUNNING })
		running[string(s.Data)] = true
	}
	if !running["data of a"] || !running["data of b"] {
		t.Errorf("running: %v", running)
	}
	f.must(f.driver.SendFrameworkMessage(executor.ExecutorId, o.SlaveId, "hello"))
	f.messages.await(t, "an echo", func(text string) bool { return text == "hello, hello" })
	f.must(f.driver.KillTask(util.NewTaskID("a")))
	if s := f.update("a", mesos.TaskState_TASK_KILLED); s.GetMessage() != "killed by the executor" {
		t.Errorf("killed: %v", s)
	}
	// Its executor dies: the agent ends the other task, and both of them say so.
	f.must(f.driver.SendFrameworkMessage(executor.ExecutorId, o.SlaveId, "die"))
	f.update("b", mesos.TaskState_TASK_FAILED)
	f.lost.await(t, "executorLost()", func(text string) bool { return text == "echo 1792" }) // 7<<8, as wait(2) has it
}
