package mesosjson

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ConversionError is what the original says about JSON that does not fit a message. Handlers put their own words before
// it, for example "Failed to convert JSON into Call protobuf: ".
type ConversionError struct {
	Message string
}

func (e *ConversionError) Error() string { return e.Message }

func conversionError(parts ...string) error {
	return &ConversionError{strings.Join(parts, "")}
}

// Unmarshal replaces m with what the JSON text says. Unknown keys, null and unknown enum values of optional fields count as
// absent; numbers and booleans may stand in strings; a single value may stand for a list of one. The error is a *SyntaxError if the
// text is not JSON and a *ConversionError if it does not fit m or a required field is missing (stout's protobuf::parse).
func Unmarshal(data []byte, m proto.Message, d Dialect) error {
	v, err := Parse(data)
	if err != nil {
		return err
	}
	return v.Unmarshal(m, d)
}

// Unmarshal replaces m with what the value says. See the function Unmarshal; the error is a *ConversionError.
func (v Value) Unmarshal(m proto.Message, d Dialect) error {
	proto.Reset(m)
	if v.kind != ObjectKind {
		return conversionError("Expecting a JSON object")
	}
	r := m.ProtoReflect()
	p, in := planOf(r.Descriptor(), d), reading{}
	if err := p.set(r, v.Members(), &in); err != nil {
		return err
	}
	if proto.CheckInitialized(m) == nil {
		return nil
	}
	return conversionError("Missing required fields: ", p.missingFields(r, in.nullEntries))
}

// reading is what must be remembered while a message is filled.
type reading struct {
	// nullEntries are the values of map entries that were null. The original counts their required fields as missing but does
	// not list them.
	nullEntries []protoreflect.ProtoMessage
}

// UnmarshalList reads a JSON array of messages, each checked for required fields by itself
// (stout's protobuf::parse<RepeatedPtrField<T>>). The error is a *ConversionError.
func UnmarshalList[T any, M interface {
	*T
	proto.Message
}](v Value, d Dialect) ([]M, error) {
	if v.kind != ArrayKind {
		return nil, conversionError("Expecting a JSON array")
	}
	list := make([]M, 0, len(v.Elements()))
	for _, e := range v.Elements() {
		m := M(new(T))
		if err := e.Unmarshal(m, d); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// set fills m from an object. Keys come in byte-wise order, which decides which of several errors is reported.
func (p *plan) set(m protoreflect.Message, members []Member, in *reading) error {
	for i := range members {
		f := p.byName[members[i].Key]
		if f == nil {
			continue
		}
		if err := f.set(m, &members[i].Value, in); err != nil {
			return err
		}
	}
	return nil
}

// set puts a value into the field, or appends it to the field if that is a list.
func (f *fieldPlan) set(m protoreflect.Message, v *Value, in *reading) error {
	switch v.kind {
	case Null:
		return nil
	case ArrayKind:
		if !f.isList && !f.isMap {
			return f.unexpected(v)
		}
		// Arrays in arrays come out flat.
		elements := v.Elements()
		for i := range elements {
			if err := f.set(m, &elements[i], in); err != nil {
				return err
			}
		}
		return nil
	case ObjectKind:
		if f.kind != protoreflect.MessageKind && f.kind != protoreflect.GroupKind {
			return f.unexpected(v)
		}
		return f.setMessage(m, v.Members(), in)
	}
	if f.isMap {
		return f.unexpected(v)
	}
	value, ok, err := f.scalar(v)
	if err != nil || !ok {
		return err
	}
	if f.isList {
		m.Mutable(f.descriptor).List().Append(value)
		return nil
	}
	m.Set(f.descriptor, value)
	return nil
}

func (f *fieldPlan) setMessage(m protoreflect.Message, members []Member, in *reading) error {
	switch {
	case f.isMap:
		return f.setEntries(m.Mutable(f.descriptor).Map(), members, in)
	case f.isList:
		return f.message().set(m.Mutable(f.descriptor).List().AppendMutable().Message(), members, in)
	}
	return f.message().set(m.Mutable(f.descriptor).Message(), members, in)
}

// setEntries adds the members to a map field. A null value makes an entry with the default value.
func (f *fieldPlan) setEntries(entries protoreflect.Map, members []Member, in *reading) error {
	for i := range members {
		keyText := Value{kind: String, text: members[i].Key}
		key, ok, err := f.mapKey.scalar(&keyText)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		value := entries.NewValue()
		v := &members[i].Value
		switch isMessage := f.mapValue.kind == protoreflect.MessageKind; {
		case v.kind == Null && isMessage:
			in.nullEntries = append(in.nullEntries, value.Message().Interface())
		case v.kind == Null:
		case v.kind == ObjectKind && isMessage:
			if err := f.mapValue.message().set(value.Message(), v.Members(), in); err != nil {
				return err
			}
		case v.kind == ObjectKind || v.kind == ArrayKind || isMessage:
			return f.mapValue.unexpected(v)
		default:
			scalar, ok, err := f.mapValue.scalar(v)
			if err != nil {
				return err
			}
			if ok {
				value = scalar
			}
		}
		entries.Set(key.MapKey(), value)
	}
	return nil
}

// scalar converts a string, number or boolean for the field. ok is false for an enum name that is unknown and not required.
func (f *fieldPlan) scalar(v *Value) (value protoreflect.Value, ok bool, err error) {
	switch v.kind {
	case String:
		return f.fromText(v)
	case Number:
		value, ok = f.fromNumber(v)
	case Bool:
		value, ok = protoreflect.ValueOfBool(v.Bool()), f.kind == protoreflect.BoolKind
	}
	if !ok {
		return value, false, f.unexpected(v)
	}
	return value, true, nil
}

func (f *fieldPlan) fromNumber(v *Value) (protoreflect.Value, bool) {
	switch f.kind {
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(v.Float64()), true
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(v.Float64())), true
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(v.Int64()), true
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(v.uint64()), true
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(v.int32()), true
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(v.Int64())), true
	}
	return protoreflect.Value{}, false
}

