package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// output runs the binary under a name and returns its exit status and what it printed.
func output(t *testing.T, name string, args ...string) (int, string) {
	t.Helper()
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, link, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestTheBinaryAnswersToTheNamesOfTheOriginals(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"mesos-master", []string{"--version"}, 0, "mesos-master 1.11.0"},
		{"mesos-master", []string{"--help"}, 0, "--[no-]authenticate_agents, --[no-]authenticate_slaves"},
		{"mesos-agent", []string{"--help"}, 0, "--executor_registration_timeout=VALUE"},
		{"mesos-slave", []string{"--version"}, 0, "mesos-agent 1.11.0"},
		{"marathon", []string{"--help"}, 0, "--[disable_]checkpoint"},
		{"chronos", nil, 1, "no Chronos yet"},
		{"mesos-init-wrapper", []string{"nobody"}, 1, `"nobody" is none of master, agent, slave, marathon`},
		{"stoa", []string{"master", "--help"}, 0, "--agent_ping_timeout=VALUE, --slave_ping_timeout=VALUE"},
		{"stoa", []string{"local", "--help"}, 0, "--chronos_port int"},
		{"stoa", []string{"--version"}, 0, "stoa version"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(append([]string{tt.name}, tt.args...), " "), func(t *testing.T) {
			status, out := output(t, tt.name, tt.args...)
			if status != tt.status || !strings.Contains(out, tt.says) {
				t.Errorf("status %d, output %q; want %d and %q in it", status, out, tt.status, tt.says)
			}
		})
	}
}

// A mistake of the operator ends in one line that says what to do.
func TestMistakesAreExplainedInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		says string
	}{
		{"port in use", []string{"master", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port), "--work_dir=" + dir}, fmt.Sprintf("port %d is in use", port)},
		{"foreign address", []string{"master", "--ip=192.0.2.1", "--port=0", "--work_dir=" + dir}, "192.0.2.1 is no address of this machine"},
		{"unknown flag", []string{"agent", "--wrok_dir=/x"}, "Failed to load unknown flag 'wrok_dir'; did you mean --work_dir?"},
		{"no work directory", []string{"agent", "--master=127.0.0.1:5050"}, "Flag 'work_dir' is required, but it was not provided"},
		{"no master", []string{"agent", "--work_dir=" + dir}, "Missing required option `--master`"},
		{"work directory is a file", []string{"master", "--ip=127.0.0.1", "--port=0", "--work_dir=" + file}, "make --work_dir"},
		{"marathon without master", []string{"marathon", "--http_port", "0", "--work_dir", dir}, "no Mesos master given"},
		{"ZooKeeper", []string{"master", "--zk=zk://127.0.0.1:2181/mesos", "--work_dir=" + dir}, "--zk"},
		{"local on a taken port", []string{"local", "--work_dir=" + dir, "--master_port=0", "--agent_port=0", fmt.Sprintf("--marathon_port=%d", port)}, "choose another with --marathon_port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, out := output(t, "stoa", tt.args...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if last := lines[len(lines)-1]; status != 1 || !strings.HasPrefix(last, "stoa: ") || !strings.Contains(last, tt.says) || len(lines) != 1 {
				t.Errorf("status %d, output %q; want status 1 and one line with %q", status, out, tt.says)
			}
		})
	}
}

func TestASecondClusterOnTheSameDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	startLocal(t, dir)
	status, out := output(t, "stoa", "local", "--work_dir="+dir, "--master_port=0", "--agent_port=0", "--marathon_port=0")
	if status != 1 || !strings.Contains(out, "another process") {
		t.Errorf("status %d, output %q", status, out)
	}
}
