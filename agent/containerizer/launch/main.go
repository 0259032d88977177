package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// Main is the process `mesos-containerizer launch`: it waits for the agent and then becomes
// the executor. It only returns, with the exit status, when that failed.
func Main(env []string) int {
	info, env, err := Await(env)
	if errors.Is(err, ErrAbandoned) {
		return 1
	}
	if err == nil && info.Path == "" {
		err = errors.New("nothing to execute: this program is started by the agent only")
	}
	if err == nil {
		err = execute(info, env)
	}
	// The text of the original's launch helper (src/slave/containerizer/mesos/launch.cpp).
	fmt.Fprintf(os.Stderr, "Failed to execute '%s': %v\n", info.Path, err)
	return 1
}

func execute(info Info, env []string) error {
	path := info.Path
	if !strings.Contains(path, "/") {
		found, err := LookPath(path, env)
		if err != nil {
			return err
		}
		path = found
	}
	argv := info.Arguments
	if len(argv) == 0 {
		argv = []string{info.Path}
	}
	return syscall.Exec(path, argv, env)
}

// LookPath searches the PATH of env, which is the container's and not this process's.
func LookPath(name string, env []string) (string, error) {
	for _, entry := range env {
		path, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range strings.Split(path, ":") {
			if dir == "" {
				dir = "."
			}
			candidate := dir + "/" + name
			if stat, err := os.Stat(candidate); err == nil && !stat.IsDir() && stat.Mode()&0o111 != 0 {
				return candidate, nil
			}
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
