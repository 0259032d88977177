package docker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/docker"
	"stoa/agent/executor/executortest"
	"stoa/agent/fetcher"
	"stoa/internal/dockertest"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
)

// TestDockerContainers shares one engine among what a cluster's docker tasks do.
func TestDockerContainers(t *testing.T) {
	engine := dockertest.Start(t)
	c := newContainerizer(t, engine.Socket, t.TempDir())

	t.Run("runs as described and ends as recorded", func(t *testing.T) {
		task := dockerTask("d-host", "echo out; echo err >&2; echo $FOO; cat hostfile; pwd; until test -e /mnt/mesos/sandbox/go; do sleep 0.05; done", mesospb.ContainerInfo_DockerInfo_HOST)
		task.Command.Value = proto.String("cd /mnt/mesos/sandbox; " + task.Command.GetValue())
		task.Command.Environment = &mesospb.Environment{Variables: []*mesospb.Environment_Variable{{Name: proto.String("FOO"), Value: proto.String("bar")}}}
		source := filepath.Join(t.TempDir(), "hostfile")
		if err := os.WriteFile(source, []byte("fetched\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		task.Command.Uris = []*mesospb.CommandInfo_URI{{Value: proto.String("file://" + source)}}
		task.Container.Docker.Parameters = []*mesospb.Parameter{{Key: proto.String("label"), Value: proto.String("a=b")}, {Key: proto.String("env"), Value: proto.String("P=1")}}
		task.Container.Volumes = []*mesospb.Volume{
			{ContainerPath: proto.String("/host"), HostPath: proto.String("/etc"), Mode: mesospb.Volume_RO.Enum()},
			{ContainerPath: proto.String("/rel"), HostPath: proto.String("relvol"), Mode: mesospb.Volume_RW.Enum()},
		}
		r := launch(t, c, task)
		running := r.AwaitState(mesospb.TaskState_TASK_RUNNING)[1]

		var data []inspection
		if err := json.Unmarshal(running.GetData(), &data); err != nil || len(data) != 1 {
			t.Fatalf("data of TASK_RUNNING: %v: %s", err, running.GetData())
		}
		if !bytes.HasPrefix(running.GetData(), []byte("[\n    {\n        \"Id\": \"")) {
			t.Errorf("data of TASK_RUNNING is not what docker inspect prints: %.60s", running.GetData())
		}
		if running.ContainerStatus != nil {
			t.Errorf("container status on the host's network: %v", running.ContainerStatus)
		}
		got := data[0]
		if got.Path != "/bin/sh" || !slices.Equal(got.Args, []string{"-c", task.Command.GetValue()}) {
			t.Errorf("command %s %v", got.Path, got.Args)
		}
		wantBinds := []string{"/etc:/host:ro", r.spec.Sandbox + "/relvol:/rel:rw", r.spec.Sandbox + ":/mnt/mesos/sandbox"}
		if h := got.HostConfig; !slices.Equal(h.Binds, wantBinds) || h.NetworkMode != "host" || h.CpuShares != 204 || h.Memory != 64<<20 || h.Privileged {
			t.Errorf("host config %+v", h)
		}
		for _, entry := range []string{"FOO=bar", "P=1", "MESOS_ALLOCATION_ROLE=*", "MESOS_CONTAINER_NAME=" + r.name(), "MESOS_SANDBOX=/mnt/mesos/sandbox"} {
			if !slices.Contains(got.Config.Env, entry) {
				t.Errorf("no %s in %v", entry, got.Config.Env)
			}
		}
		if len(got.Config.Labels) != 1 || got.Config.Labels["a"] != "b" {
			t.Errorf("labels %v", got.Config.Labels)
		}
		status, err := c.Status(t.Context(), r.spec.ID)
		if err != nil || status.ExecutorPid != nil || status.GetContainerId().GetValue() != r.spec.ID.GetValue() {
			t.Errorf("status %v, %v", status, err)
		}
		usage, err := c.Usage(t.Context(), r.spec.ID)
		if err != nil || usage.GetMemLimitBytes() != 64<<20 || usage.GetCpusSoftLimit() != 0.2 || usage.CpusUserTimeSecs == nil {
			t.Errorf("usage %v, %v", usage, err)
		}

		if err := os.WriteFile(filepath.Join(r.spec.Sandbox, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		statuses := r.AwaitState(mesospb.TaskState_TASK_FINISHED)
		if got := states(statuses); got != "STARTING RUNNING FINISHED" {
			t.Errorf("states %s", got)
		}
		if message := statuses[2].GetMessage(); message != "Container exited with status 0" {
			t.Errorf("message %q", message)
		}
		if termination := r.end(); termination.WaitStatus == nil || *termination.WaitStatus != 0 {
			t.Errorf("termination %+v", termination)
		}
		if out := r.read("stdout"); out != "out\nbar\nfetched\n/mnt/mesos/sandbox\n" {
			t.Errorf("stdout %q", out)
		}
		if !strings.Contains(r.read("stderr"), "err\n") {
			t.Errorf("stderr %q", r.read("stderr"))
		}
	})

	t.Run("is reachable through its mapped port", func(t *testing.T) {
		port := freePort(t)
		task := dockerTask("d-bridge", "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www", mesospb.ContainerInfo_DockerInfo_BRIDGE)
		task.Resources = append(task.Resources, ports(uint64(port), uint64(port)))
		task.Container.Docker.PortMappings = []*mesospb.ContainerInfo_DockerInfo_PortMapping{
			{HostPort: proto.Uint32(uint32(port)), ContainerPort: proto.Uint32(8080), Protocol: proto.String("tcp")},
		}
		task.HealthCheck = &mesospb.HealthCheck{
			Type: mesospb.HealthCheck_HTTP.Enum(), Http: &mesospb.HealthCheck_HTTPCheckInfo{Port: proto.Uint32(8080), Path: proto.String("/index.html")},
			DelaySeconds: proto.Float64(0), IntervalSeconds: proto.Float64(0.1), GracePeriodSeconds: proto.Float64(60),
		}
		r := launch(t, c, task)
		running := r.AwaitState(mesospb.TaskState_TASK_RUNNING)[1]
		infos := running.GetContainerStatus().GetNetworkInfos()
		if len(infos) != 1 || len(infos[0].GetIpAddresses()) != 1 || !strings.HasPrefix(infos[0].GetIpAddresses()[0].GetIpAddress(), "172.") {
			t.Errorf("network infos %v", infos)
		}
		// The check asks the container's own loopback address.
		healthy := r.AwaitStatus(3)
		if !healthy.GetHealthy() || healthy.GetReason() != mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED || len(healthy.GetContainerStatus().GetNetworkInfos()) != 1 {
			t.Errorf("health update %v", healthy)
		}
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", port))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if body, _ := io.ReadAll(response.Body); string(body) != "hello\n" {
			t.Errorf("body %q", body)
		}
	})

	t.Run("is killed with its grace period", func(t *testing.T) {
		task := dockerTask("d-kill", "trap 'echo got-term; exit 0' TERM; echo ready; while true; do sleep 0.1; done", mesospb.ContainerInfo_DockerInfo_NONE)
		r := launch(t, c, task)
		awaitText(t, r, "stdout", "ready")
		r.AwaitState(mesospb.TaskState_TASK_RUNNING)
		r.Kill(task, nil)
		statuses := r.AwaitState(mesospb.TaskState_TASK_KILLED)
		if got := states(statuses); got != "STARTING RUNNING KILLING KILLED" || statuses[3].GetMessage() != "Container exited with status 0" {
			t.Errorf("states %s, message %q", got, statuses[3].GetMessage())
		}
		if !strings.Contains(r.read("stdout"), "got-term") {
			t.Errorf("stdout %q", r.read("stdout"))
		}

		hard := dockerTask("d-killhard", "trap '' TERM; echo ready; while true; do sleep 0.1; done", mesospb.ContainerInfo_DockerInfo_NONE)
		hard.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(time.Second))}}
		r = launch(t, c, hard)
		awaitText(t, r, "stdout", "ready")
		r.Kill(hard, nil)
		statuses = r.AwaitState(mesospb.TaskState_TASK_KILLED)
		if message := statuses[len(statuses)-1].GetMessage(); message != "Container exited with status 137" {
			t.Errorf("message %q", message)
		}
	})

	t.Run("is killed for bad health", func(t *testing.T) {
		task := dockerTask("d-health", "touch /tmp/h; sleep 1; rm /tmp/h; sleep 1000", mesospb.ContainerInfo_DockerInfo_BRIDGE)
		task.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(0)}}
		task.HealthCheck = &mesospb.HealthCheck{
			Type: mesospb.HealthCheck_COMMAND.Enum(), Command: &mesospb.CommandInfo{Value: proto.String("test -f /tmp/h")},
			DelaySeconds: proto.Float64(0), IntervalSeconds: proto.Float64(0.1), ConsecutiveFailures: proto.Uint32(2), GracePeriodSeconds: proto.Float64(0),
		}
		r := launch(t, c, task)
		statuses := r.AwaitState(mesospb.TaskState_TASK_KILLED)
		last := statuses[len(statuses)-1]
		if last.Healthy == nil || last.GetHealthy() || last.GetMessage() != "Container exited with status 137" {
			t.Errorf("last status %v", last)
		}
		if got := states(statuses); !strings.HasSuffix(got, "RUNNING RUNNING KILLING KILLED") {
			t.Errorf("states %s", got)
		}
	})

	t.Run("failures say what is wrong", func(t *testing.T) {
		exit3 := dockerTask("d-exit3", "exit 3", mesospb.ContainerInfo_DockerInfo_NONE)
		noCommand := dockerTask("d-nocmd", "", mesospb.ContainerInfo_DockerInfo_NONE)
		noCommand.Command = &mesospb.CommandInfo{Shell: proto.Bool(false)}
		badCommand := dockerTask("d-badcmd", "/no/such", mesospb.ContainerInfo_DockerInfo_NONE)
		badCommand.Command.Shell = proto.Bool(false)
		badPort := dockerTask("d-badport", "true", mesospb.ContainerInfo_DockerInfo_BRIDGE)
		badPort.Container.Docker.PortMappings = []*mesospb.ContainerInfo_DockerInfo_PortMapping{{HostPort: proto.Uint32(31500), ContainerPort: proto.Uint32(80)}}
		badNetwork := dockerTask("d-usernet", "true", mesospb.ContainerInfo_DockerInfo_USER)
		badNetwork.Container.NetworkInfos = []*mesospb.NetworkInfo{{Name: proto.String("no-such-net")}}
		badParameter := dockerTask("d-param", "true", mesospb.ContainerInfo_DockerInfo_NONE)
		badParameter.Container.Docker.Parameters = []*mesospb.Parameter{{Key: proto.String("no-such"), Value: proto.String("1")}}
		for _, test := range []struct {
			task          *mesospb.TaskInfo
			states        string
			message, also string
		}{
			{exit3, "STARTING RUNNING FAILED", "Container exited with status 3", ""},
			{noCommand, "STARTING FAILED", "Container exited with status 125: ", "No command specified"},
			{badCommand, "STARTING FAILED", "Container exited with status 127: ", "no such file or directory"},
			{badPort, "STARTING FAILED", "Failed to create docker run options: Port mappings require port resources", ""},
			{badNetwork, "STARTING FAILED", "Container exited with status 125: ", "no-such-net"},
			{badParameter, "STARTING FAILED", "Failed to create docker run options: unknown docker parameter 'no-such'", ""},
		} {
			r := launch(t, c, test.task)
			statuses := r.AwaitState(mesospb.TaskState_TASK_FAILED)
			message := statuses[len(statuses)-1].GetMessage()
			if got := states(statuses); got != test.states || !strings.HasPrefix(message, test.message) || !strings.Contains(message, test.also) {
				t.Errorf("%s: states %s, message %q", test.task.GetName(), got, message)
			}
		}

		missing := dockerTask("d-missing", "true", mesospb.ContainerInfo_DockerInfo_NONE)
		missing.Container.Docker.Image = proto.String("127.0.0.1:9/no/such:1")
		err := c.Launch(t.Context(), specOf(t, executortest.New(t), missing))
		if want := "Failed to run 'docker -H unix://" + engine.Socket + " pull 127.0.0.1:9/no/such:1': exited with status 1; stderr='"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("missing image: %v", err)
		}
		forced := dockerTask("d-forcepull", "true", mesospb.ContainerInfo_DockerInfo_NONE)
		forced.Container.Docker.ForcePullImage = proto.Bool(true)
		forced.Container.Docker.Image = proto.String("127.0.0.1:9/" + dockertest.Image)
		if err := c.Launch(t.Context(), specOf(t, executortest.New(t), forced)); err == nil || !strings.Contains(err.Error(), " pull ") {
			t.Errorf("forced pull: %v", err)
		}
	})

	t.Run("a custom executor runs in its own container", func(t *testing.T) {
		task := dockerTask("d-custom", "", mesospb.ContainerInfo_DockerInfo_HOST)
		agent := executortest.New(t)
		spec := specOf(t, agent, task)
		spec.Task = nil
		spec.Executor.Command = &mesospb.CommandInfo{Value: proto.String("echo $MESOS_FRAMEWORK_ID $MESOS_SANDBOX; exit 4")}
		if err := c.Launch(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		r := &run{t: t, c: c, spec: spec, Agent: agent}
		if termination := r.end(); termination.WaitStatus == nil || *termination.WaitStatus != 4<<8 {
			t.Errorf("termination %+v", termination)
		}
		if out := r.read("stdout"); out != "f /mnt/mesos/sandbox\n" {
			t.Errorf("stdout %q, stderr %q", out, r.read("stderr"))
		}
	})

	t.Run("persistent volumes and unusual parameters", func(t *testing.T) {
		work := t.TempDir()
		logger := slog.New(slog.DiscardHandler)
		f, err := fetcher.New(fetcher.Config{Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		own, err := docker.New(docker.Config{Socket: engine.Socket, WorkDir: work, StopTimeout: time.Second, Fetcher: f, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		volume := filepath.Join(work, "volumes", "roles", "r", "id1")
		if err := os.MkdirAll(volume, 0o755); err != nil {
			t.Fatal(err)
		}
		task := dockerTask("d-volume", "echo kept > $MESOS_SANDBOX/data/file; hostname; cat /etc/hosts; touch /readonly", mesospb.ContainerInfo_DockerInfo_NONE)
		task.Container.Docker.Parameters = []*mesospb.Parameter{
			{Key: proto.String("hostname"), Value: proto.String("myhost")}, {Key: proto.String("read-only"), Value: proto.String("true")},
		}
		disk := scalar("disk", 10)
		disk.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: proto.String("r")}}
		disk.Disk = &mesospb.Resource_DiskInfo{
			Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: proto.String("id1")},
			Volume:      &mesospb.Volume{ContainerPath: proto.String("data"), Mode: mesospb.Volume_RW.Enum()},
		}
		task.Resources = append(task.Resources, disk)
		r := launch(t, own, task)
		statuses := r.AwaitState(mesospb.TaskState_TASK_FAILED)
		if message := statuses[len(statuses)-1].GetMessage(); message != "Container exited with status 1" {
			t.Errorf("message %q", message)
		}
		if data, err := os.ReadFile(filepath.Join(volume, "file")); err != nil || string(data) != "kept\n" {
			t.Errorf("volume: %q, %v", data, err)
		}
		if !strings.HasPrefix(r.read("stdout"), "myhost\n") {
			t.Errorf("stdout %q", r.read("stdout"))
		}
		r.end()
		if slices.Contains(engine.Containers(), r.name()) {
			t.Error("the container is still there although nothing delays its removal")
		}
	})

	t.Run("destroy stops the container", func(t *testing.T) {
		r := launch(t, c, dockerTask("d-destroy", "sleep 1000", mesospb.ContainerInfo_DockerInfo_NONE))
		r.AwaitState(mesospb.TaskState_TASK_RUNNING)
		if err := c.Destroy(t.Context(), r.spec.ID); err != nil {
			t.Fatal(err)
		}
		var got inspection
		if engine.Inspect(r.name(), &got) && got.State.Running {
			t.Error("the container still runs")
		}
		r.end()
	})

	t.Run("other containers are passed on", func(t *testing.T) {
		task := dockerTask("mesos", "true", mesospb.ContainerInfo_DockerInfo_NONE)
		task.Container.Type = mesospb.ContainerInfo_MESOS.Enum()
		if err := c.Launch(t.Context(), specOf(t, executortest.New(t), task)); err != containerizer.ErrNotSupported {
			t.Errorf("error %v", err)
		}
		// The type of no ContainerInfo at all reads as DOCKER, too.
		none := dockerTask("none", "true", mesospb.ContainerInfo_DockerInfo_NONE)
		none.Container = nil
		if err := c.Launch(t.Context(), specOf(t, executortest.New(t), none)); err != containerizer.ErrNotSupported {
			t.Errorf("error %v", err)
		}
	})

	t.Run("outlives the agent, and orphans do not", func(t *testing.T) {
		task := dockerTask("d-recover", "echo r; sleep 1000", mesospb.ContainerInfo_DockerInfo_NONE)
		r := launch(t, c, task)
		r.AwaitState(mesospb.TaskState_TASK_RUNNING)
		orphan := "mesos-" + ids.NewContainerID().GetValue()
		engine.Run(orphan, "sleep", "1000")
		engine.Run("mesos-dns", "sleep", "1000")

		// Another containerizer stands for the agent after its restart.
		next := newContainerizer(t, engine.Socket, t.TempDir())
		pid, err := os.ReadFile(r.spec.PIDFile)
		if err != nil {
			t.Fatal(err)
		}
		var number int
		if _, err := fmt.Sscan(string(pid), &number); err != nil {
			t.Fatal(err)
		}
		r.Stop()
		r.Start()
		if err := next.Recover(t.Context(), []containerizer.Recovered{{Spec: r.spec, PID: number}}); err != nil {
			t.Fatal(err)
		}
		names := engine.Containers()
		if slices.Contains(names, orphan) || !slices.Contains(names, r.name()) || !slices.Contains(names, "mesos-dns") {
			t.Errorf("containers after recovery: %v", names)
		}
		r.AwaitSubscribe(2)
		r.Subscribed(&mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("test")}, r.spec.Executor)
		r.Kill(task, nil)
		statuses := r.AwaitState(mesospb.TaskState_TASK_KILLED)
		if message := statuses[len(statuses)-1].GetMessage(); message != "Container exited with status 137" {
			t.Errorf("message %q", message)
		}
		select {
		case termination := <-next.Wait(r.spec.ID):
			if termination.WaitStatus != nil {
				t.Errorf("termination %+v", termination)
			}
		case <-time.After(patience):
			t.Error("the recovered container did not end")
		}
	})

	t.Run("without an engine tasks fail clearly, and run when it is back", func(t *testing.T) {
		engine.Delete("mesos-dns")
		engine.Stop()
		fresh := newContainerizer(t, engine.Socket, t.TempDir())
		if err := fresh.Recover(t.Context(), nil); err != nil {
			t.Errorf("the agent could not start without an engine: %v", err)
		}
		task := dockerTask("d-engine", "exit 0", mesospb.ContainerInfo_DockerInfo_NONE)
		err := fresh.Launch(t.Context(), specOf(t, executortest.New(t), task))
		if err == nil || !strings.Contains(err.Error(), "Cannot connect to the Docker daemon at unix://"+engine.Socket) {
			t.Errorf("error %v", err)
		}
		engine.Restart()
		r := launch(t, fresh, task)
		r.AwaitState(mesospb.TaskState_TASK_FINISHED)
	})
}
