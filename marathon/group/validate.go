package group

import (
	"stoa/marathon/app"
)

// Validate judges the whole tree (RootGroup.validRootGroup). The error is an *app.ValidationError.
func Validate(root *Root, settings Settings) error {
	var violations []app.Violation
	if Cyclic(root) {
		violations = append(violations, app.Violation{Path: "/", Message: "Dependency graph has cyclic dependencies."})
	}
	if len(violations) > 0 {
		return &app.ValidationError{Violations: violations}
	}
	return nil
}
