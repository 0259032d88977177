package validation

import (
	"strings"
	"testing"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// task reads a task in protobuf's text form on top of one that is right.
func task(t *testing.T, text string) *mesospb.TaskInfo {
	t.Helper()
	one := new(mesospb.TaskInfo)
	base := `name: "t" task_id { value: "t" } agent_id { value: "S0" }`
	if !strings.Contains(text, "command {") && !strings.Contains(text, "executor {") {
		base += ` command { value: "sleep 1" }`
	}
	if !strings.Contains(text, "resources {") {
		base += ` resources { name: "cpus" type: SCALAR scalar { value: 1 } allocation_info { role: "r" } }`
	}
	if err := prototext.Unmarshal([]byte(base), one); err != nil {
		t.Fatal(err)
	}
	more := new(mesospb.TaskInfo)
	if err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(text), more); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if more.TaskId != nil {
		one.TaskId = nil
	}
	if more.AgentId != nil {
		one.AgentId = nil
	}
	proto.Merge(one, more)
	return one
}

func launch(t *testing.T) *Launch {
	t.Helper()
	available, err := resources.Parse("cpus:4;mem:1024;disk:100;ports:[1-100]", "*")
	if err != nil {
		t.Fatal(err)
	}
	return &Launch{
		Framework: "F", Agent: "S0", Limits: true,
		Taken:       func(id string) bool { return id == "taken" },
		Unreachable: func(id string) bool { return id == "away" },
		Executor:    func(string) *mesospb.ExecutorInfo { return nil },
		OnExecutor:  func(string) []*mesospb.ContainerInfo { return nil },
		Available:   available.Allocate("r"),
	}
}

const (
	cpu      = `resources { name: "cpus" type: SCALAR scalar { value: 1 } allocation_info { role: "r" } } `
	executor = `executor { executor_id { value: "e" } framework_id { value: "F" } command { value: "x" } } `
)

