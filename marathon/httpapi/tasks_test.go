package httpapi

import (
	"strings"
	"testing"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/id"
	"stoa/marathon/instance"
)

// placed is an instance that runs on an agent.
func placed(appID id.Path, uuid, host string, condition instance.Condition) *instance.Instance {
	state := mesospb.TaskState_TASK_RUNNING
	instanceID := appID.Safe() + ".instance-" + uuid
	return &instance.Instance{
		ID: instanceID, AppID: appID, Version: t0, Role: "*",
		State: instance.State{Condition: condition, Goal: instance.GoalRunning},
		Agent: &instance.AgentInfo{Host: host, AgentID: "S2"},
		Tasks: []instance.Task{{
			ID: instanceID + "._app.1", Version: t0, Condition: condition, StagedAt: (t0 + 293).Time(), StartedAt: (t0 + 1994).Time(),
			Status:  &mesospb.TaskStatus{State: &state},
			Network: instance.NetworkInfo{HostName: host, HostPorts: []int{31044}, IPAddresses: []instance.IPAddress{{Address: "10.0.7.4", Protocol: "IPv4"}}},
		}},
	}
}

const (
	uuid1 = "5c1d2e00-65d5-11eb-9f0a-0242ac110003"
	uuid2 = "5c1d2e01-65d5-11eb-9f0a-0242ac110003"
)

func TestTasks(t *testing.T) {
	a := start(t, func(o *Options) { o.TextPlainTasks = true })
	a.do("POST", "/v2/apps", `{"id":"/shop/web","cmd":"sleep 100","instances":2}`)
	a.backend.finish()
	one, two := placed("/shop/web", uuid1, "a1", instance.Running), placed("/shop/web", uuid2, "a2", instance.Failed)
	a.backend.view.Instances = map[id.Path][]*instance.Instance{"/shop/web": {one, two}}
	a.backend.view.Health = map[string][]Health{one.ID: {{InstanceID: one.ID, FirstSuccess: t0, LastSuccess: t0 + 1}}}
	a.backend.view.Failures = map[id.Path]*TaskFailure{"/shop/web": {AppID: "/shop/web", Host: "a2", Message: "exit 1", State: "TASK_FAILED", TaskID: "x", Timestamp: t0, Version: t0}}
	running := `{"appId":"/shop/web","healthCheckResults":[{"alive":true,"consecutiveFailures":0,"firstSuccess":"` + t0Text + `","instanceId":"instance [shop_web.instance-` + uuid1 + `]","lastSuccess":"2021-02-03T04:05:06.008Z"}],"host":"a1","id":"shop_web.instance-` + uuid1 + `._app.1","ipAddresses":[{"ipAddress":"10.0.7.4","protocol":"IPv4"}],"ports":[31044],"servicePorts":[],"slaveId":"S2","state":"TASK_RUNNING","stagedAt":"2021-02-03T04:05:06.300Z","startedAt":"2021-02-03T04:05:08.001Z","version":"` + t0Text + `","localVolumes":[],"role":"*"}`
	failed := `{"appId":"/shop/web","healthCheckResults":[],"host":"a2","id":"shop_web.instance-` + uuid2 + `._app.1","ipAddresses":[{"ipAddress":"10.0.7.4","protocol":"IPv4"}],"ports":[],"servicePorts":[],"slaveId":"S2","state":"TASK_FAILED","localVolumes":[],"role":"*"}`
	a.want(a.do("GET", "/v2/apps/shop/web/tasks", ""), 200, `{"tasks":[`+running+`,`+failed+`]}`)
	a.want(a.do("GET", "/v2/apps/shop/*/tasks", ""), 200, `{"tasks":[`+running+`,`+failed+`]}`)
	withPorts := strings.Replace(running, `"servicePorts":[]`, `"servicePorts":[10000]`, 1)
	a.want(a.do("GET", "/v2/tasks?status=running", ""), 200, `{"tasks":[`+withPorts+`]}`)
	a.want(a.do("GET", "/v2/tasks?status[]=STAGING", ""), 200, `{"tasks":[]}`)
	a.want(a.do("GET", "/v2/tasks", "", "Accept: text/plain"), 200, "shop_web\t10000\ta1:31044\t\n")
	shown := a.do("GET", "/v2/apps/shop/web?embed=app.taskStats", "").body
	for _, want := range []string{
		`"tasksStaged":0,"tasksRunning":1,"tasksHealthy":1,"tasksUnhealthy":0,"deployments":[],"tasks":[` + running + `,` + failed + `],"lastTaskFailure":{"appId":"/shop/web","host":"a2","message":"exit 1","state":"TASK_FAILED","taskId":"x","timestamp":"` + t0Text + `","version":"` + t0Text + `"},"tasksStats":{"startedAfterLastScaling":{"stats":{"counts":{"staged":0,"running":1,"healthy":1,"unhealthy":0},"lifeTime":{"averageSeconds":-1.994,"medianSeconds":-1.994}}},"withLatestConfig":`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("lacks %s\n%s", want, shown)
		}
	}
	a.want(a.do("DELETE", "/v2/apps/shop/web/tasks?host=a1", ""), 200, `{"tasks":[`+running+`]}`)
	a.want(a.do("DELETE", "/v2/apps/shop/web/tasks/nope", ""), 404, `{"message":"Task 'nope' does not exist","details":[]}`)
	a.want(a.do("DELETE", "/v2/apps/shop/web/tasks/"+one.ID+"._app.1?wipe=true", ""), 200, `{"task":`+running+`}`)
	if want := []string{one.ID, one.ID}; strings.Join(a.backend.killed, " ") != strings.Join(want, " ") || !a.backend.wiped {
		t.Errorf("killed %v, wiped %v", a.backend.killed, a.backend.wiped)
	}
	a.want(a.do("POST", "/v2/tasks/delete", `{"ids":["`+one.ID+`._app.1"]}`), 200, `{"tasks":[{"appId":"/shop/web","healthCheckResults":[],…`)
	a.want(a.do("POST", "/v2/tasks/delete?scale=true", `{"ids":["`+one.ID+`._app.1"]}`), 200, `{"deploymentId":"D2",…`)
	if now := a.backend.Snapshot().Root.App("/shop/web"); now.Instances != 1 || a.backend.toKill["/shop/web"][0] != one.ID {
		t.Errorf("%d instances, to kill %v", now.Instances, a.backend.toKill)
	}
}

func TestTextIsOffByDefault(t *testing.T) {
	a := start(t, nil)
	a.want(a.do("GET", "/v2/tasks", "", "Accept: text/plain"), 406, `"The text/plain output is deprecated. It can be enabled via text_plain_tasks."`)
	a.want(a.do("GET", "/v2/tasks", "", "Accept: */*"), 200, `{"tasks":[]}`)
}
