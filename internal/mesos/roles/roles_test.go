package roles_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stoa/internal/mesos/roles"
)

func TestValidateGivesTheOriginalsTexts(t *testing.T) {
	for role, want := range map[string]string{
		"*":       "",
		"ads":     "",
		"ads/web": "",
		"a.b_c-d": "",
		"":        "Role names cannot be the empty string",
		"/":       "Role '/' cannot start with a slash",
		"/a":      "Role '/a' cannot start with a slash",
		"a/":      "Role 'a/' cannot end with a slash",
		"a//b":    "Role 'a//b' cannot contain two adjacent slashes",
		".":       "Role '.' cannot include '.' as a component",
		"a/../b":  "Role 'a/../b' cannot include '..' as a component",
		"a/*":     "Role 'a/*' cannot include '*' as a component",
		"a/-b":    "Role component '-b' is invalid because it starts with a dash",
		"a b":     "Role component 'a b' is invalid because it contains backspace or whitespace",
		"a/\x7f":  "Role component '\x7f' is invalid because it contains backspace or whitespace",
	} {
		got := ""
		if err := roles.Validate(role); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("Validate(%q) = %q, want %q", role, got, want)
		}
	}
}

func TestSubrolesAreBelowTheirAncestorsOnly(t *testing.T) {
	if !roles.IsStrictSubroleOf("a/b", "a") || !roles.IsStrictSubroleOf("a/b/c", "a") {
		t.Error("a/b and a/b/c are below a")
	}
	for _, pair := range [][2]string{{"a", "a"}, {"ab", "a"}, {"a", "a/b"}, {"b/a", "a"}} {
		if roles.IsStrictSubroleOf(pair[0], pair[1]) {
			t.Errorf("%q is not below %q", pair[0], pair[1])
		}
	}
	if diff := cmp.Diff([]string{"a/b", "a"}, roles.Ancestors("a/b/c")); diff != "" {
		t.Error(diff)
	}
	if got := roles.Ancestors("a"); got != nil {
		t.Errorf("a has no ancestors, got %v", got)
	}
}

func TestParseSkipsEmptyEntriesAndRefusesBadOnes(t *testing.T) {
	got, err := roles.Parse(",a,,b/c,")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b/c"}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := roles.Parse("a,/b"); err == nil {
		t.Error("a bad role in the list must be refused")
	}
}
