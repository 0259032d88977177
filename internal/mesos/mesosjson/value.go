package mesosjson

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	ArrayKind
	ObjectKind
)

// Value is one parsed JSON value. The zero Value is null. Strings share memory with the text that was parsed.
type Value struct {
	kind    Kind
	integer bool   // a number that was written as an integer of 64 bits
	bits    uint64 // the integer, the bits of the double, or 0 and 1 for false and true
	text    string
	inside  *content // of an array or object that is not empty
}

// content is what an array or an object holds. It is kept apart to make a Value small: a hostile text can consist of little else
// than empty arrays.
type content struct {
	elements []Value
	members  []Member // sorted byte-wise by key, no key twice
}

// Member is one key of an object with its value.
type Member struct {
	Key   string
	Value Value
}

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// Bool returns a boolean; false for any other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.bits != 0 }

// Text returns a string; "" for any other kind.
func (v Value) Text() string { return v.text }

// Elements returns the elements of an array, nil for any other kind. The caller must not change them.
func (v Value) Elements() []Value {
	if v.inside == nil {
		return nil
	}
	return v.inside.elements
}

// Members returns the members of an object in byte-wise order of the keys, nil for any other kind. The caller must not
// change them.
func (v Value) Members() []Member {
	if v.inside == nil {
		return nil
	}
	return v.inside.members
}

// Get returns the value of a key. ok is false if v is not an object or has no such key; a key with null is there.
func (v Value) Get(key string) (value Value, ok bool) {
	members := v.Members()
	i, ok := slices.BinarySearchFunc(members, key, func(m Member, key string) int { return cmp.Compare(m.Key, key) })
	if !ok {
		return Value{}, false
	}
	return members[i].Value, true
}

// IsInteger says whether v is a number written without point and exponent that fits into 64 bits with sign.
func (v Value) IsInteger() bool { return v.kind == Number && v.integer }

// Float64 returns a number as double; 0 for any other kind.
func (v Value) Float64() float64 {
	switch {
	case v.kind != Number:
		return 0
	case v.integer:
		return float64(int64(v.bits))
	}
	return math.Float64frombits(v.bits)
}

// Int64 returns a number as integer, cut off towards zero; the smallest integer stands for a double that does not fit, as
// on the original's machine. 0 for any other kind.
func (v Value) Int64() int64 {
	switch {
	case v.kind != Number:
		return 0
	case v.integer:
		return int64(v.bits)
	}
	return truncate(math.Float64frombits(v.bits))
}

// uint64 does what an x86-64 compiler makes of the cast: doubles from 2^63 on have their own path, negative ones wrap.
func (v Value) uint64() uint64 {
	if f := math.Float64frombits(v.bits); !v.integer && f >= 1<<63 {
		return uint64(truncate(f-1<<63)) ^ 1<<63
	}
	return uint64(v.Int64())
}

// int32 wraps integers and turns doubles that do not fit into the smallest integer.
func (v Value) int32() int32 {
	n := v.Int64()
	if !v.integer && n != int64(int32(n)) {
		return math.MinInt32
	}
	return int32(n)
}

// truncate converts like the cvttsd2si instruction.
func truncate(f float64) int64 {
	if f >= -1<<63 && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// Append appends the value as JSON, object keys in byte-wise order.
func (v Value) Append(dst []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(dst, v.bits != 0)
	case Number:
		if v.integer {
			return strconv.AppendInt(dst, int64(v.bits), 10)
		}
		return AppendDouble(dst, math.Float64frombits(v.bits))
	case String:
		return AppendString(dst, v.text)
	case ArrayKind:
		dst = append(dst, '[')
		for i, e := range v.Elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.Append(dst)
		}
		return append(dst, ']')
	case ObjectKind:
		dst = append(dst, '{')
		for i, m := range v.Members() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, m.Key), ':')
			dst = m.Value.Append(dst)
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

var (
	infinity      = Value{kind: Number, bits: math.Float64bits(math.Inf(1))}
	minusInfinity = Value{kind: Number, bits: math.Float64bits(math.Inf(-1))}
)
