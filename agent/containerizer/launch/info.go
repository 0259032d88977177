// Package launch is the first thing that runs in a container .
//
// The agent starts a container's first process with a pipe. Await holds the process there, with
// nothing done, until the agent has checkpointed its pid and written the launch information. When the
// agent dies first, the pipe closes and the process ends: no process of a container ever runs
// that the agent would not find again.
package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// PipeVariable names the environment variable with the number of the inherited pipe.
const PipeVariable = "STOA_LAUNCH_PIPE"

// Name is the argv[0] under which the binary is started to wait and then execute an
// executor that is not its own.
const Name = "mesos-containerizer"

// maxInfo bounds the launch information: Linux takes argument vectors of some MiB at most.
const maxInfo = 16 << 20

// Rlimit is one resource limit (getrlimit(2)).
type Rlimit struct {
	// Resource is the RLIMIT_ number.
	Resource int `json:"resource"`
	// Soft and Hard are the limits; unix.RLIM_INFINITY for none.
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Info is what the agent tells the waiting process.
type Info struct {
	// Path is the program to execute, looked up in PATH if it holds no slash. Empty for the
	// binary's own executors, which just go on.
	Path string `json:"path,omitempty"`
	// Arguments is its argv, with argv[0].
	Arguments []string `json:"arguments,omitempty"`
	// Rlimits were already set on the process by the agent. They are set once more here, because the Go
	// runtime otherwise restores its original RLIMIT_NOFILE for everything it executes.
	Rlimits []Rlimit `json:"rlimits,omitempty"`
}

// ErrAbandoned is returned by Await when the agent closed the pipe without launch
// information: it died or gave the container up.
var ErrAbandoned = errors.New("launch: the agent went away before the container was launched")

// Write sends info to the process at the other end of the pipe. The caller closes w.
func Write(w io.Writer, info Info) error {
	data, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("encode launch information: %w", err)
	}
	if _, err := w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("send launch information: %w", err)
	}
	return nil
}

// Await waits for the launch information if env names a launch pipe, applies it, and gives it with env
// without the pipe's variable. Without a pipe it returns at once.
func Await(env []string) (Info, []string, error) {
	number := ""
	rest := make([]string, 0, len(env))
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, PipeVariable+"="); ok {
			number = value
			continue
		}
		rest = append(rest, entry)
	}
	if number == "" {
		return Info{}, rest, nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return Info{}, rest, fmt.Errorf("launch: %s=%q is not the number of a pipe", PipeVariable, number)
	}
	pipe := os.NewFile(uintptr(fd), "launch pipe")
	defer pipe.Close()
	info, err := read(pipe)
	if err != nil {
		return Info{}, rest, err
	}
	for _, limit := range info.Rlimits {
		if err := setrlimit(limit); err != nil {
			return Info{}, rest, err
		}
	}
	return info, rest, nil
}

// read takes the one line of launch information; anything after it is refused.
func read(r io.Reader) (Info, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInfo+1))
	if err != nil {
		return Info{}, fmt.Errorf("read launch information: %w", err)
	}
	switch {
	case len(data) > maxInfo:
		return Info{}, fmt.Errorf("launch information is over %d bytes", maxInfo)
	case len(data) == 0 || data[len(data)-1] != '\n':
		return Info{}, ErrAbandoned
	}
	var info Info
	if err := json.Unmarshal(data, &info); err != nil {
		return Info{}, fmt.Errorf("decode launch information: %w", err)
	}
	return info, nil
}

func setrlimit(l Rlimit) error {
	err := unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard})
	if err != nil {
		return fmt.Errorf("set resource limit %d to %d:%d: %w", l.Resource, l.Soft, l.Hard, err)
	}
	return nil
}
