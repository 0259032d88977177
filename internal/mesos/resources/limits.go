package resources

import (
	"errors"
	"iter"
	"slices"
)

// Limits are upper bounds by name. A name that is not there has no bound, and a
// bound can be 0. Limits are ordered by name. The zero value limits nothing;
// methods return new values (src/common/resource_quantities.cpp).
type Limits struct {
	list []quantity
}

// ParseLimits reads "cpus:1;mem:512"; a name may occur once.
func ParseLimits(text string) (Limits, error) {
	var l Limits
	err := parseAmounts(text, "limit", func(name string, amount Scalar, text string) error {
		if _, ok := l.Get(name); ok {
			return errors.New("Failed to parse '" + text + "' to limit: duplicate names are not allowed")
		}
		l.set(name, amount)
		return nil
	})
	return l, err
}

// LimitsOf makes limits of named bounds; a bound below 0 is 0.
func LimitsOf(bounds map[string]Scalar) Limits {
	var l Limits
	for name, bound := range bounds {
		l.set(name, max(bound, 0))
	}
	return l
}

func (l *Limits) set(name string, bound Scalar) {
	i := 0
	for ; i < len(l.list) && l.list[i].name < name; i++ {
	}
	if i < len(l.list) && l.list[i].name == name {
		l.list[i].amount = bound
		return
	}
	l.list = slices.Insert(l.list, i, quantity{name, bound})
}

// Get is the bound of a name, and whether it has one.
func (l Limits) Get(name string) (Scalar, bool) {
	for i := range l.list {
		if l.list[i].name == name {
			return l.list[i].amount, true
		}
	}
	return 0, false
}

// All visits the bounds by name.
func (l Limits) All() iter.Seq2[string, Scalar] { return Quantities(l).All() }

// Empty says whether nothing is limited.
func (l Limits) Empty() bool { return len(l.list) == 0 }

// Equal says whether both limit the same.
func (l Limits) Equal(o Limits) bool { return slices.Equal(l.list, o.list) }

// Contains says whether everything o allows, l allows too.
func (l Limits) Contains(o Limits) bool {
	for _, bound := range l.list {
		if other, ok := o.Get(bound.name); !ok || bound.amount < other {
			return false
		}
	}
	return true
}

// Allows says whether no amount of q is over its bound.
func (l Limits) Allows(q Quantities) bool {
	for _, entry := range q.list {
		if bound, ok := l.Get(entry.name); ok && bound < entry.amount {
			return false
		}
	}
	return true
}

// Subtract is how much the limits leave after q: bounds shrink, down to 0.
func (l Limits) Subtract(q Quantities) Limits {
	if len(l.list) == 0 || len(q.list) == 0 {
		return l
	}
	out := slices.Clone(l.list)
	for i := range out {
		out[i].amount = max(out[i].amount.Minus(q.Get(out[i].name)), 0)
	}
	return Limits{out}
}

// String is the original's text: "cpus:1; mem:2", "{}" when empty.
func (l Limits) String() string { return amountsText(l.list) }
