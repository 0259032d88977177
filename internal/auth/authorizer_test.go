package auth

import (
	"fmt"
	"strings"
	"testing"

	"stoa/internal/mesos/aclspb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func authorizer(t *testing.T, acls string) *Authorizer {
	t.Helper()
	list, warnings, err := ParseACLs([]byte(acls))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%s: %v, %q", acls, err, warnings)
	}
	a, err := New(list)
	if err != nil {
		t.Fatalf("%s: %v", acls, err)
	}
	return a
}

func reserved(role, principal string) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(1)},
		Reservations: []*mesospb.Resource_ReservationInfo{
			{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role, Principal: &principal},
		},
	}
}

func volume(role, principal string) *mesospb.Resource {
	r := reserved(role, "somebody")
	r.Disk = &mesospb.Resource_DiskInfo{Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: proto.String("id"), Principal: &principal}}
	return r
}

func framework(user string) *mesospb.FrameworkInfo {
	return &mesospb.FrameworkInfo{User: &user, Name: proto.String("f"), Principal: proto.String(user)}
}

func executor(user string) *mesospb.ExecutorInfo {
	return &mesospb.ExecutorInfo{Command: &mesospb.CommandInfo{User: &user}}
}

// objects makes an object of an action that is named by a value, in every form that the
// action knows.
var objects = map[Action]func(name string) []*Object{
	RegisterFramework: func(name string) []*Object {
		f := framework("u")
		f.Role = &name
		multi := framework("u")
		multi.Role, multi.Roles = proto.String("ignored"), []string{name}
		multi.Capabilities = []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}
		return []*Object{Named(name), {Framework: f}, {Framework: multi, Value: proto.String("ignored")}}
	},
	RunTask: func(name string) []*Object {
		return []*Object{
			{Framework: framework(name), TaskInfo: &mesospb.TaskInfo{}},
			{Framework: framework("u"), TaskInfo: &mesospb.TaskInfo{Command: &mesospb.CommandInfo{User: &name}}},
			{Framework: framework("u"), TaskInfo: &mesospb.TaskInfo{Executor: executor(name)}},
			{Framework: framework("u"), TaskInfo: &mesospb.TaskInfo{Command: &mesospb.CommandInfo{User: &name}, Executor: executor("v")}},
		}
	},
	TeardownFramework: func(name string) []*Object { return []*Object{Named(name), {Framework: framework(name)}} },
	ReserveResources:  byRoleObjects,
	CreateVolume:      byRoleObjects,
	ResizeVolume:      byRoleObjects,
	CreateBlockDisk:   byRoleObjects,
	DestroyBlockDisk:  byRoleObjects,
	CreateMountDisk:   byRoleObjects,
	DestroyMountDisk:  byRoleObjects,
	DestroyRawDisk:    byRoleObjects,
	UnreserveResources: func(name string) []*Object {
		old := &mesospb.Resource{Role: proto.String("r"), Reservation: &mesospb.Resource_ReservationInfo{Principal: &name}}
		return []*Object{Named(name), {Resource: reserved("r", name)}, {Resource: old}}
	},
	DestroyVolume: func(name string) []*Object { return []*Object{Named(name), {Resource: volume("r", name)}} },
	GetEndpoint:   named,
	ViewRole:      named,
	UpdateWeight:  named,
	GetQuota:      named,
	UpdateQuota:   named,
	ViewFramework: func(name string) []*Object { return []*Object{{Framework: framework(name)}} },
	ViewTask: func(name string) []*Object {
		return []*Object{
			{Framework: framework(name), Task: &mesospb.Task{}},
			{Framework: framework("u"), Task: &mesospb.Task{User: &name}},
			{Framework: framework("u"), TaskInfo: &mesospb.TaskInfo{Command: &mesospb.CommandInfo{User: &name}}},
			{Framework: framework("u"), TaskInfo: &mesospb.TaskInfo{Executor: executor(name)}},
			{Framework: framework(name), TaskInfo: &mesospb.TaskInfo{}},
		}
	},
	ViewExecutor:                 executors,
	AccessSandbox:                executors,
	ViewContainer:                executors,
	AttachContainerInput:         containers,
	AttachContainerOutput:        containers,
	RemoveNestedContainer:        containers,
	KillNestedContainer:          containers,
	WaitNestedContainer:          containers,
	LaunchNestedContainer:        commands,
	LaunchNestedContainerSession: commands,
}

func named(name string) []*Object { return []*Object{Named(name)} }

