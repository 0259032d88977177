package event_test

import (
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/event"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"

	"google.golang.org/protobuf/proto"
)

func at(t testing.TB, text string) timestamp.Timestamp {
	t.Helper()
	v, err := timestamp.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestJSON(t *testing.T) {
	version := at(t, "2021-02-03T04:05:06.007Z")
	const id = "web.instance-5c1d2e00-65d5-11eb-9f0a-0242ac110003"
	const agent = "8e1c2b7a-9d1f-4c67-8a53-0f3b5e1d6a55-S2"
	i := instance.NewScheduled(id, "/web", "*", version, version.Time())
	waiting := *i
	i.State.Condition = instance.Running
	i.Agent = &instance.AgentInfo{Host: "agent-1.corp", AgentID: agent}
	i.Tasks = []instance.Task{{
		ID: id + "._app.1", Version: version, Condition: instance.Running,
		Status: &mesospb.TaskStatus{
			TaskId: &mesospb.TaskID{Value: proto.String(id + "._app.1")}, State: mesospb.TaskState_TASK_RUNNING.Enum(),
			AgentId: &mesospb.AgentID{Value: proto.String(agent)},
		},
		Network: instance.NetworkInfo{
			HostName: "agent-1.corp", HostPorts: []int{31044}, IPAddresses: []instance.IPAddress{{Address: "10.0.7.4", Protocol: "IPv4"}},
		},
	}}
	path, index := "/health", 0
	check := app.HealthCheck{
		Protocol: app.HealthHTTP, Path: &path, PortIndex: &index, GracePeriod: 30 * time.Second, Interval: 10 * time.Second,
		Timeout: 5 * time.Second, MaxConsecutiveFailures: 3, IPProtocol: app.IPv4,
	}
	web := &app.App{ID: "/web"}
	plan := &deployment.Plan{ID: "0d8d5a1e-6a3f-4b9e-8f35-6a2c1f3e9b10", Version: version, Steps: []deployment.Step{
		{Actions: []deployment.Action{{Kind: deployment.Scale, App: web}}},
	}}
	const planJSON = `{"id":"0d8d5a1e-6a3f-4b9e-8f35-6a2c1f3e9b10","steps":[{"actions":[{"action":"ScaleApplication","app":"/web"}]}],"version":"2021-02-03T04:05:06.007Z"}`
	healthy := true
	for _, c := range []struct {
		event event.Event
		at    string
		want  string
	}{
		{event.StatusUpdate{Instance: i, Task: i.Tasks[0]}, "2021-02-03T04:05:08.001Z", `{"slaveId":"` + agent + `","taskId":"` + id + `._app.1","taskStatus":"TASK_RUNNING","message":"","appId":"/web","host":"agent-1.corp","ipAddresses":[{"ipAddress":"10.0.7.4","protocol":"IPv4"}],"ports":[31044],"version":"2021-02-03T04:05:06.007Z","eventType":"status_update_event","timestamp":"2021-02-03T04:05:08.001Z"}`},
		{event.InstanceChanged{Instance: i}, "2021-02-03T04:05:08.002Z", `{"instanceId":"` + id + `","condition":"Running","runSpecId":"/web","agentId":"` + agent + `","host":"agent-1.corp","runSpecVersion":"2021-02-03T04:05:06.007Z","timestamp":"2021-02-03T04:05:08.002Z","eventType":"instance_changed_event"}`},
		{event.InstanceChanged{Instance: &waiting}, "2021-02-03T04:05:06.200Z", `{"instanceId":"` + id + `","condition":"Scheduled","runSpecId":"/web","agentId":null,"host":null,"runSpecVersion":"2021-02-03T04:05:06.007Z","timestamp":"2021-02-03T04:05:06.200Z","eventType":"instance_changed_event"}`},
		{event.DeploymentStep{Kind: event.TypeDeploymentInfo, Plan: plan, Step: plan.Steps[0]}, "2021-02-03T04:05:06.200Z", `{"plan":` + planJSON + `,"currentStep":{"actions":[{"action":"ScaleApplication","app":"/web"}]},"eventType":"deployment_info","timestamp":"2021-02-03T04:05:06.200Z"}`},
		{event.DeploymentSuccess{Plan: plan}, "2021-02-03T04:05:06.200Z", `{"id":"` + plan.ID + `","plan":` + planJSON + `,"eventType":"deployment_success","timestamp":"2021-02-03T04:05:06.200Z"}`},
		{event.DeploymentFailed{Plan: plan, Reason: "The upgrade has been cancelled"}, "2021-02-03T04:05:06.200Z", `{"id":"` + plan.ID + `","plan":` + planJSON + `,"eventType":"deployment_failed","timestamp":"2021-02-03T04:05:06.200Z","reason":"The upgrade has been cancelled"}`},
		{event.GroupChangeSuccess{GroupID: "/", Version: version}, "2021-02-03T04:05:06.100Z", `{"groupId":"/","version":"2021-02-03T04:05:06.007Z","eventType":"group_change_success","timestamp":"2021-02-03T04:05:06.100Z"}`},
		{event.FailedHealthCheck{AppID: "/web", InstanceID: id, Check: check}, "2021-02-03T04:09:00.000Z", `{"appId":"/web","eventType":"failed_health_check_event","healthCheck":{"gracePeriodSeconds":30,"ignoreHttp1xx":false,"intervalSeconds":10,"maxConsecutiveFailures":3,"path":"/health","portIndex":0,"protocol":"HTTP","ipProtocol":"IPv4","timeoutSeconds":5,"delaySeconds":15},"taskId":"` + id + `","timestamp":"2021-02-03T04:09:00.000Z"}`},
		{event.UnhealthyInstanceKill{Instance: i, Version: version, Reason: "500"}, "2021-02-03T04:09:00.000Z", `{"appId":"/web","taskId":"` + id + `._app.1","instanceId":"` + id + `","version":"2021-02-03T04:05:06.007Z","reason":"500","host":"agent-1.corp","slaveId":"` + agent + `","eventType":"unhealthy_instance_kill_event","timestamp":"2021-02-03T04:09:00.000Z"}`},
		{event.HealthStatusChanged{AppID: "/web", InstanceID: id, Version: version, Alive: true}, "2021-02-03T04:09:00.000Z", `{"appId":"/web","instanceId":"` + id + `","version":"2021-02-03T04:05:06.007Z","alive":true,"eventType":"health_status_changed_event","timestamp":"2021-02-03T04:09:00.000Z"}`},
		{event.InstanceHealthChanged{Instance: i, Healthy: &healthy}, "2021-02-03T04:09:00.000Z", `{"instanceId":"` + id + `","runSpecId":"/web","healthy":true,"runSpecVersion":"2021-02-03T04:05:06.007Z","timestamp":"2021-02-03T04:09:00.000Z","eventType":"instance_health_changed_event"}`},
		{event.InstanceHealthChanged{Instance: i}, "2021-02-03T04:09:00.000Z", `{"instanceId":"` + id + `","runSpecId":"/web","healthy":null,"runSpecVersion":"2021-02-03T04:05:06.007Z","timestamp":"2021-02-03T04:09:00.000Z","eventType":"instance_health_changed_event"}`},
		{event.UnknownInstanceTerminated{InstanceID: id, AppID: "/web", Condition: instance.Gone}, "2021-02-03T04:09:00.000Z", `{"instanceId":"` + id + `","runSpecId":"/web","condition":"Gone","timestamp":"2021-02-03T04:09:00.000Z","eventType":"unknown_instance_terminated_event"}`},
		{event.StreamAttached{RemoteAddress: "10.1.2.3"}, "2021-02-03T04:05:00.500Z", `{"remoteAddress":"10.1.2.3","eventType":"event_stream_attached","timestamp":"2021-02-03T04:05:00.500Z"}`},
		{event.FrameworkMessage{ExecutorID: "ex-1", AgentID: "8e1c-S2", Data: []byte{104, 105, 255}}, "2021-02-03T04:05:00.500Z", `{"executorId":"ex-1","slaveId":"8e1c-S2","message":[104,105,-1],"eventType":"framework_message_event","timestamp":"2021-02-03T04:05:00.500Z"}`},
		{event.SchedulerRegistered{FrameworkID: "f", Master: "m"}, "2021-02-03T04:05:00.500Z", `{"frameworkId":"f","master":"m","eventType":"scheduler_registered_event","timestamp":"2021-02-03T04:05:00.500Z"}`},
		{event.AddHealthCheck{AppID: "/web", Version: version, Check: check}, "2021-02-03T04:05:00.500Z", `{"appId":"/web","eventType":"add_health_check_event","healthCheck":{"gracePeriodSeconds":30,"ignoreHttp1xx":false,"intervalSeconds":10,"maxConsecutiveFailures":3,"path":"/health","portIndex":0,"protocol":"HTTP","ipProtocol":"IPv4","timeoutSeconds":5,"delaySeconds":15},"timestamp":"2021-02-03T04:05:00.500Z","version":"2021-02-03T04:05:06.007Z"}`},
	} {
		if got := string(event.Encode(c.event, at(t, c.at))); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.event.Type(), got, c.want)
		}
	}
}

