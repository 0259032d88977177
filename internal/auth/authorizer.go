package auth

import (
	"strings"

	"stoa/internal/mesos/aclspb"
)

// Authorizer decides by access control lists. A nil one allows everything: it stands
// for a daemon without --acls.
type Authorizer struct {
	permissive bool
	entries    [lastAction + 1][]entry
	parents    map[Action][]entry
}

// New makes an authorizer. The error has the original's text.
func New(acls *aclspb.ACLs) (*Authorizer, error) {
	if err := validate(acls); err != nil {
		return nil, err
	}
	a := &Authorizer{permissive: acls.GetPermissive(), parents: make(map[Action][]entry)}
	m := acls.ProtoReflect()
	for action := Action(1); action <= lastAction; action++ {
		list := entriesOf(m, rules[action].field)
		if rules[action].kind == byRole {
			list = byHierarchy(list)
		}
		a.entries[action] = list
	}
	for action, field := range parentFields {
		a.parents[action] = entriesOf(m, field)
	}
	return a, nil
}

// Approver answers for one subject and one action. A nil one approves everything.
type Approver struct {
	authorizer *Authorizer
	action     Action
	subject    *aclspb.ACL_Entity
	// container is the root container of a subject with claims only; denied says
	// that such a subject may do nothing of the kind.
	container, prefix string
	denied            bool
}

// Approver makes the approver of a subject for an action.
func (a *Authorizer) Approver(s Subject, action Action) *Approver {
	if a == nil {
		return nil
	}
	p := &Approver{authorizer: a, action: action, subject: anyEntity}
	switch {
	case action < 1 || action > lastAction:
		p.denied = true
	case s.Principal != "":
		p.subject = some(s.Principal)
	case s.Claims != nil:
		p.claims(s.Claims)
	}
	return p
}

// claims restricts a bearer of claims to its own container: executors to theirs and
// those below it, resource providers to those with their prefix.
func (p *Approver) claims(claims map[string]string) {
	switch p.action {
	case LaunchNestedContainer, WaitNestedContainer, KillNestedContainer, LaunchNestedContainerSession,
		RemoveNestedContainer, AttachContainerOutput:
		p.container = claims["cid"]
	case LaunchStandaloneContainer, WaitStandaloneContainer, KillStandaloneContainer, RemoveStandaloneContainer,
		ViewStandaloneContainer:
		p.prefix = claims["cid_prefix"]
	}
	p.denied = p.container == "" && p.prefix == ""
}

// Approve says whether the action may be done to an object; nil is any object.
func (p *Approver) Approve(o *Object) bool {
	switch {
	case p == nil:
		return true
	case p.denied:
		return false
	case p.container != "":
		root := o.container()
		for root.GetParent() != nil {
			root = root.GetParent()
		}
		return root != nil && root.GetValue() == p.container
	case p.prefix != "":
		return o.container() != nil && strings.HasPrefix(o.container().GetValue(), p.prefix)
	}
	a := p.authorizer
	entries := a.entries[p.action]
	switch p.action {
	case RegisterFramework:
		for _, role := range o.roles() {
			if !a.decide(entries, p.subject, role, true) {
				return false
			}
		}
		return len(o.roles()) > 0 || a.permissive
	case LaunchNestedContainer, LaunchNestedContainerSession:
		if !a.decide(a.parents[p.action], p.subject, o.parentUser(), false) {
			return false
		}
		return o == nil || o.Command == nil || a.decide(entries, p.subject, o.commandUser(), false)
	}
	return a.decide(entries, p.subject, o.entity(p.action), rules[p.action].kind == byRole)
}

// Allowed asks about one object.
func (a *Authorizer) Allowed(s Subject, action Action, o *Object) bool {
	return a.Approver(s, action).Approve(o)
}

// decide follows the first rule that matches.
func (a *Authorizer) decide(entries []entry, subject, object *aclspb.ACL_Entity, hierarchical bool) bool {
	for _, e := range entries {
		objects := e.objects
		if parent, ok := subtree(e); hierarchical && ok {
			if object.GetType() != aclspb.ACL_Entity_SOME || !strings.HasPrefix(object.GetValues()[0], parent) {
				continue
			}
			objects = anyEntity
		}
		if matches(subject, e.subjects) && matches(object, objects) {
			return allows(subject, e.subjects) && allows(object, objects)
		}
	}
	return a.permissive
}

// subtree is what roles below "x/%" begin with: "x/".
func subtree(e entry) (string, bool) {
	if len(e.objects.GetValues()) != 1 {
		return "", false
	}
	role, ok := strings.CutSuffix(e.objects.GetValues()[0], "%")
	return role, ok && strings.HasSuffix(role, "/")
}

var anyEntity = &aclspb.ACL_Entity{Type: aclspb.ACL_Entity_ANY.Enum()}

func some(value string) *aclspb.ACL_Entity { return &aclspb.ACL_Entity{Values: []string{value}} }

// matches says whether a rule is about what is asked; allows whether it says yes to it.
//
//	asked \ rule   SOME     NONE      ANY
//	SOME           subset   matches   both
//	ANY            -        matches   both
func matches(asked, rule *aclspb.ACL_Entity) bool {
	if rule.GetType() != aclspb.ACL_Entity_SOME {
		return true
	}
	return subset(asked, rule)
}

func allows(asked, rule *aclspb.ACL_Entity) bool {
	switch rule.GetType() {
	case aclspb.ACL_Entity_ANY:
		return true
	case aclspb.ACL_Entity_NONE:
		return false
	}
	return subset(asked, rule)
}

func subset(asked, rule *aclspb.ACL_Entity) bool {
	if asked.GetType() != aclspb.ACL_Entity_SOME {
		return false
	}
	for _, value := range asked.GetValues() {
		found := false
		for _, other := range rule.GetValues() {
			found = found || value == other
		}
		if !found {
			return false
		}
	}
	return true
}
