package group

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"

	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// Definition is a change of a group as a request tells it (GroupUpdate of group.raml). Nil
// fields were not given.
type Definition struct {
	ID           *string
	Apps         []*app.Definition
	Groups       []*Definition
	Dependencies []string
	ScaleBy      *float64
	Version      *timestamp.Timestamp
	EnforceRole  *bool
}

// ReadDefinition reads a change of a group. The error is an *app.ReadError.
func ReadDefinition(document *playjson.Value) (*Definition, error) {
	r := app.NewReader(document)
	d := readDefinition(r)
	return d, r.Err()
}

func readDefinition(r app.Reader) *Definition {
	d := &Definition{}
	if member, ok := r.Optional("id"); ok {
		path := member.PathID()
		d.ID = &path
	}
	if member, ok := r.Optional("apps"); ok {
		d.Apps = []*app.Definition{}
		for _, element := range member.Elements() {
			d.Apps = append(d.Apps, element.Definition())
		}
	}
	if member, ok := r.Optional("groups"); ok {
		d.Groups = []*Definition{}
		for _, element := range member.Elements() {
			d.Groups = append(d.Groups, readDefinition(element))
		}
	}
	if member, ok := r.Optional("dependencies"); ok {
		d.Dependencies = member.StringSet()
	}
	if member, ok := r.Optional("scaleBy"); ok {
		factor := member.FloatFrom(0)
		d.ScaleBy = &factor
	}
	if member, ok := r.Optional("version"); ok {
		version := member.Time()
		d.Version = &version
	}
	if member, ok := r.Optional("enforceRole"); ok {
		enforce := member.Bool()
		d.EnforceRole = &enforce
	}
	return d
}

// Path is the group that the change is about; base is the group named by the request.
func (d *Definition) Path(base id.Path) id.Path {
	if d.ID == nil {
		return base
	}
	return id.Resolve(*d.ID, base)
}

// ErrNoID says that a subgroup of a definition has no id (500 in the original).
var ErrNoID = errors.New("No group id was given!")

// Flags are what the settings of apps in a group depend on.
type Flags struct {
	// App has everything but the roles.
	App app.Settings
	// MesosRole is the role of apps that name none.
	MesosRole string
}

// Normalise judges the apps of a structural change and brings them into today's form with
// absolute ids, and fills enforceRole (api/v2/GroupNormalization.scala). root is the
// present tree, at the group the change is about. A rollback or scaling stays as it is.
func (d *Definition) Normalise(root *Root, at id.Path, flags *Flags) (*Definition, error) {
	if d.Version != nil || d.ScaleBy != nil {
		return d, nil
	}
	n := normaliser{root, flags}
	switch {
	case at.IsRoot():
		return n.rootGroup(d)
	case at.IsTopLevel():
		return n.topLevel(d, at)
	}
	role, enforce := flags.MesosRole, root.NewGroupEnforceRole
	if top := root.Find(id.Of(at.First())); top != nil {
		enforce = top.EnforceRole
		if enforce {
			role = at.First()
		}
	}
	return n.nested(d, at, role, enforce)
}

type normaliser struct {
	root  *Root
	flags *Flags
}

// rootGroup normalises the change of the root group itself.
func (n normaliser) rootGroup(d *Definition) (*Definition, error) {
	return n.visit(d, id.Root, n.flags.MesosRole, false, false, n.topLevel)
}

func (n normaliser) topLevel(d *Definition, at id.Path) (*Definition, error) {
	enforce := n.root.NewGroupEnforceRole
	if d.EnforceRole != nil {
		enforce = *d.EnforceRole
	} else if existing := n.root.Find(at); existing != nil {
		// The original falls back to --new_group_enforce_role here and so turns the flag off
		// in a change that never mentions it.
		enforce = existing.EnforceRole
	}
	role := n.flags.MesosRole
	if enforce {
		role = at.First()
	}
	return n.visit(d, at, role, enforce, enforce, func(sub *Definition, at id.Path) (*Definition, error) {
		return n.nested(sub, at, role, enforce)
	})
}

func (n normaliser) nested(d *Definition, at id.Path, role string, enforce bool) (*Definition, error) {
	own := d.EnforceRole != nil && *d.EnforceRole
	return n.visit(d, at, role, enforce, own, func(sub *Definition, at id.Path) (*Definition, error) {
		return n.nested(sub, at, role, enforce)
	})
}

// visit normalises one group; role and enforce tell about its apps, own is its flag.
func (n normaliser) visit(d *Definition, at id.Path, role string, enforce, own bool, child func(*Definition, id.Path) (*Definition, error)) (*Definition, error) {
	fresh := *d
	fresh.EnforceRole = &own
	if d.Groups != nil {
		fresh.Groups = make([]*Definition, len(d.Groups))
	}
	for i, sub := range d.Groups {
		if sub.ID == nil {
			return nil, ErrNoID
		}
		normal, err := child(sub, id.Resolve(*sub.ID, at))
		if err != nil {
			return nil, err
		}
		fresh.Groups[i] = normal
	}
	if d.Apps != nil {
		fresh.Apps = make([]*app.Definition, len(d.Apps))
	}
	for i, definition := range d.Apps {
		normal, err := n.app(definition, at, role, enforce)
		if err != nil {
			return nil, err
		}
		fresh.Apps[i] = normal
	}
	return &fresh, nil
}

