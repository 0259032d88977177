package clients

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/callrules"
	"github.com/mesos/mesos-go/api/v1/lib/extras/scheduler/controller"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/events"
)

// v1 is a framework on mesos-go's v1 controller, which subscribes and acknowledges
// updates by itself.
type v1 struct {
	t      *testing.T
	caller calls.Caller
	id     string // of the framework
	known  atomic.Pointer[string]

	events *inbox[*scheduler.Event]
	// ended receives why each subscription ended.
	ended *inbox[error]
}

// startV1 subscribes; an empty id is a new framework. It speaks protobuf: in JSON this
// library cannot read a MasterInfo of Mesos 1.9 or later (it refuses names of an enum
// that it does not know, as QUOTA_V2 among the capabilities).
func startV1(t *testing.T, c *cluster, id string) *v1 {
	t.Helper()
	f := &v1{t: t, events: newInbox[*scheduler.Event](), ended: newInbox[error]()}
	client := httpcli.New(httpcli.Endpoint("http://"+c.master+"/api/v1/scheduler"), httpcli.Codec(codecs.ByMediaType[codecs.MediaTypeProtobuf]))
	caller := httpsched.NewCaller(client, httpsched.AllowReconnection(true))
	f.known.Store(&id)
	f.caller = callrules.New(callrules.WithFrameworkID(func() string { return *f.known.Load() })).Caller(caller)
	ctx, cancel := context.WithCancel(context.Background())
	info := &mesos.FrameworkInfo{Name: "mesos-go v1", FailoverTimeout: new(float64), Checkpoint: new(bool)}
	*info.FailoverTimeout, *info.Checkpoint = 600, true
	if id != "" {
		info.ID = &mesos.FrameworkID{Value: id}
	}
	once := make(chan struct{}, 1)
	once <- struct{}{}
	close(once)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = controller.Run(ctx, info, caller,
			controller.WithRegistrationTokens(once),
			controller.WithFrameworkID(func() string { return id }),
			controller.WithSubscriptionTerminated(func(err error) { f.ended.put(err) }),
			controller.WithEventHandler(controller.AckStatusUpdates(f.caller).Handle(events.HandlerFunc(func(_ context.Context, e *scheduler.Event) error {
				if e.GetType() == scheduler.Event_SUBSCRIBED {
					f.known.Store(&e.GetSubscribed().GetFrameworkID().Value)
				}
				f.events.put(e)
				return nil
			}))))
	}()
	t.Cleanup(func() { cancel(); <-done })
	e := f.await(scheduler.Event_SUBSCRIBED)
	f.id = *f.known.Load()
	if e.GetSubscribed().GetMasterInfo() == nil || e.GetSubscribed().GetHeartbeatIntervalSeconds() != 15 {
		t.Errorf("subscribed: %v", e)
	}
	return f
}

func (f *v1) await(kind scheduler.Event_Type) *scheduler.Event {
	f.t.Helper()
	return f.events.await(f.t, kind.String(), func(e *scheduler.Event) bool { return e.GetType() == kind })
}

func (f *v1) offer() mesos.Offer {
	f.t.Helper()
	return f.await(scheduler.Event_OFFERS).GetOffers().GetOffers()[0]
}

func (f *v1) update(task string, state mesos.TaskState) mesos.TaskStatus {
	f.t.Helper()
	e := f.events.await(f.t, task+" "+state.String(), func(e *scheduler.Event) bool {
		s := e.GetUpdate().GetStatus()
		return e.GetType() == scheduler.Event_UPDATE && s.TaskID.Value == task && s.GetState() == state
	})
	return e.GetUpdate().GetStatus()
}

func (f *v1) call(c *scheduler.Call) {
	f.t.Helper()
	if err := calls.CallNoData(f.t.Context(), f.caller, c); err != nil {
		f.t.Fatalf("%s: %v", c.GetType(), err)
	}
}

func v1Task(o mesos.Offer, id, command string) mesos.TaskInfo {
	var rs mesos.Resources
	rs.Add(resources.NewCPUs(0.1).Resource, resources.NewMemory(32).Resource)
	return mesos.TaskInfo{
		Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: o.AgentID, Resources: rs,
		Command: &mesos.CommandInfo{Value: &command},
	}
}

