package agent_test

import "google.golang.org/protobuf/reflect/protoreflect"

func collectFields(m protoreflect.Message, prefix string, depth int, seen map[string]bool) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := prefix + string(field.Name())
		seen[name] = true
		if depth == 1 || field.Message() == nil || field.IsMap() {
			return true
		}
		if field.IsList() {
			for i := range value.List().Len() {
				collectFields(value.List().Get(i).Message(), name+".", depth-1, seen)
			}
			return true
		}
		collectFields(value.Message(), name+".", depth-1, seen)
		return true
	})
}
