package core_test

import (
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/instance"
)

func TestUnreachableInstances(t *testing.T) {
	const never = time.Duration(-1)
	for _, c := range []struct {
		name               string
		inactive, expunge  time.Duration
		disabled           bool
		replaced, expunged time.Duration
	}{
		{"at once", 0, 0, false, 0, 0},
		{"replaced at once, kept for a minute", 0, time.Minute, false, 0, time.Minute},
		{"later", time.Minute, 2 * time.Minute, false, time.Minute, 2 * time.Minute},
		{"never", 0, 0, true, never, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := connected(t)
			a := simple("/web", 1)
			a.UnreachableStrategy = app.UnreachableStrategy{Disabled: c.disabled, InactiveAfter: c.inactive, ExpungeAfter: c.expunge}
			w.update(false, put(a))
			w.pass(10 * time.Second)
			lost := w.instances("/web")[0].ID
			victim := w.running("/web")[0]
			victim.next = mesospb.TaskState_TASK_UNREACHABLE
			w.status(victim, mesospb.TaskState_TASK_UNREACHABLE)
			w.pump()
			has := func(instanceID string) bool {
				return slices.ContainsFunc(w.instances("/web"), func(i *instance.Instance) bool { return i.ID == instanceID })
			}
			replaced := func() bool {
				return slices.ContainsFunc(w.instances("/web"), func(i *instance.Instance) bool { return i.ID != lost })
			}
			for at := time.Duration(0); at <= 3*time.Minute; at += 10 * time.Second {
				if want := c.replaced != never && at >= c.replaced; replaced() != want {
					t.Errorf("after %s: replaced is %v, want %v", at, !want, want)
				}
				if want := c.expunged == never || at < c.expunged; has(lost) != want {
					t.Errorf("after %s: known is %v, want %v", at, !want, want)
				}
				w.pass(10 * time.Second)
			}
		})
	}
}

func TestTaskThatComesBackBeforeItIsForgottenReplacesItsReplacement(t *testing.T) {
	w := connected(t)
	a := simple("/web", 1)
	a.UnreachableStrategy = app.UnreachableStrategy{ExpungeAfter: time.Minute}
	w.update(false, put(a))
	w.pass(10 * time.Second)
	first := w.instances("/web")[0].ID
	victim := w.running("/web")[0]
	w.status(victim, mesospb.TaskState_TASK_UNREACHABLE)
	victim.next = mesospb.TaskState_TASK_UNREACHABLE
	w.pass(20 * time.Second)
	if n := len(w.instances("/web")); n != 2 {
		t.Fatalf("%d instances, want the lost one and its replacement", n)
	}
	victim.next = mesospb.TaskState_TASK_RUNNING
	w.status(victim, mesospb.TaskState_TASK_RUNNING)
	w.pass(20 * time.Second)
	if now := w.instances("/web"); len(now) != 1 || now[0].ID != first || len(w.running("/web")) != 1 {
		t.Errorf("instances now: %+v", now)
	}
}

// A launch that the master took with it is noticed as soon as the new master can tell, not
// when the launch is overdue.
func TestLaunchThatWentDownWithTheMasterIsMadeAgain(t *testing.T) {
	w := connected(t)
	a := simple("/web", 1)
	w.behave = func(task *task) { task.next = mesospb.TaskState_TASK_STAGING }
	w.update(false, put(a))
	w.pass(time.Second)
	if len(w.tasks) != 1 {
		t.Fatalf("%d tasks", len(w.tasks))
	}
	// The master dies before its agent hears of the task; the next one waits for the agent.
	w.core.Disconnected(w.now)
	w.behave = nil
	clear(w.tasks)
	for _, a := range w.agents {
		a.away, a.used = true, map[string]*task{}
	}
	w.connect()
	w.pass(20 * time.Second)
	if len(w.tasks) != 0 {
		t.Fatalf("%d tasks before anything is known", len(w.tasks))
	}
	for _, a := range w.agents {
		a.away = false
	}
	w.pass(45 * time.Second)
	if n := len(w.running("/web")); n != 1 {
		t.Errorf("%d running, instances %+v", n, w.instances("/web"))
	}
	asked := len(w.calls)
	w.pass(5 * time.Minute)
	if asked != len(w.calls) {
		t.Errorf("still asking: %v", w.calls[asked:])
	}
}

func TestUnknownTaskIsKilled(t *testing.T) {
	w := connected(t)
	w.calls = nil
	agentID := "agent-S0"
	taskID := "web.instance-00000001-0000-11f0-8000-000000000000._app.1"
	w.core.Update(&mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: &taskID}, AgentId: &mesospb.AgentID{Value: &agentID},
		State: mesospb.TaskState_TASK_RUNNING.Enum(), Uuid: []byte("u"),
	}, w.now)
	w.pump()
	var types []schedulerpb.Call_Type
	for _, c := range w.calls {
		types = append(types, c.GetType())
	}
	if !slices.Contains(types, schedulerpb.Call_KILL) || !slices.Contains(types, schedulerpb.Call_ACKNOWLEDGE) {
		t.Errorf("calls %v, want KILL and ACKNOWLEDGE", types)
	}
}

func TestKillIsRepeatedUntilTheTaskHasEnded(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	w.calls = nil
	taskID := w.running("/web")[0].info.GetTaskId().GetValue()
	// The kill gets lost on the way.
	held := w.tasks[taskID]
	delete(w.tasks, taskID)
	w.core.KillInstances([]string{w.instances("/web")[0].ID}, false, w.now)
	w.core.Settle(w.now)
	kills := 0
	for _, e := range w.core.Take().After {
		if c, ok := e.(core.Call); ok && c.Call.GetType() == schedulerpb.Call_KILL {
			kills++
		}
	}
	w.tasks[taskID] = held
	w.pass(31 * time.Second)
	for _, c := range w.calls {
		if c.GetType() == schedulerpb.Call_KILL {
			kills++
		}
	}
	if kills != 2 {
		t.Errorf("%d kills, want one and its repetition", kills)
	}
	w.pass(5 * time.Second)
	if got := w.instances("/web")[0].Task().ID; got == taskID {
		t.Error("the task was not replaced")
	}
}

func TestTaskThatNeverStartsIsKilledAndLaunchedAgain(t *testing.T) {
	for _, stuck := range []string{"unheard of", "staging"} {
		t.Run(stuck, func(t *testing.T) {
			w := connected(t)
			w.behave = func(t *task) { t.next = t.state }
			w.update(false, put(simple("/web", 1)))
			if stuck == "staging" {
				for _, task := range w.tasks {
					w.status(task, mesospb.TaskState_TASK_STAGING)
				}
			}
			w.behave = nil
			w.pass(4 * time.Minute)
			if got := w.instances("/web")[0].NextTaskID(); got != w.instances("/web")[0].ID+"._app.2" {
				t.Fatalf("launched again before its time: next is %s", got)
			}
			w.pass(2 * time.Minute)
			if i := w.instances("/web")[0]; i.State.Condition != instance.Running || i.Task().ID != i.ID+"._app.2" {
				t.Errorf("after its time: %s, %s", i.Task().ID, i.State.Condition)
			}
		})
	}
}
