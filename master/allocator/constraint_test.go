package allocator

import (
	"fmt"
	"testing"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

var defaultLimits = RegexLimits{MaxMemory: 4096, MaxProgram: 100}

func constraints(t testing.TB, json string) *schedulerpb.OfferConstraints {
	t.Helper()
	p := &schedulerpb.OfferConstraints{}
	if err := mesosjson.Unmarshal([]byte(json), p, mesosjson.V1); err != nil {
		t.Fatal(err)
	}
	return p
}

// oneConstraint is a constraint of role r with one condition.
func oneConstraint(selector, predicate string) string {
	return fmt.Sprintf(`{"role_constraints":{"r":{"groups":[{"attribute_constraints":[{"selector":%s,"predicate":%s}]}]}}}`, selector, predicate)
}

// Every selector with every predicate.
func TestConstraintPredicates(t *testing.T) {
	text := func(name, value string) *mesospb.Attribute {
		return &mesospb.Attribute{Name: &name, Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: &value}}
	}
	agents := map[string]AgentOptions{
		"bare": {Hostname: "bare.example"},
		"text": {Hostname: "host1.example", Attributes: []*mesospb.Attribute{text("other", "x"), text("rack", "r1"), text("rack", "second")}},
		"number": {Hostname: "host2.example", Attributes: []*mesospb.Attribute{
			{Name: proto.String("rack"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(1)}},
		}},
		"domain": {Hostname: "host1.example", Domain: &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
			Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: proto.String("r1")},
			Zone:   &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: proto.String("z1")},
		}}},
		"half a domain": {Domain: &mesospb.DomainInfo{}},
	}
	const (
		rack     = `{"attribute_name":"rack"}`
		hostname = `{"pseudoattribute_type":"HOSTNAME"}`
		region   = `{"pseudoattribute_type":"REGION"}`
		zone     = `{"pseudoattribute_type":"ZONE"}`
	)
	for _, c := range []struct {
		selector, predicate string
		offered             []string // the agents, of those above
	}{
		{rack, `{"exists":{}}`, []string{"number", "text"}},
		{rack, `{"not_exists":{}}`, []string{"bare", "domain", "half a domain"}},
		{rack, `{"text_equals":{"value":"r1"}}`, []string{"number", "text"}},
		{rack, `{"text_equals":{"value":"second"}}`, []string{"number"}}, // only the first of a name counts
		{rack, `{"text_not_equals":{"value":"r1"}}`, []string{"bare", "domain", "half a domain", "number"}},
		{rack, `{"text_matches":{"regex":"r[0-9]"}}`, []string{"number", "text"}},
		{rack, `{"text_matches":{"regex":"r"}}`, []string{"number"}}, // the whole text must match
		{rack, `{"text_matches":{"regex":"r|r1"}}`, []string{"number", "text"}},
		{rack, `{"text_not_matches":{"regex":"r[0-9]"}}`, []string{"bare", "domain", "half a domain", "number"}},
		{hostname, `{"exists":{}}`, []string{"bare", "domain", "half a domain", "number", "text"}},
		{hostname, `{"text_equals":{"value":"host1.example"}}`, []string{"domain", "text"}},
		{hostname, `{"text_not_matches":{"regex":"host.*"}}`, []string{"bare", "half a domain"}},
		{region, `{"exists":{}}`, []string{"domain"}},
		{region, `{"not_exists":{}}`, []string{"bare", "half a domain", "number", "text"}},
		{region, `{"text_equals":{"value":"r1"}}`, []string{"domain"}},
		{zone, `{"text_not_equals":{"value":"z1"}}`, []string{"bare", "half a domain", "number", "text"}},
		{zone, `{"text_matches":{"regex":"z."}}`, []string{"domain"}},
	} {
		made, err := NewConstraints(constraints(t, oneConstraint(c.selector, c.predicate)), defaultLimits)
		if err != nil {
			t.Errorf("%s %s: %v", c.selector, c.predicate, err)
			continue
		}
		got := []string{}
		for _, name := range []string{"bare", "domain", "half a domain", "number", "text"} {
			if o := agents[name]; !made.Exclude("r", &o) {
				got = append(got, name)
			}
			if o := agents[name]; made.Exclude("another role", &o) {
				t.Errorf("%s %s: %s is excluded from a role without constraints", c.selector, c.predicate, name)
			}
		}
		if diff := cmp.Diff(c.offered, got); diff != "" {
			t.Errorf("%s %s: (-want +got)\n%s", c.selector, c.predicate, diff)
		}
	}
	var none *Constraints
	if o := agents["bare"]; none.Exclude("r", &o) {
		t.Error("excluded without constraints")
	}
}

