package allocator

import (
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// quantity is an amount of the scalar resources of one name, whatever they are
// reserved to.
type quantity struct {
	name   string
	amount resources.Scalar
}

// quantities are the amounts by name, in the order in which names first came. A
// handful of names makes a list faster than a map.
type quantities []quantity

// quantitiesOf adds up the scalars of rs; a shared resource counts once.
func quantitiesOf(rs resources.Resources) quantities {
	var q quantities
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
	for _, one := range q {
		if one.name == name {
			return one.amount
		}
	}
	return 0
}

// covers says whether every amount of o is there.
func (q quantities) covers(o quantities) bool {
	for _, one := range o {
		if q.get(one.name) < one.amount {
			return false
		}
	}
	return true
}
