package auth

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func TestListsThatAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, acls, want string }{
		{"no JSON", `{`, "syntax error at line 1 near: "},
		{"no object", `[]`, "Unexpected JSON type parsed"},
		{"no principals", `{"run_tasks": [{"users": {"type": "ANY"}}]}`, "Missing required fields: run_tasks[0].principals"},
		{"a wrong type", `{"permissive": 7}`, "Not expecting a JSON number for field 'permissive'"},
		{"a path that is not ruled", `{"get_endpoints": [{"principals": {"type": "ANY"}, "paths": {"values": ["/state"]}}]}`, "Path: '/state' is not an authorizable path"},
		{"the first of several", `{"prune_images": [{"principals": {}, "images": {}}], "view_flags": [{"principals": {}, "flags": {}}]}`, "ACL.ViewFlags type must be either NONE or ANY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, _, err := ParseACLs([]byte(tt.acls))
			if err == nil {
				_, err = New(list)
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}

func TestWhatCountsForNothingIsTold(t *testing.T) {
	_, warnings, err := ParseACLs([]byte(`{"set_quotas": [], "run_tasks": [{"principals": {"type": "SOEM", "value": ["a"]}, "users": {"type": "ANY"}, "user": {}}],
		"view_flags": {"principals": {"type": "ANY"}, "flags": {"type": "NONE"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"'principals' of 'run_tasks' has the type 'SOEM', not SOME, ANY or NONE",
		"'principals' of 'run_tasks' has no 'value'",
		"a rule of 'run_tasks' has no 'user'",
		"there is no action 'set_quotas'",
	}
	if strings.Join(warnings, "\n") != strings.Join(want, "\n") {
		t.Errorf("warnings are %q", warnings)
	}
}

func FuzzACLs(f *testing.F) {
	f.Add(`{"permissive": false, "register_frameworks": [{"principals": {"values": ["fw"]}, "roles": {"values": ["web", "a/%"]}}]}`)
	f.Add(`{"run_tasks": {"principals": {"type": "NONE"}, "users": {"type": 1}}, "view_roles": [[{"principals": {}, "roles": {"values": ["/%"]}}]]}`)
	f.Add(`{"get_endpoints": [{"principals": {"type": "ANY"}, "paths": {"values": ["/files/debug"]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		list, _, err := ParseACLs([]byte(text))
		if err != nil {
			return
		}
		a, err := New(list)
		if err != nil {
			return
		}
		for action := Action(1); action <= lastAction; action++ {
			for _, s := range []Subject{{}, As("fw"), {Claims: map[string]string{"cid": "c"}}} {
				p := a.Approver(s, action)
				p.Approve(nil)
				for _, make := range []func(string) []*Object{objects[action], named, executors} {
					if make != nil && (rules[action].kind == whole || action != ViewFramework && action != LaunchNestedContainer && action != LaunchNestedContainerSession) {
						for _, o := range make("web") {
							p.Approve(o)
						}
					}
				}
			}
		}
		_ = proto.Size(list)
	})
}
