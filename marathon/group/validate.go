package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stoa/marathon/app"
	"stoa/marathon/id"
)

// Validate judges the whole tree (RootGroup.validRootGroup), except for apps that are in
// from as they are: they have been judged before, and flags that changed since must not
// make them stand in the way of others. The error is an *app.ValidationError.
func Validate(from, root *Root, settings Settings) error {
	var rules app.Rules
	rules.Must(!Cyclic(root), "/", "Dependency graph has cyclic dependencies.")
	changed, count := changedApps(from, root)
	for _, a := range changed {
		// The path of what is wrong inside the app is lost, as in the original.
		rules.Under("/apps/"+a.ID.String(), flat(func(inner *app.Rules) {
			a.BasicRules(inner, settings.Features)
			inner.Must(a.ID.Parent() == root.ID || root.Find(a.ID.Parent()) != nil, "/", "App has to be child of group with parent id")
		}))
	}
	sameNames(&rules, &root.Group, "/")
	index := 0
	for g := range root.AllGroups() {
		sameNames(&rules, g, "/groups("+strconv.Itoa(index)+")")
		index++
	}
	uniqueVolumes(&rules, root)
	for _, a := range changed {
		rules.Under("/apps/"+a.ID.String(), flat(func(inner *app.Rules) {
			a.RoleRules(inner, root.RolesFor(a.ID, settings.MesosRole, true))
		}))
	}
	rules.Must(settings.MaxApps <= 0 || count <= settings.MaxApps, "/", fmt.Sprintf(
		"This Marathon instance may only handle up to %d Apps! (Override with command line option --max_apps)", settings.MaxApps))
	return rules.Err()
}

// changedApps gives the apps of root that are not in from as they are, and the number of all.
func changedApps(from, root *Root) (changed []*app.App, count int) {
	for a := range root.AllApps() {
		count++
		if from.App(a.ID) != a {
			changed = append(changed, a)
		}
	}
	return changed, count
}

// flat collects rules and forgets their paths.
func flat(judge func(*app.Rules)) *app.Rules {
	var inner, flattened app.Rules
	judge(&inner)
	for _, violation := range inner.Broken() {
		flattened.Break("/", violation.Message)
	}
	return &flattened
}

func sameNames(rules *app.Rules, g *Group, path string) {
	for _, sub := range g.Groups {
		if g.DirectApp(sub.ID) != nil {
			rules.Break(path, "Groups and Applications may not have the same identifier.")
			return
		}
	}
}

// uniqueVolumes judges that no two apps use the same external volume
// (core/externalvolume/impl/providers/DVDIProvider.scala).
func uniqueVolumes(rules *app.Rules, root *Root) {
	users := map[string][]id.Path{}
	for a := range root.AllApps() {
		for _, volume := range a.Volumes() {
			if volume.External != nil && !volume.External.Shared {
				users[volume.External.Name] = append(users[volume.External.Name], a.ID)
			}
		}
	}
	if len(users) == 0 {
		return
	}
	for a := range root.AllApps() {
		for i, volume := range a.Volumes() {
			if volume.External == nil || volume.External.Shared {
				continue
			}
			var others []string
			for _, user := range users[volume.External.Name] {
				if user != a.ID && !slices.Contains(others, user.String()) {
					others = append(others, user.String())
				}
			}
			rules.Must(len(others) == 0, "/apps/"+a.ID.String()+"/externalVolumes("+strconv.Itoa(i)+")",
				"Volume name '"+volume.External.Name+"' in "+a.ID.String()+" conflicts with volume(s) of same name in app(s): "+
					strings.Join(others, ", "))
		}
	}
}

// validateResidents judges the changes of apps that keep reservations. The error is an
// *app.ValidationError.
func validateResidents(from, to *Root) error {
	var rules app.Rules
	index := 0
	for target := range to.AllApps() {
		old := from.App(target.ID)
		if old == target {
			continue
		}
		if old != nil && (old.IsResident() || target.IsResident()) {
			rules.Under("/app("+strconv.Itoa(index)+")", old.ResidentChangeRules(target))
		}
		index++
	}
	return rules.Err()
}
