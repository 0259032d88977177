// Package roles holds the rules of role names: which are valid, and how the
// slash-separated ones form a tree.
//
// Comes in: role names. Goes out: errors and relations. It keeps no state.
// The texts are those of the original's src/common/roles.cpp.
package roles

import (
	"errors"
	"strings"
)

// Any is the role of resources that are not reserved.
const Any = "*"

// invalidCharacters may not occur in a component: tab to carriage return, space, delete.
const invalidCharacters = "\x09\x0a\x0b\x0c\x0d\x20\x7f"

// Validate returns nil for a usable role name, or an error with the original's text.
func Validate(role string) error {
	if role == Any {
		return nil
	}
	switch {
	case strings.HasPrefix(role, "/"):
		return errors.New("Role '" + role + "' cannot start with a slash")
	case strings.HasSuffix(role, "/"):
		return errors.New("Role '" + role + "' cannot end with a slash")
	case strings.Contains(role, "//"):
		return errors.New("Role '" + role + "' cannot contain two adjacent slashes")
	case role == "":
		return errors.New("Role names cannot be the empty string")
	}
	for component := range strings.SplitSeq(role, "/") {
		switch {
		case component == "." || component == ".." || component == Any:
			return errors.New("Role '" + role + "' cannot include '" + component + "' as a component")
		case strings.HasPrefix(component, "-"):
			return errors.New("Role component '" + component + "' is invalid because it starts with a dash")
		case strings.ContainsAny(component, invalidCharacters):
			return errors.New("Role component '" + component + "' is invalid because it contains backspace or whitespace")
		}
	}
	return nil
}

// ValidateAll returns the error of the first invalid role.
func ValidateAll(roles []string) error {
	for _, role := range roles {
		if err := Validate(role); err != nil {
			return err
		}
	}
	return nil
}

// Parse reads a comma-separated list of roles, ignoring empty entries.
func Parse(text string) ([]string, error) {
	var roles []string
	for role := range strings.SplitSeq(text, ",") {
		if role != "" {
			roles = append(roles, role)
		}
	}
	if err := ValidateAll(roles); err != nil {
		return nil, err
	}
	return roles, nil
}

// IsStrictSubroleOf says whether role lies below ancestor in the tree: "a/b" below "a".
func IsStrictSubroleOf(role, ancestor string) bool {
	return len(role) > len(ancestor) && role[len(ancestor)] == '/' && role[:len(ancestor)] == ancestor
}

// Ancestors returns the roles above role, nearest first: "a/b" and "a" for "a/b/c".
func Ancestors(role string) []string {
	var ancestors []string
	for i := len(role) - 1; i >= 0; i-- {
		if role[i] == '/' {
			ancestors = append(ancestors, role[:i])
		}
	}
	return ancestors
}
