package instance_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/instance"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

const uuid = "5c1d2e00-65d5-11eb-9f0a-0242ac110003"

func TestTaskIDsOfAllReleases(t *testing.T) {
	for _, c := range []struct {
		text string
		want instance.ParsedTask
	}{
		{"shop_web.instance-" + uuid + "._app.3", instance.ParsedTask{AppID: "/shop/web", InstanceID: "shop_web.instance-" + uuid, Incarnation: 3}},
		{"web.marathon-" + uuid + "._app.1", instance.ParsedTask{AppID: "/web", InstanceID: "web.marathon-" + uuid, Incarnation: 1}},
		{"web.instance-" + uuid + ".rails.42", instance.ParsedTask{AppID: "/web", InstanceID: "web.instance-" + uuid, Container: "rails", Incarnation: 42}},
		{"web.instance-" + uuid + "._app", instance.ParsedTask{AppID: "/web", InstanceID: "web.instance-" + uuid}},
		{"web.instance-" + uuid + "_rails", instance.ParsedTask{AppID: "/web", InstanceID: "web.instance-" + uuid, Container: "rails"}},
		{"shop_web." + uuid, instance.ParsedTask{AppID: "/shop/web", InstanceID: "shop_web.marathon-" + uuid}},
		{"shop_web." + uuid + ".7", instance.ParsedTask{AppID: "/shop/web", InstanceID: "shop_web.marathon-" + uuid, Incarnation: 7}},
		{"shop_web_" + uuid, instance.ParsedTask{AppID: "/shop/web", InstanceID: "shop_web.marathon-" + uuid}},
		{"my.app.instance-" + uuid + "._app.1", instance.ParsedTask{AppID: "/my.app", InstanceID: "my.app.instance-" + uuid, Incarnation: 1}},
	} {
		got, err := instance.ParseTaskID(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
	for _, bad := range []string{"", "web", "web.nope", "web.instance-nope._app.1", ".instance-" + uuid + "._app.1", "web.instance-" + uuid + "._app.x", "web.instance-" + uuid + "._app.1.2"} {
		if _, err := instance.ParseTaskID(bad); !errors.Is(err, instance.ErrBadID) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func FuzzParseTaskID(f *testing.F) {
	f.Add("shop_web.instance-" + uuid + "._app.3")
	f.Add("shop_web." + uuid + ".7")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := instance.ParseTaskID(text)
		if err == nil && p.Container == "" && strings.Contains(p.InstanceID, ".instance-") && p.Incarnation > 0 {
			again, err := instance.ParseTaskID(instance.TaskID(p.InstanceID, p.Incarnation))
			if err != nil || again != p {
				t.Errorf("%q parses to %+v, which does not come back: %+v, %v", text, p, again, err)
			}
		}
	})
}

func TestConditions(t *testing.T) {
	status := func(state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) *mesospb.TaskStatus {
		return &mesospb.TaskStatus{State: &state, Reason: &reason, Message: &message}
	}
	const lost, other = mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED
	for _, c := range []struct {
		status *mesospb.TaskStatus
		want   instance.Condition
	}{
		{status(mesospb.TaskState_TASK_RUNNING, other, ""), instance.Running},
		{status(mesospb.TaskState_TASK_GONE_BY_OPERATOR, other, ""), instance.Gone},
		{status(mesospb.TaskState_TASK_UNREACHABLE, other, ""), instance.Unreachable},
		{status(lost, mesospb.TaskStatus_REASON_RECONCILIATION, ""), instance.Unreachable},
		{status(lost, mesospb.TaskStatus_REASON_AGENT_DISCONNECTED, ""), instance.Unreachable},
		{status(lost, mesospb.TaskStatus_REASON_AGENT_REMOVED, ""), instance.Unreachable},
		{status(lost, mesospb.TaskStatus_REASON_RECONCILIATION, "Reconciliation: Task is unknown to the agent"), instance.Unknown},
		{status(lost, mesospb.TaskStatus_REASON_TASK_UNKNOWN, ""), instance.Unknown},
		{status(lost, other, ""), instance.Gone},
	} {
		if got := instance.ConditionOf(c.status); got != c.want {
			t.Errorf("%v: %s, want %s", c.status, got, c.want)
		}
	}
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func launched() *instance.Instance {
	i := instance.NewScheduled("web.instance-"+uuid, "/web", "*", 1, now)
	return i.Provision(&instance.AgentInfo{Host: "h"}, instance.Task{
		ID: i.NextTaskID(), Version: 1, Condition: instance.Provisioned, StagedAt: now,
	}, now)
}

func update(state mesospb.TaskState) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: proto.String("web.instance-" + uuid + "._app.1")}, State: state.Enum(),
		Timestamp: proto.Float64(float64(now.Unix())),
	}
}

func TestLifeOfAnInstance(t *testing.T) {
	i := launched()
	for _, step := range []struct {
		state     mesospb.TaskState
		want      instance.Condition
		effect    instance.Effect
		scheduled bool
	}{
		{mesospb.TaskState_TASK_STAGING, instance.Staging, instance.Changed, false},
		{mesospb.TaskState_TASK_STAGING, instance.Staging, instance.Noop, false},
		{mesospb.TaskState_TASK_RUNNING, instance.Running, instance.Changed, false},
		{mesospb.TaskState_TASK_FAILED, instance.Failed, instance.Changed, true},
		// What comes after the end tells nothing new.
		{mesospb.TaskState_TASK_UNKNOWN, instance.Failed, instance.Noop, true},
	} {
		out := i.Update(update(step.state), app.UnreachableStrategy{}, now)
		if out.Effect != step.effect || out.Instance.State.Condition != step.want || out.Instance.Scheduled() != step.scheduled {
			t.Fatalf("%s: %+v", step.state, out)
		}
		i = out.Instance
	}
	if got, want := i.NextTaskID(), "web.instance-"+uuid+"._app.2"; got != want {
		t.Errorf("next task %s, want %s", got, want)
	}
}

