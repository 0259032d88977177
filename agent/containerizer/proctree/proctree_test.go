package proctree

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStatLinesWithOddNames(t *testing.T) {
	line := []byte("1234 (a) b (c) R 1 2 3 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 9 0 777 1000000 42 18446744073709551615 1 1 0 0 0 0\n")
	p, err := parseStat(line)
	want := Process{PID: 1234, PPID: 1, Group: 2, Session: 3, State: 'R', Started: 777, UserTicks: 50, SystemTicks: 60, Threads: 9, ResidentPages: 42, Name: "a) b (c"}
	if err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 7 1000000 42 1"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := parseStat(line)
		if err == nil && !bytes.Contains(line, []byte(p.Name)) {
			t.Errorf("name %q is not in %q", p.Name, line)
		}
	})
}

func TestMembersOfATree(t *testing.T) {
	table := []Process{
		{PID: 1, PPID: 0, Group: 1, Session: 1},
		{PID: 10, PPID: 1, Group: 10, Session: 10},  // root
		{PID: 11, PPID: 10, Group: 10, Session: 10}, // child
		{PID: 12, PPID: 11, Group: 12, Session: 12}, // grandchild with a session
		{PID: 13, PPID: 1, Group: 12, Session: 12},  // adopted, in the grandchild's session
		{PID: 14, PPID: 13, Group: 14, Session: 14}, // child of the adopted one
		{PID: 20, PPID: 1, Group: 20, Session: 20},  // stranger
		{PID: 21, PPID: 20, Group: 20, Session: 20},
		{PID: os.Getpid(), PPID: 10, Group: 10, Session: 10},
	}
	pids := func(root Root) []int {
		var list []int
		for _, p := range root.Members(table) {
			list = append(list, p.PID)
		}
		slices.Sort(list)
		return list
	}
	if got := pids(Root{PID: 10}); !slices.Equal(got, []int{10, 11, 12, 13, 14}) {
		t.Errorf("tree of 10: %v", got)
	}
	// A process that leads no session does not take its siblings with it.
	if got := pids(Root{PID: 21}); !slices.Equal(got, []int{21}) {
		t.Errorf("tree of 21: %v", got)
	}
	if got := pids(Root{PID: 1}); len(got) != 0 {
		t.Errorf("tree of init: %v", got)
	}
	if got := pids(Root{}); len(got) != 0 {
		t.Errorf("tree of nothing: %v", got)
	}
}

// start runs a shell in a session of its own and gives the first line that it prints.
func start(t *testing.T, script string, env ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestKillEndsATreeThatKeepsForking(t *testing.T) {
	mark := "PROCTREE_TEST=" + t.TempDir()
	cmd, _ := start(t, `trap "" TERM
storm() { while :; do (setsid sleep 1000 &) ; sleep 0.005; done; }
storm & storm & echo up; wait`, mark)
	root := Root{PID: cmd.Process.Pid, Mark: mark}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := root.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if living, err := root.Living(); err != nil || len(living) != 0 {
		t.Errorf("left: %v, %v", living, err)
	}
}

func TestSignalReachesStoppedAndRunningMembersOnce(t *testing.T) {
	cmd, child := start(t, `trap 'echo parent; exit 0' TERM
sh -c 'trap "exit 0" TERM; echo $$; while :; do sleep 0.01; done' & wait`)
	pid, err := strconv.Atoi(child)
	if err != nil {
		t.Fatal(err)
	}
	signalled, err := Root{PID: cmd.Process.Pid}.Signal(syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range signalled {
		pids = append(pids, p.PID)
	}
	if !slices.Contains(pids, pid) || !slices.Contains(pids, cmd.Process.Pid) || slices.Contains(pids, os.Getpid()) {
		t.Errorf("signalled %v", pids)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestMarks(t *testing.T) {
	mark := "PROCTREE_TEST=" + t.TempDir()
	cmd, _ := start(t, "echo up; exec sleep 1000", mark)
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if !HasMark(cmd.Process.Pid, mark) || HasMark(cmd.Process.Pid, mark[:len(mark)-1]) || HasMark(os.Getpid(), mark) || HasMark(cmd.Process.Pid, "") {
		t.Error("wrong marks")
	}
	suffix := mark[len(mark)-8:]
	if found, ok := FindMark("PROCTREE_TEST=", suffix); !ok || found != mark {
		t.Errorf("found %q, %v", found, ok)
	}
	if _, err := Lookup(1 << 30); err != ErrGone {
		t.Errorf("error %v", err)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for b.Loop() {
		if _, err := Snapshot(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarkedMembers(b *testing.B) {
	processes, err := Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(processes)), "processes")
	for b.Loop() {
		_ = Root{PID: 1 << 30, Mark: "NOT=there"}.Members(processes)
	}
}
