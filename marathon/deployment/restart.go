package deployment

import (
	"math"
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/instance"
)

// Strategy bounds a rolling restart.
type Strategy struct {
	// MinHealthy is how many healthy instances are always kept.
	MinHealthy int
	// MaxCapacity is how many instances may exist at the same time.
	MaxCapacity int
	// KillNow is how many old instances end before any new one serves.
	KillNow int
}

// NewStrategy is the arithmetic of the original: wanted is the count to reach, current
// all known instances of any version and goal, healthy those meant to run that are
// considered healthy. The products are IEEE doubles, so that 100 × 0.07 rounds up to 8.
// Original: computeRestartStrategy in core/deployment/impl/TaskReplaceActor.scala.
func NewStrategy(u app.UpgradeStrategy, resident bool, wanted, current, healthy int) Strategy {
	n := float64(wanted)
	s := Strategy{
		MinHealthy:  int(math.Ceil(n * u.MinimumHealthCapacity)),
		MaxCapacity: int(n * (1 + u.MaximumOverCapacity)),
	}
	s.KillNow = max(0, healthy-s.MinHealthy)
	if s.MinHealthy == s.MaxCapacity && s.MaxCapacity <= healthy {
		// Neither a kill nor a launch would be allowed: nothing would ever move.
		if resident {
			s.KillNow = healthy - s.MinHealthy + 1
		} else {
			s.MaxCapacity++
		}
	}
	if wanted < current {
		s.KillNow = max(current-wanted, s.KillNow)
	}
	return s
}

// restartRun replaces instances of other versions by instances of the app's version.
//
// The kills follow the original's count: KillNow at once, one more for each new
// instance that came to serve. On top of that a kill never takes the number of serving
// instances below the minimum, which the count alone does not guarantee when new
// instances fail again or when instances from an earlier, cancelled change are around.
type restartRun struct {
	strategy Strategy
	// floor is the number of serving instances that kills leave alone.
	floor int
	// killed counts the old instances that were given an end, budget how many may be.
	killed, budget int
	// served are the new instances that have been counted for the budget.
	served map[string]bool
}

func (r *restartRun) advance(a *app.App, instances []*instance.Instance, observe Observer, first bool) Decision {
	var d Decision
	if first {
		r.begin(a, instances, observe)
		d.ResetDelay = true
	}
	goal := endGoal(a)

	var old []*instance.Instance // of another version and meant to run
	oldAlive := 0                // of another version and occupying resources
	serving := 0                 // of any version
	begun, ready, dying := 0, 0, 0
	for _, i := range instances {
		running := i.State.Goal == instance.GoalRunning
		gone := i.State.Condition.ConsideredTerminal() || !running && i.State.Condition == instance.Scheduled
		if i.Version == a.Version() {
			switch {
			case running:
				begun++
				if observe.Ready(i) {
					ready++
					serving++
					if !r.served[i.ID] {
						r.served[i.ID] = true
						r.budget++
					}
				}
			case !gone:
				dying++
			}
			continue
		}
		switch {
		case running && gone:
			// It ended by itself: its place goes to an instance of the new version.
			d.SetGoals = append(d.SetGoals, GoalChange{i.ID, goal})
		case running:
			old = append(old, i)
			if serves(i, observe) {
				serving++
			}
		case !gone:
			oldAlive++
		}
	}

	d.SetGoals = append(d.SetGoals, r.kills(old, serving, goal, observe)...)
	// Those that are ended just now hold their resources until they are gone.
	missing := a.Instances - begun
	capacity := r.strategy.MaxCapacity - len(old) - oldAlive - dying - begun
	d.Start = max(0, min(missing, capacity))
	if d.Start == 0 && len(d.SetGoals) == 0 && len(old) > 0 && oldAlive+dying == 0 && begun == ready {
		r.unblock(a, old, serving, missing, goal, observe, &d)
	}
	if len(d.SetGoals) == 0 && d.Start == 0 && len(old)+oldAlive == 0 && ready >= a.Instances {
		return Decision{Done: true, ResetDelay: d.ResetDelay}
	}
	return d
}

func (r *restartRun) begin(a *app.App, instances []*instance.Instance, observe Observer) {
	healthy := 0
	r.served = map[string]bool{}
	for _, i := range instances {
		if i.State.Goal != instance.GoalRunning {
			continue
		}
		if observe.ConsideredHealthy(i) {
			healthy++
		}
		if i.Version == a.Version() && observe.Ready(i) {
			// Known to the count of healthy ones already.
			r.served[i.ID] = true
		}
	}
	r.strategy = NewStrategy(a.UpgradeStrategy, a.IsResident(), a.Instances, len(instances), healthy)
	r.budget = r.strategy.KillNow
	r.floor = r.strategy.MinHealthy
	if a.IsResident() && r.strategy.MinHealthy == r.strategy.MaxCapacity {
		r.floor--
	}
}

// kills picks old instances to end now: those that do not serve first, in the order
// waiting, starting, unhealthy.
func (r *restartRun) kills(old []*instance.Instance, serving int, goal instance.Goal, observe Observer) []GoalChange {
	slices.SortStableFunc(old, func(x, y *instance.Instance) int {
		return restartWeight(x, observe) - restartWeight(y, observe)
	})
	var out []GoalChange
	for _, i := range old {
		if r.killed >= r.budget {
			break
		}
		if serves(i, observe) {
			if serving <= r.floor {
				break
			}
			serving--
		}
		r.killed++
		out = append(out, GoalChange{i.ID, goal})
	}
	return out
}

// unblock finds a way on when the arithmetic leaves none: no launch fits, no kill is
// due and nothing is on its way that could change that.
func (r *restartRun) unblock(a *app.App, old []*instance.Instance, serving, missing int, goal instance.Goal, observe Observer, d *Decision) {
	switch {
	case !serves(old[0], observe), serving > r.floor, missing <= 0:
		r.budget++
		r.killed++
		d.SetGoals = append(d.SetGoals, GoalChange{old[0].ID, goal})
	case a.IsResident():
		r.budget++
		r.killed++
		r.floor = serving - 1
		d.SetGoals = append(d.SetGoals, GoalChange{old[0].ID, goal})
	default:
		r.strategy.MaxCapacity++
		d.Start = 1
	}
}

// serves says that an old instance does work that would be missed.
func serves(i *instance.Instance, observe Observer) bool {
	return i.State.Condition == instance.Running && observe.ConsideredHealthy(i)
}

func restartWeight(i *instance.Instance, observe Observer) int {
	switch {
	case i.State.Condition == instance.Scheduled:
		return 0
	case serves(i, observe):
		return 3
	case i.State.Condition == instance.Running:
		return 2
	default:
		return 1
	}
}