func TestDecommissionedInstanceGoesWithItsTask(t *testing.T) {
	i := launched().SetGoal(instance.GoalDecommissioned).Instance
	if out := i.SetGoal(instance.GoalRunning); out.Effect != instance.Noop {
		t.Error("the goal came back")
	}
	if out := i.Update(update(mesospb.TaskState_TASK_KILLED), app.UnreachableStrategy{}, now); out.Effect != instance.Expunged {
		t.Errorf("effect %v", out.Effect)
	}
	waiting := instance.NewScheduled("x", "/web", "*", 1, now)
	if out := waiting.SetGoal(instance.GoalDecommissioned); out.Effect != instance.Expunged {
		t.Errorf("of one that waits: %v", out.Effect)
	}
}

func TestAChangeNeverTouchesTheOldValue(t *testing.T) {
	i := launched()
	before := *i
	task := i.Tasks[0]
	i.Update(update(mesospb.TaskState_TASK_RUNNING), app.UnreachableStrategy{}, now)
	i.SetGoal(instance.GoalStopped)
	if i.State != before.State || i.Tasks[0].Condition != task.Condition {
		t.Error("the old value changed")
	}
}

func TestLongMessagesAndDataAreNotKept(t *testing.T) {
	s := update(mesospb.TaskState_TASK_FAILED)
	s.Message = proto.String(strings.Repeat("ä", instance.MaxStatusMessage+5))
	s.Data = make([]byte, 1<<20)
	out := launched().Update(s, app.UnreachableStrategy{}, now)
	kept := out.Instance.Tasks[0].Status
	if n := len([]rune(kept.GetMessage())); n != instance.MaxStatusMessage || kept.Data != nil {
		t.Errorf("%d characters and %d bytes are kept", n, len(kept.Data))
	}
}

func TestHealthOffByOneIsKept(t *testing.T) {
	check := app.HealthCheck{GracePeriod: 10 * time.Second, MaxConsecutiveFailures: 3}
	var h instance.Health
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	if _, counts, _ := h.Failed(check, "x", now, at(9)); counts {
		t.Error("a failure in the grace period counts")
	}
	for n := 1; n <= 4; n++ {
		var counts, kill bool
		h, counts, kill = h.Failed(check, "x", now, at(10+n))
		if !counts || kill != (n == 4) {
			t.Errorf("failure %d: counts %v, kill %v", n, counts, kill)
		}
	}
	h = h.Succeeded(at(20))
	if !h.Alive() || h.ConsecutiveFailures != 0 {
		t.Errorf("after a success: %+v", h)
	}
	// Once it was healthy, the grace period is over.
	h2 := instance.Health{}.Succeeded(at(1))
	if _, counts, _ := h2.Failed(check, "x", now, at(2)); !counts {
		t.Error("a failure after a success does not count")
	}
	check.MaxConsecutiveFailures = 0
	if _, _, kill := (instance.Health{ConsecutiveFailures: 100}).Failed(check, "x", now, at(100)); kill {
		t.Error("killed although 0 means never")
	}
}

func TestAggregate(t *testing.T) {
	good, bad := instance.Health{}.Succeeded(now), instance.Health{LastFailure: now}
	for _, c := range []struct {
		checks []instance.Health
		want   string
	}{
		{[]instance.Health{good, good}, "true"},
		{[]instance.Health{good, bad}, "false"},
		{[]instance.Health{good, {}}, "unknown"},
		{[]instance.Health{bad, {}}, "unknown"},
	} {
		got := "unknown"
		if h := instance.Aggregate(c.checks); h != nil {
			got = map[bool]string{true: "true", false: "false"}[*h]
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.checks, got, c.want)
		}
	}
}

func TestPortAssignments(t *testing.T) {
	zero := 0
	network := instance.NetworkInfo{HostName: "h", HostPorts: []int{31000}, IPAddresses: []instance.IPAddress{{Address: "10.0.0.1"}}}
	for _, c := range []struct {
		name string
		app  *app.App
		want string
	}{
		{"host", &app.App{PortDefinitions: []app.PortDefinition{{Name: "a"}}}, "a h:31000"},
		{"bridge", &app.App{
			Networks:  []app.Network{{Mode: app.NetworkBridge}},
			Container: &app.Container{PortMappings: []app.PortMapping{{Name: "a", ContainerPort: 80, HostPort: &zero}}},
		}, "a h:31000"},
		{"container", &app.App{
			Networks: []app.Network{{Mode: app.NetworkContainer}},
			Container: &app.Container{PortMappings: []app.PortMapping{
				{Name: "a", ContainerPort: 80}, {Name: "b", ContainerPort: 81, HostPort: &zero},
			}},
		}, "a 10.0.0.1:80, b h:31000"},
	} {
		var got []string
		for _, p := range instance.PortAssignments(c.app, network) {
			got = append(got, p.Name+" "+p.Address+":"+strconv.Itoa(p.Port))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}
