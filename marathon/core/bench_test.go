package core_test

import (
	"fmt"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/core"
	"stoa/marathon/storage"

	"google.golang.org/protobuf/proto"
)

// BenchmarkLaunch brings up one app of many instances: its change, one offer, and the
// two updates of each task, settled and encoded for the store a hundred at a time.
func BenchmarkLaunch(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				launchMany(b, n)
			}
		})
	}
}

func launchMany(b *testing.B, n int) {
	w := newWorld(b, 1)
	settings := w.settings()
	settings.MaxInstancesPerOffer = n
	c := core.New(settings, core.State{FrameworkID: "f"}, w.now)
	carry := func() []*mesospb.TaskInfo {
		c.Settle(w.now)
		effects := c.Take()
		if _, err := storage.Ops(effects.Writes); err != nil {
			b.Fatal(err)
		}
		c.View()
		var tasks []*mesospb.TaskInfo
		for _, e := range effects.After {
			if call, ok := e.(core.Call); ok && call.Call.GetType() == schedulerpb.Call_ACCEPT {
				tasks = append(tasks, call.Call.GetAccept().GetOperations()[0].GetLaunch().GetTaskInfos()...)
			}
		}
		return tasks
	}
	c.Subscribed(&schedulerpb.Event_Subscribed{FrameworkId: &mesospb.FrameworkID{Value: proto.String("f")}}, "", w.now)
	if _, err := c.UpdateRoot(core.Update{Change: put(simple("/a", n)), GroupID: "/"}, w.now); err != nil {
		b.Fatal(err)
	}
	carry()
	a := w.addAgent("host", float64(n), float64(100*n))
	a.ports = [2]uint64{20000, 60000}
	c.Offers([]*mesospb.Offer{w.offer(a)}, w.now)
	tasks := carry()
	if len(tasks) != n {
		b.Fatalf("%d of %d launched", len(tasks), n)
	}
	for _, state := range []mesospb.TaskState{mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING} {
		for i, task := range tasks {
			c.Update(&mesospb.TaskStatus{
				TaskId: task.TaskId, AgentId: task.AgentId, State: state.Enum(), Uuid: []byte("u"), Timestamp: proto.Float64(1),
			}, w.now.Add(time.Second))
			if i%100 == 99 {
				carry()
			}
		}
	}
	carry()
	if v := c.View(); len(v.Deployments) != 0 {
		b.Fatal("the deployment has not ended")
	}
}