func byRoleObjects(name string) []*Object {
	return []*Object{Named(name), {Resource: reserved(name, "p")}, {Resource: &mesospb.Resource{Role: &name}}}
}

func executors(name string) []*Object {
	return []*Object{{Executor: executor(name), Framework: framework("u")}, {Executor: &mesospb.ExecutorInfo{}, Framework: framework(name)}}
}

func containers(name string) []*Object {
	return append(executors(name), &Object{Container: &mesospb.ContainerID{Value: &name}})
}

func commands(name string) []*Object {
	return []*Object{{Command: &mesospb.CommandInfo{User: &name}, Executor: executor("parent")}}
}

// secondEntity is the name of what an action is done to in its rules.
func secondEntity(action Action) string {
	fields := new(aclspb.ACLs).ProtoReflect().Descriptor().Fields()
	return string(fields.ByName(protoreflect.Name(rules[action].field)).Message().Fields().ByNumber(2).Name())
}

func acl(action Action, permissive bool, entries ...string) string {
	return fmt.Sprintf(`{"permissive": %v, %q: [%s]}`, permissive, rules[action].field, strings.Join(entries, ","))
}

func rule1(action Action, principals, objects string) string {
	return fmt.Sprintf(`{"principals": %s, %q: %s}`, principals, secondEntity(action), objects)
}

const (
	anyone = `{"type": "ANY"}`
	none   = `{"type": "NONE"}`
)

func values(list ...string) string { return `{"values": ["` + strings.Join(list, `", "`) + `"]}` }

// names are two objects of an action.
func names(action Action) (listed, other string) {
	switch rules[action].kind {
	case byPath:
		return "/metrics/snapshot", "/files/debug"
	case byRole:
		return "dev", "ops"
	}
	return "alice", "bob"
}

func (a *Authorizer) all(s Subject, action Action, list []*Object) (yes, no int) {
	for _, o := range list {
		if a.Allowed(s, action, o) {
			yes++
		} else {
			no++
		}
	}
	return yes, no
}

func TestEveryActionHasItsRules(t *testing.T) {
	seen := map[string]Action{}
	for action := Action(1); action <= lastAction; action++ {
		fields := new(aclspb.ACLs).ProtoReflect().Descriptor().Fields()
		if fields.ByName(protoreflect.Name(rules[action].field)) == nil {
			t.Errorf("%v: there is no field %q", action, rules[action].field)
		}
		if other, twice := seen[rules[action].field]; twice {
			t.Errorf("%v and %v share %q", action, other, rules[action].field)
		}
		seen[rules[action].field] = action
		if (objects[action] == nil) != (rules[action].kind == whole) {
			t.Errorf("%v: is it tested with the objects it has?", action)
		}
	}
	fields := new(aclspb.ACLs).ProtoReflect().Descriptor().Fields()
	if n := len(seen) + len(parentFields) + 1; n != fields.Len() {
		t.Errorf("%d of %d fields are used", n, fields.Len())
	}
}

func TestNobodyDecidesWithoutLists(t *testing.T) {
	var a *Authorizer
	if !a.Allowed(As("x"), RunTask, nil) || !a.View(Subject{}).All() || a.Refused(As("x"), Request{SetLogLevel, nil}) != nil {
		t.Error("a nil authorizer refuses something")
	}
}

