package group

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

func service(path id.Path, ports ...int) *app.App {
	a := &app.App{
		ID: path, Cmd: "sleep 1", Instances: 1, Role: "*", Networks: []app.Network{{Mode: app.NetworkHost}},
		UpgradeStrategy: app.UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1},
	}
	for _, port := range ports {
		a.PortDefinitions = append(a.PortDefinitions, app.PortDefinition{Port: port, Protocol: app.TCP})
	}
	return a
}

func tree(apps ...*app.App) *Root {
	root := NewRoot(1, false)
	for _, a := range apps {
		root = root.WithApp(a, 1)
	}
	return root
}

func shape(root *Root) string {
	var parts []string
	var walk func(*Group)
	walk = func(g *Group) {
		for _, a := range g.Apps {
			parts = append(parts, a.ID.String())
		}
		for _, sub := range g.Groups {
			parts = append(parts, sub.ID.String()+"/")
			walk(sub)
		}
	}
	walk(&root.Group)
	return strings.Join(parts, " ")
}

func TestAppsMakeTheirGroups(t *testing.T) {
	root := tree(service("/b"), service("/shop/eu/web"), service("/a"))
	if got := shape(root); got != "/a /b /shop/ /shop/eu/ /shop/eu/web" {
		t.Errorf("got %s", got)
	}
	if got := shape(root.WithoutApp("/shop/eu/web", 2)); got != "/a /b /shop/ /shop/eu/" {
		t.Errorf("the group of the last app is gone: %s", got)
	}
	if got := shape(root.WithoutGroup("/shop", 2)); got != "/a /b" {
		t.Errorf("got %s", got)
	}
	if got := shape(root.WithoutGroup("/", 2)); got != "" {
		t.Errorf("got %s", got)
	}
	empty := root.WithoutApp("/shop/eu/web", 2).WithApp(service("/shop/eu"), 3)
	if got := shape(empty); got != "/a /b /shop/ /shop/eu" {
		t.Errorf("an empty group does not give way to an app: %s", got)
	}
	for g := range empty.AllGroups() {
		if g.Version != 3 {
			t.Errorf("%s has version %v", g.ID, g.Version)
		}
	}
}

func TestVersionInfoTellsWhatChanged(t *testing.T) {
	old := service("/web")
	old.VersionInfo = app.NewConfig(5)
	from := tree(old)
	full := func(version, scaling, config timestamp.Timestamp) app.VersionInfo {
		return app.VersionInfo{Version: version, LastScalingAt: scaling, LastConfigChangeAt: config, Full: true}
	}
	changed, resourced := *old, *old
	changed.Cmd = "sleep 2"
	resourced.ExecutorResources = &app.ExecutorResources{CPUs: 1}
	same := *old
	same.VersionInfo = app.OnlyVersion(9)
	for name, c := range map[string]struct {
		target *app.App
		want   app.VersionInfo
	}{
		"untouched":          {old, full(5, 5, 5)},
		"the same again":     {&same, full(5, 5, 5)},
		"config":             {&changed, full(9, 9, 9)},
		"instances":          {old.WithInstances(3), full(9, 9, 5)},
		"restart":            {old.MarkedForRestart(), full(9, 9, 5)},
		"executor resources": {&resourced, full(9, 9, 5)},
	} {
		to := StampVersions(from, from.WithApp(c.target, 9), 9)
		if got := to.App("/web").VersionInfo; got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	if got := StampVersions(tree(), from, 9).App("/web").VersionInfo; got != full(9, 9, 9) {
		t.Errorf("new: %+v", got)
	}
}

func TestServicePortsStayWithTheirApp(t *testing.T) {
	ports := PortRange{Min: 10000, Max: 10003}
	assigned := func(from, to *Root) *Root {
		t.Helper()
		done, err := AssignServicePorts(from, to, ports)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	first := assigned(tree(), tree(service("/a", 0, 0), service("/z", 10001)))
	if got := first.App("/a").ServicePorts(); !slices.Equal(got, []int{10000, 10002}) {
		t.Errorf("taken ports were given out: %v", got)
	}
	again := assigned(first, first.WithApp(service("/a", 0, 7, 0), 2))
	if got := again.App("/a").ServicePorts(); !slices.Equal(got, []int{10000, 7, 10002}) {
		t.Errorf("own ports were lost: %v", got)
	}
	if again.App("/z") != first.App("/z") {
		t.Error("an app that did not change was touched")
	}
	_, err := AssignServicePorts(first, first.WithApp(service("/b", 0, 0), 2), ports)
	var exhausted *PortsExhaustedError
	if !errors.As(err, &exhausted) || err.Error() != "All ports in the range [10000-10003) are already in use" {
		t.Errorf("got %v", err)
	}
}

func TestRolesFollowTheTopLevelGroup(t *testing.T) {
	plain := tree(service("/prod/web"))
	enforced := *plain.Find("/prod")
	enforced.EnforceRole = true
	strict := plain.WithGroup(&enforced, 2)
	for _, c := range []struct {
		root *Root
		path id.Path
		want app.Roles
	}{
		{plain, "/web", app.Roles{Default: "dev", Valid: []string{"dev"}}},
		{plain, "/prod/new", app.Roles{Default: "dev", Valid: []string{"dev", "prod"}}},
		{plain, "/prod/web", app.Roles{Default: "dev", Valid: []string{"dev", "prod", "*"}, Previous: "*"}},
		{strict, "/prod/new", app.Roles{Default: "prod", Valid: []string{"prod"}}},
		{strict, "/prod/web", app.Roles{Default: "prod", Valid: []string{"prod", "*"}, Previous: "*"}},
		{NewRoot(1, true), "/new/web", app.Roles{Default: "new", Valid: []string{"new"}}},
	} {
		if got := c.root.RolesFor(c.path, "dev", false); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.path, got, c.want)
		}
	}
}