// Each rule with the words of the original.
func TestTaskRules(t *testing.T) {
	for _, c := range []struct{ task, want string }{
		{``, ``},
		{`task_id { value: "" }`, "ID must not be empty"},
		{`task_id { value: ".." }`, "'..' is disallowed"},
		{`task_id { value: "a\\b" }`, `'a\b' contains invalid characters`},
		{`task_id { value: "taken" }`, "Task has duplicate ID: taken"},
		{`task_id { value: "away" }`, "Task reuses the ID of an unreachable task: away"},
		{`agent_id { value: "S1" }`, "Task uses invalid agent S1 while agent S0 is expected"},
		{`kill_policy { grace_period { nanoseconds: -1 } }`, "Task's 'kill_policy.grace_period' must be non-negative"},
		{`max_completion_time { nanoseconds: -1 }`, "Task's `max_completion_time` must be non-negative"},

		{`check { }`, "Task uses invalid check: CheckInfo must specify 'type'"},
		{`check { type: UNKNOWN }`, "Task uses invalid check: 'UNKNOWN' is not a valid check type"},
		{`check { type: COMMAND }`, "Task uses invalid check: Expecting 'command' to be set for COMMAND check"},
		{`check { type: COMMAND command { command { } } }`, "Task uses invalid check: Command check must contain 'shell command'"},
		{`check { type: HTTP http { port: 1 path: "x" } }`, "Task uses invalid check: The path 'x' of HTTP check must start with '/'"},
		{`check { type: TCP }`, "Task uses invalid check: Expecting 'tcp' to be set for TCP check"},
		{`check { type: TCP tcp { port: 1 } interval_seconds: -1 }`, "Task uses invalid check: Expecting 'interval_seconds' to be non-negative"},

		{`health_check { }`, "Task uses invalid health check: HealthCheck must specify 'type'"},
		{`health_check { type: COMMAND command { shell: false } }`, "Task uses invalid health check: Command health check must contain 'executable path'"},
		{`health_check { type: COMMAND command { value: "x" environment { variables { name: "A" } } } }`,
			"Task uses invalid health check: Health check's `CommandInfo` is invalid: Environment variable 'A' of type 'VALUE' must have a value set"},
		{`health_check { type: HTTP http { port: 1 scheme: "ftp" } }`, "Task uses invalid health check: Unsupported HTTP health check scheme: 'ftp'"},
		{`health_check { type: TCP tcp { port: 1 } grace_period_seconds: -0.5 }`, "Task uses invalid health check: Expecting 'grace_period_seconds' to be non-negative"},

		{`resources { name: "cpus" type: SCALAR scalar { value: -1 } }`, "Task uses invalid resources: Invalid resources: Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0"},
		{`resources { name: "gpus" type: SCALAR scalar { value: 0.5 } allocation_info { role: "r" } }`, "Task uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer"},
		{`resources { name: "cpus" type: SCALAR scalar { value: 1 } }`, "Invalid task resources: The resources are not allocated to a role"},
		{cpu + `resources { name: "mem" type: SCALAR scalar { value: 1 } allocation_info { role: "q" } }`,
			"Invalid task resources: The resources have multiple allocation roles ('q' and 'r') but only one allocation role is allowed"},
		{cpu + `resources { name: "cpus" type: SCALAR scalar { value: 1 } revocable { } allocation_info { role: "r" } }`,
			"Task mixes revocable and non-revocable resources: Cannot use both revocable and non-revocable 'cpus' at the same time"},
		{`resources { name: "disk" type: SCALAR scalar { value: 1 } disk { } allocation_info { role: "r" } }`, "Task uses invalid resources: Invalid DiskInfo: DiskInfo is set but empty"},
		{`resources { name: "disk" type: SCALAR scalar { value: 1 } disk { volume { mode: RW container_path: "x" } } allocation_info { role: "r" } }`,
			"Task uses invalid resources: Invalid DiskInfo: Non-persistent volume not supported"},

		{`command { value: "x" environment { variables { name: "A" type: SECRET } } }`,
			"Task's `CommandInfo` is invalid: Environment variable 'A' of type 'SECRET' must have a secret set"},
		{`command { value: "x" environment { variables { name: "A" type: SECRET secret { type: REFERENCE } } } }`,
			"Task's `CommandInfo` is invalid: Environment variable 'A' specifies an invalid secret: Secret of type REFERENCE must have the 'reference' field set"},
		{`command { value: "x" environment { variables { name: "A" type: SECRET secret { type: VALUE value { data: "a\000b" } } } } }`,
			"Task's `CommandInfo` is invalid: Environment variable 'A' specifies a secret containing null bytes, which is not allowed in the environment"},

		{`container { type: DOCKER }`, "Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"},
		{`container { type: DOCKER docker { image: "i" parameters { key: "name" value: "n" } } }`, "Task's `ContainerInfo` is invalid: Parameter in DockerInfo must not be 'name'"},
		{`container { type: MESOS volumes { mode: RW container_path: "x" } }`, "Task's `ContainerInfo` is invalid: Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'"},
		{`container { type: MESOS volumes { mode: RW container_path: "x" source { type: SANDBOX_PATH } } }`,
			"Task's `ContainerInfo` is invalid: Invalid volume: 'source.sandbox_path' is not set for SANDBOX_PATH volume"},
		{`container { type: MESOS volumes { mode: RW container_path: "x" source { type: CSI_VOLUME csi_volume { plugin_name: "p" } } } }`,
			"Task's `ContainerInfo` is invalid: Invalid volume: 'source.csi_volume.static_provisioning' is not set for CSI volume"},

		{`limits { key: "disk" value { value: 1 } }`, "Only cpus and mem may be included in a task's resource limits"},
		{`limits { key: "cpus" value { value: 0.5 } }`, "The cpu limit must be greater than or equal to the cpu request"},
		{`limits { key: "mem" value { value: 5 } }`, "When a memory limit is specified, a memory request must also be specified"},
		{`limits { key: "cpus" value { value: inf } }`, ""},

		{executor + `command { value: "x" }`, "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"},
		{executor, ""},
		{`executor { executor_id { value: "e" } framework_id { value: "F" } type: CUSTOM }`, "'ExecutorInfo.command' must be set for 'CUSTOM' executor"},
		{`executor { executor_id { value: "e" } framework_id { value: "F" } type: DEFAULT }`, "'ExecutorInfo.type' must be 'CUSTOM'"},
		{`executor { executor_id { value: "e" } framework_id { value: "F" } }`, "'ExecutorInfo.command' must be set"},
		{`executor { executor_id { value: "a/b" } framework_id { value: "F" } command { } }`, "'a/b' contains invalid characters"},
		{`executor { executor_id { value: "e" } command { } }`, "'ExecutorInfo.framework_id' must be set"},
		{`executor { executor_id { value: "e" } framework_id { value: "G" } command { } }`, "ExecutorInfo has an invalid FrameworkID (Actual: G vs Expected: F)"},
		{`executor { executor_id { value: "e" } framework_id { value: "F" } command { } shutdown_grace_period { nanoseconds: -1 } }`, "ExecutorInfo's 'shutdown_grace_period' must be non-negative"},
		{`executor { executor_id { value: "e" } framework_id { value: "F" } command { } container { type: MESOS linux_info { share_cgroups: true } } }`,
			"The 'share_cgroups' field cannot be set to 'true' on executor containers"},
		{cpu + `resources { name: "ports" type: RANGES ranges { range { begin: 1 end: 5 } } allocation_info { role: "r" } } ` +
			`executor { executor_id { value: "e" } framework_id { value: "F" } command { } resources { name: "ports" type: RANGES ranges { range { begin: 5 end: 6 } } allocation_info { role: "r" } } }`,
			"There are overlapping resources in the task resources cpus(allocated: r):1; ports(allocated: r):[1-5] and executor resources ports(allocated: r):[5-6]"},
		{`resources { name: "cpus" type: SCALAR scalar { value: 5 } allocation_info { role: "r" } }`,
			"Total resources cpus(allocated: r):5 required by task and its executor is more than available cpus(allocated: r):4; mem(allocated: r):1024; disk(allocated: r):100; ports(allocated: r):[1-100]"},
		{`container { type: MESOS linux_info { share_cgroups: false } }`, "Only tasks in a task group may have 'share_cgroups' set to 'false'"},
	} {
		got := ""
		if err := launch(t).Task(task(t, c.task)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.task, got, c.want)
		}
	}
}

