package event_test

import (
	"testing"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/event"
	"stoa/marathon/instance"
	"stoa/marathon/level"
)

// TestOldLevels has the table of the facts, section 5.5.
func TestOldLevels(t *testing.T) {
	when := at(t, "2021-02-03T04:05:06.007Z")
	const stamp = `"timestamp":"2021-02-03T04:05:06.007Z"}`
	i := instance.NewScheduled("web.instance-1", "/web", "*", when, when.Time())
	plan := &deployment.Plan{ID: "d", Version: when, Steps: []deployment.Step{
		{Actions: []deployment.Action{{Kind: deployment.Scale, App: &app.App{ID: "/web"}}}},
	}}
	typed := `{"id":"d","steps":[{"actions":[{"type":"ScaleApplication","app":"/web"}]}],"version":"2021-02-03T04:05:06.007Z"}`
	for _, c := range []struct {
		level string
		event event.Event
		want  string
	}{
		{"0.8", event.DeploymentSuccess{Plan: plan}, `{"id":"d","eventType":"deployment_success",` + stamp},
		{"0.8", event.DeploymentFailed{Plan: plan, Reason: "x"}, `{"id":"d","eventType":"deployment_failed",` + stamp},
		{"0.11", event.DeploymentSuccess{Plan: plan}, `{"id":"d","plan":` + typed + `,"eventType":"deployment_success",` + stamp},
		{"1.1.1", event.DeploymentStep{Kind: event.TypeDeploymentInfo, Plan: plan, Step: plan.Steps[0]}, `{"plan":` + typed + `,"currentStep":{"actions":[{"type":"ScaleApplication","app":"/web"}]},"eventType":"deployment_info",` + stamp},
		{"1.4", event.DeploymentFailed{Plan: plan, Reason: "x"}, `{"id":"d","plan":{"id":"d","steps":[{"actions":[{"action":"ScaleApplication","app":"/web"}]}],"version":"2021-02-03T04:05:06.007Z"},"eventType":"deployment_failed",` + stamp},
		{"0.13", event.StatusUpdate{Instance: i}, `{"slaveId":"","taskId":"","taskStatus":"TASK_STAGING","message":"","appId":"/web","host":"unknown","ports":[],"version":"2021-02-03T04:05:06.007Z","eventType":"status_update_event",` + stamp},
		{"1.3", event.HealthStatusChanged{AppID: "/web", InstanceID: "t", Version: when, Alive: true}, `{"appId":"/web","taskId":"t","version":"2021-02-03T04:05:06.007Z","alive":true,"eventType":"health_status_changed_event",` + stamp},
		{"1.3", event.InstanceChanged{Instance: i}, ``},
		{"1.4", event.InstanceChanged{Instance: i}, `{"instanceId":"web.instance-1","condition":"Scheduled","runSpecId":"/web","agentId":null,"host":null,"runSpecVersion":"2021-02-03T04:05:06.007Z","timestamp":"2021-02-03T04:05:06.007Z","eventType":"instance_changed_event"}`},
		{"1.2", event.UnhealthyInstanceKill{Instance: i, Version: when, Reason: "r"}, `{"appId":"/web","taskId":"","version":"2021-02-03T04:05:06.007Z","reason":"r","host":"","eventType":"unhealthy_task_kill_event",` + stamp},
		{"0.13", event.UnhealthyInstanceKill{Instance: i, Version: when}, ``},
		{"1.3.1", event.UnknownInstanceTerminated{InstanceID: "t", AppID: "/web", Condition: instance.Failed}, `{"taskId":"t","appId":"/web","taskStatus":"TASK_FAILED","eventType":"unknown_task_terminated_event",` + stamp},
		{"1.3", event.UnknownInstanceTerminated{InstanceID: "t", AppID: "/web", Condition: instance.Failed}, ``},
		{"1.4", event.AddHealthCheck{AppID: "/web", Version: when, Check: app.HealthCheck{Protocol: app.HealthTCP}}, `{"appId":"/web","version":"2021-02-03T04:05:06.007Z","healthCheck":{"gracePeriodSeconds":0,"intervalSeconds":0,"timeoutSeconds":0,"maxConsecutiveFailures":0,"protocol":"TCP"},"eventType":"add_health_check_event",` + stamp},
		{"1.4", event.FailedHealthCheck{AppID: "/web", InstanceID: "t", Check: app.HealthCheck{Protocol: app.HealthTCP}}, `{"appId":"/web","taskId":"t","healthCheck":{"gracePeriodSeconds":0,"intervalSeconds":0,"timeoutSeconds":0,"maxConsecutiveFailures":0,"protocol":"TCP"},"eventType":"failed_health_check_event",` + stamp},
		{"0.8", event.StreamAttached{RemoteAddress: "1.2.3.4"}, ``},
	} {
		release, err := level.Parse(c.level)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(event.EncodeAt(c.event, when, release).JSON); got != c.want {
			t.Errorf("level %s:\n%s, want\n%s", c.level, got, c.want)
		}
	}
}
