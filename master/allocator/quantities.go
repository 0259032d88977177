package allocator

import (
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// quantity is an amount of the scalar resources of one name, whatever they are
// reserved to.
type quantity struct {
	name   string
	amount resources.Scalar
}

// quantities are sums that change in place, by name, in the order in which names
// first came. A handful of names makes a list faster than a map.
type quantities []quantity

// scalarsOf adds up the scalars of rs; a shared resource counts once.
func scalarsOf(rs resources.Resources) quantities {
	q := make(quantities, 0, rs.Len())
	for r := range rs.All() {
		if r.Type() == mesospb.Value_SCALAR {
			q.add(r.Name(), r.Scalar())
		}
	}
	return q
}

func (q *quantities) add(name string, amount resources.Scalar) {
	for i := range *q {
		if (*q)[i].name == name {
			(*q)[i].amount = (*q)[i].amount.Plus(amount)
			return
		}
	}
	*q = append(*q, quantity{name, amount})
}

func (q *quantities) plus(o quantities) {
	for _, one := range o {
		q.add(one.name, one.amount)
	}
}

func (q *quantities) minus(o quantities) {
	for _, one := range o {
		q.add(one.name, -one.amount)
	}
}

func (q quantities) get(name string) resources.Scalar {
	for i := range q {
		if q[i].name == name {
			return q[i].amount
		}
	}
	return 0
}

func (q quantities) clone() quantities { return slices.Clone(q) }

// isSpare says whether a resource counts against quotas as it is held: it is a
// scalar that is neither reserved nor revocable.
func isSpare(r resources.Resource) bool {
	return r.Type() == mesospb.Value_SCALAR && r.IsUnreserved() && !r.IsRevocable()
}

// spareOf are the amounts of the spare resources of rs.
func spareOf(rs resources.Resources) resources.Quantities {
	return rs.Filter(isSpare).ScalarQuantities()
}

// amountOf is how much of a name rs has; a ranges resource counts its numbers and a
// set its items.
func amountOf(rs resources.Resources, name string) resources.Scalar {
	var total resources.Scalar
	for r := range rs.All() {
		if r.Name() != name {
			continue
		}
		switch r.Type() {
		case mesospb.Value_SCALAR:
			total = total.Plus(r.Scalar())
		case mesospb.Value_RANGES:
			total = total.Plus(resources.Scalar(min(r.Ranges().Count(), 1<<40)) * 1000)
		case mesospb.Value_SET:
			total = total.Plus(resources.Scalar(len(r.Set())) * 1000)
		}
	}
	return total
}

// meets says whether rs has every amount of a minimum in full.
func meets(rs resources.Resources, minimum resources.Quantities) bool {
	for name, amount := range minimum.All() {
		if amountOf(rs, name) < amount {
			return false
		}
	}
	return true
}
