package docker_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/docker"
	"stoa/agent/executor/executortest"
	"stoa/agent/executor/reexec"
	"stoa/agent/fetcher"
	"stoa/internal/dockertest"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
)

func TestMain(m *testing.M) {
	if program := reexec.Lookup(os.Args[0]); program != nil {
		os.Exit(program(context.Background(), os.Args[1:], os.Environ()))
	}
	os.Exit(m.Run())
}

const patience = 60 * time.Second

func newContainerizer(t *testing.T, socket, runtimeDir string) *docker.Containerizer {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	f, err := fetcher.New(fetcher.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	c, err := docker.New(docker.Config{
		Socket: socket, RuntimeDir: runtimeDir, StopTimeout: time.Second, RemoveDelay: time.Hour, Fetcher: f, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run is one launched task with an agent of its own.
type run struct {
	t    *testing.T
	c    *docker.Containerizer
	spec containerizer.Spec
	*executortest.Agent
}

func (r *run) name() string { return "mesos-" + r.spec.ID.GetValue() }

func (r *run) read(name string) string {
	data, err := os.ReadFile(filepath.Join(r.spec.Sandbox, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (r *run) end() containerizer.Termination {
	r.t.Helper()
	ch := r.c.Wait(r.spec.ID)
	if ch == nil {
		r.t.Fatal("the container is unknown")
	}
	select {
	case termination := <-ch:
		return termination
	case <-time.After(patience):
		r.t.Fatal("the executor did not end")
		return containerizer.Termination{}
	}
}

func dockerTask(id, command string, network mesospb.ContainerInfo_DockerInfo_Network) *mesospb.TaskInfo {
	return &mesospb.TaskInfo{
		Name: proto.String(id), TaskId: &mesospb.TaskID{Value: proto.String(id)}, AgentId: &mesospb.AgentID{Value: proto.String("S0")},
		Command: &mesospb.CommandInfo{Value: proto.String(command)},
		Container: &mesospb.ContainerInfo{
			Type:   mesospb.ContainerInfo_DOCKER.Enum(),
			Docker: &mesospb.ContainerInfo_DockerInfo{Image: proto.String(dockertest.Image), Network: network.Enum()},
		},
		Resources: []*mesospb.Resource{
			scalar("cpus", 0.2), scalar("mem", 64),
		},
	}
}

func scalar(name string, value float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
	}
}

func ports(begin, end uint64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String("ports"), Type: mesospb.Value_RANGES.Enum(),
		Ranges: &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: proto.Uint64(begin), End: proto.Uint64(end)}}},
	}
}

func specOf(t *testing.T, agent *executortest.Agent, task *mesospb.TaskInfo) containerizer.Spec {
	t.Helper()
	id := ids.NewContainerID()
	base := t.TempDir()
	sandbox := filepath.Join(base, "runs", id.GetValue())
	if err := os.MkdirAll(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	return containerizer.Spec{
		ID:        id,
		Framework: &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("test")},
		Executor: &mesospb.ExecutorInfo{
			ExecutorId: &mesospb.ExecutorID{Value: proto.String(task.GetTaskId().GetValue())},
			Command:    &mesospb.CommandInfo{Value: proto.String("mesos-executor"), Uris: task.GetCommand().GetUris()},
			Container:  task.GetContainer(),
		},
		Task:      task,
		Resources: task.GetResources(),
		Sandbox:   sandbox,
		PIDFile:   filepath.Join(base, "meta", "forked.pid"),
		Environment: map[string]string{
			"MESOS_DIRECTORY": sandbox, "MESOS_FRAMEWORK_ID": "f", "MESOS_EXECUTOR_ID": task.GetTaskId().GetValue(),
			"MESOS_SLAVE_PID": "slave(1)@" + agent.Address(), "MESOS_CHECKPOINT": "1", "MESOS_RECOVERY_TIMEOUT": "15mins",
			"MESOS_SUBSCRIPTION_BACKOFF_MAX": "200ms", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
		},
	}
}

// launch starts the task's container and executor and delivers the task.
func launch(t *testing.T, c *docker.Containerizer, task *mesospb.TaskInfo) *run {
	t.Helper()
	agent := executortest.New(t)
	r := &run{t: t, c: c, spec: specOf(t, agent, task), Agent: agent}
	if err := c.Launch(t.Context(), r.spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Destroy(ctx, r.spec.ID); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("stderr: %s", r.read("stderr"))
		}
	})
	agent.AwaitSubscribe(1)
	agent.Subscribed(&mesospb.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("test"),
		Capabilities: []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()}},
	}, r.spec.Executor)
	agent.Launch(task)
	return r
}

func states(statuses []*mesospb.TaskStatus) string {
	var names []string
	for _, status := range statuses {
		names = append(names, strings.TrimPrefix(status.GetState().String(), "TASK_"))
	}
	return strings.Join(names, " ")
}

// inspection is the part of a container's description that the tests look at.
type inspection struct {
	Path   string
	Args   []string
	State  struct{ Running bool }
	Config struct {
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		Binds             []string
		NetworkMode       string
		CpuShares, Memory int64
		Privileged        bool
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func awaitText(t *testing.T, r *run, name, text string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !strings.Contains(r.read(name), text) {
		if time.Now().After(deadline) {
			t.Fatalf("%s never held %q: %s", name, text, r.read(name))
		}
		time.Sleep(5 * time.Millisecond)
	}
}