func (f *fieldPlan) fromText(v *Value) (value protoreflect.Value, ok bool, err error) {
	switch f.kind {
	case protoreflect.StringKind:
		// A copy, because a small string must not keep the whole text alive.
		return protoreflect.ValueOfString(strings.Clone(v.text)), true, nil
	case protoreflect.BytesKind:
		b, err := decodeBase64(v.text)
		if err != nil {
			return value, false, conversionError("Failed to base64 decode bytes field '", f.name, "': ", err.Error())
		}
		return protoreflect.ValueOfBytes(b), true, nil
	case protoreflect.EnumKind:
		n, known := f.enum.number[v.text]
		if !known && f.required {
			return value, false, conversionError("Failed to find enum for '", v.text, "'")
		}
		return protoreflect.ValueOfEnum(n), known, nil
	case protoreflect.BoolKind:
		b, err := parseKind(v.text, Bool)
		if err != nil {
			return value, false, f.unparsed(v, "boolean", err)
		}
		return protoreflect.ValueOfBool(b.Bool()), true, nil
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		switch v.text {
		case "Infinity":
			value, _ = f.fromNumber(&infinity)
			return value, true, nil
		case "-Infinity":
			value, _ = f.fromNumber(&minusInfinity)
			return value, true, nil
		}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return value, false, f.unexpected(v)
	}
	n, err := parseKind(v.text, Number)
	if err != nil {
		return value, false, f.unparsed(v, "number", err)
	}
	value, ok = f.fromNumber(&n)
	return value, ok, nil
}

func (f *fieldPlan) unparsed(v *Value, what string, err error) error {
	return conversionError("Failed to parse '", v.text, "' as a JSON ", what, " for field '", f.name, "': ", err.Error())
}

func (f *fieldPlan) unexpected(v *Value) error {
	return conversionError("Not expecting a JSON ", kindNames[v.kind], " for field '", f.name, "'")
}

var kindNames = [...]string{Null: "null", Bool: "boolean", Number: "number", String: "string", ArrayKind: "array", ObjectKind: "object"}