// Rules come in the original's order: with two mistakes the first is told.
func TestRulesComeInOrder(t *testing.T) {
	l := launch(t)
	one := task(t, `task_id { value: "" } agent_id { value: "S1" } check { } health_check { } container { type: DOCKER }`)
	for _, step := range []struct {
		want string
		fix  func()
	}{
		{"ID must not be empty", func() { one.TaskId.Value = proto.String("t") }},
		{"Task uses invalid agent S1 while agent S0 is expected", func() { one.AgentId.Value = proto.String("S0") }},
		{"Task uses invalid check: CheckInfo must specify 'type'", func() { one.Check = nil }},
		{"Task uses invalid health check: HealthCheck must specify 'type'", func() { one.HealthCheck = nil }},
		{"Task's `ContainerInfo` is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo", func() { one.Container = nil }},
	} {
		if err := l.Task(one); err == nil || err.Error() != step.want {
			t.Errorf("got %v, want %s", err, step.want)
		}
		step.fix()
	}
	if err := l.Task(one); err != nil {
		t.Error(err)
	}
}

func TestAgentWithoutLimits(t *testing.T) {
	l := launch(t)
	l.Limits = false
	if err := l.Task(task(t, `limits { key: "cpus" value { value: 2 } }`)); err == nil || err.Error() != "Agent is not capable of handling task resource limits" {
		t.Error(err)
	}
}

func TestExecutorThatExists(t *testing.T) {
	l := launch(t)
	old := task(t, executor).Executor
	l.Executor = func(string) *mesospb.ExecutorInfo { return old }
	// It is not charged again.
	one := task(t, `resources { name: "cpus" type: SCALAR scalar { value: 4 } allocation_info { role: "r" } } `+executor)
	if err := l.Task(one); err != nil {
		t.Error(err)
	}
	one.Executor.Name = proto.String("other")
	err := l.Task(one)
	want := "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n" + strings.Repeat("-", 60) + "\nExisting ExecutorInfo:\n"
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "executor_id {\n  value: \"e\"\n}\n") {
		t.Error(err)
	}
}

