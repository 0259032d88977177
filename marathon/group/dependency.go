package group

import (
	"stoa/marathon/app"
	"stoa/marathon/id"
)

// Dependencies gives, for every app of the tree, the apps that must be up before it
// (RootGroup.applicationDependencies): those it names, those in groups it names, and all
// apps of groups that one of its groups depends on. Ids that name nothing are left out.
func Dependencies(root *Root) map[id.Path][]*app.App {
	edges := map[id.Path][]*app.App{}
	addGroupEdges(root, &root.Group, edges)
	for g := range root.AllGroups() {
		addGroupEdges(root, g, edges)
	}
	for a := range root.AllApps() {
		for _, dependency := range a.Dependencies {
			if needed := root.App(dependency); needed != nil {
				edges[a.ID] = append(edges[a.ID], needed)
			} else if target := root.Find(dependency); target != nil {
				for needed := range target.AllApps() {
					edges[a.ID] = append(edges[a.ID], needed)
				}
			}
		}
	}
	return edges
}

func addGroupEdges(root *Root, g *Group, edges map[id.Path][]*app.App) {
	for _, dependency := range g.Dependencies {
		target := root.Find(dependency)
		if target == nil {
			continue
		}
		for a := range g.AllApps() {
			for needed := range target.AllApps() {
				edges[a.ID] = append(edges[a.ID], needed)
			}
		}
	}
}

// Cyclic tells whether some app depends on itself, directly or through others.
func Cyclic(root *Root) bool {
	edges := Dependencies(root)
	const (
		open = 1
		done = 2
	)
	state := map[id.Path]int{}
	var visit func(id.Path) bool
	visit = func(at id.Path) bool {
		state[at] = open
		for _, needed := range edges[at] {
			if state[needed.ID] == open || state[needed.ID] == 0 && visit(needed.ID) {
				return true
			}
		}
		state[at] = done
		return false
	}
	for at := range edges {
		if state[at] == 0 && visit(at) {
			return true
		}
	}
	return false
}
