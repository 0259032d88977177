package mesosjson

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// plans caches one immutable plan per message type and dialect. The key is a protoreflect.MessageDescriptor.
var plans [dialects]sync.Map

// plan says how one message type is written and read in one dialect.
type plan struct {
	descriptor protoreflect.MessageDescriptor
	dialect    Dialect
	fields     []*fieldPlan // declaration order
	sorted     []*fieldPlan // byte-wise by name
	byName     map[string]*fieldPlan
}

// fieldPlan is what is known about a field before any message is seen.
type fieldPlan struct {
	descriptor protoreflect.FieldDescriptor
	name       string
	key        []byte // the name as JSON string with its colon
	kind       protoreflect.Kind
	isList     bool
	isMap      bool
	required   bool
	unset      []byte // key and value to print when the field is not set; nil: print nothing
	enum       *enumPlan
	dialect    Dialect
	sub        atomic.Pointer[plan] // of message fields; resolved at first use because types are recursive
	mapValue   *fieldPlan           // the value field of a map entry
	mapKey     *fieldPlan
}

// enumPlan holds the names of an enum in one dialect.
type enumPlan struct {
	text   map[protoreflect.EnumNumber][]byte // quoted
	number map[string]protoreflect.EnumNumber
}

// planOf returns the plan of a message type, building it at first use.
func planOf(md protoreflect.MessageDescriptor, d Dialect) *plan {
	if p, ok := plans[d].Load(md); ok {
		return p.(*plan)
	}
	p, _ := plans[d].LoadOrStore(md, newPlan(md, d))
	return p.(*plan)
}

func newPlan(md protoreflect.MessageDescriptor, d Dialect) *plan {
	fields := md.Fields()
	p := &plan{descriptor: md, dialect: d, byName: make(map[string]*fieldPlan, fields.Len())}
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !d.has(fd) {
			continue
		}
		f := newFieldPlan(fd, d)
		p.fields = append(p.fields, f)
		p.byName[f.name] = f
	}
	p.sorted = slices.Clone(p.fields)
	slices.SortFunc(p.sorted, func(a, b *fieldPlan) int { return cmp.Compare(a.name, b.name) })
	return p
}

func newFieldPlan(fd protoreflect.FieldDescriptor, d Dialect) *fieldPlan {
	f := &fieldPlan{
		descriptor: fd,
		name:       d.fieldName(fd),
		kind:       fd.Kind(),
		isList:     fd.IsList(),
		isMap:      fd.IsMap(),
		required:   fd.Cardinality() == protoreflect.Required,
		dialect:    d,
	}
	f.key = append(AppendString(nil, f.name), ':')
	if f.kind == protoreflect.EnumKind {
		f.enum = newEnumPlan(fd.Enum(), d)
	}
	if f.isMap {
		f.mapKey = newFieldPlan(fd.MapKey(), d)
		f.mapValue = newFieldPlan(fd.MapValue(), d)
	}
	// An explicit default is printed for an unset field, but not for a deprecated one.
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	if fd.HasDefault() && !options.GetDeprecated() {
		f.unset = f.appendScalar(slices.Clone(f.key), fd.Default())
	}
	return f
}

func newEnumPlan(ed protoreflect.EnumDescriptor, d Dialect) *enumPlan {
	values := ed.Values()
	e := &enumPlan{
		text:   make(map[protoreflect.EnumNumber][]byte, values.Len()),
		number: make(map[string]protoreflect.EnumNumber, values.Len()),
	}
	for i := range values.Len() {
		v := values.Get(i)
		name := d.enumName(ed, v)
		e.number[name] = v.Number()
		if _, ok := e.text[v.Number()]; !ok {
			e.text[v.Number()] = AppendString(nil, name)
		}
	}
	return e
}

// message returns the plan of the field's message type.
func (f *fieldPlan) message() *plan {
	if p := f.sub.Load(); p != nil {
		return p
	}
	p := planOf(f.descriptor.Message(), f.dialect)
	f.sub.Store(p)
	return p
}

// has says whether the field exists in the dialect's schema.
func (d Dialect) has(fd protoreflect.FieldDescriptor) bool {
	return d != V1 || fd.FullName() != "mesos.v1.AgentInfo.checkpoint"
}

// fieldName is the key of a field. The v0 schema says slave where mesos.v1, mesos.v1.scheduler and mesos.v1.executor say
// agent; the operator API (mesos.v1.master, mesos.v1.agent) says agent in both. asV1Protobuf replaces every "slave".
func (d Dialect) fieldName(fd protoreflect.FieldDescriptor) string {
	name := string(fd.Name())
	switch d {
	case V0:
		switch fd.ParentFile().Package() {
		case "mesos.v1", "mesos.v1.scheduler", "mesos.v1.executor":
			return strings.ReplaceAll(name, "agent", "slave")
		}
	case AsV1:
		return strings.ReplaceAll(name, "slave", "agent")
	}
	return name
}

// enumName is the text of an enum value. In v0 only the sources and reasons of a task status speak of a slave; the
// capabilities (AGENT_UPDATE, AGENT_DRAINING, ...) came later and say agent everywhere.
func (d Dialect) enumName(ed protoreflect.EnumDescriptor, v protoreflect.EnumValueDescriptor) string {
	name := string(v.Name())
	switch d {
	case V0:
		switch ed.FullName() {
		case "mesos.v1.TaskStatus.Source", "mesos.v1.TaskStatus.Reason":
			return strings.ReplaceAll(name, "AGENT", "SLAVE")
		}
	case AsV1:
		return strings.ReplaceAll(name, "SLAVE", "AGENT")
	}
	return name
}
