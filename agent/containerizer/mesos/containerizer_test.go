package mesos_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/mesos"
	"stoa/agent/containerizer/proctree"
	"stoa/agent/executor/executortest"
	"stoa/agent/executor/reexec"
	"stoa/agent/fetcher"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
)

func TestMain(m *testing.M) {
	if program := reexec.Lookup(os.Args[0]); program != nil {
		os.Exit(program(context.Background(), os.Args[1:], os.Environ()))
	}
	if os.Args[0] == agentName {
		os.Exit(runAgent())
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

func newContainerizer(t *testing.T, runtimeDir string, isolation ...string) *mesos.Containerizer {
	t.Helper()
	c, err := build(runtimeDir, isolation)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func build(runtimeDir string, isolation []string) (*mesos.Containerizer, error) {
	logger := slog.New(slog.DiscardHandler)
	f, err := fetcher.New(fetcher.Config{Logger: logger})
	if err != nil {
		return nil, err
	}
	return mesos.New(mesos.Config{RuntimeDir: runtimeDir, SwitchUser: true, Isolation: isolation, Fetcher: f, Logger: logger})
}

// specFor makes a container whose executor is a shell command, in a fresh sandbox.
func specFor(t *testing.T, command string) containerizer.Spec {
	t.Helper()
	id := ids.NewContainerID()
	base := t.TempDir()
	// t.TempDir is for its owner only; containers of other users have to get through.
	for dir := base; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sandbox := filepath.Join(base, "runs", id.GetValue())
	if err := os.MkdirAll(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	return containerizer.Spec{
		ID:        id,
		Framework: &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("test")},
		Executor: &mesospb.ExecutorInfo{
			ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")},
			Command:    &mesospb.CommandInfo{Value: proto.String(command)},
		},
		Sandbox:     sandbox,
		Environment: map[string]string{"MESOS_DIRECTORY": sandbox, "MESOS_FRAMEWORK_ID": "f"},
		PIDFile:     filepath.Join(base, "meta", "pids", "forked.pid"),
	}
}

func read(t *testing.T, spec containerizer.Spec, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(spec.Sandbox, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}

// awaitLine waits for a whole line in a file of the sandbox.
func awaitLine(t *testing.T, spec containerizer.Spec, name string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if text := read(t, spec, name); strings.Contains(text, "\n") {
			return strings.TrimSpace(text)
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("nothing in %s; stderr: %s", name, read(t, spec, "stderr"))
	return ""
}

func awaitEnd(t *testing.T, c *mesos.Containerizer, id *mesospb.ContainerID) containerizer.Termination {
	t.Helper()
	ch := c.Wait(id)
	if ch == nil {
		t.Fatal("the container is unknown")
	}
	select {
	case termination := <-ch:
		if _, more := <-ch; more {
			t.Error("more than one termination")
		}
		return termination
	case <-time.After(patience):
		t.Fatal("the container did not end")
		return containerizer.Termination{}
	}
}

// destroyLater keeps a failed test from leaving processes.
func destroyLater(t *testing.T, c *mesos.Containerizer, spec containerizer.Spec) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Destroy(ctx, spec.ID); err != nil {
			t.Error(err)
		}
	})
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if p, err := proctree.Lookup(pid); err != nil || p.Dead() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestExecutorRunsInItsSandboxAndSession(t *testing.T) {
	c := newContainerizer(t, t.TempDir())
	spec := specFor(t, "echo out; echo err >&2; pwd; env; echo $$ > pid; cat forked; exit 3")
	// The pid file is there before the first line of the executor runs.
	spec.Executor.Command.Value = proto.String("cp " + spec.PIDFile + " forked; " + spec.Executor.Command.GetValue())
	spec.Executor.Command.Environment = &mesospb.Environment{Variables: []*mesospb.Environment_Variable{
		{Name: proto.String("FOO"), Value: proto.String("bar")},
	}}
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	termination := awaitEnd(t, c, spec.ID)
	if termination.WaitStatus == nil || *termination.WaitStatus != 3<<8 {
		t.Errorf("termination %+v, want exit status 3", termination)
	}
	out := "\n" + read(t, spec, "stdout")
	for _, want := range []string{"out", spec.Sandbox, "FOO=bar", "MESOS_SANDBOX=" + spec.Sandbox, "MESOS_FRAMEWORK_ID=f",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", strings.TrimSpace(read(t, spec, "pid"))} {
		if !strings.Contains(out, "\n"+want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "STOA_") || strings.Contains(out, "HOME=") {
		t.Errorf("something of the agent's is in the environment:\n%s", out)
	}
	if read(t, spec, "stderr") != "err\n" {
		t.Errorf("stderr %q", read(t, spec, "stderr"))
	}
	if c.Wait(spec.ID) != nil && termination.WaitStatus == nil {
		t.Error("the container is still known")
	}
}

func TestCommandTaskRunsInTheBuiltInExecutor(t *testing.T) {
	agent := executortest.New(t)
	c := newContainerizer(t, t.TempDir())
	task := &mesospb.TaskInfo{
		Name: proto.String("task"), TaskId: &mesospb.TaskID{Value: proto.String("task")},
		AgentId: &mesospb.AgentID{Value: proto.String("S0")}, Command: &mesospb.CommandInfo{Value: proto.String("echo hello; sleep 1000")},
	}
	spec := specFor(t, "/no/such/dir/mesos-executor")
	spec.Task = task
	spec.Executor.Command.Shell = proto.Bool(false)
	spec.Executor.Command.Arguments = []string{"mesos-executor", "--launcher_dir=/no/such/dir"}
	spec.Resources = []*mesospb.Resource{
		{Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(0.5)}},
		{Name: proto.String("mem"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(64)}},
	}
	for name, value := range map[string]string{
		"MESOS_EXECUTOR_ID": "task", "MESOS_SLAVE_PID": "slave(1)@" + agent.Address(), "MESOS_CHECKPOINT": "1",
		"MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
	} {
		spec.Environment[name] = value
	}
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	agent.AwaitSubscribe(1)
	agent.Subscribed(spec.Framework, spec.Executor)
	agent.Launch(task)
	agent.AwaitState(mesospb.TaskState_TASK_RUNNING)
	if out := awaitLine(t, spec, "stdout"); out != "hello" {
		t.Errorf("stdout %q", out)
	}

	status, err := c.Status(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	forked, err := os.ReadFile(spec.PIDFile)
	if err != nil {
		t.Fatal(err)
	}
	if int(status.GetExecutorPid()) != number(t, string(forked)) {
		t.Errorf("executor_pid %d, forked.pid %s", status.GetExecutorPid(), forked)
	}
	first, err := proctree.Lookup(int(status.GetExecutorPid()))
	if err != nil {
		t.Fatal(err)
	}
	if first.Session != first.PID {
		t.Errorf("the executor is in session %d", first.Session)
	}
	usage, err := c.Usage(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	if usage.GetMemRssBytes() < 1<<20 || usage.GetCpusSoftLimit() != 0.5 || usage.GetMemLimitBytes() != 64<<20 || usage.GetTimestamp() == 0 || usage.CpusUserTimeSecs == nil {
		t.Errorf("usage %v", usage)
	}

	agent.Kill(task, nil)
	agent.AwaitState(mesospb.TaskState_TASK_KILLED)
	if termination := awaitEnd(t, c, spec.ID); termination.WaitStatus == nil || *termination.WaitStatus != 0 {
		t.Errorf("termination %+v", termination)
	}
}

func TestDestroyEndsWhatLeftTheSession(t *testing.T) {
	c := newContainerizer(t, t.TempDir())
	spec := specFor(t, `trap "" TERM HUP
setsid sh -c 'echo $$ > session; while :; do sleep 0.05; done' &
(setsid sh -c 'echo $$ > adopted; while :; do sleep 0.05; done' &)
env -i setsid sh -c 'echo $$ > bare; while :; do sleep 0.05; done' &
while :; do sh -c : & sleep 0.01; done`)
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	var pids []int
	for _, name := range []string{"session", "adopted", "bare"} {
		pids = append(pids, number(t, awaitLine(t, spec, name)))
	}
	ended := c.Wait(spec.ID)
	if err := c.Destroy(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	if termination := <-ended; termination.WaitStatus == nil || !syscall.WaitStatus(*termination.WaitStatus).Signaled() {
		t.Errorf("termination %+v", termination)
	}
	for _, pid := range pids {
		awaitGone(t, pid)
	}
	if err := c.Destroy(t.Context(), spec.ID); err != nil {
		t.Errorf("destroying an unknown container: %v", err)
	}
}

func TestLeftoversOfAnExecutorThatEndedAreEnded(t *testing.T) {
	c := newContainerizer(t, t.TempDir())
	spec := specFor(t, `(setsid sh -c 'echo $$ > adopted; while :; do sleep 0.05; done' &); until test -s adopted; do sleep 0.01; done; exit 0`)
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	awaitEnd(t, c, spec.ID)
	pid := number(t, awaitLine(t, spec, "adopted"))
	if p, err := proctree.Lookup(pid); err == nil && !p.Dead() {
		t.Errorf("process %d still runs after the termination", pid)
	}
}

func TestFetchedFilesAreThereAndFailuresAreWorded(t *testing.T) {
	c := newContainerizer(t, t.TempDir())
	source := filepath.Join(t.TempDir(), "hello.sh")
	if err := os.WriteFile(source, []byte("#!/bin/sh\necho fetched\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := specFor(t, "./hello.sh")
	spec.Executor.Command.Uris = []*mesospb.CommandInfo_URI{{Value: proto.String("file://" + source), Executable: proto.Bool(true)}}
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	awaitEnd(t, c, spec.ID)
	if out := read(t, spec, "stdout"); out != "fetched\n" {
		t.Errorf("stdout %q, stderr %s", out, read(t, spec, "stderr"))
	}

	missing := specFor(t, "true")
	missing.Executor.Command.Uris = []*mesospb.CommandInfo_URI{{Value: proto.String("file:///no/such/file.tgz")}}
	err := c.Launch(t.Context(), missing)
	want := fmt.Sprintf("Failed to fetch all URIs for container '%s': exited with status 1", missing.ID.GetValue())
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if !strings.Contains(read(t, missing, "stderr"), "Failed to fetch 'file:///no/such/file.tgz'") {
		t.Errorf("stderr: %s", read(t, missing, "stderr"))
	}
	if err := c.Destroy(t.Context(), missing.ID); err != nil {
		t.Error(err)
	}

	bad := specFor(t, "true")
	bad.Executor.Command.Uris = []*mesospb.CommandInfo_URI{{Value: proto.String("http://host"), OutputFile: proto.String("/etc/x")}}
	if err := c.Launch(t.Context(), bad); err == nil || err.Error() != "Could not fetch: Malformed URI (missing path): http://host" {
		t.Errorf("error %v", err)
	}
}

func TestRlimitsNeedTheirIsolator(t *testing.T) {
	limited := func() containerizer.Spec {
		spec := specFor(t, "ulimit -n; ulimit -c")
		spec.Executor.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum(), RlimitInfo: &mesospb.RLimitInfo{Rlimits: []*mesospb.RLimitInfo_RLimit{
			{Type: mesospb.RLimitInfo_RLimit_RLMT_NOFILE.Enum(), Soft: proto.Uint64(123), Hard: proto.Uint64(456)},
			{Type: mesospb.RLimitInfo_RLimit_RLMT_CORE.Enum(), Soft: proto.Uint64(0), Hard: proto.Uint64(0)},
		}}}
		return spec
	}
	for _, test := range []struct {
		isolation []string
		applied   bool
	}{{[]string{"posix/cpu", "posix/rlimits"}, true}, {nil, false}} {
		c := newContainerizer(t, t.TempDir(), test.isolation...)
		spec := limited()
		if err := c.Launch(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		destroyLater(t, c, spec)
		awaitEnd(t, c, spec.ID)
		if applied := read(t, spec, "stdout") == "123\n0\n"; applied != test.applied {
			t.Errorf("isolation %v: stdout %q", test.isolation, read(t, spec, "stdout"))
		}
	}
}

func TestOtherContainersArePassedOn(t *testing.T) {
	c := newContainerizer(t, "")
	spec := specFor(t, "true")
	spec.Executor.Container = &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_DOCKER.Enum()}
	if err := c.Launch(t.Context(), spec); err != containerizer.ErrNotSupported {
		t.Errorf("error %v", err)
	}
	if c.Wait(spec.ID) != nil {
		t.Error("the container is known")
	}
}

func TestPersistentVolumesAreLinked(t *testing.T) {
	work := t.TempDir()
	volume := filepath.Join(work, "volumes", "roles", "a b", "id1")
	if err := os.MkdirAll(volume, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := fetcher.New(fetcher.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := mesos.New(mesos.Config{WorkDir: work, Fetcher: f, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	spec := specFor(t, "echo kept > data/file; sleep 1000")
	disk := &mesospb.Resource{
		Name: proto.String("disk"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(10)},
		Reservations: []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: proto.String("a/b")}},
		Disk: &mesospb.Resource_DiskInfo{
			Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: proto.String("id1")},
			Volume:      &mesospb.Volume{ContainerPath: proto.String("data"), Mode: mesospb.Volume_RW.Enum()},
		},
	}
	spec.Resources = []*mesospb.Resource{disk}
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	awaitLine(t, spec, "data/file")
	if data, err := os.ReadFile(filepath.Join(volume, "file")); err != nil || string(data) != "kept\n" {
		t.Errorf("volume: %q, %v", data, err)
	}
	if err := c.Update(t.Context(), spec.ID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(spec.Sandbox, "data")); !os.IsNotExist(err) {
		t.Errorf("the link is still there: %v", err)
	}
}

// TestDestroyDuringFetch has a fetch that never ends.
func TestDestroyDuringFetch(t *testing.T) {
	c := newContainerizer(t, t.TempDir())
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	spec := specFor(t, "true")
	spec.Executor.Command.Uris = []*mesospb.CommandInfo_URI{{Value: proto.String(fifo)}}
	failure := make(chan error, 1)
	go func() { failure <- c.Launch(context.Background(), spec) }()
	deadline := time.Now().Add(patience)
	for !strings.Contains(read(t, spec, "stderr"), "Fetching URI") {
		if time.Now().After(deadline) {
			t.Fatal("the fetch did not begin")
		}
		time.Sleep(2 * time.Millisecond)
	}
	if err := c.Destroy(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	if err := <-failure; err == nil || err.Error() != "Container is being destroyed during launching" {
		t.Errorf("error %v", err)
	}
}
