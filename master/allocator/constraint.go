package allocator

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
)

// RegexLimits bound the regular expressions of offer constraints; see
// `--offer_constraints_re2_max_mem` and `--offer_constraints_re2_max_program_size`.
type RegexLimits struct {
	// MaxMemory is in bytes, MaxProgram in instructions, both as RE2 counts them.
	MaxMemory  int64
	MaxProgram int
}

// Constraints are a framework's offer constraints: which agents it is offered in which
// role (src/master/allocator/mesos/offer_constraints_filter.cpp).
type Constraints struct {
	// roles has, by role, the groups of conditions of which an agent must meet all of
	// one group. A role that is not there has no conditions.
	roles map[string][][]condition
}

// condition says whether an agent is as a framework wants it.
type condition func(*AgentOptions) bool

// NewConstraints reads the offer constraints of a call. The error has the original's
// text.
func NewConstraints(p *schedulerpb.OfferConstraints, limits RegexLimits) (*Constraints, error) {
	c := &Constraints{roles: make(map[string][][]condition)}
	for _, role := range slices.Sorted(maps.Keys(p.GetRoleConstraints())) {
		groups := p.RoleConstraints[role].GetGroups()
		if len(groups) == 0 {
			return nil, errors.New("'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role " + role)
		}
		for _, group := range groups {
			if len(group.GetAttributeConstraints()) == 0 {
				return nil, errors.New("'OfferConstraints::RoleConstraints::groups' for role " + role + "contains an empty RoleConstraints::Group")
			}
			var all []condition
			for _, one := range group.GetAttributeConstraints() {
				made, err := newCondition(one, limits)
				if err != nil {
					return nil, fmt.Errorf("A role %s has an invalid 'AttributeConstraint': %w", role, err)
				}
				all = append(all, made)
			}
			c.roles[role] = append(c.roles[role], all)
		}
	}
	return c, nil
}

// Exclude says whether the framework is not to be offered the agent in a role.
func (c *Constraints) Exclude(role string, agent *AgentOptions) bool {
	if c == nil {
		return false
	}
	groups, ok := c.roles[role]
	if !ok {
		return false
	}
	for _, group := range groups {
		if !slices.ContainsFunc(group, func(met condition) bool { return !met(agent) }) {
			return false
		}
	}
	return true
}

// subject is what a predicate is about: nothing, the text of a property of the agent, or
// an attribute.
type subject struct {
	exists bool
	isText bool // it can be compared with a text
	text   string
}

func newCondition(p *schedulerpb.AttributeConstraint, limits RegexLimits) (condition, error) {
	find, err := newSelector(p.GetSelector())
	if err != nil {
		return nil, err
	}
	holds, err := newPredicate(p.GetPredicate(), limits)
	if err != nil {
		return nil, err
	}
	return func(agent *AgentOptions) bool { return holds(find(agent)) }, nil
}

func newSelector(p *schedulerpb.AttributeConstraint_Selector) (func(*AgentOptions) subject, error) {
	switch p := p.GetSelector().(type) {
	case *schedulerpb.AttributeConstraint_Selector_AttributeName:
		return func(agent *AgentOptions) subject { return attribute(agent, p.AttributeName) }, nil
	case *schedulerpb.AttributeConstraint_Selector_PseudoattributeType_:
		switch p.PseudoattributeType {
		case schedulerpb.AttributeConstraint_Selector_HOSTNAME:
			return func(agent *AgentOptions) subject { return subject{true, true, agent.Hostname} }, nil
		case schedulerpb.AttributeConstraint_Selector_REGION:
			return func(agent *AgentOptions) subject {
				fault := agent.Domain.GetFaultDomain()
				return subject{fault != nil, true, fault.GetRegion().GetName()}
			}, nil
		case schedulerpb.AttributeConstraint_Selector_ZONE:
			return func(agent *AgentOptions) subject {
				fault := agent.Domain.GetFaultDomain()
				return subject{fault != nil, true, fault.GetZone().GetName()}
			}, nil
		}
		return nil, errors.New("Unknown pseudoattribute type")
	}
	return nil, errors.New("Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set")
}

// attribute finds the first attribute of a name.
func attribute(agent *AgentOptions, name string) subject {
	for _, one := range agent.Attributes {
		if one.GetName() == name {
			return subject{true, one.GetType() == mesospb.Value_TEXT, one.GetText().GetValue()}
		}
	}
	return subject{}
}

// newPredicate makes what is asked about a subject. Predicates about texts, and their
// opposites, all hold for attributes that are no texts.
func newPredicate(p *schedulerpb.AttributeConstraint_Predicate, limits RegexLimits) (func(subject) bool, error) {
	switch p := p.GetPredicate().(type) {
	case *schedulerpb.AttributeConstraint_Predicate_Exists_:
		return func(s subject) bool { return s.exists }, nil
	case *schedulerpb.AttributeConstraint_Predicate_NotExists_:
		return func(s subject) bool { return !s.exists }, nil
	case *schedulerpb.AttributeConstraint_Predicate_TextEquals_:
		want := p.TextEquals.GetValue()
		return func(s subject) bool { return s.exists && (!s.isText || s.text == want) }, nil
	case *schedulerpb.AttributeConstraint_Predicate_TextNotEquals_:
		want := p.TextNotEquals.GetValue()
		return func(s subject) bool { return !s.exists || !s.isText || s.text != want }, nil
	case *schedulerpb.AttributeConstraint_Predicate_TextMatches_:
		re, err := compile(p.TextMatches.GetRegex(), limits)
		if err != nil {
			return nil, err
		}
		return func(s subject) bool { return s.exists && (!s.isText || re.MatchString(s.text)) }, nil
	case *schedulerpb.AttributeConstraint_Predicate_TextNotMatches_:
		re, err := compile(p.TextNotMatches.GetRegex(), limits)
		if err != nil {
			return nil, err
		}
		return func(s subject) bool { return !s.exists || !s.isText || !re.MatchString(s.text) }, nil
	}
	return nil, errors.New("Unknown predicate type")
}

// excludes says whether the offer constraints of a member exclude an agent.
func (a *Allocator) excludes(m *member, ag *agent) bool {
	c := m.framework.options.Constraints
	if c == nil {
		return false
	}
	verdict, known := m.excluded[ag]
	if !known {
		verdict = c.Exclude(m.role.path, &ag.options)
		if m.excluded == nil {
			m.excluded = make(map[*agent]bool)
		}
		m.excluded[ag] = verdict
	}
	return verdict
}

func (f *framework) forgetVerdict(ag *agent) {
	for _, m := range f.members {
		delete(m.excluded, ag)
	}
}