// Of the groups one must hold, of a group all conditions.
func TestConstraintGroups(t *testing.T) {
	const condition = `{"selector":{"attribute_name":"%s"},"predicate":{"exists":{}}}`
	has := func(name string) string { return fmt.Sprintf(condition, name) }
	made, err := NewConstraints(constraints(t, fmt.Sprintf(`{"role_constraints":{"r":{"groups":[
		{"attribute_constraints":[%s,%s]},{"attribute_constraints":[%s]}]}}}`, has("a"), has("b"), has("c"))), defaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for names, excluded := range map[string]bool{"": true, "a": true, "b": true, "ab": false, "c": false, "ac": false, "d": true} {
		o := AgentOptions{}
		for _, r := range names {
			o.Attributes = append(o.Attributes, &mesospb.Attribute{Name: proto.String(string(r)), Type: mesospb.Value_TEXT.Enum()})
		}
		if got := made.Exclude("r", &o); got != excluded {
			t.Errorf("an agent with %q: excluded is %v", names, got)
		}
	}
}

func TestConstraintErrors(t *testing.T) {
	exists, rack := `{"exists":{}}`, `{"attribute_name":"rack"}`
	for json, want := range map[string]string{
		`{"role_constraints":{"r":{}}}`:                             "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' for role r",
		`{"role_constraints":{"r":{"groups":[{}]}}}`:                "'OfferConstraints::RoleConstraints::groups' for role rcontains an empty RoleConstraints::Group",
		oneConstraint(`{}`, exists):                                 "A role r has an invalid 'AttributeConstraint': Exactly one of 'AttributeConstraint::Selector::name' or 'AttributeConstraint::Selector::pseudoattribute_type' must be set",
		oneConstraint(`{"pseudoattribute_type":"UNKNOWN"}`, exists): "A role r has an invalid 'AttributeConstraint': Unknown pseudoattribute type",
		oneConstraint(rack, `{}`):                                   "A role r has an invalid 'AttributeConstraint': Unknown predicate type",
		oneConstraint(rack, `{"text_matches":{"regex":"(a"}}`):      "A role r has an invalid 'AttributeConstraint': Failed to construct regex from pattern '(a': missing ): (a",
		oneConstraint(rack, `{"text_not_matches":{"regex":"a**"}}`): "A role r has an invalid 'AttributeConstraint': Failed to construct regex from pattern 'a**': bad repetition operator: **",
	} {
		if _, err := NewConstraints(constraints(t, json), defaultLimits); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", json, err, want)
		}
	}
}

// A framework is not offered what it excludes, and is, as soon as that changes.
func TestConstrainedFramework(t *testing.T) {
	s := begin(t)
	o := multi("r", "q")
	var err error
	if o.Constraints, err = NewConstraints(constraints(t, oneConstraint(`{"pseudoattribute_type":"HOSTNAME"}`, `{"text_equals":{"value":"good"}}`)), defaultLimits); err != nil {
		t.Fatal(err)
	}
	s.join("f", o)
	s.Suppress("f", []string{"q"})
	host := modern
	host.Hostname = "bad"
	s.AddAgent("s1", host, parse("cpus:1;mem:64"), nil)
	host.Hostname = "good"
	s.AddAgent("s2", host, parse("cpus:1;mem:64"), nil)
	s.gives(get("f/r@s2", "cpus:1;mem:64"))
	if diff := cmp.Diff(map[string][]string{"r": {"s1"}, "q": {}}, s.Excluded("f")); diff != "" {
		t.Errorf("excluded (-want +got):\n%s", diff)
	}
	s.Revive("f", []string{"q"}) // that role has no constraints
	s.gives(get("f/q@s1", "cpus:1;mem:64"))
	s.back(get("f/q@s1", "cpus:1;mem:64"))
	s.Suppress("f", []string{"q"})
	s.gives()
	s.UpdateAgent("s1", host, parse("cpus:1;mem:64"))
	s.gives(get("f/r@s1", "cpus:1;mem:64"))
	host.Hostname = "bad"
	s.UpdateAgent("s1", host, parse("cpus:1;mem:64"))
	s.back(get("f/r@s1", "cpus:1;mem:64"))
	s.gives()
	s.UpdateFramework("f", multi("r"))
	s.gives(get("f/r@s1", "cpus:1;mem:64"))
	if got := s.Excluded("nobody"); got != nil {
		t.Errorf("excluded: %v", got)
	}
}

// Whatever comes from outside: no panic, and what is accepted can be asked.
func FuzzConstraints(f *testing.F) {
	for _, pattern := range []string{"a", "(a|b)*c", `\Qab`, "(?i)x", "[^a-z]+", "(", "a{1001}", `\pL`, "^a$", "a{2,5}?"} {
		f.Add(pattern, "abc")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p := &schedulerpb.OfferConstraints{RoleConstraints: map[string]*schedulerpb.OfferConstraints_RoleConstraints{
			"r": {Groups: []*schedulerpb.OfferConstraints_RoleConstraints_Group{{AttributeConstraints: []*schedulerpb.AttributeConstraint{{
				Selector: &schedulerpb.AttributeConstraint_Selector{Selector: &schedulerpb.AttributeConstraint_Selector_PseudoattributeType_{
					PseudoattributeType: schedulerpb.AttributeConstraint_Selector_HOSTNAME,
				}},
				Predicate: &schedulerpb.AttributeConstraint_Predicate{Predicate: &schedulerpb.AttributeConstraint_Predicate_TextMatches_{
					TextMatches: &schedulerpb.AttributeConstraint_Predicate_TextMatches{Regex: &pattern},
				}},
			}}}}},
		}}
		if c, err := NewConstraints(p, defaultLimits); err == nil {
			c.Exclude("r", &AgentOptions{Hostname: text})
		}
	})
}
