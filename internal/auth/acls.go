package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"stoa/internal/mesos/aclspb"
	"stoa/internal/mesos/mesosjson"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Endpoints are the paths whose access can be ruled by get_endpoints
// (src/common/authorization.cpp, AUTHORIZABLE_ENDPOINTS).
var endpoints = []string{
	"/containers", "/containerizer/debug", "/files/debug", "/logging/toggle", "/metrics/snapshot", "/monitor/statistics",
}

// ParseACLs reads the JSON of --acls by the rules of all Mesos JSON. The original reads
// over names it does not know, so a list with a typing mistake in its name silently allows
// what it was meant to forbid; that is kept, since old files hold names that are gone, and
// warnings say so.
func ParseACLs(text []byte) (acls *aclspb.ACLs, warnings []string, err error) {
	v, err := mesosjson.ParseKind(text, mesosjson.ObjectKind)
	if err != nil {
		return nil, nil, err
	}
	acls = new(aclspb.ACLs)
	if err := v.Unmarshal(acls, mesosjson.V0); err != nil {
		return nil, nil, err
	}
	return acls, doubts(v), nil
}

// doubts are the parts of access control lists that count for nothing.
func doubts(v mesosjson.Value) []string {
	var list []string
	fields := new(aclspb.ACLs).ProtoReflect().Descriptor().Fields()
	for _, member := range v.Members() {
		field := fields.ByName(protoreflect.Name(member.Key))
		if field == nil {
			list = append(list, fmt.Sprintf("there is no action '%s'", member.Key))
			continue
		}
		entries := member.Value.Elements()
		if member.Value.Kind() == mesosjson.ObjectKind {
			entries = []mesosjson.Value{member.Value}
		}
		for _, e := range entries {
			for _, part := range e.Members() {
				if field.Message().Fields().ByName(protoreflect.Name(part.Key)) == nil {
					list = append(list, fmt.Sprintf("a rule of '%s' has no '%s'", member.Key, part.Key))
					continue
				}
				for _, m := range part.Value.Members() {
					_, known := aclspb.ACL_Entity_Type_value[m.Value.Text()]
					switch {
					case m.Key != "type" && m.Key != "values":
						list = append(list, fmt.Sprintf("'%s' of '%s' has no '%s'", part.Key, member.Key, m.Key))
					case m.Key == "type" && !known:
						list = append(list, fmt.Sprintf("'%s' of '%s' has the type '%s', not SOME, ANY or NONE", part.Key, member.Key, m.Value.Text()))
					}
				}
			}
		}
	}
	return list
}

// validate refuses lists that say more than their action can tell apart
// (LocalAuthorizer::validate).
func validate(acls *aclspb.ACLs) error {
	m := acls.ProtoReflect()
	// In the order of the original, so that of several errors the same one is told.
	for _, action := range []Action{
		AccessMesosLog, ViewFlags, SetLogLevel, GetEndpoint, RegisterAgent, UpdateMaintenanceSchedule,
		GetMaintenanceSchedule, StartMaintenance, StopMaintenance, GetMaintenanceStatus, DrainAgent, DeactivateAgent,
		ReactivateAgent, LaunchStandaloneContainer, KillStandaloneContainer, WaitStandaloneContainer,
		RemoveStandaloneContainer, ViewStandaloneContainer, MarkResourceProviderGone, ViewResourceProvider,
		ModifyResourceProviderConfig, PruneImages,
	} {
		field := m.Descriptor().Fields().ByName(protoreflect.Name(rules[action].field))
		for _, e := range entriesOf(m, rules[action].field) {
			switch {
			case e.objects.GetType() != aclspb.ACL_Entity_SOME:
			case action != GetEndpoint:
				return errors.New("ACL." + string(field.Message().Name()) + " type must be either NONE or ANY")
			default:
				for _, path := range e.objects.GetValues() {
					if !slices.Contains(endpoints, path) {
						return errors.New("Path: '" + path + "' is not an authorizable path")
					}
				}
			}
		}
	}
	return nil
}

// entry is one rule: who (subjects) may do it, or may not, to what (objects).
type entry struct{ subjects, objects *aclspb.ACL_Entity }

// entriesOf reads the rules of one field of ACLs.
func entriesOf(acls protoreflect.Message, field string) []entry {
	list := acls.Get(acls.Descriptor().Fields().ByName(protoreflect.Name(field))).List()
	entries := make([]entry, list.Len())
	for i := range entries {
		m := list.Get(i).Message()
		entity := func(number protoreflect.FieldNumber) *aclspb.ACL_Entity {
			e, _ := m.Get(m.Descriptor().Fields().ByNumber(number)).Message().Interface().(*aclspb.ACL_Entity)
			return e
		}
		entries[i] = entry{subjects: entity(1), objects: entity(2)}
	}
	return entries
}

// byHierarchy splits rules so that one about a subtree ("x/%") has no other role in
// it. Nothing changes by that: of the parts, which follow each other, the first that
// matches says the same as any other.
func byHierarchy(entries []entry) []entry {
	var out []entry
	for _, e := range entries {
		if e.objects.GetType() != aclspb.ACL_Entity_SOME {
			out = append(out, e)
			continue
		}
		var plain []string
		for _, role := range e.objects.GetValues() {
			if strings.HasSuffix(role, "/%") {
				out = append(out, entry{e.subjects, &aclspb.ACL_Entity{Values: []string{role}}})
			} else {
				plain = append(plain, role)
			}
		}
		if len(plain) > 0 {
			out = append(out, entry{e.subjects, &aclspb.ACL_Entity{Values: plain}})
		}
	}
	return out
}
