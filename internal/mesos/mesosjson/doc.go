// Package mesosjson reads and writes the JSON of the Mesos APIs.
//
// In: protobuf messages (or hand-written documents through Object and Array) and JSON text from the outside.
// Out: JSON bytes exactly as the original daemons print them, messages, generic Values, and the original's literal
// error texts. The package does no I/O and keeps no state but a cache of immutable per-message plans.
//
// The format is not proto3 JSON. Keys are the .proto names in declaration order (Append) or in byte-wise alphabetical
// order (AppendSorted); explicit defaults are printed unless the field is deprecated; integers of every width are bare;
// doubles are Grisu2 digits with a ".0" (see AppendDouble); bytes are padded standard base64. Sources in the original:
// 3rdparty/stout/include/stout/{json,jsonify,protobuf}.hpp, rapidjson 1.1.0 (writing), picojson 1.3.0 (reading).
package mesosjson

import (
	"google.golang.org/protobuf/proto"
)

// Dialect chooses the names of fields and enum values. The wire bytes of v0 and v1 messages are the same, so one family
// of Go types serves all three.
type Dialect uint8

const (
	// V1 is the JSON of the v1 messages: agent names; AgentInfo.checkpoint, a field that only the v0 schema has, is neither
	// written nor read.
	V1 Dialect = iota

	// V0 is the JSON of the v0 messages, used inside the unversioned endpoints: slave_id, REASON_SLAVE_REMOVED, SOURCE_SLAVE;
	// AgentInfo.checkpoint is shown.
	V0

	// AsV1 is what src/common/http.cpp calls asV1Protobuf: a v0 message printed with agent names. It differs from V1 in
	// AgentInfo.checkpoint, which is shown.
	AsV1

	dialects = iota
)

// Append appends m as one JSON object with the keys in declaration order (the original's jsonify(JSON::Protobuf(m)))
// and returns the extended slice. A nil message prints as an empty one of its type. Map entries come in byte-wise key order.
func Append(dst []byte, m proto.Message, d Dialect) []byte {
	r := m.ProtoReflect()
	return planOf(r.Descriptor(), d).appendMessage(dst, r, declared)
}

// AppendSorted appends m with the keys of every object in byte-wise alphabetical order (the original's
// stringify(JSON::protobuf(m))).
func AppendSorted(dst []byte, m proto.Message, d Dialect) []byte {
	r := m.ProtoReflect()
	return planOf(r.Descriptor(), d).appendMessage(dst, r, alphabetical)
}

// AppendList appends a JSON array of messages, each as Append writes it. An empty list prints as [].
func AppendList[M proto.Message](dst []byte, list []M, d Dialect) []byte {
	return appendList(dst, list, d, declared)
}

// AppendSortedList appends a JSON array of messages, each as AppendSorted writes it.
func AppendSortedList[M proto.Message](dst []byte, list []M, d Dialect) []byte {
	return appendList(dst, list, d, alphabetical)
}

func appendList[M proto.Message](dst []byte, list []M, d Dialect, order keyOrder) []byte {
	dst = append(dst, '[')
	var p *plan
	for i, m := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		r := m.ProtoReflect()
		if p == nil || p.descriptor != r.Descriptor() {
			p = planOf(r.Descriptor(), d)
		}
		dst = p.appendMessage(dst, r, order)
	}
	return append(dst, ']')
}
