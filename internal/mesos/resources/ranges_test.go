package resources_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stoa/internal/mesos/resources"
)

// numbers is the plain set a Ranges stands for.
func numbers(rs resources.Ranges) map[uint64]bool {
	set := make(map[uint64]bool)
	for _, r := range rs {
		for n := r.Begin; n <= r.End; n++ {
			set[n] = true
		}
	}
	return set
}

var someRanges = rapid.Custom(func(t *rapid.T) resources.Ranges {
	var rs resources.Ranges
	for range rapid.IntRange(0, 6).Draw(t, "spans") {
		begin := rapid.Uint64Range(0, 40).Draw(t, "begin")
		rs = append(rs, resources.Range{Begin: begin, End: begin + rapid.Uint64Range(0, 8).Draw(t, "length")})
	}
	return rs
})

func TestRangesAreASetOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someRanges.Draw(t, "a"), someRanges.Draw(t, "b")
		inA, inB := numbers(a), numbers(b)
		union, difference := numbers(a.Plus(b)), numbers(a.Minus(b))
		subset := true
		for n := uint64(0); n < 60; n++ {
			if union[n] != (inA[n] || inB[n]) {
				t.Fatalf("%v + %v = %v is wrong about %d", a, b, a.Plus(b), n)
			}
			if difference[n] != (inA[n] && !inB[n]) {
				t.Fatalf("%v - %v = %v is wrong about %d", a, b, a.Minus(b), n)
			}
			if a.Has(n) != inA[n] {
				t.Fatalf("%v.Has(%d) is wrong", a, n)
			}
			subset = subset && (!inB[n] || inA[n])
		}
		if a.Contains(b) != subset {
			t.Fatalf("%v contains %v = %v", a, b, a.Contains(b))
		}
		if a.Equal(b) != cmp.Equal(inA, inB) {
			t.Fatalf("%v equals %v = %v", a, b, a.Equal(b))
		}
		shortest := a.Coalesced()
		if got := shortest.Count(); got != uint64(len(inA)) {
			t.Fatalf("%v holds %d numbers, not %d", shortest, len(inA), got)
		}
		for i := 1; i < len(shortest); i++ {
			if shortest[i].Begin <= shortest[i-1].End+1 {
				t.Fatalf("%v is not the shortest form of %v", shortest, a)
			}
		}
	})
}

func TestRangesOperationsLeaveTheirOperandsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someRanges.Draw(t, "a"), someRanges.Draw(t, "b")
		wasA, wasB := slices.Clone(a), slices.Clone(b)
		_, _, _, _ = a.Plus(b), a.Minus(b), a.Contains(b), a.Coalesced()
		if !slices.Equal(a, wasA) || !slices.Equal(b, wasB) {
			t.Fatalf("%v, %v became %v, %v", wasA, wasB, a, b)
		}
	})
}

func TestRangesAtTheEndOfTheNumbers(t *testing.T) {
	const last = ^uint64(0)
	all := resources.Ranges{{Begin: 0, End: last}}
	if got := all.Minus(resources.Ranges{{Begin: 5, End: last}}); !slices.Equal(got, resources.Ranges{{Begin: 0, End: 4}}) {
		t.Error(got)
	}
	if got := all.Plus(resources.Ranges{{Begin: last, End: last}}); !slices.Equal(got, all) {
		t.Error(got)
	}
}

func TestRangesText(t *testing.T) {
	rs := resources.Ranges{{Begin: 31000, End: 32000}, {Begin: 33000, End: 33000}}
	if got := rs.String(); got != "[31000-32000, 33000-33000]" {
		t.Error(got)
	}
	if got := (resources.Ranges{}).String(); got != "[]" {
		t.Error(got)
	}
	if got := resources.RangesOf(rs.Proto()); !slices.Equal(got, rs) {
		t.Error(got)
	}
}
