package mesosjson

import (
	"strconv"

	"google.golang.org/protobuf/proto"
)

// Object writes one JSON object of a hand-written document; keys come out in the order of the calls. It appends to a
// slice that belongs to the caller:
//
//	var buf []byte
//	state := mesosjson.BeginObject(&buf)
//	state.String("version", "1.12.0")
//	agents := state.Array("slaves")
//	for ... {
//		agent := agents.Object()
//		agent.String("id", id)
//		agent.End()
//	}
//	agents.End()
//	state.End()
//
// While a nested Object or Array is open, only that one may be written to. Nothing is allocated but the growth of the slice.
type Object struct {
	dst *[]byte
}

// Array writes one JSON array of a hand-written document. See Object.
type Array struct {
	dst *[]byte
}

// BeginObject opens an object at the end of *dst.
func BeginObject(dst *[]byte) Object {
	*dst = append(*dst, '{')
	return Object{dst}
}

// BeginArray opens an array at the end of *dst.
func BeginArray(dst *[]byte) Array {
	*dst = append(*dst, '[')
	return Array{dst}
}

// End closes the object.
func (o Object) End() { *o.dst = append(*o.dst, '}') }

// End closes the array.
func (a Array) End() { *a.dst = append(*a.dst, ']') }

// Key writes a key. The caller must append exactly one value to the slice before the next call.
func (o Object) Key(key string) {
	o.separate()
	*o.dst = append(AppendString(*o.dst, key), ':')
}

// separate writes the comma before a key. The last byte tells whether one is due: inside an object it is an open brace
// only before the first key.
func (o Object) separate() {
	if b := *o.dst; b[len(b)-1] != '{' {
		*o.dst = append(b, ',')
	}
}

// Next writes the comma before an element. The caller must append exactly one value to the slice before the next call.
func (a Array) Next() {
	if b := *a.dst; b[len(b)-1] != '[' {
		*a.dst = append(b, ',')
	}
}

// String writes a string field.
func (o Object) String(key, value string) {
	o.Key(key)
	*o.dst = AppendString(*o.dst, value)
}

// String writes a string element.
func (a Array) String(value string) {
	a.Next()
	*a.dst = AppendString(*a.dst, value)
}

// Int writes an integer field: bare digits, no ".0".
func (o Object) Int(key string, value int64) {
	o.Key(key)
	*o.dst = strconv.AppendInt(*o.dst, value, 10)
}

// Int writes an integer element.
func (a Array) Int(value int64) {
	a.Next()
	*a.dst = strconv.AppendInt(*a.dst, value, 10)
}

// Uint writes an unsigned integer field.
func (o Object) Uint(key string, value uint64) {
	o.Key(key)
	*o.dst = strconv.AppendUint(*o.dst, value, 10)
}

// Double writes a floating point field as AppendDouble prints it.
func (o Object) Double(key string, value float64) {
	o.Key(key)
	*o.dst = AppendDouble(*o.dst, value)
}

// Double writes a floating point element.
func (a Array) Double(value float64) {
	a.Next()
	*a.dst = AppendDouble(*a.dst, value)
}

// Bool writes a boolean field.
func (o Object) Bool(key string, value bool) {
	o.Key(key)
	*o.dst = strconv.AppendBool(*o.dst, value)
}

// Bool writes a boolean element.
func (a Array) Bool(value bool) {
	a.Next()
	*a.dst = strconv.AppendBool(*a.dst, value)
}

// Null writes a field that is null.
func (o Object) Null(key string) {
	o.Key(key)
	*o.dst = append(*o.dst, "null"...)
}

// Bytes writes a field in base64.
func (o Object) Bytes(key string, value []byte) {
	o.Key(key)
	*o.dst = AppendBytes(*o.dst, value)
}

// Raw writes a field whose value is JSON already.
func (o Object) Raw(key string, value []byte) {
	o.Key(key)
	*o.dst = append(*o.dst, value...)
}

// Raw writes an element that is JSON already.
func (a Array) Raw(value []byte) {
	a.Next()
	*a.dst = append(*a.dst, value...)
}

// Message writes a message field with its keys in declaration order.
func (o Object) Message(key string, m proto.Message, d Dialect) {
	o.Key(key)
	*o.dst = Append(*o.dst, m, d)
}

// Message writes a message element with its keys in declaration order.
func (a Array) Message(m proto.Message, d Dialect) {
	a.Next()
	*a.dst = Append(*a.dst, m, d)
}

// SortedMessage writes a message field with alphabetical keys.
func (o Object) SortedMessage(key string, m proto.Message, d Dialect) {
	o.Key(key)
	*o.dst = AppendSorted(*o.dst, m, d)
}

// SortedMessage writes a message element with alphabetical keys.
func (a Array) SortedMessage(m proto.Message, d Dialect) {
	a.Next()
	*a.dst = AppendSorted(*a.dst, m, d)
}

// Strings writes a field that is an array of strings, [] when empty.
func (o Object) Strings(key string, values []string) {
	list := o.Array(key)
	for _, v := range values {
		list.String(v)
	}
	list.End()
}

// Object opens a field that is an object.
func (o Object) Object(key string) Object {
	o.Key(key)
	return BeginObject(o.dst)
}

// Array opens a field that is an array.
func (o Object) Array(key string) Array {
	o.Key(key)
	return BeginArray(o.dst)
}

// Object opens an element that is an object.
func (a Array) Object() Object {
	a.Next()
	return BeginObject(a.dst)
}

// Array opens an element that is an array.
func (a Array) Array() Array {
	a.Next()
	return BeginArray(a.dst)
}

// Messages writes a field that is an array of messages in declaration order, [] when empty.
func Messages[M proto.Message](o Object, key string, list []M, d Dialect) {
	o.Key(key)
	*o.dst = AppendList(*o.dst, list, d)
}
