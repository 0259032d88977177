package core

import (
	"fmt"
	"strings"

	"stoa/internal/mesos/resources"
)

// quotaNode is a role in the tree of roles with quota. What a role is guaranteed is part
// of what its parent is guaranteed (src/master/quota_handler.cpp, QuotaTree).
type quotaNode struct {
	name       string
	guarantees resources.Quantities
	children   map[string]*quotaNode
}

func newQuotaTree(quotas map[string]Quota) *quotaNode {
	root := &quotaNode{}
	for role, q := range quotas {
		root.set(role, q)
	}
	return root
}

func (n *quotaNode) set(role string, q Quota) {
	for name := range strings.SplitSeq(role, "/") {
		child := n.children[name]
		if child == nil {
			child = &quotaNode{name: name}
			if n.children == nil {
				n.children = make(map[string]*quotaNode)
			}
			n.children[name] = child
		}
		n = child
	}
	n.guarantees = q.Guarantees
}

// total is what the children are guaranteed together.
func (n *quotaNode) total() resources.Quantities {
	var sum resources.Quantities
	for _, child := range n.children {
		sum = sum.Add(child.guarantees)
	}
	return sum
}

// check says which role is guaranteed less than its children. The root is not checked.
func (n *quotaNode) check() error {
	for _, name := range sortedKeys(n.children) {
		child := n.children[name]
		if err := child.check(); err != nil {
			return err
		}
		if below := child.total(); !child.guarantees.Contains(below) {
			return fmt.Errorf("Invalid quota configuration. Parent role '%s' with guarantees (%s) does not contain the sum of its children's guarantees (%s)",
				child.name, child.guarantees, below)
		}
	}
	return nil
}
