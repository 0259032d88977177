package mesosjson

import (
	"cmp"
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// keyOrder is the order of an object's keys.
type keyOrder bool

const (
	declared     keyOrder = false
	alphabetical keyOrder = true
)

// appendMessage appends m, whose type is the plan's.
func (p *plan) appendMessage(dst []byte, m protoreflect.Message, order keyOrder) []byte {
	fields := p.fields
	if order == alphabetical {
		fields = p.sorted
	}
	dst = append(dst, '{')
	start := len(dst)
	for _, f := range fields {
		dst = f.appendField(dst, m, start, order)
	}
	return append(dst, '}')
}

// appendField appends the key and value of one field, or nothing. start is where the object's first key stands.
func (f *fieldPlan) appendField(dst []byte, m protoreflect.Message, start int, order keyOrder) []byte {
	if !m.Has(f.descriptor) {
		return f.appendUnset(dst, start)
	}
	value := m.Get(f.descriptor)
	if f.kind == protoreflect.EnumKind && !f.isList && !f.isMap {
		// A number that is not in the enum counts as unset: the original's parser never lets it into the field.
		text, ok := f.enum.text[value.Enum()]
		if !ok {
			return f.appendUnset(dst, start)
		}
		dst = f.appendKey(dst, start)
		return append(dst, text...)
	}
	dst = f.appendKey(dst, start)
	switch {
	case f.isMap:
		return f.appendMap(dst, value.Map(), order)
	case f.isList:
		return f.appendRepeated(dst, value.List(), order)
	}
	return f.appendValue(dst, value, order)
}

func (f *fieldPlan) appendKey(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return append(dst, f.key...)
}

func (f *fieldPlan) appendUnset(dst []byte, start int) []byte {
	if f.unset == nil {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return append(dst, f.unset...)
}

func (f *fieldPlan) appendRepeated(dst []byte, list protoreflect.List, order keyOrder) []byte {
	dst = append(dst, '[')
	start := len(dst)
	for i := range list.Len() {
		value := list.Get(i)
		if f.kind == protoreflect.EnumKind && f.enum.text[value.Enum()] == nil {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = f.appendValue(dst, value, order)
	}
	return append(dst, ']')
}

// appendMap appends a map field. The original's order is that of its hash map; here it is the byte-wise order of the keys.
func (f *fieldPlan) appendMap(dst []byte, m protoreflect.Map, order keyOrder) []byte {
	dst = append(dst, '{')
	for i, e := range sortedEntries(m) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, e.key)
		dst = append(dst, ':')
		dst = f.mapValue.appendValue(dst, e.value, order)
	}
	return append(dst, '}')
}

// appendValue appends one value: of a singular field, a list element or a map entry.
func (f *fieldPlan) appendValue(dst []byte, value protoreflect.Value, order keyOrder) []byte {
	if f.kind == protoreflect.MessageKind || f.kind == protoreflect.GroupKind {
		return f.message().appendMessage(dst, value.Message(), order)
	}
	return f.appendScalar(dst, value)
}

func (f *fieldPlan) appendScalar(dst []byte, value protoreflect.Value) []byte {
	switch f.kind {
	case protoreflect.StringKind:
		return AppendString(dst, value.String())
	case protoreflect.BytesKind:
		return AppendBytes(dst, value.Bytes())
	case protoreflect.EnumKind:
		return append(dst, f.enum.text[value.Enum()]...)
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return AppendDouble(dst, value.Float())
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, value.Bool())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(dst, value.Uint(), 10)
	default:
		return strconv.AppendInt(dst, value.Int(), 10)
	}
}

// mapEntry is one entry of a map field, its key as text.
type mapEntry struct {
	key   string
	value protoreflect.Value
}

// sortedEntries returns the entries in byte-wise order of their keys.
func sortedEntries(m protoreflect.Map) []mapEntry {
	entries := make([]mapEntry, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		entries = append(entries, mapEntry{k.String(), v})
		return true
	})
	slices.SortFunc(entries, func(a, b mapEntry) int { return cmp.Compare(a.key, b.key) })
	return entries
}