func bus(outstanding int) *event.Bus {
	return event.NewBus(outstanding, func() time.Time { return time.Unix(0, 0) })
}

func TestSubscriberGetsItsOwnAttachmentFirstAndThenEverythingInOrder(t *testing.T) {
	b := bus(10)
	s := b.Subscribe("1.2.3.4", nil)
	for _, group := range []string{"/a", "/b"} {
		b.Publish(event.GroupChangeFailed{Reason: group}, 0)
	}
	if e := <-s.Events(); e.Type != event.TypeStreamAttached {
		t.Errorf("first event %s", e.Type)
	}
	for _, want := range []string{"/a", "/b"} {
		if e := <-s.Events(); string(e.JSON) != string(event.Encode(event.GroupChangeFailed{Reason: want}, 0)) {
			t.Errorf("event %s", e.JSON)
		}
	}
}

func TestFilter(t *testing.T) {
	b := bus(10)
	s := b.Subscribe("1.2.3.4", func(name string) bool { return name == event.TypeAppTerminated })
	b.Publish(event.SchedulerDisconnected{}, 0)
	b.Publish(event.AppTerminated{AppID: "/a"}, 0)
	if e := <-s.Events(); e.Type != event.TypeAppTerminated {
		t.Errorf("event %s", e.Type)
	}
}