// TestActionsByName asks for every action with named objects: whom a rule lets do it to
// one object, but not another; what a rule forbids; and what no rule is about.
func TestActionsByName(t *testing.T) {
	for action := Action(1); action <= lastAction; action++ {
		if rules[action].kind == whole {
			continue
		}
		t.Run(action.String(), func(t *testing.T) {
			listed, other := names(action)
			these, others := objects[action](listed), objects[action](other)
			check := func(a *Authorizer, who string, list []*Object, want bool, why string) {
				t.Helper()
				yes, no := a.all(As(who), action, list)
				if want && no > 0 || !want && yes > 0 {
					t.Errorf("%s: %d yes, %d no", why, yes, no)
				}
			}
			parents := ""
			if field, ok := parentFields[action]; ok {
				parents = fmt.Sprintf(`, %q: [{"principals": %s, "users": %s}]`, field, anyone, anyone)
			}
			with := func(permissive bool, entries ...string) *Authorizer {
				text := acl(action, permissive, entries...)
				return authorizer(t, strings.TrimSuffix(text, "}")+parents+"}")
			}
			a := with(false, rule1(action, values("ann"), values(listed)), rule1(action, values("root"), anyone))
			check(a, "ann", these, true, "ann, the listed object")
			check(a, "ann", others, false, "ann, another object")
			check(a, "bert", these, false, "bert is in no rule")
			check(a, "", these, false, "nobody is in no rule")
			check(a, "root", append(these, others...), true, "root may do it to any")

			a = with(true, rule1(action, values("ann"), values(listed)), rule1(action, values("ann"), none), rule1(action, anyone, values(other)))
			check(a, "ann", these, true, "the first rule that matches counts")
			check(a, "ann", others, false, "the second rule forbids the rest")
			check(a, "bert", these, true, "permissive")
			check(a, "", others, true, "anyone may do it to the other")

			a = with(true, rule1(action, anyone, none))
			check(a, "ann", these, false, "forbidden to all")
			check(a, "", these, false, "forbidden to nobody too")

			a = with(true, rule1(action, values("ann", "bert"), values(listed, other)))
			check(a, "bert", append(these, others...), true, "one of several")
			a = with(false, rule1(action, none, values(listed)))
			check(a, "ann", these, false, "allowed to no principal")
			check(a, "", these, false, "allowed to no principal")

			if parents != "" {
				return // the container above is any object there
			}
			// Any object: matched by ANY and NONE only.
			a = with(false, rule1(action, values("ann"), values(listed)))
			check(a, "ann", []*Object{nil}, false, "any object is more than the listed one")
			a = with(false, rule1(action, values("ann"), anyone))
			check(a, "ann", []*Object{nil}, true, "any object")
		})
	}
}

func TestActionsOnTheWhole(t *testing.T) {
	for action := Action(1); action <= lastAction; action++ {
		if rules[action].kind != whole {
			continue
		}
		t.Run(action.String(), func(t *testing.T) {
			a := authorizer(t, acl(action, true, rule1(action, values("ann"), anyone), rule1(action, values("bert"), none), rule1(action, values("eve", "mallory"), none)))
			for who, want := range map[string]bool{"ann": true, "bert": false, "mallory": false, "other": true, "": true} {
				if got := a.Allowed(As(who), action, nil); got != want {
					t.Errorf("%q: %v", who, got)
				}
				if got := a.Allowed(As(who), action, &Object{}); got != want {
					t.Errorf("%q, with an object: %v", who, got)
				}
			}
			a = authorizer(t, acl(action, false, rule1(action, values("ann"), anyone)))
			if !a.Allowed(As("ann"), action, nil) || a.Allowed(As("bert"), action, nil) || a.Allowed(Subject{}, action, nil) {
				t.Error("only ann may")
			}
			if action == MarkAgentGone {
				return // the original does not look at these either
			}
			list, _, err := ParseACLs([]byte(acl(action, true, rule1(action, anyone, values("x")))))
			if err != nil {
				t.Fatal(err)
			}
			want := "ACL." + string(new(aclspb.ACLs).ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(rules[action].field)).Message().Name()) +
				" type must be either NONE or ANY"
			if _, err := New(list); err == nil || err.Error() != want {
				t.Errorf("error is %v, want %q", err, want)
			}
		})
	}
}

func TestRolesBelowARole(t *testing.T) {
	for action := Action(1); action <= lastAction; action++ {
		if rules[action].kind != byRole {
			continue
		}
		t.Run(action.String(), func(t *testing.T) {
			a := authorizer(t, acl(action, false, rule1(action, values("ann"), values("dev/%", "ops")), rule1(action, values("bert"), values("a/b/%"))))
			for _, tt := range []struct {
				who, role string
				want      bool
			}{
				{"ann", "dev", false}, // only what is below it
				{"ann", "dev/x", true},
				{"ann", "dev/x/y", true},
				{"ann", "development", false},
				{"ann", "dev/%", true},
				{"ann", "ops", true},
				{"ann", "ops/x", false},
				{"ann", "*", false},
				{"bert", "dev/x", false},
				{"bert", "a/b", false},
				{"bert", "a/b/c", true},
				{"", "dev/x", false},
			} {
				if yes, no := a.all(As(tt.who), action, objects[action](tt.role)); tt.want && no > 0 || !tt.want && yes > 0 {
					t.Errorf("%q on %q: %d yes, %d no; want %v", tt.who, tt.role, yes, no, tt.want)
				}
			}
			// A rule about a subtree may forbid, too.
			a = authorizer(t, acl(action, true, rule1(action, none, values("secret/%"))))
			if yes, _ := a.all(As("ann"), action, objects[action]("secret/x")); yes > 0 {
				t.Error("secret/x is open")
			}
			if _, no := a.all(As("ann"), action, objects[action]("secret")); no > 0 {
				t.Error("secret itself is closed")
			}
		})
	}
}

