package session

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/flags"
	"stoa/internal/mesos/mesospb"
)

// tokenVariable is taken out of the environment, so that the task cannot speak for its executor.
const tokenVariable = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"

// Environment is what the agent tells an executor in its environment
// (src/slave/slave.cpp, executorEnvironment).
type Environment struct {
	FrameworkID *mesospb.FrameworkID
	ExecutorID  *mesospb.ExecutorID
	// URL is the agent's executor API.
	URL string
	// Token authenticates the executor; empty if the agent does not ask for it.
	Token string
	// Checkpoint says that the agent comes back after it ended, and RecoveryTimeout how
	// long that may take.
	Checkpoint      bool
	RecoveryTimeout time.Duration
	// BackoffMax bounds the pause between two attempts to subscribe.
	BackoffMax time.Duration
	// ShutdownGracePeriod is how long the executor has to end its task when told to shut down.
	ShutdownGracePeriod time.Duration
	// Sandbox is the sandbox as the executor sees it.
	Sandbox string
	// Rest is the environment without what only concerns the executor.
	Rest []string
}

// ReadEnvironment reads the executor environment. Errors say which variable is at fault, in
// the words of the original's executor library where it has some.
func ReadEnvironment(env []string) (Environment, error) {
	values := make(map[string]string, len(env))
	result := Environment{
		RecoveryTimeout:     15 * time.Minute,
		BackoffMax:          2 * time.Second,
		ShutdownGracePeriod: 5 * time.Second,
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
		if name != tokenVariable {
			result.Rest = append(result.Rest, entry)
		}
	}
	for _, name := range []string{"MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID"} {
		if values[name] == "" {
			return Environment{}, fmt.Errorf("Expecting '%s' to be set in the environment", name)
		}
	}
	result.FrameworkID = &mesospb.FrameworkID{Value: proto.String(values["MESOS_FRAMEWORK_ID"])}
	result.ExecutorID = &mesospb.ExecutorID{Value: proto.String(values["MESOS_EXECUTOR_ID"])}
	result.Token = values[tokenVariable]
	result.Sandbox = values["MESOS_SANDBOX"]
	if result.Sandbox == "" {
		result.Sandbox = values["MESOS_DIRECTORY"]
	}
	// The UPID's id is the prefix of the agent's paths: slave(1).
	id, address, ok := strings.Cut(values["MESOS_SLAVE_PID"], "@")
	if !ok || id == "" || address == "" {
		id, address = "slave(1)", values["MESOS_AGENT_ENDPOINT"]
	}
	if address == "" {
		return Environment{}, fmt.Errorf("Expecting 'MESOS_SLAVE_PID' to be set in the environment")
	}
	result.URL = "http://" + address + "/" + id + "/api/v1/executor"
	result.Checkpoint = values["MESOS_CHECKPOINT"] == "1" || values["MESOS_CHECKPOINT"] == "true"

	for name, field := range map[string]*time.Duration{
		"MESOS_RECOVERY_TIMEOUT":               &result.RecoveryTimeout,
		"MESOS_SUBSCRIPTION_BACKOFF_MAX":       &result.BackoffMax,
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": &result.ShutdownGracePeriod,
	} {
		text, ok := values[name]
		if !ok {
			continue
		}
		d, err := flags.ParseDuration(text)
		if err != nil {
			return Environment{}, fmt.Errorf("Failed to parse value '%s' of '%s': %w", text, name, err)
		}
		*field = d
	}
	return result, nil
}
