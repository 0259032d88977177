package deployment

import (
	"slices"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/instance"
)

// Proposition is what brings an app to its count of instances.
type Proposition struct {
	Decommission []*instance.Instance
	Start        int
}

// Propose compares the instances that are meant to run with the count that is wanted.
// Those in sentenced go whatever the count; then those whose end evens out GROUP_BY
// constraints; then by condition and age. Unreachable instances that were given up
// count neither way. Original: core/deployment/ScalingProposition.scala.
func Propose(a *app.App, instances []*instance.Instance, sentenced []string, wanted int, observe Observer) Proposition {
	var doomed, others []*instance.Instance
	for _, i := range instances {
		if i.State.Goal != instance.GoalRunning || i.State.Condition == instance.UnreachableInactive {
			continue
		}
		if slices.Contains(sentenced, i.ID) {
			doomed = append(doomed, i)
		} else {
			others = append(others, i)
		}
	}
	running := len(doomed) + len(others)
	kill := max(running-wanted, len(doomed))
	if more := kill - len(doomed); more > 0 {
		if observe.Balance != nil {
			for _, i := range slices.Clone(observe.Balance(a, others, more)) {
				doomed = append(doomed, i)
				others = slices.DeleteFunc(others, func(o *instance.Instance) bool { return o.ID == i.ID })
			}
		}
		slices.SortStableFunc(others, func(x, y *instance.Instance) int { return killOrder(a.KillSelection, x, y) })
		doomed = append(doomed, others...)
	}
	return Proposition{Decommission: doomed[:min(kill, len(doomed))], Start: max(0, wanted-running+kill)}
}

// killWeight orders conditions: the lightest is killed first. Instances that still
// wait for an offer are the heaviest, as upstream has it.
func killWeight(c instance.Condition) int {
	switch c {
	case instance.Unreachable:
		return 1
	case instance.Staging:
		return 2
	case instance.Starting:
		return 3
	case instance.Running:
		return 4
	default:
		return 5
	}
}

func killOrder(selection app.KillSelection, x, y *instance.Instance) int {
	if d := killWeight(x.State.Condition) - killWeight(y.State.Condition); d != 0 {
		return d
	}
	switch x.State.Condition {
	case instance.Staging:
		return byAge(selection, stagedAt(x), stagedAt(y))
	case instance.Starting:
		return byAge(selection, x.State.Since, y.State.Since)
	}
	switch a, b := x.State.ActiveSince, y.State.ActiveSince; {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return -1
	case b.IsZero():
		return 1
	default:
		return byAge(selection, a, b)
	}
}

func byAge(selection app.KillSelection, x, y time.Time) int {
	if selection == app.OldestFirst {
		return x.Compare(y)
	}
	return y.Compare(x)
}

func stagedAt(i *instance.Instance) time.Time {
	var latest time.Time
	for n := range i.Tasks {
		if i.Tasks[n].StagedAt.After(latest) {
			latest = i.Tasks[n].StagedAt
		}
	}
	return latest
}

// scaleRun ends surplus instances, waits for their end, then begins the missing ones
// and waits until as many new ones serve.
type scaleRun struct {
	dying    map[string]bool
	starting bool
	// need is how many instances of the new version have to come to serve; served are
	// those that did so before the action began to start any.
	need   int
	served map[string]bool
}

func (s *scaleRun) advance(action Action, instances []*instance.Instance, observe Observer, first bool) Decision {
	a := action.App
	if first {
		p := Propose(a, instances, action.ToKill, a.Instances, observe)
		s.dying = map[string]bool{}
		var d Decision
		for _, i := range p.Decommission {
			s.dying[i.ID] = true
			d.SetGoals = append(d.SetGoals, GoalChange{i.ID, endGoal(a)})
		}
		if len(d.SetGoals) > 0 {
			return d
		}
	}
	for _, i := range instances {
		if s.dying[i.ID] && !i.State.Condition.ConsideredTerminal() &&
			i.State.Condition != instance.Scheduled {
			return Decision{}
		}
	}
	present := 0
	for _, i := range instances {
		if !s.dying[i.ID] && (i.Active() || i.Scheduled()) && i.State.Goal == instance.GoalRunning {
			present++
		}
	}
	fresh := func(i *instance.Instance) bool {
		return i.Version == a.Version() && i.State.Goal == instance.GoalRunning && observe.Ready(i)
	}
	if !s.starting {
		s.starting = true
		s.need = max(0, a.Instances-present)
		s.served = map[string]bool{}
		for _, i := range instances {
			switch {
			case fresh(i):
				s.served[i.ID] = true
			case i.Version == a.Version() && i.State.Goal == instance.GoalRunning && !s.dying[i.ID]:
				// Begun by an earlier run of this action, before a restart of Marathon.
				s.need++
			}
		}
	}
	serving := 0
	for _, i := range instances {
		if !s.served[i.ID] && fresh(i) {
			serving++
		}
	}
	missing := max(0, a.Instances-present)
	if missing == 0 && serving >= min(s.need, a.Instances) {
		return Decision{Done: true}
	}
	return Decision{Start: missing}
}