func TestGroupRules(t *testing.T) {
	const pod = `executor_id { value: "pod" } framework_id { value: "F" } `
	amount := func(name, n string) string {
		return `resources { name: "` + name + `" type: SCALAR scalar { value: ` + n + ` } allocation_info { role: "r" } } `
	}
	full := amount("cpus", "0.1") + amount("mem", "32") + amount("disk", "1")
	for _, c := range []struct{ executor, task, want string }{
		{`type: DEFAULT ` + full, ``, ``},
		{full, ``, "'ExecutorInfo.type' must be set"},
		{`type: DEFAULT command { } ` + full, ``, "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"},
		{`type: DEFAULT container { type: DOCKER docker { image: "i" } } ` + full, ``, "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor"},
		{`type: DEFAULT container { type: MESOS mesos { image { type: DOCKER docker { name: "i" } } } } ` + full, ``, "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"},
		{`type: DEFAULT ` + amount("mem", "32") + amount("disk", "1"), ``, "Executor 'pod' uses less CPUs (None) than the minimum required (0.01)"},
		{`type: DEFAULT ` + amount("cpus", "0.005") + amount("mem", "32"), ``, "Executor 'pod' uses less CPUs (0.005) than the minimum required (0.01)"},
		{`type: DEFAULT ` + amount("cpus", "0.1") + amount("mem", "16"), ``, "Executor 'pod' uses less memory (16MB) than the minimum required (32MB)"},
		{`type: DEFAULT ` + amount("cpus", "0.1") + amount("mem", "32"), ``, "Executor 'pod' uses no disk"},
		{`type: DEFAULT ` + full, `container { type: DOCKER docker { image: "i" } }`, "Task 't' is invalid: Docker ContainerInfo is not supported on the task"},
		{`type: DEFAULT ` + full, `limits { key: "cpus" value { value: 2 } }`,
			"Task 't' is invalid: Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'."},
		{`type: DEFAULT ` + full, `health_check { type: TCP tcp { port: 1 } } container { type: MESOS network_infos { name: "n" } }`,
			"Task 't' is invalid: HTTP and TCP health checks are not supported for nested containers not joining parent's network"},
		{`type: DEFAULT ` + full, `executor { executor_id { value: "pod2" } }`, "The `ExecutorInfo` of task 't' is different from executor 'pod'"},
		{`type: DEFAULT container { type: MESOS linux_info { share_cgroups: true } } ` + full, ``, "The 'share_cgroups' field cannot be set to 'true' on executor containers"},
		{`type: DEFAULT ` + full, amount("cpus", "9"),
			"Total resources cpus(allocated: r):9.1; mem(allocated: r):32; disk(allocated: r):1 required by task group and its executor are more than available cpus(allocated: r):4; mem(allocated: r):1024; disk(allocated: r):100; ports(allocated: r):[1-100]"},
	} {
		e := new(mesospb.ExecutorInfo)
		if err := prototext.Unmarshal([]byte(pod+c.executor), e); err != nil {
			t.Fatal(err)
		}
		one := task(t, c.task)
		if one.Executor == nil {
			one.Executor = e
		} else if one.Command == nil {
			one.Command = &mesospb.CommandInfo{}
		}
		got := ""
		if err := launch(t).Group(e, &mesospb.TaskGroupInfo{Tasks: []*mesospb.TaskInfo{one}}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s | %s:\n got %q\nwant %q", c.executor, c.task, got, c.want)
		}
	}
}

// All tasks under one executor share their cgroups with it, or none does.
func TestGroupsShareCgroupsAlike(t *testing.T) {
	l := launch(t)
	apart := task(t, `container { type: MESOS linux_info { share_cgroups: false } }`)
	together := task(t, ``)
	e := &mesospb.ExecutorInfo{ExecutorId: &mesospb.ExecutorID{Value: proto.String("pod")}}
	const want = "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor"
	if err := l.groupCgroups(e, &mesospb.TaskGroupInfo{Tasks: []*mesospb.TaskInfo{apart, together}}); err == nil || err.Error() != want {
		t.Error(err)
	}
	l.OnExecutor = func(string) []*mesospb.ContainerInfo { return []*mesospb.ContainerInfo{nil} }
	if err := l.groupCgroups(e, &mesospb.TaskGroupInfo{Tasks: []*mesospb.TaskInfo{apart}}); err == nil || err.Error() != want {
		t.Error(err)
	}
	if err := l.groupCgroups(e, &mesospb.TaskGroupInfo{Tasks: []*mesospb.TaskInfo{together}}); err != nil {
		t.Error(err)
	}
}
