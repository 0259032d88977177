package launch

import (
	"math"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/instance"
)

// maxPatterns bounds the compiled patterns that are kept.
const maxPatterns = 1000

// patterns keeps compiled regular expressions, which every offer is compared with.
type patterns map[string]*regexp.Regexp

// matches says whether the whole value matches, as Java's String.matches does. A
// pattern that cannot be compiled matches nothing.
func (p patterns) matches(pattern, value string) bool {
	re, known := p[pattern]
	if !known {
		if len(p) >= maxPatterns {
			clear(p)
		}
		re, _ = regexp.Compile("^(?:" + pattern + ")$")
		p[pattern] = re
	}
	return re != nil && re.MatchString(value)
}

// location is an offer or a placed instance, as constraints see it.
type location struct {
	host, region, zone string
	attributes         []*mesospb.Attribute
}

func offerLocation(o *mesospb.Offer) location {
	return location{
		host:       o.GetHostname(),
		region:     o.GetDomain().GetFaultDomain().GetRegion().GetName(),
		zone:       o.GetDomain().GetFaultDomain().GetZone().GetName(),
		attributes: o.GetAttributes(),
	}
}

func instanceLocation(i *instance.Instance) location {
	if i.Agent == nil {
		return location{}
	}
	return location{host: i.Agent.Host, region: i.Agent.Region, zone: i.Agent.Zone, attributes: i.Agent.Attributes}
}

// field reads the value that a constraint is about; ok is false where there is none.
func (l location) field(name string) (value string, ok bool) {
	switch name {
	case "hostname", "@hostname":
		return l.host, l.host != ""
	case "@region":
		return l.region, l.region != ""
	case "@zone":
		return l.zone, l.zone != ""
	}
	for _, a := range l.attributes {
		if a.GetName() == name {
			return attributeText(a), true
		}
	}
	return "", false
}

