package httpapi

import (
	"slices"
	"strings"

	"stoa/internal/auth"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// summary adds up resources for the objects that /state and its relatives show in place
// of resource lists: name to amount. Scalars are added as plain doubles, as the original does
// (src/common/http.cpp, json of a range of Resource).
type summary struct {
	cpus, gpus, mem, disk float64
	scalars               []namedScalar // all other names
	ranges                []namedRanges
	sets                  []namedSet
}

type namedScalar struct {
	name  string
	value float64
}

type namedRanges struct {
	name   string
	ranges resources.Ranges // not merged yet
}

type namedSet struct {
	name  string
	items []string
}

func (s *summary) addResources(rs resources.Resources) {
	for r := range rs.All() {
		switch r.Type() {
		case mesospb.Value_SCALAR:
			s.addScalar(r.Name(), r.IsRevocable(), r.Scalar().Float())
		case mesospb.Value_RANGES:
			s.addRanges(r.Name(), r.IsRevocable(), r.Ranges())
		case mesospb.Value_SET:
			s.addSet(r.Name(), r.IsRevocable(), r.Set())
		}
	}
}

func (s *summary) addProtos(list []*mesospb.Resource) {
	for _, r := range list {
		revocable := r.GetRevocable() != nil
		switch r.GetType() {
		case mesospb.Value_SCALAR:
			s.addScalar(r.GetName(), revocable, r.GetScalar().GetValue())
		case mesospb.Value_RANGES:
			s.addRanges(r.GetName(), revocable, resources.RangesOf(r.GetRanges()))
		case mesospb.Value_SET:
			s.addSet(r.GetName(), revocable, r.GetSet().GetItem())
		}
	}
}

func shown(name string, revocable bool) string {
	if revocable {
		return name + "_revocable"
	}
	return name
}

func (s *summary) addScalar(name string, revocable bool, value float64) {
	if !revocable {
		switch name {
		case "cpus":
			s.cpus += value
			return
		case "gpus":
			s.gpus += value
			return
		case "mem":
			s.mem += value
			return
		case "disk":
			s.disk += value
			return
		}
	}
	name = shown(name, revocable)
	for i := range s.scalars {
		if s.scalars[i].name == name {
			s.scalars[i].value += value
			return
		}
	}
	s.scalars = append(s.scalars, namedScalar{name, value})
}

func (s *summary) addRanges(name string, revocable bool, ranges resources.Ranges) {
	name = shown(name, revocable)
	for i := range s.ranges {
		if s.ranges[i].name == name {
			s.ranges[i].ranges = append(s.ranges[i].ranges, ranges...)
			return
		}
	}
	s.ranges = append(s.ranges, namedRanges{name, slices.Clone(ranges)})
}

func (s *summary) addSet(name string, revocable bool, items []string) {
	name = shown(name, revocable)
	for i := range s.sets {
		if s.sets[i].name == name {
			for _, item := range items {
				if !slices.Contains(s.sets[i].items, item) {
					s.sets[i].items = append(s.sets[i].items, item)
				}
			}
			return
		}
	}
	s.sets = append(s.sets, namedSet{name, slices.Clone(items)})
}

// append writes the object. The order of the keys is that of the original's hash table:
// a further name comes before the four that are always there.
func (s *summary) append(dst *[]byte) {
	o := mesosjson.BeginObject(dst)
	if len(s.scalars) == 2 && s.scalar("cpus_revocable") >= 0 && s.scalar("mem_revocable") >= 0 {
		// The table has grown by then, and its order changed.
		o.Double("mem_revocable", s.scalars[s.scalar("mem_revocable")].value)
		o.Double("cpus", s.cpus)
		o.Double("disk", s.disk)
		o.Double("gpus", s.gpus)
		o.Double("mem", s.mem)
		o.Double("cpus_revocable", s.scalars[s.scalar("cpus_revocable")].value)
	} else {
		for i := len(s.scalars) - 1; i >= 0; i-- {
			o.Double(s.scalars[i].name, s.scalars[i].value)
		}
		o.Double("disk", s.disk)
		o.Double("mem", s.mem)
		o.Double("gpus", s.gpus)
		o.Double("cpus", s.cpus)
	}
	slices.SortFunc(s.ranges, func(a, b namedRanges) int { return strings.Compare(a.name, b.name) })
	for _, r := range s.ranges {
		o.Key(r.name)
		*dst = append(*dst, '"')
		*dst = r.ranges.Coalesced().Append(*dst)
		*dst = append(*dst, '"')
	}
	for _, set := range s.sets {
		o.String(set.name, setText(set.items))
	}
	o.End()
}

func (s *summary) scalar(name string) int {
	return slices.IndexFunc(s.scalars, func(n namedScalar) bool { return n.name == name })
}

func setText(items []string) string { return "{" + strings.Join(items, ", ") + "}" }

// resourcesField writes a summary of resources as a field.
func resourcesField(o mesosjson.Object, dst *[]byte, key string, rs resources.Resources) {
	var s summary
	s.addResources(rs)
	o.Key(key)
	s.append(dst)
}

// protosField writes a summary of resource messages as a field.
func protosField(o mesosjson.Object, dst *[]byte, key string, list []*mesospb.Resource) {
	var s summary
	s.addProtos(list)
	o.Key(key)
	s.append(dst)
}

// fullField writes resources as an array of messages in the form of endpoints.
func fullField(o mesosjson.Object, key string, rs resources.Resources, w auth.View) {
	list := o.Array(key)
	for r := range rs.All() {
		if r := r.Proto(); w.Resource(r) {
			list.Message(resources.ForEndpoint(r), mesosjson.V0)
		}
	}
	list.End()
}
