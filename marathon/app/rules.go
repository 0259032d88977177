package app

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stoa/marathon/id"
	"stoa/marathon/playjson"
)

// Rules collects broken rules in order of discovery, each once per place.
type Rules struct{ findings findings }

// Break notes a broken rule; "" stands for the whole document.
func (r *Rules) Break(path, message string) {
	if path == "" {
		path = "/"
	}
	r.findings.add(path, message)
}

// Must notes a broken rule unless it holds.
func (r *Rules) Must(holds bool, path, message string) {
	if !holds {
		r.Break(path, message)
	}
}

// Err is the *ValidationError of everything noted; nil when nothing was.
func (r *Rules) Err() error {
	if len(r.findings.list) == 0 {
		return nil
	}
	return &ValidationError{r.findings.list}
}

// Broken gives what was noted, in order. The caller must not change it.
func (r *Rules) Broken() []Violation { return r.findings.list }

// Under notes what another collection noted, with its paths put below prefix.
func (r *Rules) Under(prefix string, inner *Rules) {
	for _, violation := range inner.findings.list {
		path := violation.Path
		if path == "/" {
			path = ""
		}
		r.Break(prefix+path, violation.Message)
	}
}

// mustBeEnabled notes that a feature is off; the stray parenthesis is the original's.
func (r *Rules) mustBeEnabled(s *Settings, feature, path string) {
	r.Must(s.enabled(feature), path, featureOff(feature))
}

func featureOff(feature string) string {
	return "Feature " + feature + " is not enabled. Enable with --enable_features " + feature + ")"
}

func got(value float64, expected string) string {
	return "got " + string(playjson.AppendJavaDouble(nil, value)) + ", expected " + expected
}

func gotInt[T int | int64](value T, expected string) string {
	return fmt.Sprintf("got %d, expected %s", value, expected)
}

func at(path string, index int) string { return path + "(" + strconv.Itoa(index) + ")" }

// pathSegment is every element of a path id; its text is part of a message.
var pathSegment = regexp.MustCompile(`^(?:(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.))$`)

const badSegment = `must fully match regular expression '^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)$'`

var reservedNames = [...]string{"restart", "tasks", "versions", ".", ".."}

// ValidSegments tells whether every element of a raw path is well-formed.
func ValidSegments(raw string) bool {
	for element := range strings.SplitSeq(raw, "/") {
		if element != "" && !pathSegment.MatchString(element) {
			return false
		}
	}
	return true
}

// maxPathElements bounds how deep a tree can be: the work for a change grows with the square
// of it.
const maxPathElements = 256

// Depth judges how deep a path is.
func (r *Rules) Depth(at id.Path, path string) {
	r.Must(at.Depth() <= maxPathElements, path, "must not have more than "+strconv.Itoa(maxPathElements)+" path elements")
}

// PathID judges an id or dependency, relative or absolute (state/PathId.scala, pathIdValidator).
func (r *Rules) PathID(raw, path string) {
	r.Depth(id.Resolve(raw, id.Root), path)
	r.Must(ValidSegments(raw), path, badSegment)
	trimmed := strings.TrimRight(raw, "/")
	last := trimmed[strings.LastIndexByte(trimmed, '/')+1:]
	r.Must(!slices.Contains(reservedNames[:], last), path,
		"must not end with any of the following reserved keywords: "+strings.Join(reservedNames[:], ", "))
}

// ChildOf judges that an id, taken relative to base, is directly below it
// (state/PathId.scala, validPathWithBase).
func (r *Rules) ChildOf(raw string, base id.Path, path string) {
	at := id.Resolve(raw, base)
	r.Depth(at, path)
	r.Must(ValidSegments(raw), path, badSegment)
	r.Must(at.Parent() == base, path, "Identifier is not child of '"+base.String()+"'")
}

// acceptedRoles judges the elements of acceptedResourceRoles (state/ResourceRole.scala).
func (r *Rules) acceptedRoles(roles []string, resident bool, path string) {
	r.Must(len(roles) > 0, path, "must not be empty")
	for i, role := range roles {
		r.roleName(role, at(path, i))
	}
	r.Must(!resident || len(roles) == 1 && roles[0] == "*", path, "A resident app must have `acceptedResourceRoles = [\"*\"]`.")
}

