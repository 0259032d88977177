package deployment

import (
	"stoa/marathon/app"
	"stoa/marathon/instance"
)

// Observer tells what cannot be read off an instance itself.
type Observer struct {
	// ConsideredHealthy is true for instances of apps without any checks, whatever
	// their state; otherwise it is the last known health.
	ConsideredHealthy func(*instance.Instance) bool
	// Ready says that an instance serves: it runs, its health checks say healthy and
	// its readiness check, if there is one, has succeeded.
	Ready func(*instance.Instance) bool
	// Balance picks up to n of the candidates whose end evens out the app's GROUP_BY
	// constraints.
	Balance func(a *app.App, candidates []*instance.Instance, n int) []*instance.Instance
}

// Decision is what an action wants done now.
type Decision struct {
	// SetGoals are instances to end, in this order.
	SetGoals []GoalChange
	// Start is how many instances of the action's app to add.
	Start int
	// ResetDelay forgets the launch delay of the action's app.
	ResetDelay bool
	// Done says that the action has reached its aim. Nothing else is set then, except
	// ResetDelay.
	Done bool
}

// GoalChange gives an instance a new goal.
type GoalChange struct {
	InstanceID string
	Goal       instance.Goal
}

// Run is one action on its way. It keeps only what lets it wait for the right
// instances; made anew in the middle of the way, it comes to the same end.
type Run struct {
	Action Action

	begun   bool
	restart restartRun
	scale   scaleRun
}

// NewRun begins an action.
func NewRun(action Action) *Run { return &Run{Action: action} }

// Advance decides about the present instances of the action's app: all of them, of any
// version and goal. It is called again whenever one of them changed.
func (r *Run) Advance(instances []*instance.Instance, observe Observer) Decision {
	first := !r.begun
	r.begun = true
	switch r.Action.Kind {
	case Stop:
		return advanceStop(instances)
	case Scale:
		return r.scale.advance(r.Action, instances, observe, first)
	case Restart:
		return r.restart.advance(r.Action.App, instances, observe, first)
	default:
		return Decision{Done: true}
	}
}

// advanceStop ends every instance and waits until none is left that can be reached.
func advanceStop(instances []*instance.Instance) Decision {
	var d Decision
	waiting := false
	for _, i := range instances {
		if i.State.Goal != instance.GoalDecommissioned {
			d.SetGoals = append(d.SetGoals, GoalChange{i.ID, instance.GoalDecommissioned})
		}
		if !i.State.Condition.ConsideredTerminal() {
			waiting = true
		}
	}
	if len(d.SetGoals) > 0 || waiting {
		return d
	}
	return Decision{Done: true, ResetDelay: true}
}

// endGoal is the goal for instances that are to end: those with volumes are kept.
func endGoal(a *app.App) instance.Goal {
	if a.IsResident() {
		return instance.GoalStopped
	}
	return instance.GoalDecommissioned
}
