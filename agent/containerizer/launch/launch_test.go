package launch

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain lets the test binary be the launch helper.
func TestMain(m *testing.M) {
	if os.Args[0] == Name {
		os.Exit(Main(os.Environ()))
	}
	os.Exit(m.Run())
}

// helper starts the launch helper with a pipe and gives the pipe's other end.
func helper(t *testing.T, env ...string) (*exec.Cmd, *os.File, *bytes.Buffer) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	gate, release, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	var out bytes.Buffer
	cmd := &exec.Cmd{
		Path: executable, Args: []string{Name, "launch"}, Env: append(env, PipeVariable+"=3"),
		ExtraFiles: []*os.File{gate}, Stdout: &out, Stderr: &out,
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, release, &out
}

func TestHelperBecomesTheProgramOnceReleased(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prog"), []byte("#!/bin/sh\necho \"$0\" \"$@\"; env; ls /proc/$$/fd; ulimit -n\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd, release, out := helper(t, "PATH="+dir+":/usr/bin:/bin", "A=b")
	if err := Write(release, Info{Path: "prog", Arguments: []string{"zero", "one"}, Rlimits: []Rlimit{{Resource: 7, Soft: 77, Hard: 99}}}); err != nil {
		t.Fatal(err)
	}
	release.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	// A script's argv[0] is its path, whatever it was given.
	if lines[0] != filepath.Join(dir, "prog")+" one" || !slices.Contains(lines, "A=b") || lines[len(lines)-1] != "77" {
		t.Errorf("output %q", lines)
	}
	if strings.Contains(out.String(), PipeVariable) || slices.Contains(lines, "3") {
		t.Errorf("the pipe is still there: %q", lines)
	}
}

func TestHelperEndsWithTheAgent(t *testing.T) {
	cmd, release, out := helper(t)
	release.Close()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || out.Len() != 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestHelperSaysWhatItCannotExecute(t *testing.T) {
	cmd, release, out := helper(t, "PATH=/no/such")
	if err := Write(release, Info{Path: "missing"}); err != nil {
		t.Fatal(err)
	}
	release.Close()
	if err := cmd.Wait(); err == nil || !strings.HasPrefix(out.String(), "Failed to execute 'missing': ") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAwaitWithoutAPipe(t *testing.T) {
	_, env, err := Await([]string{"A=b"})
	if err != nil || !slices.Equal(env, []string{"A=b"}) {
		t.Errorf("%v, %v", env, err)
	}
	for _, bad := range []string{"x", "1", ""} {
		_, _, err := Await([]string{PipeVariable + "=" + bad})
		if bad != "" && err == nil {
			t.Errorf("no error for pipe %q", bad)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"path":"x"}` + "\n"))
	f.Add([]byte(`{"path":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := read(bytes.NewReader(data))
		if err == nil && (len(data) == 0 || data[len(data)-1] != '\n') {
			t.Errorf("a cut message was taken: %q", data)
		}
	})
}
