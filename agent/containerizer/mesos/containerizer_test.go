package mesos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
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

// agentName is the argv[0] under which the test binary is an agent that launches one container and
// then waits to be killed.
const agentName = "test-agent"

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

// publicBinary copies the test binary to where every user may execute it.
func publicBinary(t *testing.T) string {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "mesos-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "stoa")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContainerRunsAsItsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run containers as somebody else")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("no user nobody here")
	}
	f, err := fetcher.New(fetcher.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := mesos.New(mesos.Config{
		Executable: publicBinary(t), RuntimeDir: t.TempDir(), SwitchUser: true, Fetcher: f, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	spec := specFor(t, "id -u; touch mine; stat -c %u . stdout mine")
	spec.User = "nobody"
	if err := c.Launch(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	destroyLater(t, c, spec)
	awaitEnd(t, c, spec.ID)
	if out := read(t, spec, "stdout"); out != strings.Repeat(nobody.Uid+"\n", 4) {
		t.Errorf("stdout %q, stderr %q", out, read(t, spec, "stderr"))
	}

	unknown := specFor(t, "true")
	unknown.User = "no-such-user"
	if err := c.Launch(t.Context(), unknown); err == nil || !strings.Contains(err.Error(), "no-such-user") {
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

// agentTask is what the test agent is asked to do.
type agentTask struct {
	RuntimeDir, Sandbox, PIDFile, ID, Command string
}

func (a agentTask) spec() containerizer.Spec {
	return containerizer.Spec{
		ID:          &mesospb.ContainerID{Value: proto.String(a.ID)},
		Executor:    &mesospb.ExecutorInfo{Command: &mesospb.CommandInfo{Value: proto.String(a.Command)}},
		Sandbox:     a.Sandbox,
		PIDFile:     a.PIDFile,
		Environment: map[string]string{"MESOS_DIRECTORY": a.Sandbox},
	}
}

// runAgent launches the container of AGENT_TASK, says so, and waits to be killed.
func runAgent() int {
	var task agentTask
	if err := json.Unmarshal([]byte(os.Getenv("AGENT_TASK")), &task); err != nil {
		return 1
	}
	c, err := build(task.RuntimeDir, nil)
	if err == nil {
		err = c.Launch(context.Background(), task.spec())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("launched")
	time.Sleep(time.Hour)
	return 0
}

// launchedByDeadAgent has another process launch the container and kills it.
func launchedByDeadAgent(t *testing.T, runtimeDir, command string) containerizer.Spec {
	t.Helper()
	spec := specFor(t, command)
	task := agentTask{RuntimeDir: runtimeDir, Sandbox: spec.Sandbox, PIDFile: spec.PIDFile, ID: spec.ID.GetValue(), Command: command}
	encoded, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	agent := &exec.Cmd{Path: executable, Args: []string{agentName}, Env: append(os.Environ(), "AGENT_TASK="+string(encoded)), Stderr: os.Stderr}
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 256)
	n, _ := out.Read(line)
	_ = agent.Process.Kill()
	_ = agent.Wait()
	if string(line[:n]) != "launched\n" {
		t.Fatalf("the agent says %q", line[:n])
	}
	return task.spec()
}

func pidOf(t *testing.T, spec containerizer.Spec) int {
	t.Helper()
	data, err := os.ReadFile(spec.PIDFile)
	if err != nil {
		t.Fatal(err)
	}
	return number(t, string(data))
}

func TestContainersOutliveTheAgentAndAreRecovered(t *testing.T) {
	runtimeDir := t.TempDir()
	known := launchedByDeadAgent(t, runtimeDir, "echo up; until test -e go; do sleep 0.02; done; exit 7")
	orphan := launchedByDeadAgent(t, runtimeDir, "(setsid sh -c 'echo $$ > adopted; sleep 1000' &); sleep 1000")
	gone := launchedByDeadAgent(t, runtimeDir, "(setsid sh -c 'echo $$ > adopted; sleep 1000' &); until test -s adopted; do sleep 0.01; done; exit 0")
	awaitLine(t, known, "stdout")
	adopted := []int{number(t, awaitLine(t, orphan, "adopted")), number(t, awaitLine(t, gone, "adopted"))}
	awaitGone(t, pidOf(t, gone))

	c := newContainerizer(t, runtimeDir)
	destroyLater(t, c, known)
	err := c.Recover(t.Context(), []containerizer.Recovered{
		{Spec: known, PID: pidOf(t, known)},
		{Spec: gone, PID: pidOf(t, gone)},
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pidOf(t, orphan))
	for _, pid := range adopted {
		awaitGone(t, pid)
	}
	if termination := awaitEnd(t, c, gone.ID); termination.WaitStatus != nil {
		t.Errorf("termination of a container that ended meanwhile: %+v", termination)
	}
	status, err := c.Status(t.Context(), known.ID)
	if err != nil || int(status.GetExecutorPid()) != pidOf(t, known) {
		t.Errorf("status %v, %v", status, err)
	}
	if err := os.WriteFile(filepath.Join(known.Sandbox, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if termination := awaitEnd(t, c, known.ID); termination.WaitStatus != nil {
		t.Errorf("nobody can know this wait status: %+v", termination)
	}
	entries, err := os.ReadDir(filepath.Join(runtimeDir, "containers"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left in the runtime directory: %v, %v", entries, err)
	}
}

// TestRecoveryDoesNotTouchAStranger gives a container the pid of a process that has nothing to do with it.
func TestRecoveryDoesNotTouchAStranger(t *testing.T) {
	stranger := exec.Command("sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	c := newContainerizer(t, t.TempDir())
	spec := specFor(t, "true")
	if err := c.Recover(t.Context(), []containerizer.Recovered{{Spec: spec, PID: stranger.Process.Pid}}); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, c, spec.ID)
	if p, err := proctree.Lookup(stranger.Process.Pid); err != nil || p.Dead() {
		t.Error("the stranger was killed")
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
