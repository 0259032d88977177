package app

import "strings"

// Violation is one broken rule at one place of a document.
type Violation struct {
	// Path is the place, such as "/container/volumes(0)/mode". The whole document is "/" in
	// a ValidationError and "" in a ReadError.
	Path string
	// Message is the rule's text, which clients see.
	Message string
}

// ValidationError says that a well-formed definition breaks rules (422 "Object is not valid").
type ValidationError struct{ Violations []Violation }

func (e *ValidationError) Error() string { return "Object is not valid: " + join(e.Violations) }

// ReadError says that a JSON value does not have the types or bounds that its schema asks
// for (422 "Invalid JSON").
type ReadError struct{ Violations []Violation }

func (e *ReadError) Error() string { return "Invalid JSON: " + join(e.Violations) }

func join(violations []Violation) string {
	var text strings.Builder
	for i, violation := range violations {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(violation.Path + ": " + violation.Message)
	}
	return text.String()
}
