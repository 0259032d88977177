// Package group holds the tree of groups and apps: a persistent data structure that a
// change copies along one path. Trees come in, trees go out; planning and storing them
// is done elsewhere.
package group

import (
	"iter"
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// Group is one node of the tree (src/main/scala/mesosphere/marathon/state/Group.scala). It
// is immutable by convention.
type Group struct {
	ID id.Path
	// Apps are the direct apps, sorted by id.
	Apps []*app.App
	// Groups are the direct subgroups, sorted by id.
	Groups []*Group
	// Dependencies are ids of groups or apps that must be up before anything in here.
	Dependencies []id.Path
	// Version is that of the last change of the tree that touched this group.
	Version timestamp.Timestamp
	// EnforceRole makes the top-level group's name the role of its apps.
	EnforceRole bool
}

// Root is the whole tree.
type Root struct {
	Group
	// NewGroupEnforceRole is the EnforceRole of top-level groups that come into being
	// (--new_group_enforce_role top).
	NewGroupEnforceRole bool
}

// NewRoot is an empty tree.
func NewRoot(version timestamp.Timestamp, newGroupEnforceRole bool) *Root {
	return &Root{Group: Group{ID: id.Root, Version: version}, NewGroupEnforceRole: newGroupEnforceRole}
}

func byGroupID(g *Group, want id.Path) int { return id.Compare(g.ID, want) }
func byAppID(a *app.App, want id.Path) int { return id.Compare(a.ID, want) }

// Child finds a direct subgroup.
func (g *Group) Child(want id.Path) *Group {
	if at, ok := slices.BinarySearchFunc(g.Groups, want, byGroupID); ok {
		return g.Groups[at]
	}
	return nil
}

// DirectApp finds a direct app.
func (g *Group) DirectApp(want id.Path) *app.App {
	if at, ok := slices.BinarySearchFunc(g.Apps, want, byAppID); ok {
		return g.Apps[at]
	}
	return nil
}

// Find finds this group or one below it; nil when there is none.
func (g *Group) Find(want id.Path) *Group {
	at := g
	for at.ID != want {
		if !want.IsBelow(at.ID) {
			return nil
		}
		rest := want[len(at.ID):]
		if at.ID.IsRoot() {
			rest = want
		}
		name, _, _ := cutFirst(rest)
		next := at.Child(at.ID.Child(name))
		if next == nil {
			return nil
		}
		at = next
	}
	return at
}

// cutFirst splits "/a/b" into "a" and "/b".
func cutFirst(path id.Path) (first string, rest id.Path, more bool) {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return string(path[1:i]), path[i:], true
		}
	}
	return string(path[1:]), "", false
}

// App finds an app in this group or below; nil when there is none.
func (g *Group) App(want id.Path) *app.App {
	if parent := g.Find(want.Parent()); parent != nil {
		return parent.DirectApp(want)
	}
	return nil
}

// AllApps walks the apps of this group and everything below, a group's own apps first.
func (g *Group) AllApps() iter.Seq[*app.App] {
	return func(yield func(*app.App) bool) { g.walkApps(yield) }
}

func (g *Group) walkApps(yield func(*app.App) bool) bool {
	for _, a := range g.Apps {
		if !yield(a) {
			return false
		}
	}
	for _, sub := range g.Groups {
		if !sub.walkApps(yield) {
			return false
		}
	}
	return true
}

// SortedApps gives all apps of this group and everything below, sorted by id.
func (g *Group) SortedApps() []*app.App {
	apps := slices.Collect(g.AllApps())
	slices.SortFunc(apps, func(a, b *app.App) int { return id.Compare(a.ID, b.ID) })
	return apps
}

// AllGroups walks everything below this group, parents before children, without itself.
func (g *Group) AllGroups() iter.Seq[*Group] {
	return func(yield func(*Group) bool) { g.walkGroups(yield) }
}

func (g *Group) walkGroups(yield func(*Group) bool) bool {
	for _, sub := range g.Groups {
		if !yield(sub) || !sub.walkGroups(yield) {
			return false
		}
	}
	return true
}

// HasApps tells whether there is any app in this group or below.
func (g *Group) HasApps() bool {
	for range g.AllApps() {
		return true
	}
	return false
}

// IsEmpty tells whether there is nothing in this group.
func (g *Group) IsEmpty() bool { return len(g.Apps) == 0 && len(g.Groups) == 0 }
