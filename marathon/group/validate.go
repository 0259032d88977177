package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stoa/marathon/app"
	"stoa/marathon/id"
)

// Validate judges the whole tree (RootGroup.validRootGroup). The error is an *app.ValidationError.
func Validate(root *Root, settings Settings) error {
	var rules app.Rules
	rules.Must(!Cyclic(root), "/", "Dependency graph has cyclic dependencies.")
	for a := range root.AllApps() {
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
	for a := range root.AllApps() {
		rules.Under("/apps/"+a.ID.String(), flat(func(inner *app.Rules) {
			a.RoleRules(inner, root.RolesFor(a.ID, settings.MesosRole, true))
		}))
	}
	if settings.MaxApps > 0 {
		count := 0
		for range root.AllApps() {
			count++
		}
		rules.Must(count <= settings.MaxApps, "/", fmt.Sprintf(
			"This Marathon instance may only handle up to %d Apps! (Override with command line option --max_apps)", settings.MaxApps))
	}
	return rules.Err()
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