// attributeText writes an attribute the way constraints compare it.
func attributeText(a *mesospb.Attribute) string {
	switch a.GetType() {
	case mesospb.Value_SCALAR:
		return scalarText(a.GetScalar().GetValue())
	case mesospb.Value_RANGES:
		ranges := slices.Clone(a.GetRanges().GetRange())
		sort.SliceStable(ranges, func(i, j int) bool { return ranges[i].GetBegin() < ranges[j].GetBegin() })
		parts := make([]string, len(ranges))
		for i, r := range ranges {
			parts[i] = strconv.FormatUint(r.GetBegin(), 10) + "-" + strconv.FormatUint(r.GetEnd(), 10)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case mesospb.Value_SET:
		items := slices.Clone(a.GetSet().GetItem())
		slices.Sort(items)
		return "{" + strings.Join(items, ",") + "}"
	default:
		return a.GetText().GetValue()
	}
}

// scalarText writes up to three decimals, rounded half to even, without trailing
// zeros and never with an exponent (Java's DecimalFormat "0.###").
func scalarText(v float64) string {
	text := strconv.FormatFloat(v, 'f', 3, 64)
	text = strings.TrimRight(text, "0")
	return strings.TrimSuffix(text, ".")
}

var scalarPattern = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)?$`)

// meets says whether an offer satisfies a constraint, given the instances that are
// placed already. Original: mesosphere/mesos/Constraints.scala as of 1.10, whose
// GROUP_BY also works without a value.
func (p patterns) meets(c app.Constraint, offer location, placed []location) bool {
	value, ok := offer.field(c.Field)
	if !ok {
		return c.Operator == app.Unlike
	}
	switch c.Operator {
	case app.Unique:
		return !slices.ContainsFunc(placed, func(l location) bool {
			v, has := l.field(c.Field)
			return has && v == value
		})
	case app.Cluster:
		if c.Value != "" {
			return value == c.Value
		}
		if len(placed) == 0 {
			return true
		}
		v, has := placed[0].field(c.Field)
		return has && v == value
	case app.Like:
		return c.Value != "" && p.matches(c.Value, value)
	case app.Unlike:
		return c.Value != "" && !p.matches(c.Value, value)
	case app.Is:
		wanted := c.Value
		if scalarPattern.MatchString(wanted) {
			if v, err := strconv.ParseFloat(wanted, 64); err == nil {
				wanted = scalarText(v)
			}
		}
		return value == wanted
	case app.MaxPer:
		limit, err := strconv.Atoi(c.Value)
		if err != nil {
			return false
		}
		counts := groupCounts(c.Field, placed)
		return counts[value] == 0 || counts[value] < limit
	case app.GroupBy:
		minimum := 0
		if c.Value == "inf" {
			minimum = math.MaxInt
		} else if n, err := strconv.Atoi(c.Value); err == nil {
			minimum = max(0, n)
		}
		counts := groupCounts(c.Field, placed)
		mine := counts[value]
		if mine == 0 {
			return true
		}
		smallest := math.MaxInt
		for _, n := range counts {
			smallest = min(smallest, n)
		}
		return len(counts) >= minimum && mine == smallest
	default:
		return false
	}
}

// groupCounts counts placed instances by value; those without one form a group of
// their own, under a key that no value has.
func groupCounts(field string, placed []location) map[string]int {
	counts := map[string]int{}
	for _, l := range placed {
		v, ok := l.field(field)
		if !ok {
			v = "\x00"
		}
		counts[v]++
	}
	return counts
}

// SelectToKill picks up to n of the candidates whose end makes the distribution of an
// app with GROUP_BY constraints more even, or keeps it even. It may pick fewer; without
// such constraints it picks none. Original: Constraints.selectInstancesToKill.
func SelectToKill(a *app.App, candidates []*instance.Instance, n int) []*instance.Instance {
	if n >= len(candidates) {
		return slices.Clone(candidates)
	}
	var spreads []spread
	for _, c := range a.Constraints {
		if c.Operator == app.GroupBy {
			spreads = append(spreads, newSpread(c.Field, candidates))
		}
	}
	if len(spreads) == 0 {
		return nil
	}
	var chosen []*instance.Instance
	gone := map[string]bool{}
	for len(chosen) < n {
		slices.SortStableFunc(spreads, func(x, y spread) int { return y.difference(gone) - x.difference(gone) })
		var order []*instance.Instance
		for _, s := range spreads {
			order = append(order, s.largest(gone)...)
		}
		order = append(order, candidates...)
		next := slices.IndexFunc(order, func(i *instance.Instance) bool {
			if gone[i.ID] {
				return false
			}
			gone[i.ID] = true
			defer delete(gone, i.ID)
			for _, s := range spreads {
				if !s.moreEvenWithout(gone) {
					return false
				}
			}
			return true
		})
		if next < 0 {
			break
		}
		chosen = append(chosen, order[next])
		gone[order[next].ID] = true
	}
	return chosen
}

// spread is how candidates are distributed over the values of a field.
type spread struct {
	groups  [][]*instance.Instance
	initial int
}

func newSpread(field string, candidates []*instance.Instance) spread {
	byValue := map[string]int{}
	var s spread
	for _, i := range candidates {
		v, ok := instanceLocation(i).field(field)
		if !ok {
			v = "\x00"
		}
		at, known := byValue[v]
		if !known {
			at = len(s.groups)
			byValue[v] = at
			s.groups = append(s.groups, nil)
		}
		s.groups[at] = append(s.groups[at], i)
	}
	s.initial = s.difference(nil)
	return s
}

func (s spread) size(group []*instance.Instance, gone map[string]bool) int {
	n := 0
	for _, i := range group {
		if !gone[i.ID] {
			n++
		}
	}
	return n
}

func (s spread) difference(gone map[string]bool) int {
	low, high := math.MaxInt, 0
	for _, g := range s.groups {
		n := s.size(g, gone)
		low, high = min(low, n), max(high, n)
	}
	return high - min(low, high)
}

func (s spread) moreEvenWithout(gone map[string]bool) bool {
	d := s.difference(gone)
	return d <= 1 || s.initial > d
}

// largest gives the instances of the biggest groups; none when all are equal.
func (s spread) largest(gone map[string]bool) []*instance.Instance {
	if s.difference(gone) == 0 {
		return nil
	}
	high := 0
	for _, g := range s.groups {
		high = max(high, s.size(g, gone))
	}
	var out []*instance.Instance
	for _, g := range s.groups {
		if s.size(g, gone) != high {
			continue
		}
		for _, i := range g {
			if !gone[i.ID] {
				out = append(out, i)
			}
		}
	}
	return out
}
