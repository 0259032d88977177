package group

import (
	"maps"
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// WithApp gives a tree in which the app stands at its id, replacing what was there. Groups
// on the way are made when missing. An empty group of the same id gives way to the app
// (RootGroup.updateApp).
func (r *Root) WithApp(a *app.App, version timestamp.Timestamp) *Root {
	parent := *r.groupOrNew(a.ID.Parent())
	parent.Apps = put(parent.Apps, a, a.ID, byAppID)
	if at, ok := slices.BinarySearchFunc(parent.Groups, a.ID, byGroupID); ok && !parent.Groups[at].HasApps() {
		parent.Groups = slices.Delete(slices.Clone(parent.Groups), at, at+1)
	}
	return r.WithGroup(&parent, version)
}

// WithApps is WithApp for many apps of different ids at once.
func (r *Root) WithApps(apps []*app.App, version timestamp.Timestamp) *Root {
	byParent := map[id.Path][]*app.App{}
	for _, a := range apps {
		byParent[a.ID.Parent()] = append(byParent[a.ID.Parent()], a)
	}
	result := r
	for _, parentID := range slices.SortedFunc(maps.Keys(byParent), id.Compare) {
		parent := *result.groupOrNew(parentID)
		fresh := byParent[parentID]
		replaced := make(map[id.Path]bool, len(fresh))
		for _, a := range fresh {
			replaced[a.ID] = true
		}
		for _, a := range parent.Apps {
			if !replaced[a.ID] {
				fresh = append(fresh, a)
			}
		}
		parent.Apps = sortedApps(fresh)
		parent.Groups = slices.DeleteFunc(slices.Clone(parent.Groups), func(g *Group) bool { return replaced[g.ID] && !g.HasApps() })
		result = result.WithGroup(&parent, version)
	}
	return result
}

func sortedApps(apps []*app.App) []*app.App {
	slices.SortFunc(apps, func(a, b *app.App) int { return id.Compare(a.ID, b.ID) })
	return apps
}

// WithoutApp gives a tree without the app; the enclosing group stays, even when empty.
func (r *Root) WithoutApp(appID id.Path, version timestamp.Timestamp) *Root {
	parent := r.Find(appID.Parent())
	if parent == nil || parent.DirectApp(appID) == nil {
		return r.WithVersion(version)
	}
	fresh := *parent
	fresh.Apps = remove(fresh.Apps, appID, byAppID)
	return r.WithGroup(&fresh, version)
}

// WithGroup gives a tree in which the group stands at its id, replacing what was there.
// Groups on the way are made when missing. Every group of the tree gets the version.
func (r *Root) WithGroup(g *Group, version timestamp.Timestamp) *Root {
	result := g
	for _, parentID := range g.ID.Parents() {
		parent := *r.groupOrNew(parentID)
		parent.Groups = put(parent.Groups, result, result.ID, byGroupID)
		result = &parent
	}
	return r.withTree(stamp(result, version))
}

// WithoutGroup gives a tree without the group and all that is in it. The root can only be emptied.
func (r *Root) WithoutGroup(groupID id.Path, version timestamp.Timestamp) *Root {
	if groupID.IsRoot() {
		return r.withTree(&Group{ID: id.Root, Version: version})
	}
	parent := r.Find(groupID.Parent())
	if parent == nil || parent.Child(groupID) == nil {
		return r.WithVersion(version)
	}
	fresh := *parent
	fresh.Groups = remove(fresh.Groups, groupID, byGroupID)
	return r.WithGroup(&fresh, version)
}

// WithVersion gives the same tree with every group's version replaced.
func (r *Root) WithVersion(version timestamp.Timestamp) *Root {
	return r.withTree(stamp(&r.Group, version))
}

// WithEmptyGroup gives a tree in which the group exists.
func (r *Root) WithEmptyGroup(groupID id.Path) *Root {
	if r.Find(groupID) != nil {
		return r
	}
	return r.WithGroup(r.groupOrNew(groupID), r.Version)
}

// MapApps replaces every app of the subtree by what change returns for it; the same
// pointer means unchanged. The groups' versions are kept.
func (r *Root) MapApps(below id.Path, change func(*app.App) *app.App) *Root {
	target := r.Find(below)
	if target == nil {
		return r
	}
	mapped := mapApps(target, change)
	if mapped == target {
		return r
	}
	result := mapped
	for _, parentID := range mapped.ID.Parents() {
		parent := *r.Find(parentID)
		parent.Groups = put(parent.Groups, result, result.ID, byGroupID)
		result = &parent
	}
	return r.withTree(result)
}

func mapApps(g *Group, change func(*app.App) *app.App) *Group {
	fresh := *g
	newApps, newGroups := false, false
	for i, old := range g.Apps {
		if now := change(old); now != old {
			if !newApps {
				fresh.Apps, newApps = slices.Clone(g.Apps), true
			}
			fresh.Apps[i] = now
		}
	}
	for i, old := range g.Groups {
		if now := mapApps(old, change); now != old {
			if !newGroups {
				fresh.Groups, newGroups = slices.Clone(g.Groups), true
			}
			fresh.Groups[i] = now
		}
	}
	if !newApps && !newGroups {
		return g
	}
	return &fresh
}

func (r *Root) withTree(g *Group) *Root {
	return &Root{Group: *g, NewGroupEnforceRole: r.NewGroupEnforceRole}
}

// groupOrNew finds a group or makes an empty one that is not in the tree yet.
func (r *Root) groupOrNew(groupID id.Path) *Group {
	if found := r.Find(groupID); found != nil {
		return found
	}
	return r.NewGroup(groupID)
}

// NewGroup is an empty group that is not in the tree yet.
func (r *Root) NewGroup(groupID id.Path) *Group {
	return &Group{ID: groupID, EnforceRole: groupID.IsTopLevel() && r.NewGroupEnforceRole}
}

// stamp copies the whole tree with the version set.
func stamp(g *Group, version timestamp.Timestamp) *Group {
	fresh := *g
	fresh.Version = version
	if len(g.Groups) > 0 {
		fresh.Groups = make([]*Group, len(g.Groups))
		for i, sub := range g.Groups {
			fresh.Groups[i] = stamp(sub, version)
		}
	}
	return &fresh
}

// put inserts or replaces in a sorted list, copying it.
func put[T any](list []*T, item *T, at id.Path, compare func(*T, id.Path) int) []*T {
	where, found := slices.BinarySearchFunc(list, at, compare)
	fresh := slices.Clone(list)
	if found {
		fresh[where] = item
		return fresh
	}
	return slices.Insert(fresh, where, item)
}

// remove deletes from a sorted list, copying it.
func remove[T any](list []*T, at id.Path, compare func(*T, id.Path) int) []*T {
	where, found := slices.BinarySearchFunc(list, at, compare)
	if !found {
		return list
	}
	return slices.Delete(slices.Clone(list), where, where+1)
}
