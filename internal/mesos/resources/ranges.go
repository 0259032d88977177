package resources

import (
	"cmp"
	"slices"
	"strconv"

	"stoa/internal/mesos/mesospb"
)

// Range is a span of whole numbers, both ends included.
type Range struct {
	Begin, End uint64
}

// Ranges is a set of whole numbers as spans. Spans may come in any order and may
// touch, as clients send them; Coalesced gives the shortest form.
type Ranges []Range

// RangesOf copies a wire value.
func RangesOf(v *mesospb.Value_Ranges) Ranges {
	if len(v.GetRange()) == 0 {
		return nil
	}
	rs := make(Ranges, len(v.GetRange()))
	for i, r := range v.GetRange() {
		rs[i] = Range{r.GetBegin(), r.GetEnd()}
	}
	return rs
}

// Proto returns the wire value, spans in their present order.
func (rs Ranges) Proto() *mesospb.Value_Ranges {
	spans := make([]mesospb.Value_Range, len(rs))
	out := &mesospb.Value_Ranges{Range: make([]*mesospb.Value_Range, len(rs))}
	ends := make([]uint64, 2*len(rs))
	for i, r := range rs {
		begin, end := &ends[2*i], &ends[2*i+1]
		*begin, *end = r.Begin, r.End
		spans[i].Begin, spans[i].End = begin, end
		out.Range[i] = &spans[i]
	}
	return out
}

// Count is how many numbers the spans hold, given that they don't overlap.
func (rs Ranges) Count() uint64 {
	var n uint64
	for _, r := range rs {
		n += r.End - r.Begin + 1
	}
	return n
}

// coalesced says whether the spans are ordered, apart, and right way round.
func (rs Ranges) coalesced() bool {
	for i, r := range rs {
		if r.Begin > r.End {
			return false
		}
		if i > 0 && (r.Begin == 0 || r.Begin-1 <= rs[i-1].End) {
			return false
		}
	}
	return true
}

// Coalesced returns the same numbers as ordered spans that don't touch. It
// returns rs itself when it already has that form.
func (rs Ranges) Coalesced() Ranges {
	if rs.coalesced() {
		return rs
	}
	return coalesce(slices.Clone(rs))
}

// coalesce orders and joins in place.
func coalesce(rs Ranges) Ranges {
	rs = slices.DeleteFunc(rs, func(r Range) bool { return r.Begin > r.End })
	slices.SortFunc(rs, compareBegin)
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && (r.Begin == 0 || r.Begin-1 <= out[n-1].End) {
			out[n-1].End = max(out[n-1].End, r.End)
			continue
		}
		out = append(out, r)
	}
	return out
}

func compareBegin(a, b Range) int {
	if c := cmp.Compare(a.Begin, b.Begin); c != 0 {
		return c
	}
	return cmp.Compare(a.End, b.End)
}

// Plus is the union, coalesced.
func (rs Ranges) Plus(o Ranges) Ranges {
	all := make(Ranges, 0, len(rs)+len(o))
	return coalesce(append(append(all, rs...), o...))
}

// Minus is the difference, in order. Like the original it does not join spans of
// rs that touch.
func (rs Ranges) Minus(o Ranges) Ranges {
	if len(rs) == 0 || len(o) == 0 {
		return rs
	}
	left, right := rs.ordered(), o.ordered()
	out := make(Ranges, 0, len(left)+len(right))
	i, j := 0, 0
	for i < len(left) {
		rest := left[i]
		for ; j < len(right) && right[j].End < rest.Begin; j++ {
		}
		empty := false
		for k := j; k < len(right) && right[k].Begin <= rest.End; k++ {
			if right[k].End < rest.Begin {
				continue
			}
			if right[k].Begin > rest.Begin {
				out = append(out, Range{rest.Begin, right[k].Begin - 1})
			}
			if right[k].End >= rest.End {
				empty = true
				break
			}
			rest.Begin = right[k].End + 1
		}
		if !empty {
			out = append(out, rest)
		}
		i++
	}
	return out
}

// ordered returns the spans by their begin.
func (rs Ranges) ordered() Ranges {
	if slices.IsSortedFunc(rs, compareBegin) {
		return rs
	}
	out := slices.Clone(rs)
	slices.SortFunc(out, compareBegin)
	return out
}

// Contains says whether every number of o is in rs.
func (rs Ranges) Contains(o Ranges) bool {
	left, right := rs.Coalesced(), o.Coalesced()
	i := 0
	for _, r := range right {
		for ; i < len(left) && left[i].End < r.Begin; i++ {
		}
		if i == len(left) || left[i].Begin > r.Begin || left[i].End < r.End {
			return false
		}
	}
	return true
}

// Has says whether n is in rs.
func (rs Ranges) Has(n uint64) bool {
	for _, r := range rs {
		if r.Begin <= n && n <= r.End {
			return true
		}
	}
	return false
}

// Equal says whether both hold the same numbers.
func (rs Ranges) Equal(o Ranges) bool {
	return slices.Equal(rs.Coalesced(), o.Coalesced())
}

// String is the original's text: "[31000-32000, 33000-33000]".
func (rs Ranges) String() string { return string(rs.Append(nil)) }

// Append appends String to dst.
func (rs Ranges) Append(dst []byte) []byte {
	dst = append(dst, '[')
	for i, r := range rs {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = strconv.AppendUint(dst, r.Begin, 10)
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, r.End, 10)
	}
	return append(dst, ']')
}
