// Package deployment decides how to get from one tree of apps to another: the plan of
// steps, and, step by step, which instances to end and how many to begin.
//
// Comes in: two trees; later, for each action of a step, the app's instances as they
// are now. Goes out: a plan; for each action, what to do now and whether it is done.
// It looks at the present state only, never at the way there, so that an action can be
// taken up again by a process that knows nothing but the plan and the instances. It
// does no I/O and never looks at a clock.
package deployment

import (
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// Kind is what an action does to an app; the text is what the API shows.
type Kind string

// The kinds. Start exists for the API's sake alone: it does nothing.
const (
	Start   Kind = "StartApplication"
	Stop    Kind = "StopApplication"
	Scale   Kind = "ScaleApplication"
	Restart Kind = "RestartApplication"
)

// Action is what one step does to one app.
type Action struct {
	Kind Kind
	// App is the definition to reach; for Stop the one that goes.
	App *app.App
	// ToKill names the instances that a Scale takes away first.
	ToKill []string
}

// Step is a set of actions that run side by side.
type Step struct{ Actions []Action }

// AppChange is an app that differs between the two trees; nil where it does not exist.
type AppChange struct{ Old, New *app.App }

// GroupShape is what of a group a plan may have to take back.
type GroupShape struct {
	Dependencies []id.Path
	EnforceRole  bool
}

// GroupChange is a group that differs between the two trees; nil where it does not exist.
type GroupChange struct {
	ID       id.Path
	Old, New *GroupShape
}

// Plan is the way from one tree to another. It holds everything that is needed to
// carry it out or to take it back, so that it is stored as one record.
type Plan struct {
	ID      string
	Version timestamp.Timestamp
	Steps   []Step
	Apps    []AppChange
	Groups  []GroupChange
}

// NewPlan computes the plan. toKill names instances, by app, that a scale-down takes
// first. Original: DeploymentPlan.apply in core/deployment/DeploymentPlan.scala.
func NewPlan(planID string, from, to *group.Root, version timestamp.Timestamp, toKill map[id.Path][]string) *Plan {
	plan := &Plan{ID: planID, Version: version, Groups: groupChanges(from, to)}
	var stop, start Step
	var affected []*app.App
	for _, old := range from.SortedApps() {
		if to.App(old.ID) == nil {
			stop.Actions = append(stop.Actions, Action{Kind: Stop, App: old})
			plan.Apps = append(plan.Apps, AppChange{Old: old})
		}
	}
	for _, target := range to.SortedApps() {
		old := from.App(target.ID)
		if old == target {
			continue
		}
		if old == nil {
			start.Actions = append(start.Actions, Action{Kind: Start, App: target})
		} else if !old.NeedsRestart(target) && old.SameDefinition(target) {
			continue
		}
		affected = append(affected, target)
		plan.Apps = append(plan.Apps, AppChange{Old: old, New: target})
	}
	steps := append([]Step{stop, start}, orderedSteps(from, to, affected, toKill)...)
	for _, step := range steps {
		if len(step.Actions) > 0 {
			plan.Steps = append(plan.Steps, step)
		}
	}
	return plan
}

// orderedSteps makes one step for each length of the longest chain of dependencies,
// shortest first, so that what an app needs comes before it.
func orderedSteps(from, to *group.Root, affected []*app.App, toKill map[id.Path][]string) []Step {
	if len(affected) == 0 {
		return nil
	}
	depth := depths(group.Dependencies(to))
	byDepth := map[int]*Step{}
	var order []int
	for _, target := range affected {
		action, needed := actionFor(from.App(target.ID), target, toKill)
		if !needed {
			continue
		}
		d := depth(target.ID)
		if byDepth[d] == nil {
			byDepth[d] = &Step{}
			order = append(order, d)
		}
		byDepth[d].Actions = append(byDepth[d].Actions, action)
	}
	slices.Sort(order)
	steps := make([]Step, 0, len(order))
	for _, d := range order {
		steps = append(steps, *byDepth[d])
	}
	return steps
}

func actionFor(old, target *app.App, toKill map[id.Path][]string) (Action, bool) {
	switch {
	case old == nil:
		return Action{Kind: Scale, App: target}, true
	case old.IsOnlyScaleChange(target) || target.Instances == 0:
		return Action{Kind: Scale, App: target, ToKill: toKill[target.ID]}, true
	case !old.IsUpgrade(target) && !old.SameDefinition(target):
		// Only parts differ that do not touch what runs: a new version, no action.
		return Action{}, false
	case old.NeedsRestart(target):
		return Action{Kind: Restart, App: target}, true
	default:
		return Action{}, false
	}
}

// depths gives the length of the longest chain below an app. The tree was validated,
// so there is no circle; should there be one after all, it is cut where it closes.
func depths(edges map[id.Path][]*app.App) func(id.Path) int {
	known := map[id.Path]int{}
	var of func(id.Path) int
	of = func(at id.Path) int {
		if d, ok := known[at]; ok {
			return d
		}
		known[at] = 1
		longest := 0
		for _, needed := range edges[at] {
			longest = max(longest, of(needed.ID))
		}
		known[at] = longest + 1
		return longest + 1
	}
	return of
}

func groupChanges(from, to *group.Root) []GroupChange {
	shapes := func(r *group.Root) map[id.Path]*GroupShape {
		out := map[id.Path]*GroupShape{id.Root: {Dependencies: r.Dependencies}}
		for g := range r.AllGroups() {
			out[g.ID] = &GroupShape{Dependencies: g.Dependencies, EnforceRole: g.EnforceRole}
		}
		return out
	}
	if from == to {
		return nil
	}
	before, after := shapes(from), shapes(to)
	var changes []GroupChange
	for groupID, old := range before {
		now := after[groupID]
		if now == nil || old.EnforceRole != now.EnforceRole || !slices.Equal(old.Dependencies, now.Dependencies) {
			changes = append(changes, GroupChange{ID: groupID, Old: old, New: now})
		}
	}
	for groupID, now := range after {
		if before[groupID] == nil {
			changes = append(changes, GroupChange{ID: groupID, New: now})
		}
	}
	// Inner groups first: an added group is only taken away when it is empty.
	slices.SortFunc(changes, func(a, b GroupChange) int { return id.Compare(b.ID, a.ID) })
	return changes
}

// Affected lists the apps that some action touches, each once, in order of appearance.
// Plans that share one of them cannot run at the same time.
func (p *Plan) Affected() []id.Path {
	var ids []id.Path
	seen := map[id.Path]bool{}
	for _, step := range p.Steps {
		for _, action := range step.Actions {
			if !seen[action.App.ID] {
				seen[action.App.ID] = true
				ids = append(ids, action.App.ID)
			}
		}
	}
	return ids
}

// ConflictsWith says that both plans touch the same app.
func (p *Plan) ConflictsWith(other *Plan) bool {
	mine := map[id.Path]bool{}
	for _, appID := range p.Affected() {
		mine[appID] = true
	}
	return slices.ContainsFunc(other.Affected(), func(appID id.Path) bool { return mine[appID] })
}
