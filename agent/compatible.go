package agent

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// compatible says whether an agent that was old may go on as now, by
// --reconfiguration_policy (src/slave/compatibility.cpp), and whether anything changed.
func compatible(policy string, old, now *mesospb.AgentInfo) (changed bool, err error) {
	if equalInfo(old, now) {
		return false, nil
	}
	if policy != "additive" {
		return true, fmt.Errorf("Incompatible agent info detected. \n\n%s\nOld agent info:\n%v\n\n%s\nNew agent info:\n%v\n\n%s",
			ruler, old, ruler, now, ruler)
	}
	return true, additive(old, now)
}

const ruler = "------------------------------------------------------------"

// equalInfo compares what the original's operator== does: order of resources and
// attributes does not count.
func equalInfo(old, now *mesospb.AgentInfo) bool {
	return old.GetHostname() == now.GetHostname() &&
		old.GetPort() == now.GetPort() &&
		proto.Equal(old.GetDomain(), now.GetDomain()) &&
		resources.New(old.GetResources()...).Equal(resources.New(now.GetResources()...)) &&
		containsAttributes(old.GetAttributes(), now.GetAttributes()) &&
		containsAttributes(now.GetAttributes(), old.GetAttributes())
}

func containsAttributes(all, some []*mesospb.Attribute) bool {
	for _, one := range some {
		found := false
		for _, other := range all {
			found = found || proto.Equal(one, other)
		}
		if !found {
			return false
		}
	}
	return true
}

func additive(old, now *mesospb.AgentInfo) error {
	const refused = "Configuration change not permitted under `additive` policy: "
	switch {
	case old.GetHostname() != now.GetHostname():
		return fmt.Errorf(refused+"Hostname changed from %s to %s", old.GetHostname(), now.GetHostname())
	case old.GetPort() != now.GetPort():
		return fmt.Errorf(refused+"Port changed from %d to %d", old.GetPort(), now.GetPort())
	case old.Domain != nil && !proto.Equal(old.Domain, now.Domain):
		return fmt.Errorf(refused+"Domain changed from %v to %v", old.Domain, now.Domain)
	}
	have := resources.New(now.GetResources()...)
	for r := range resources.New(old.GetResources()...).All() {
		match, ok := have.Match(r)
		switch {
		case !ok:
			return fmt.Errorf(refused+"Resource not found: %s", r)
		case r.Type() == mesospb.Value_SCALAR && r.Scalar() > match.Scalar():
			return fmt.Errorf(refused+"Value of scalar resource '%s' decreased from %s to %s", r.Name(), r.Scalar(), match.Scalar())
		case r.Type() == mesospb.Value_RANGES && !match.Ranges().Contains(r.Ranges()):
			return fmt.Errorf(refused+"Previous value of range resource '%s' (%s) not included in current %s", r.Name(), r.Ranges(), match.Ranges())
		case r.Type() == mesospb.Value_SET && !containsAll(match.Set(), r.Set()):
			return fmt.Errorf(refused+"Previous value of set resource '%s' (%v) not included in current %v", r.Name(), r.Set(), match.Set())
		}
	}
	for _, a := range old.GetAttributes() {
		if err := additiveAttribute(a, now.GetAttributes()); err != nil {
			return fmt.Errorf(refused+"%w", err)
		}
	}
	return nil
}

func additiveAttribute(old *mesospb.Attribute, list []*mesospb.Attribute) error {
	for _, now := range list {
		if now.GetName() != old.GetName() {
			continue
		}
		switch {
		case now.GetType() != old.GetType():
			return fmt.Errorf("Type of attribute '%s' changed from %s to %s", old.GetName(), old.GetType(), now.GetType())
		case old.GetType() == mesospb.Value_RANGES:
			if before, after := resources.RangesOf(old.GetRanges()), resources.RangesOf(now.GetRanges()); !after.Contains(before) {
				return fmt.Errorf("Previous value of ranges attribute '%s' (%s) not included in current %s", old.GetName(), before, after)
			}
		case !proto.Equal(old, now):
			return fmt.Errorf("Value of attribute '%s' changed", old.GetName())
		}
		return nil
	}
	return fmt.Errorf("Couldn't find attribute %s", old.GetName())
}

func containsAll(all, some []string) bool {
	have := map[string]bool{}
	for _, s := range all {
		have[s] = true
	}
	for _, s := range some {
		if !have[s] {
			return false
		}
	}
	return true
}
