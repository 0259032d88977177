package allocator

import (
	"strings"

	"stoa/internal/mesos/resources"
)

// role is a node of the role tree. It exists while a framework is in it, or in a
// role below it.
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
	// held counts, by agent, the allocations that keep the member in the role.
	held map[string]resources.Resources
}

func newRole(path, name string, parent *role, weight float64) *role {
	r := &role{
		rank:    rank{name: name, weight: weight},
		path:    path,
		parent:  parent,
		byName:  make(map[string]*role),
		members: make(map[string]*member),
	}
	r.children.rank = func(r *role) *rank { return &r.rank }
	r.clients.rank = func(m *member) *rank { return &m.rank }
	return r
}

// roleAt finds or makes the node of a role.
func (a *Allocator) roleAt(path string) *role {
	node := a.root
	at := ""
	for name := range strings.SplitSeq(path, "/") {
		if at == "" {
			at = name
		} else {
			at += "/" + name
		}
		child := node.byName[name]
		if child == nil {
			child = newRole(at, name, node, a.weight(at))
			if node != a.root && node.self == nil {
				// What the role holds itself now competes with its sub-roles.
				node.self = newRole(node.path, ".", node, a.weight(node.path))
				node.self.allocated = append(quantities(nil), node.allocated...)
				node.self.allocations = node.allocations
				node.children.insert(node.self)
			}
			node.byName[name] = child
			node.children.insert(child)
		}
		node = child
	}
	return node
}

// release removes the node, and those above it, that nothing needs any more.
func (a *Allocator) release(node *role) {
	for node != a.root && len(node.members) == 0 && len(node.byName) == 0 {
		parent := node.parent
		delete(parent.byName, node.name)
		parent.children.remove(func(r *role) bool { return r == node })
		if parent != a.root && len(parent.byName) == 0 {
			parent.self = nil
			parent.children.members = nil
		}
		node = parent
	}
}

func (a *Allocator) weight(path string) float64 {
	if w, ok := a.cfg.Weights[path]; ok && w > 0 {
		return w
	}
	return 1
}

// charge changes what a member holds, and with it the rank of its role and of
// every role above. taken says that this is a new allocation.
func (a *Allocator) charge(m *member, plus, minus quantities, taken bool) {
	change := func(r *rank) {
		r.allocated.plus(plus)
		r.allocated.minus(minus)
		if taken {
			r.allocations++
		}
	}
	change(&m.rank)
	m.role.clients.changed(&m.rank, &a.pool)
	if self := m.role.self; self != nil {
		change(&self.rank)
		m.role.children.changed(&self.rank, &a.pool)
	}
	for node := m.role; node != a.root; node = node.parent {
		change(&node.rank)
		node.parent.children.changed(&node.rank, &a.pool)
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
		m.share = a.pool.share(&m.rank)
		m.role.clients.insert(m)
	} else {
		m.role.clients.remove(func(o *member) bool { return o == m })
		step = -1
	}
	for node := m.role; node != nil; node = node.parent {
		node.leaves += step
	}
}

// eachRole visits the roles with clients in the order of their shares until visit
// returns false.
func (a *Allocator) eachRole(node *role, visit func(*role) bool) bool {
	for _, child := range node.children.order(&a.pool) {
		switch {
		case node.self == child:
			if len(node.clients.members) > 0 && !visit(node) {
				return false
			}
		case child.leaves == 0:
		case len(child.byName) > 0:
			if !a.eachRole(child, visit) {
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
