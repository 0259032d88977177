package clients

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gogo/protobuf/proto"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
	sched "github.com/mesos/mesos-go/api/v0/scheduler"
)

// schedulerVariable makes this test binary a scheduler, of the master whose address it
// is set to: it launches one task `long` and prints the framework's id once that runs.
const schedulerVariable = "STOA_TEST_SCHEDULER"

type oneTask struct {
	id       *mesos.FrameworkID
	launched bool
}

func runScheduler(master string) int {
	driver, err := sched.NewMesosSchedulerDriver(sched.DriverConfig{
		Scheduler: &oneTask{}, Master: master, BindingAddress: net.IPv4(127, 0, 0, 1), HostnameOverride: "localhost",
		Framework: &mesos.FrameworkInfo{
			User: proto.String(""), Name: proto.String("mesos-go v0"), FailoverTimeout: proto.Float64(600), Checkpoint: proto.Bool(true),
		},
	})
	if err == nil {
		_, err = driver.Run()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func (s *oneTask) Registered(_ sched.SchedulerDriver, id *mesos.FrameworkID, _ *mesos.MasterInfo) {
	s.id = id
}

func (s *oneTask) ResourceOffers(d sched.SchedulerDriver, list []*mesos.Offer) {
	for _, o := range list {
		var tasks []*mesos.TaskInfo
		if !s.launched {
			s.launched = true
			tasks = append(tasks, commandTask(o, "long", "sleep 1000"))
		}
		if _, err := d.LaunchTasks([]*mesos.OfferID{o.Id}, tasks, refuse(0)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func (s *oneTask) StatusUpdate(_ sched.SchedulerDriver, status *mesos.TaskStatus) {
	if status.GetState() == mesos.TaskState_TASK_RUNNING {
		fmt.Println(s.id.GetValue())
	}
}

func (*oneTask) Reregistered(sched.SchedulerDriver, *mesos.MasterInfo)                             {}
func (*oneTask) Disconnected(sched.SchedulerDriver)                                                {}
func (*oneTask) OfferRescinded(sched.SchedulerDriver, *mesos.OfferID)                              {}
func (*oneTask) SlaveLost(sched.SchedulerDriver, *mesos.SlaveID)                                   {}
func (*oneTask) Error(_ sched.SchedulerDriver, text string)                                        { fmt.Fprintln(os.Stderr, text) }
func (*oneTask) FrameworkMessage(sched.SchedulerDriver, *mesos.ExecutorID, *mesos.SlaveID, string) {}
func (*oneTask) ExecutorLost(sched.SchedulerDriver, *mesos.ExecutorID, *mesos.SlaveID, int)        {}

// startSchedulerProcess runs a scheduler until its task runs, and returns its framework's
// id and how to kill it.
func startSchedulerProcess(t *testing.T, c *cluster) (*mesos.FrameworkID, func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := new(logBuffer)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), schedulerVariable+"="+c.master)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := false
	kill := func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	lines := newInbox[string]()
	go func() {
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			lines.put(strings.TrimSpace(scanner.Text()))
		}
		lines.put("")
	}()
	id := lines.next(t, "the task of a scheduler to run")
	if id == "" {
		t.Fatalf("the scheduler ended:\n%s", log)
	}
	return &mesos.FrameworkID{Value: &id}, kill
}
