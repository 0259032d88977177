package session

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

func TestEnvironmentOfAnExecutor(t *testing.T) {
	full := []string{
		"MESOS_FRAMEWORK_ID=f", "MESOS_EXECUTOR_ID=e", "MESOS_SLAVE_PID=slave(2)@10.0.0.1:5051", "MESOS_AGENT_ENDPOINT=10.0.0.1:5051",
		"MESOS_CHECKPOINT=1", "MESOS_RECOVERY_TIMEOUT=15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX=2secs",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=7secs", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN=token", "MESOS_SANDBOX=/s", "OTHER=x",
	}
	env, err := ReadEnvironment(full)
	if err != nil {
		t.Fatal(err)
	}
	if env.URL != "http://10.0.0.1:5051/slave(2)/api/v1/executor" || !env.Checkpoint || env.RecoveryTimeout != 15*time.Minute ||
		env.BackoffMax != 2*time.Second || env.ShutdownGracePeriod != 7*time.Second || env.Token != "token" || env.Sandbox != "/s" {
		t.Errorf("%+v", env)
	}
	if slices.ContainsFunc(env.Rest, func(s string) bool { return strings.Contains(s, "token") }) || !slices.Contains(env.Rest, "OTHER=x") {
		t.Errorf("rest %q", env.Rest)
	}
	for change, want := range map[string]string{
		"MESOS_FRAMEWORK_ID=":                        "Expecting 'MESOS_FRAMEWORK_ID' to be set in the environment",
		"MESOS_RECOVERY_TIMEOUT=soon":                "Failed to parse value 'soon' of 'MESOS_RECOVERY_TIMEOUT'",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secx": "Failed to parse value '5secx' of 'MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD'",
	} {
		if _, err := ReadEnvironment(append(slices.Clone(full), change)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestUpdatesAreKeptUntilAcknowledged(t *testing.T) {
	u := NewUpdates(&mesospb.ExecutorID{Value: proto.String("e")})
	task := &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: proto.String("t")}}
	u.SetTask(task)
	var sent []*executorpb.Call
	for range 3 {
		sent = append(sent, u.Add(time.Unix(5, 500000000), &mesospb.TaskStatus{TaskId: task.TaskId, State: mesospb.TaskState_TASK_RUNNING.Enum()}))
	}
	if at := sent[0].GetUpdate().GetStatus().GetTimestamp(); at != 5.5 {
		t.Errorf("timestamp %v", at)
	}
	uuids := func() (list []string) {
		for _, update := range u.Subscribe().GetUnacknowledgedUpdates() {
			list = append(list, string(update.GetStatus().GetUuid()))
		}
		return list
	}
	uuid := func(i int) []byte { return sent[i].GetUpdate().GetStatus().GetUuid() }
	if len(u.Subscribe().GetUnacknowledgedTasks()) != 1 || len(uuids()) != 3 {
		t.Errorf("%v", u.Subscribe())
	}
	if u.Acknowledge(&executorpb.Event_Acknowledged{TaskId: task.TaskId, Uuid: []byte("unknown")}) != nil {
		t.Error("an unknown acknowledgement was taken")
	}
	if u.Acknowledge(&executorpb.Event_Acknowledged{TaskId: task.TaskId, Uuid: uuid(1)}) == nil {
		t.Error("an acknowledgement was refused")
	}
	if got := uuids(); !slices.Equal(got, []string{string(uuid(0)), string(uuid(2))}) {
		t.Errorf("order %q", got)
	}
	if len(u.Subscribe().GetUnacknowledgedTasks()) != 0 {
		t.Error("the task counts as unacknowledged")
	}
}

func TestExitTexts(t *testing.T) {
	for want, exit := range map[string]Exit{
		"exited with status 0":                           {},
		"exited with status 255":                         {Code: 255},
		"terminated with signal Killed":                  {Signal: 9},
		"terminated with signal Segmentation fault":      {Signal: 11},
		"terminated with signal Aborted (core dumped)":   {Signal: 6, CoreDumped: true},
		"terminated with signal Real-time signal 1":      {Signal: 35},
		"terminated with signal CPU time limit exceeded": {Signal: 24},
		"terminated with signal Unknown signal 99":       {Signal: 99},
	} {
		if got := ExitText(exit); got != want {
			t.Errorf("%+v: %q, want %q", exit, got, want)
		}
	}
}

func FuzzReadEnvironment(f *testing.F) {
	f.Add("MESOS_SLAVE_PID=slave(1)@1.2.3.4:5", "MESOS_RECOVERY_TIMEOUT=1secs")
	f.Fuzz(func(t *testing.T, a, b string) {
		_, _ = ReadEnvironment([]string{"MESOS_FRAMEWORK_ID=f", "MESOS_EXECUTOR_ID=e", a, b})
	})
}
