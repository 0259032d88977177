package deployment

import (
	"slices"

	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// Revert takes the plan's changes back on the present tree, which may have changed
// elsewhere meanwhile. Apps are put back as they were: the plan kept others away from
// them. Groups are not locked, so that only what the plan did to them is undone.
// Original: core/deployment/impl/DeploymentPlanReverter.scala.
func (p *Plan) Revert(root *group.Root, version timestamp.Timestamp) *group.Root {
	for _, change := range p.Apps {
		if change.Old == nil {
			root = root.WithoutApp(change.New.ID, version)
			continue
		}
		old := change.Old
		if now := root.App(old.ID); now != nil && now != old && now.SameDefinition(old) {
			// A restart is taken back by another restart: instances of two versions run.
			old = old.MarkedForRestart()
		}
		root = root.WithApp(old, version)
	}
	for _, change := range p.Groups {
		root = change.revert(root, version)
	}
	return root
}

func (c GroupChange) revert(root *group.Root, version timestamp.Timestamp) *group.Root {
	current := root.Find(c.ID)
	switch {
	case c.New == nil:
		if current == nil {
			restored := root.NewGroup(c.ID)
			restored.EnforceRole = c.Old.EnforceRole
			restored.Dependencies = c.Old.Dependencies
			return root.WithGroup(restored, version)
		}
		return withDependencies(root, current, c.Old.Dependencies, nil, version)
	case c.Old != nil:
		if current == nil {
			return root
		}
		return withDependencies(root, current, c.Old.Dependencies, c.New.Dependencies, version)
	case current == nil:
		return root
	case current.IsEmpty() && slices.Equal(current.Dependencies, c.New.Dependencies):
		return root.WithoutGroup(c.ID, version)
	default:
		return withDependencies(root, current, nil, c.New.Dependencies, version)
	}
}

// withDependencies adds the wanted dependencies and takes away the unwanted others.
func withDependencies(root *group.Root, g *group.Group, wanted, unwanted []id.Path, version timestamp.Timestamp) *group.Root {
	var next []id.Path
	for _, dependency := range g.Dependencies {
		if slices.Contains(wanted, dependency) || !slices.Contains(unwanted, dependency) {
			next = append(next, dependency)
		}
	}
	for _, dependency := range wanted {
		if !slices.Contains(next, dependency) {
			next = append(next, dependency)
		}
	}
	if slices.Equal(next, g.Dependencies) {
		return root
	}
	fresh := *g
	fresh.Dependencies = next
	return root.WithGroup(&fresh, version)
}
