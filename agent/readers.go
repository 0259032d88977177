package agent

import (
	"context"
	"slices"

	"stoa/agent/core"
	"stoa/internal/auth"
)

// sandboxReaders says who may see the sandbox of a run: that depends on the user the
// executor runs as (Slave::authorizeSandboxAccess). Executors that ended count like
// those that run.
func (a *Agent) sandboxReaders(run core.RunID) func(principal string) bool {
	if a.config.Authorizer == nil {
		return nil
	}
	return func(principal string) bool {
		return a.config.Authorizer.Allowed(auth.As(principal), auth.AccessSandbox, owner(a.currentView(context.Background()), run))
	}
}

// owner is a run's framework and executor as far as they are known.
func owner(v *core.View, run core.RunID) *auth.Object {
	o := &auth.Object{}
	for _, f := range slices.Concat(v.Frameworks, v.Completed) {
		if f.ID != run.Framework {
			continue
		}
		o.Framework = f.Info
		for _, e := range slices.Concat(f.Executors, f.CompletedExecutors) {
			if e.Run == run {
				o.Executor = e.Info
				return o
			}
		}
	}
	return o
}
