package allocator

import (
	"strings"

	"stoa/internal/mesos/resources"
)

// role is a node of the role tree. It exists while a framework is in it, something
// is reserved to it, it has a quota or a weight, or a role below it exists.
type role struct {
	rank
	path   string
	parent *role
	// children are the roles below, and self in the place of the role's own
	// frameworks when it has both (the original's virtual leaf `.`).
	children sorted[*role]
	byName   map[string]*role
	self     *role
	// clients are the frameworks of the role that want offers; members all that
	// are subscribed to it or hold resources of it.
	clients sorted[*member]
	members map[string]*member
	// leaves counts the clients here and below, so that empty branches are skipped.
	leaves int

	quota Quota
	// reserved is what agents have reserved to the role or below it, held or not;
	// spareHeld what is held by the role or below it that is neither reserved nor
	// revocable. Together they are what the role consumes of its quota.
	reserved  resources.Quantities
	spareHeld resources.Quantities
	// deficit is what the role consumes less than it is guaranteed.
	deficit resources.Quantities
	cut     *cut
	eased   bool // is in Allocator.eased
}

// member is a framework in one of its roles.
type member struct {
	rank
	framework  *framework
	role       *role
	subscribed bool
	suppressed bool
	client     bool
	filters    map[*filter]struct{}
	// held is, by agent, what the framework holds in the role.
	held map[string]resources.Resources
	// excluded remembers, by agent, whether the framework's offer constraints
	// exclude it.
	excluded map[*agent]bool
}

func newRole(path, name string, parent *role, weight float64) *role {
	return &role{
		rank:    rank{name: name, weight: weight},
		path:    path,
		parent:  parent,
		byName:  make(map[string]*role),
		members: make(map[string]*member),
	}
}

// roleAt finds or makes the node of a role.
func (a *Allocator) roleAt(path string) *role {
	if r := a.roles[path]; r != nil {
		return r
	}
	node := a.root
	at := ""
	for name := range strings.SplitSeq(path, "/") {
		if node == a.root {
			at = name
		} else {
			at += "/" + name
		}
		child := node.byName[name]
		if child == nil {
			child = newRole(at, name, node, a.weight(at))
			if node != a.root && node.self == nil {
				node.divide()
			}
			node.byName[name] = child
			node.children.insert(child)
			a.roles[at] = child
			a.lots = nil
		}
		node = child
	}
	return node
}

// divide has what the role's own frameworks hold compete with its sub-roles.
func (r *role) divide() {
	r.self = newRole(r.path, ".", r, 1)
	r.self.allocated = r.allocated.clone()
	r.self.allocations = r.allocations
	if len(r.shared) > 0 {
		r.self.shared = make(map[*agent]resources.Resources, len(r.shared))
		for ag, rs := range r.shared {
			r.self.shared[ag] = rs
		}
	}
	r.children.insert(r.self)
}

// release removes the node, and those above it, that nothing needs any more.
func (a *Allocator) release(node *role) {
	for node != a.root && !a.needed(node) {
		parent := node.parent
		delete(parent.byName, node.name)
		delete(a.roles, node.path)
		parent.children.remove(node)
		if parent != a.root && len(parent.byName) == 0 {
			parent.children.remove(parent.self)
			parent.self = nil
		}
		a.lots = nil
		node = parent
	}
}

func (a *Allocator) needed(r *role) bool {
	return len(r.members) > 0 || len(r.byName) > 0 || !r.reserved.Empty() || !r.quota.isDefault() || a.weight(r.path) != 1
}

func (a *Allocator) weight(path string) float64 {
	if w, ok := a.weights[path]; ok {
		return w
	}
	return 1
}

// SetWeight changes the weight of a role: how large a fair share is, compared to those
// of the roles beside it. It says nothing about what is allocated already. A weight
// that is not above 0 is taken as 1.
func (a *Allocator) SetWeight(path string, weight float64) {
	if !(weight > 0) {
		weight = 1
	}
	if weight == 1 {
		delete(a.weights, path)
	} else {
		a.weights[path] = weight
	}
	r := a.roleAt(path)
	r.weight = weight
	r.parent.children.change(r)
	a.lots = nil
	a.release(r)
}

