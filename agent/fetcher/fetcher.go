// Package fetcher brings the URIs of a command into the sandbox before the command runs.
//
// Comes in: a CommandInfo and a sandbox. Goes out: files below the sandbox. The work is done by a process
// of its own (Main) under the container's user, so that file:// reads only what that user may
// read. It never writes outside the sandbox.
package fetcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"stoa/internal/mesos/mesospb"
)

// Name is the argv[0] under which the binary is started as the fetcher.
const Name = "mesos-fetcher"

// infoVariable carries the FetcherInfo as JSON.
const infoVariable = "MESOS_FETCHER_INFO"

// Config is what the fetcher needs. The zero value works.
type Config struct {
	// Executable is the binary that is started again; empty means the running one.
	Executable string
	// FrameworksHome is --frameworks_home, the place of relative URIs; empty makes them an error.
	FrameworksHome string
	// StallTimeout is --fetcher_stall_timeout: a download without any progress for so long is
	// given up. 0 means one minute.
	StallTimeout time.Duration
	Logger       *slog.Logger
}

// Fetcher starts fetcher processes.
type Fetcher struct {
	config Config
	logger *slog.Logger
}

// Request is one container's fetch.
type Request struct {
	ContainerID string
	// Command holds the URIs.
	Command *mesospb.CommandInfo
	// Sandbox is the absolute path of the directory to fill.
	Sandbox string
	// User is the name of the container's user, for the log; Credential is what the fetcher
	// runs as, nil for the agent's own user.
	User       string
	Credential *syscall.Credential
	// Stdout and Stderr are the sandbox's log files.
	Stdout, Stderr *os.File
}

// New makes a fetcher.
func New(config Config) (*Fetcher, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.StallTimeout == 0 {
		config.StallTimeout = time.Minute
	}
	if config.Executable == "" {
		executable, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("fetcher: find the running binary: %w", err)
		}
		config.Executable = executable
	}
	return &Fetcher{config: config, logger: config.Logger}, nil
}

// Fetch brings all URIs of the request into the sandbox. It does nothing for a command without
// URIs. Errors have the texts of src/slave/containerizer/fetcher.cpp; the details are in the sandbox's stderr.
func (f *Fetcher) Fetch(ctx context.Context, request Request) error {
	if len(request.Command.GetUris()) == 0 {
		return nil
	}
	for _, uri := range request.Command.GetUris() {
		if err := validate(uri); err != nil {
			return fmt.Errorf("Could not fetch: %w", err)
		}
	}
	encoded, err := json.Marshal(f.info(request))
	if err != nil {
		return fmt.Errorf("Could not fetch: %w", err)
	}
	cmd := exec.CommandContext(ctx, f.config.Executable)
	cmd.Args = []string{Name}
	cmd.Dir = request.Sandbox
	cmd.Env = append(environment(os.Environ()), infoVariable+"="+string(encoded))
	cmd.Stdout = request.Stdout
	cmd.Stderr = request.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: request.Credential}
	err = cmd.Run()
	switch exit := (*exec.ExitError)(nil); {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		f.logger.Warn("fetching failed", "container", request.ContainerID, "how", exit.String())
		return fmt.Errorf("Failed to fetch all URIs for container '%s': %s", request.ContainerID, describe(exit.ProcessState))
	default:
		return fmt.Errorf("Failed to fetch all URIs for container '%s': Failed to execute mesos-fetcher: %w", request.ContainerID, err)
	}
}

// describe words a wait status as the original does.
func describe(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "terminated with signal " + status.Signal().String()
	}
	return fmt.Sprintf("exited with status %d", state.ExitCode())
}

// environment is the agent's without what is meant for the agent only.
func environment(own []string) []string {
	var env []string
	for _, entry := range own {
		if !strings.HasPrefix(entry, "MESOS_") && !strings.HasPrefix(entry, "LIBPROCESS_") {
			env = append(env, entry)
		}
	}
	return append(env, "LIBPROCESS_IP=127.0.0.1")
}

func (f *Fetcher) info(request Request) info {
	result := info{
		FrameworksHome:   f.config.FrameworksHome,
		SandboxDirectory: request.Sandbox,
		StallTimeout:     duration{Nanoseconds: f.config.StallTimeout.Nanoseconds()},
		User:             request.User,
	}
	for _, uri := range request.Command.GetUris() {
		result.Items = append(result.Items, item{Action: bypassCache, URI: itemURI{
			Executable: uri.Executable,
			Extract:    uri.GetExtract(),
			OutputFile: uri.OutputFile,
			Value:      uri.GetValue(),
		}})
	}
	return result
}

// info is FetcherInfo (include/mesos/fetcher/fetcher.proto), fields in alphabetical order as it is logged.
type info struct {
	FrameworksHome   string   `json:"frameworks_home,omitempty"`
	Items            []item   `json:"items"`
	SandboxDirectory string   `json:"sandbox_directory"`
	StallTimeout     duration `json:"stall_timeout"`
	User             string   `json:"user,omitempty"`
}

type duration struct {
	Nanoseconds int64 `json:"nanoseconds"`
}

const bypassCache = "BYPASS_CACHE"

type item struct {
	Action string  `json:"action"`
	URI    itemURI `json:"uri"`
}

// itemURI is CommandInfo.URI without cache, which the item's action stands for.
type itemURI struct {
	Executable *bool   `json:"executable,omitempty"`
	Extract    bool    `json:"extract"`
	OutputFile *string `json:"output_file,omitempty"`
	Value      string  `json:"value"`
}
