// Package reexec finds the program that the binary has to be, by the name it was started with: the
// agent starts the binary again for executors, the fetcher and the launch helper.
package reexec

import (
	"context"
	"path/filepath"

	"stoa/agent/containerizer/launch"
	"stoa/agent/executor/command"
	"stoa/agent/executor/docker"
	"stoa/agent/fetcher"
)

// Program is the main function of one of the agent's own processes. args is argv without argv[0];
// the result is the exit status.
type Program func(ctx context.Context, args, env []string) int

// Lookup gives the program for an argv[0], by its last path element; nil if it is none of the
// agent's. A main package, and the TestMain of a test that starts containers, call it before
// anything else.
func Lookup(argv0 string) Program {
	switch filepath.Base(argv0) {
	case command.Name:
		return command.Main
	case docker.Name:
		return docker.Main
	case fetcher.Name:
		return func(ctx context.Context, _, env []string) int { return fetcher.Main(ctx, env) }
	case launch.Name:
		return func(_ context.Context, _, env []string) int { return launch.Main(env) }
	}
	return nil
}
