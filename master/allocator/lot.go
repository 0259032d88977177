package allocator

import (
	"cmp"
	"container/heap"
	"slices"
)

// lot is a role's chance in a draw.
type lot struct {
	role   *role
	weight float64
}

// drawn is a lot after the draw; the smallest number comes first.
type drawn struct {
	number float64
	role   *role
}

type draw []drawn

func (d draw) Len() int           { return len(d) }
func (d draw) Less(i, j int) bool { return d[i].number < d[j].number }
func (d draw) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *draw) Push(x any)        { *d = append(*d, x.(drawn)) }
func (d *draw) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// eachRoleByLot visits the roles with clients in the order of a weighted draw without
// putting back (the original's sorter/random). Few of them are visited before an agent
// has nothing left: a heap saves the sorting of the others.
func (a *Allocator) eachRoleByLot(visit func(*role) bool) {
	if a.lots == nil {
		a.lots = []lot{}
		a.collectLots(a.root, 1)
	}
	numbers := make(draw, 0, len(a.lots))
	for _, one := range a.lots {
		if len(one.role.clients.entries) > 0 {
			numbers = append(numbers, drawn{a.random.ExpFloat64() / one.weight, one.role})
		}
	}
	heap.Init(&numbers)
	for len(numbers) > 0 {
		first := numbers[0].role
		numbers[0] = numbers[len(numbers)-1]
		numbers = numbers[:len(numbers)-1]
		if len(numbers) > 0 {
			heap.Fix(&numbers, 0)
		}
		if !visit(first) {
			return
		}
	}
}

// collectLots adds the lots of the roles below a node: each has the part of its
// parent's lot that its weight is of those of all the roles beside it.
func (a *Allocator) collectLots(node *role, weight float64) {
	// A map's order is not a caller's to repeat.
	children := make([]*role, 0, len(node.children.entries))
	var sum float64
	for _, e := range node.children.entries {
		child := e.item
		if node.self == child && len(node.members) > 0 || node.self != child && child.populated() {
			children = append(children, child)
			sum += child.weight
		}
	}
	slices.SortFunc(children, func(x, y *role) int { return cmp.Compare(x.name, y.name) })
	for _, child := range children {
		part := weight * child.weight / sum
		switch {
		case node.self == child:
			a.lots = append(a.lots, lot{node, part})
		case len(child.byName) > 0:
			a.collectLots(child, part)
		default:
			a.lots = append(a.lots, lot{child, part})
		}
	}
}

// populated says whether a framework is in the role or below it.
func (r *role) populated() bool {
	if len(r.members) > 0 {
		return true
	}
	for _, child := range r.byName {
		if child.populated() {
			return true
		}
	}
	return false
}

// shuffled is a copy in random order.
func (a *Allocator) shuffled(list []entry[*member]) []entry[*member] {
	list = slices.Clone(list)
	a.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