var badRoleChars = map[rune]string{
	'\t': `horizontal tab (\x09)`, '\n': `line feed (\x0a)`, '\v': `vertical tab (\x0b)`, '\f': `form feed (\x0c)`,
	'\r': `carriage return (\x0d)`, ' ': `space (\x20)`, '/': `slash (\x2f)`, 0x7F: `backspace (\x7f)`,
}

func (r *Rules) roleName(role, path string) {
	switch role {
	case "", ".", "..":
		r.Break(path, `A role name must not be "`+role+`".`)
	}
	r.Must(!strings.HasPrefix(role, "-"), path, "A role name must not start with a '-'.")
	for _, c := range role {
		if name, bad := badRoleChars[c]; bad {
			r.Break(path, "A role name must not include a "+name+" character.")
		}
	}
}

// rolesFor judges acceptedResourceRoles against the role.
func (r *Rules) rolesFor(accepted []string, role string, path string) {
	allowed := []string{"*"}
	if role != "*" {
		allowed = append(allowed, role)
	}
	slices.Sort(allowed)
	for _, name := range accepted {
		if !slices.Contains(allowed, name) {
			r.Break(path, "acceptedResourceRoles can only contain "+strings.Join(allowed, " and "))
			return
		}
	}
}

// upgradeForResident judges the upgrade strategy of an app that has volumes of its own.
func (r *Rules) upgradeForResident(u *UpgradeStrategy, path string) {
	r.Must(u.MinimumHealthCapacity >= 0 && u.MinimumHealthCapacity <= 1, path+"/minimumHealthCapacity",
		got(u.MinimumHealthCapacity, "between 0.0 and 1.0"))
	r.Must(u.MaximumOverCapacity == 0, path+"/maximumOverCapacity", got(u.MaximumOverCapacity, "0.0"))
}

// upgradeForSingle judges the upgrade strategy of an app that never has two instances.
func (r *Rules) upgradeForSingle(u *UpgradeStrategy, path string) {
	r.Must(u.MinimumHealthCapacity == 0, path+"/minimumHealthCapacity", got(u.MinimumHealthCapacity, "0.0"))
	r.Must(u.MaximumOverCapacity == 0, path+"/maximumOverCapacity", got(u.MaximumOverCapacity, "0.0"))
}

// Labels of the DC/OS migration protocol.
const (
	migrationVersionLabel   = "DCOS_MIGRATION_API_VERSION"
	migrationPathLabel      = "DCOS_MIGRATION_API_PATH"
	migrationFrameworkLabel = "DCOS_PACKAGE_FRAMEWORK_NAME"
)

func (r *Rules) migrationLabels(labels Map[string]) {
	version, _ := labels.Get(migrationVersionLabel)
	path, _ := labels.Get(migrationPathLabel)
	framework, _ := labels.Get(migrationFrameworkLabel)
	r.Must(version == "" || version == "v1" && path != "" && framework != "", "/",
		migrationFrameworkLabel+" and "+migrationPathLabel+" must be defined when using "+migrationVersionLabel)
}

// unique tells whether no element occurs twice.
func unique[T comparable](elements []T) bool {
	seen := make(map[T]bool, len(elements))
	for _, element := range elements {
		if seen[element] {
			return false
		}
		seen[element] = true
	}
	return true
}

func (r *Rules) portNames(names []string, path string) {
	given := slices.DeleteFunc(names, func(name string) bool { return name == "" })
	r.Must(unique(given), path, "Port names must be unique.")
}

func (r *Rules) portDefinitions(definitions []PortDefinition, path string) {
	var names []string
	var ports []int
	for i := range definitions {
		names = append(names, definitions[i].Name)
		if definitions[i].Port != 0 {
			ports = append(ports, definitions[i].Port)
		}
	}
	r.portNames(names, path)
	r.Must(unique(ports), path, "Ports must be unique.")
}
