package mesosjson

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MissingFields lists the required fields that are not set in m: full paths, "a.b, c.list[0].d", in the order and with the
// text of protobuf's InitializationErrorString. It is empty when nothing is missing.
func MissingFields(m proto.Message, d Dialect) string {
	var paths []string
	r := m.ProtoReflect()
	planOf(r.Descriptor(), d).missing(r, "", &paths)
	return strings.Join(paths, ", ")
}

// missing adds the message's own missing fields in declaration order, then those of its sub-messages in field number order.
func (p *plan) missing(m protoreflect.Message, prefix string, paths *[]string) {
	var inside []*fieldPlan
	for _, f := range p.fields {
		switch {
		case f.required && !m.Has(f.descriptor):
			*paths = append(*paths, prefix+f.name)
		case f.hasMessages() && m.Has(f.descriptor):
			inside = append(inside, f)
		}
	}
	slices.SortFunc(inside, func(a, b *fieldPlan) int { return cmp.Compare(a.descriptor.Number(), b.descriptor.Number()) })
	for _, f := range inside {
		path := prefix + f.name
		value := m.Get(f.descriptor)
		switch {
		case f.isMap:
			for i, entry := range sortedEntries(value.Map()) {
				f.mapValue.message().missing(entry.value.Message(), path+"["+strconv.Itoa(i)+"].value.", paths)
			}
		case f.isList:
			list := value.List()
			for i := range list.Len() {
				f.message().missing(list.Get(i).Message(), path+"["+strconv.Itoa(i)+"].", paths)
			}
		default:
			f.message().missing(value.Message(), path+".", paths)
		}
	}
}

func (f *fieldPlan) hasMessages() bool {
	if f.isMap {
		return f.mapValue.hasMessages()
	}
	return f.kind == protoreflect.MessageKind || f.kind == protoreflect.GroupKind
}
