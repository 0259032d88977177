package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"stoa/agent"
	"stoa/agent/executor/reexec"
)

// agentProcess names the environment variable that turns the test binary into an agent
// of its own, which a test can kill.
const agentProcess = "STOA_TEST_AGENT"

// settings are what such a process is told.
type settings struct {
	Address, Master, WorkDir string
	ReregistrationTimeout    time.Duration
	GCDelay                  time.Duration
	Recover                  string
}

func (s settings) config(listener net.Listener) agent.Config {
	return agent.Config{
		Listener:                      listener,
		Master:                        s.Master,
		WorkDir:                       s.WorkDir,
		Hostname:                      "agent1.test",
		Resources:                     "cpus:4;mem:4096;disk:8192;ports:[31000-31999]",
		Attributes:                    "rack:r1",
		RegistrationBackoffFactor:     20 * time.Millisecond,
		ExecutorReregistrationTimeout: s.ReregistrationTimeout,
		GCDelay:                       s.GCDelay,
		Recover:                       s.Recover,
		KeepUser:                      os.Geteuid() != 0,
		Flags:                         map[string]string{"master": s.Master, "work_dir": s.WorkDir},
	}
}

func TestMain(m *testing.M) {
	if program := reexec.Lookup(os.Args[0]); program != nil {
		os.Exit(program(context.Background(), os.Args[1:], os.Environ()))
	}
	if text := os.Getenv(agentProcess); text != "" {
		os.Unsetenv(agentProcess)
		if err := runAgentProcess(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runAgentProcess is an agent as `stoa agent` runs it: SIGTERM stops it, SIGUSR1 shuts it down.
func runAgentProcess(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", s.Address)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a, err := agent.New(ctx, s.config(listener))
	if err != nil {
		return err
	}
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	go func() {
		<-usr1
		a.Shutdown("Received SIGUSR1 signal")
	}()
	return a.Run(ctx)
}
