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
	r := m.ProtoReflect()
	return planOf(r.Descriptor(), d).missingFields(r, nil)
}

func (p *plan) missingFields(m protoreflect.Message, leaveOut []protoreflect.ProtoMessage) string {
	l := missingList{leaveOut: leaveOut}
	l.add(p, m, "")
	return strings.Join(l.paths, ", ")
}

// missingList collects the paths of missing fields.
type missingList struct {
	paths    []string
	leaveOut []protoreflect.ProtoMessage
}

// add adds the message's own missing fields in declaration order, then those of its sub-messages in field number order.
func (l *missingList) add(p *plan, m protoreflect.Message, prefix string) {
	if slices.Contains(l.leaveOut, m.Interface()) {
		return
	}
	var inside []*fieldPlan
	for _, f := range p.fields {
		switch {
		case f.required && !m.Has(f.descriptor):
			l.paths = append(l.paths, prefix+f.name)
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
				l.add(f.mapValue.message(), entry.value.Message(), path+"["+strconv.Itoa(i)+"].value.")
			}
		case f.isList:
			list := value.List()
			for i := range list.Len() {
				l.add(f.message(), list.Get(i).Message(), path+"["+strconv.Itoa(i)+"].")
			}
		default:
			l.add(f.message(), value.Message(), path+".")
		}
	}
}

func (f *fieldPlan) hasMessages() bool {
	if f.isMap {
		return f.mapValue.hasMessages()
	}
	return f.kind == protoreflect.MessageKind || f.kind == protoreflect.GroupKind
}