func TestTheWholeTreeIsJudged(t *testing.T) {
	settings := Settings{ServicePorts: PortRange{10000, 20000}}
	violations := func(root *Root) []app.Violation {
		_, err := Prepare(tree(), root, 2, settings)
		var validation *app.ValidationError
		if !errors.As(err, &validation) {
			return nil
		}
		return validation.Violations
	}
	odd := service("/shop/web")
	odd.UnreachableStrategy.InactiveAfter = 2e9
	want := []app.Violation{{Path: "/apps//shop/web", Message: "inactiveAfterSeconds (2) must be less or equal to expungeAfterSeconds, which is 0"}}
	if got := violations(tree(odd)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	clash := tree(service("/shop/web/a")).WithApp(service("/shop/web"), 2)
	want = []app.Violation{{Path: "/groups(0)", Message: "Groups and Applications may not have the same identifier."}}
	if got := violations(clash); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	one, two := service("/c/a"), service("/c/b")
	one.Dependencies, two.Dependencies = []id.Path{"/c/b"}, []id.Path{"/c"}
	want = []app.Violation{{Path: "/", Message: "Dependency graph has cyclic dependencies."}}
	if got := violations(tree(one, two)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestResidentAppsCannotFollowEveryChange(t *testing.T) {
	old := service("/db", 0)
	old.Role = "prod"
	old.UnreachableStrategy.Disabled = true
	old.UpgradeStrategy = app.UpgradeStrategy{MinimumHealthCapacity: 0.5}
	old.Container = &app.Container{Type: app.ContainerMesos, Volumes: []app.Volume{{ContainerPath: "data", Persistent: &app.PersistentVolume{Type: app.DiskRoot, Size: 1}}}}
	settings := Settings{ServicePorts: PortRange{10000, 20000}, MesosRole: "prod"}
	from, err := Prepare(tree(), tree(old), 2, settings)
	if err != nil {
		t.Fatal(err)
	}
	more := *from.App("/db")
	more.Resources.CPUs = 2
	container := *more.Container
	container.Volumes = []app.Volume{{ContainerPath: "data", Persistent: &app.PersistentVolume{Type: app.DiskRoot, Size: 2}}}
	more.Container = &container
	_, err = Prepare(from, from.WithApp(&more, 3), 3, settings)
	var validation *app.ValidationError
	want := []app.Violation{
		{Path: "/app(0)", Message: "Persistent volumes can not be changed!"},
		{Path: "/app(0)/cpus", Message: "Services with persistent volumes configured may not change resource requirements. If you need to make this change, please create a new service."},
	}
	if !errors.As(err, &validation) || !reflect.DeepEqual(validation.Violations, want) {
		t.Errorf("got %v", err)
	}
}

// Whatever is put in and taken out: the tree holds what a flat table would, sorted.
func TestTreeAgreesWithAFlatTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, table := NewRoot(1, false), map[id.Path]*app.App{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			path := id.Of(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3).Draw(t, "path")...)
			if rapid.Bool().Draw(t, "put") {
				fresh := service(path)
				root, table[path] = root.WithApp(fresh, 1), fresh
			} else {
				root = root.WithoutApp(path, 1)
				delete(table, path)
			}
		}
		all := root.SortedApps()
		if len(all) != len(table) || !slices.IsSortedFunc(all, func(a, b *app.App) int { return id.Compare(a.ID, b.ID) }) {
			t.Fatalf("%d apps, want %d: %s", len(all), len(table), shape(root))
		}
		for path, a := range table {
			if root.App(path) != a {
				t.Fatalf("%s is lost: %s", path, shape(root))
			}
		}
		for g := range root.AllGroups() {
			if root.Find(g.ID) != g || root.Find(g.ID.Parent()) == nil {
				t.Fatalf("%s is not where it belongs", g.ID)
			}
		}
	})
}

func FuzzReadDefinition(f *testing.F) {
	f.Add(`{"id":"/g","apps":[{"id":"a","cmd":"ab"}],"groups":[{"id":"s","scaleBy":2}],"enforceRole":true}`)
	f.Add(`{"version":"2021-02-03T04:05:06.007Z","dependencies":["../x"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		document, err := playjson.Parse([]byte(text))
		if err != nil {
			return
		}
		definition, err := ReadDefinition(&document)
		if err != nil {
			return
		}
		root := tree(service("/g/a"))
		at := definition.Path("/g")
		normal, err := definition.Normalise(root, at, &Flags{MesosRole: "*"})
		if err != nil || normal.Validate("/g", root, normal.ModifiesServices()) != nil || normal.Version != nil {
			return
		}
		changed, err := normal.Apply(root, at, 2)
		if err != nil {
			return
		}
		if changed.Find(at) == nil {
			t.Fatal(fmt.Sprint("no group at ", at))
		}
	})
}
