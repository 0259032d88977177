// Package playjson reads and writes JSON the way the libraries under the original do
// (play-json 2.8 on Jackson 2.10): the same error texts for broken input, the same forms of
// numbers in output. Text comes in or goes out; nothing here knows what it means.
package playjson

import "slices"

// Kind is the type of a JSON value.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is one JSON value as it was read. It is kept small, for there may be millions.
type Value struct {
	Kind Kind
	// Bool is set for kind Bool.
	Bool bool
	// Text is the content of a String.
	Text string
	// Number is set for kind Number.
	Number *Decimal
	// Elements are those of an Array; for an Object the values of Keys.
	Elements []Value
	// Keys are those of an Object, in order of first appearance, each once; of a key that
	// was given more than once the last value counts.
	Keys []string
}

// Get looks up a member of an object; ok is false for other kinds.
func (v *Value) Get(key string) (member *Value, ok bool) {
	if v.Kind != Object {
		return nil, false
	}
	for i := range v.Keys {
		if v.Keys[i] == key {
			return &v.Elements[i], true
		}
	}
	return nil, false
}

// With gives a copy of an object in which key has the value: at its place, or last.
func (v *Value) With(key string, member Value) Value {
	fresh := Value{Kind: Object, Keys: slices.Clone(v.Keys), Elements: slices.Clone(v.Elements)}
	if i := slices.Index(fresh.Keys, key); i >= 0 {
		fresh.Elements[i] = member
		return fresh
	}
	fresh.Keys, fresh.Elements = append(fresh.Keys, key), append(fresh.Elements, member)
	return fresh
}

// Append writes the value compactly, as JsValue.toString does.
func (v *Value) Append(dst []byte) []byte {
	switch v.Kind {
	case Bool:
		if v.Bool {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case Number:
		return v.Number.Append(dst)
	case String:
		return AppendString(dst, v.Text)
	case Array:
		dst = append(dst, '[')
		for i := range v.Elements {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = v.Elements[i].Append(dst)
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		for i := range v.Keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, v.Keys[i])
			dst = append(dst, ':')
			dst = v.Elements[i].Append(dst)
		}
		return append(dst, '}')
	default:
		return append(dst, "null"...)
	}
}

// String gives the compact text.
func (v *Value) String() string { return string(v.Append(nil)) }