func TestSlowSubscriberIsDroppedAndOthersAreNot(t *testing.T) {
	b := bus(3)
	slow, quick := b.Subscribe("slow", nil), b.Subscribe("quick", nil)
	for range 5 {
		for len(quick.Events()) > 0 {
			<-quick.Events()
		}
		b.Publish(event.SchedulerDisconnected{}, 0)
	}
	n := 0
	for range slow.Events() {
		n++
	}
	if n != 3 {
		t.Errorf("%d events before the end, want the 3 that fitted", n)
	}
	slow.Close()
	slow.Close()
	if e := <-quick.Events(); e.Type != event.TypeSchedulerDisconnected {
		t.Errorf("the quick one got %s", e.Type)
	}
	if e := <-quick.Events(); e.Type != event.TypeStreamDetached {
		t.Errorf("the quick one got %s, want to hear of the other's end", e.Type)
	}
}

func TestClosedBusEndsAllStreams(t *testing.T) {
	b := bus(3)
	s := b.Subscribe("a", func(string) bool { return false })
	b.Close()
	if _, open := <-s.Events(); open {
		t.Error("the stream goes on")
	}
	if _, open := <-b.Subscribe("b", nil).Events(); open {
		t.Error("a new stream begins")
	}
	s.Close()
	b.Publish(event.SchedulerDisconnected{}, 0)
}