// charge counts a new holding of a member, in its role and in every role above.
func (a *Allocator) charge(m *member, h holding) {
	m.rank.add(h)
	if m.client {
		m.role.clients.change(m)
	}
	if self := m.role.self; self != nil {
		self.rank.add(h)
		m.role.children.change(self)
	}
	for node := m.role; node != a.root; node = node.parent {
		node.rank.add(h)
		node.parent.children.change(node)
		if !h.spare.Empty() {
			node.spareHeld = node.spareHeld.Add(h.spare)
			a.consumptionChanged(node, true)
		}
	}
}

// discharge is the opposite of charge.
func (a *Allocator) discharge(m *member, h holding) {
	m.rank.remove(h)
	if m.client {
		m.role.clients.change(m)
	}
	if self := m.role.self; self != nil {
		self.rank.remove(h)
		m.role.children.change(self)
	}
	for node := m.role; node != a.root; node = node.parent {
		node.rank.remove(h)
		node.parent.children.change(node)
		if !h.spare.Empty() {
			node.spareHeld = node.spareHeld.Subtract(h.spare)
			a.consumptionChanged(node, false)
		}
	}
}

// served counts that a member was given something, which decides between equals.
func (a *Allocator) served(m *member) {
	m.allocations++
	if self := m.role.self; self != nil {
		self.allocations++
	}
	for node := m.role; node != a.root; node = node.parent {
		node.allocations++
	}
}

// reserve counts resources that agents have reserved, by role of reservation.
func (a *Allocator) reserve(rs resources.Resources) {
	a.eachReservation(rs, func(node *role, q resources.Quantities) {
		node.reserved = node.reserved.Add(q)
		a.consumptionChanged(node, true)
	}, func(*role) {})
}

// unreserve is the opposite of reserve.
func (a *Allocator) unreserve(rs resources.Resources) {
	a.eachReservation(rs, func(node *role, q resources.Quantities) {
		node.reserved = node.reserved.Subtract(q)
		a.consumptionChanged(node, false)
	}, a.release)
}

func (a *Allocator) eachReservation(rs resources.Resources, count func(*role, resources.Quantities), after func(*role)) {
	reserved := rs.Reserved()
	if reserved.Empty() {
		return
	}
	for path, part := range reserved.ByReservation() {
		q := part.ScalarQuantities()
		if q.Empty() {
			continue
		}
		r := a.roleAt(path)
		for node := r; node != a.root; node = node.parent {
			count(node, q)
		}
		after(r)
	}
}

// setClient puts a member among those that want offers, or takes it out.
func (a *Allocator) setClient(m *member, client bool) {
	if m.client == client {
		return
	}
	m.client = client
	step := 1
	if client {
		m.role.clients.insert(m)
	} else {
		m.role.clients.remove(m)
		step = -1
	}
	for node := m.role; node != nil; node = node.parent {
		node.leaves += step
	}
}

// eachRole visits the roles with clients, poorest first, until visit returns false.
func (a *Allocator) eachRole(visit func(*role) bool) {
	if a.cfg.RoleSorter == Random {
		a.eachRoleByLot(visit)
	} else {
		a.eachRoleBelow(a.root, visit)
	}
}

func (a *Allocator) eachRoleBelow(node *role, visit func(*role) bool) bool {
	if node.leaves == 0 {
		return true
	}
	for _, e := range node.children.order(&a.pool) {
		switch child := e.item; {
		case node.self == child:
			if len(node.clients.entries) > 0 && !visit(node) {
				return false
			}
		case child.leaves == 0:
		case len(child.byName) > 0:
			if !a.eachRoleBelow(child, visit) {
				return false
			}
		default:
			if !visit(child) {
				return false
			}
		}
	}
	return true
}

// eachClient visits the frameworks of a role that want offers, poorest first, until
// visit returns false.
func (a *Allocator) eachClient(r *role, visit func(*member) bool) {
	list := r.clients.order(&a.pool)
	if a.cfg.FrameworkSorter == Random {
		list = a.shuffled(list)
	}
	for _, e := range list {
		if !visit(e.item) {
			return
		}
	}
}