func TestAFrameworkNeedsAllItsRoles(t *testing.T) {
	a := authorizer(t, `{"permissive": false, "register_frameworks": [{"principals": {"values": ["p"]}, "roles": {"values": ["a", "b/%"]}}]}`)
	for _, tt := range []struct {
		roles []string
		want  bool
	}{
		{[]string{"a"}, true}, {[]string{"a", "b/x"}, true}, {[]string{"a", "c"}, false}, {[]string{"b"}, false}, {nil, false},
	} {
		info := framework("u")
		info.Roles = tt.roles
		info.Capabilities = []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()}}
		if got := a.Refused(As("p"), Registration(info)) == nil; got != tt.want {
			t.Errorf("%v: %v", tt.roles, got)
		}
	}
}

func TestNestedContainersAskTwice(t *testing.T) {
	a := authorizer(t, `{"permissive": false,
		"launch_nested_containers_as_user": [{"principals": {"values": ["ann"]}, "users": {"values": ["alice"]}}],
		"launch_nested_containers_under_parent_with_user": [{"principals": {"values": ["ann", "bert"]}, "users": {"values": ["bob"]}}]}`)
	alice, bob := &mesospb.CommandInfo{User: proto.String("alice")}, &mesospb.CommandInfo{User: proto.String("bob")}
	for _, tt := range []struct {
		name, who string
		object    *Object
		want      bool
	}{
		{"both", "ann", &Object{Command: alice, Executor: executor("bob")}, true},
		{"wrong user", "ann", &Object{Command: bob, Executor: executor("bob")}, false},
		{"wrong parent", "ann", &Object{Command: alice, Executor: executor("alice")}, false},
		{"parent by its framework", "ann", &Object{Command: alice, Executor: &mesospb.ExecutorInfo{}, Framework: framework("bob")}, true},
		{"only the parent counts without a command", "bert", &Object{Executor: executor("bob")}, true},
		{"not as that user", "bert", &Object{Command: alice, Executor: executor("bob")}, false},
		{"a command without a user is any user", "ann", &Object{Command: &mesospb.CommandInfo{}, Executor: executor("bob")}, false},
	} {
		if got := a.Allowed(As(tt.who), LaunchNestedContainer, tt.object); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestBearersOfClaimsReachTheirOwnContainersOnly(t *testing.T) {
	a := authorizer(t, `{}`)
	own := Subject{Claims: map[string]string{"fid": "f", "eid": "e", "cid": "mine"}}
	id := func(path ...string) *mesospb.ContainerID {
		var c *mesospb.ContainerID
		for _, one := range path {
			c = &mesospb.ContainerID{Value: proto.String(one), Parent: c}
		}
		return c
	}
	for _, action := range []Action{LaunchNestedContainer, WaitNestedContainer, KillNestedContainer, LaunchNestedContainerSession, RemoveNestedContainer, AttachContainerOutput} {
		for _, tt := range []struct {
			object *Object
			want   bool
		}{
			{&Object{Container: id("mine")}, true}, {&Object{Container: id("mine", "child", "grandchild")}, true},
			{&Object{Container: id("other", "mine")}, false}, {&Object{}, false}, {nil, false},
		} {
			if got := a.Allowed(own, action, tt.object); got != tt.want {
				t.Errorf("%v of %v: %v", action, tt.object, got)
			}
		}
		if a.Allowed(Subject{Claims: map[string]string{"fid": "f"}}, action, &Object{Container: id("mine")}) {
			t.Errorf("%v without a container in the claims", action)
		}
	}
	for _, action := range []Action{AttachContainerInput, ViewContainer, RunTask, ViewFlags, SetLogLevel} {
		if a.Allowed(own, action, &Object{Container: id("mine"), Framework: framework("u")}) {
			t.Errorf("%v by claims", action)
		}
	}
	provider := Subject{Claims: map[string]string{"cid_prefix": "rp-"}}
	for _, action := range []Action{LaunchStandaloneContainer, WaitStandaloneContainer, KillStandaloneContainer, RemoveStandaloneContainer, ViewStandaloneContainer} {
		if !a.Allowed(provider, action, &Object{Container: id("rp-1")}) || a.Allowed(provider, action, &Object{Container: id("x")}) || a.Allowed(provider, action, nil) {
			t.Errorf("%v of a provider", action)
		}
	}
	if a.Allowed(As("x"), 0, nil) || a.Allowed(As("x"), lastAction+1, nil) {
		t.Error("an unknown action is allowed")
	}
}