func (n normaliser) app(d *app.Definition, at id.Path, role string, enforce bool) (*app.Definition, error) {
	absolute := *d
	path := id.Resolve(*d.ID, at)
	text := path.String()
	absolute.ID = &text
	settings := n.flags.App
	settings.Roles = app.Roles{Default: role, Valid: []string{role}}
	if !enforce && role != n.flags.MesosRole {
		settings.Roles.Valid = append(settings.Roles.Valid, n.flags.MesosRole)
	}
	if old := n.root.App(path); old != nil {
		settings.Roles.Previous = old.Role
		if !slices.Contains(settings.Roles.Valid, old.Role) {
			settings.Roles.Valid = append(settings.Roles.Valid, old.Role)
		}
	}
	return absolute.Normalise(at, &settings)
}

// ModifiesServices tells whether the change touches apps (Group.updateModifiesServices).
func (d *Definition) ModifiesServices() bool {
	return d.Version != nil || d.ScaleBy != nil || d.Apps != nil || slices.ContainsFunc(d.Groups, (*Definition).ModifiesServices)
}

// Validate judges a normalised change (Group.validNestedGroupUpdateWithBase). modifies
// tells whether the whole request touches apps. The error is an *app.ValidationError.
func (d *Definition) Validate(base id.Path, root *Root, modifies bool) error {
	var rules app.Rules
	d.rules(&rules, base, root, modifies)
	return rules.Err()
}

func (d *Definition) rules(rules *app.Rules, base id.Path, root *Root, modifies bool) {
	at := d.Path(base)
	if d.EnforceRole != nil && *d.EnforceRole && !at.IsTopLevel() {
		rules.Break("/enforceRole", "enforceRole can only be set for top-level groups, and "+at.String()+" is not top-level")
	}
	const alone = "not allowed in conjunction with other properties."
	given := 0
	for _, there := range [...]bool{d.ID != nil, d.Apps != nil, d.Groups != nil, d.Dependencies != nil, d.ScaleBy != nil, d.Version != nil, d.EnforceRole != nil} {
		if there {
			given++
		}
	}
	rules.Must(d.Version == nil || given == 1, "/version", alone)
	rules.Must(d.ScaleBy == nil || given == 1, "/scaleBy", alone)
	if d.ID != nil {
		rules.PathID(*d.ID, "/id")
		rules.Depth(at, "/id")
	}
	for i, definition := range d.Apps {
		var inner app.Rules
		inner.ChildOf(*definition.ID, at, "/id")
		rules.Under("/apps("+strconv.Itoa(i)+")", &inner)
	}
	for i, sub := range d.Groups {
		var inner app.Rules
		sub.rules(&inner, at, root, modifies)
		rules.Under("/groups("+strconv.Itoa(i)+")", &inner)
	}
	if existing := root.Find(at); modifies && d.ID != nil && existing != nil && d.EnforceRole != nil && *d.EnforceRole != existing.EnforceRole {
		rules.Break("/enforceRole", "enforceRole cannot be modified in a request that adds, removes or modifies services; "+
			"please make these changes in separate requests.")
	}
}

// Apply makes the tree that a normalised structural change or a scaling turns root into
// (raml/GroupConversion.scala). Errors are *app.ConversionError.
func (d *Definition) Apply(root *Root, at id.Path, version timestamp.Timestamp) (*Root, error) {
	current := root.groupOrNew(at)
	if d.ScaleBy != nil {
		return root.WithGroup(current, version).MapApps(at, func(a *app.App) *app.App {
			return a.WithInstances(scaled(a.Instances, *d.ScaleBy))
		}), nil
	}
	fresh, err := d.structure(current, version)
	if err != nil {
		return nil, err
	}
	return root.WithGroup(fresh, version), nil
}

// scaled multiplies and rounds up; what is beyond 32 bits stays at their end, as in Java.
func scaled(instances int, factor float64) int {
	return int(min(math.Ceil(float64(instances)*factor), math.MaxInt32))
}

func (d *Definition) structure(current *Group, version timestamp.Timestamp) (*Group, error) {
	fresh := *current
	fresh.Version = version
	if d.EnforceRole != nil {
		fresh.EnforceRole = *d.EnforceRole
	}
	if d.Dependencies != nil {
		fresh.Dependencies = nil
		for _, dependency := range d.Dependencies {
			if path := id.Resolve(dependency, current.ID); !slices.Contains(fresh.Dependencies, path) {
				fresh.Dependencies = append(fresh.Dependencies, path)
			}
		}
	}
	if d.Apps != nil {
		byID := map[id.Path]*app.App{}
		for _, definition := range d.Apps {
			a, err := definition.App()
			if err != nil {
				return nil, err
			}
			a.VersionInfo = app.OnlyVersion(version)
			byID[a.ID] = a
		}
		fresh.Apps = sortedApps(slices.Collect(maps.Values(byID)))
	}
	if d.Groups == nil {
		return &fresh, nil
	}
	byID := map[id.Path]*Group{}
	for _, sub := range d.Groups {
		path := sub.Path(current.ID)
		old := current.Child(path)
		if old == nil {
			old = &Group{ID: path}
		}
		changed, err := sub.structure(old, version)
		if err != nil {
			return nil, err
		}
		byID[path] = changed
	}
	fresh.Groups = slices.SortedFunc(maps.Values(byID), func(a, b *Group) int { return id.Compare(a.ID, b.ID) })
	return &fresh, nil
}
