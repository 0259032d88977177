package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// Container is what an inspection tells.
type Container struct {
	ID string
	// PID is the first process on the host; 0 when it does not run.
	PID     int
	Running bool
	// Started is true once it ran, even if it has ended.
	Started  bool
	ExitCode int
	// IPAddress and IP6Address are those in the container's own network; empty on the
	// host's.
	IPAddress, IP6Address string
	// JSON is the text that `docker inspect` prints: an array of one, indented with four spaces.
	JSON []byte
}

// Inspect reads the state of a container by its name.
func (e *Engine) Inspect(ctx context.Context, name string) (Container, error) {
	inspected, raw, err := e.api.ContainerInspectWithRaw(ctx, name, false)
	if err != nil {
		return Container{}, err
	}
	result := Container{ID: inspected.ID}
	if state := inspected.State; state != nil {
		result.PID = state.Pid
		result.Running = state.Running
		result.ExitCode = state.ExitCode
		result.Started = state.StartedAt != "" && state.StartedAt != "0001-01-01T00:00:00Z"
	}
	if inspected.NetworkSettings != nil && inspected.HostConfig != nil {
		mode := string(inspected.HostConfig.NetworkMode)
		if mode == "default" {
			mode = "bridge"
		}
		if network, ok := inspected.NetworkSettings.Networks[mode]; ok && network != nil {
			result.IPAddress = network.IPAddress
			result.IP6Address = network.GlobalIPv6Address
		}
	}
	var text bytes.Buffer
	if err := json.Indent(&text, append(append([]byte{'['}, bytes.TrimSpace(raw)...), ']'), "", "    "); err != nil {
		return Container{}, fmt.Errorf("Unable to parse the inspection of container %s: %w", name, err)
	}
	text.WriteByte('\n')
	result.JSON = text.Bytes()
	return result, nil
}
