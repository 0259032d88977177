package validation

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// DebugString is the text form of a message as C++ protobuf prints it, which some
// error texts contain. (prototext varies its spaces on purpose.)
func DebugString(m proto.Message) string {
	var b strings.Builder
	debugMessage(&b, m.ProtoReflect(), "")
	return b.String()
}

func debugMessage(b *strings.Builder, m protoreflect.Message, indent string) {
	fields := m.Descriptor().Fields()
	order := make([]protoreflect.FieldDescriptor, 0, fields.Len())
	for i := range fields.Len() {
		order = append(order, fields.Get(i))
	}
	sort.Slice(order, func(i, j int) bool { return order[i].Number() < order[j].Number() })
	for _, f := range order {
		if !m.Has(f) {
			continue
		}
		v := m.Get(f)
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				fmt.Fprintf(b, "%s%s {\n", indent, f.Name())
				debugValue(b, f.MapKey(), k.Value(), "key", indent+"  ")
				debugValue(b, f.MapValue(), v, "value", indent+"  ")
				fmt.Fprintf(b, "%s}\n", indent)
				return true
			})
		case f.IsList():
			for i := range v.List().Len() {
				debugValue(b, f, v.List().Get(i), string(f.Name()), indent)
			}
		default:
			debugValue(b, f, v, string(f.Name()), indent)
		}
	}
}

func debugValue(b *strings.Builder, f protoreflect.FieldDescriptor, v protoreflect.Value, name, indent string) {
	if f.Message() != nil {
		fmt.Fprintf(b, "%s%s {\n", indent, name)
		debugMessage(b, v.Message(), indent+"  ")
		fmt.Fprintf(b, "%s}\n", indent)
		return
	}
	var text string
	switch f.Kind() {
	case protoreflect.StringKind:
		text = cQuote(v.String())
	case protoreflect.BytesKind:
		text = cQuote(string(v.Bytes()))
	case protoreflect.EnumKind:
		text = strconv.Itoa(int(v.Enum()))
		if d := f.Enum().Values().ByNumber(v.Enum()); d != nil {
			text = string(d.Name())
		}
	case protoreflect.DoubleKind:
		text = strconv.FormatFloat(v.Float(), 'g', -1, 64)
	default:
		text = fmt.Sprint(v.Interface())
	}
	fmt.Fprintf(b, "%s%s: %s\n", indent, name, text)
}

// cQuote quotes as C does: printable ASCII as it is, the rest in octal.
func cQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case '"', '\'', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			if c < 0x20 || c >= 0x7f {
				fmt.Fprintf(&b, `\%03o`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