func (f *v1) launch(o mesos.Offer, wait time.Duration, tasks ...mesos.TaskInfo) {
	f.t.Helper()
	f.call(calls.Accept(calls.OfferOperations{calls.OpLaunch(tasks...)}.WithOffers(o.ID)).With(calls.RefuseSeconds(wait)))
}

// A framework on the HTTP API: tasks run, end, are killed and reconciled, offers are
// declined and revived, and it tears itself down.
func TestV1FrameworkRunsTasks(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	f := startV1(t, c, "")
	o := f.offer()
	if n, _ := resources.CPUs(o.Resources...); n != 4 {
		t.Errorf("offer: %v", o)
	}
	f.launch(o, 0, v1Task(o, "long", "sleep 1000"), v1Task(o, "short", "exit 0"), v1Task(o, "bad", "exit 3"))
	if s := f.update("long", mesos.TASK_RUNNING); len(s.UUID) != 16 || s.GetSource() != mesos.SOURCE_EXECUTOR || s.GetContainerStatus() == nil {
		t.Errorf("running: %v", s)
	}
	f.update("short", mesos.TASK_FINISHED)
	if s := f.update("bad", mesos.TASK_FAILED); s.GetMessage() != "Command exited with status 3" {
		t.Errorf("failed: %v", s)
	}

	reconciled := func() mesos.TaskStatus {
		return f.events.await(t, "a reconciliation", func(e *scheduler.Event) bool {
			s := e.GetUpdate().GetStatus()
			return e.GetType() == scheduler.Event_UPDATE && s.GetReason() == mesos.REASON_RECONCILIATION
		}).GetUpdate().GetStatus()
	}
	f.call(calls.Reconcile(calls.ReconcileTasks(map[string]string{"long": o.AgentID.Value})))
	if s := reconciled(); s.GetState() != mesos.TASK_RUNNING || s.UUID != nil {
		t.Errorf("reconciled: %v", s)
	}
	f.call(calls.Reconcile(calls.ReconcileTasks(map[string]string{"never": ""})))
	if s := reconciled(); s.GetState() != mesos.TASK_LOST || s.TaskID.Value != "never" {
		t.Errorf("reconciled: %v", s)
	}
	f.call(calls.Reconcile())
	if s := reconciled(); s.TaskID.Value != "long" {
		t.Errorf("reconciled: %v", s)
	}
	f.call(calls.Kill("long", o.AgentID.Value))
	f.update("long", mesos.TASK_KILLED)

	f.call(calls.Suppress())
	f.call(calls.Decline(f.offer().ID).With(calls.RefuseSeconds(time.Hour)))
	f.call(calls.Revive())
	f.offer()

	f.call(&scheduler.Call{Type: scheduler.Call_TEARDOWN})
	if err := f.ended.next(t, "the end of the stream"); err != io.EOF {
		t.Errorf("the stream ended with %v", err)
	}
	if shown, over := c.framework(f.id); !over {
		t.Errorf("shown as %+v", shown)
	}
}

// Another instance takes the framework over: the first one is told and its stream ends.
func TestV1FrameworkFailsOver(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	first := startV1(t, c, "")
	o := first.offer()
	first.launch(o, 0, v1Task(o, "long", "sleep 1000"))
	first.update("long", mesos.TASK_RUNNING)
	second := startV1(t, c, first.id)
	if second.id != first.id {
		t.Errorf("the second one is %s, not %s", second.id, first.id)
	}
	if e := first.await(scheduler.Event_ERROR); e.GetError().GetMessage() != "Framework failed over" {
		t.Errorf("error: %v", e)
	}
	first.ended.next(t, "the end of the first stream")
	second.offer()
	second.call(calls.Kill("long", ""))
	second.update("long", mesos.TASK_KILLED)
}

// A framework on a driver moves to the HTTP API: the driver is told to stop, tasks stay.
func TestV0FrameworkMovesToV1(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	id, _ := startSchedulerProcess(t, c)
	f := startV1(t, c, id.GetValue())
	until(t, "it has no address any more", func() error {
		if shown, _ := c.framework(f.id); shown.PID != "" || !shown.Connected {
			return fmt.Errorf("shown as %+v", shown)
		}
		return nil
	})
	f.call(calls.Kill("long", ""))
	f.update("long", mesos.TASK_KILLED)
}
