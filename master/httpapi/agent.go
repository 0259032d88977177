package httpapi

import (
	"maps"
	"slices"
	"time"

	"stoa/internal/auth"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/core"
)

// seconds is a time as the unversioned endpoints show it: unix seconds, to the
// microsecond; 0 for none.
func seconds(t time.Time) float64 { return float64(nanoseconds(t)) / 1e9 }

// nanoseconds is a time as exact as the original's, which takes it from a double with
// seconds; 0 for none.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return int64(float64(t.UnixMicro()) / 1e6 * 1e9)
}

// agentFields writes what all endpoints show of an agent (readonly_handler.cpp,
// SlaveWriter).
func agentFields(o mesosjson.Object, dst *[]byte, a *core.AgentView, w auth.View) {
	agentInfoFields(o, a.Info)
	o.String("pid", a.PID)
	o.Double("registered_time", seconds(a.Registered))
	if !a.Reregistered.IsZero() {
		o.Double("reregistered_time", seconds(a.Reregistered))
	}
	resourcesField(o, dst, "resources", a.Total)
	resourcesField(o, dst, "used_resources", a.Used)
	resourcesField(o, dst, "offered_resources", a.Offered)
	reserved := o.Object("reserved_resources")
	byRole(a.Total, func(role string, rs resources.Resources) {
		if w.Role(role) {
			resourcesField(reserved, dst, role, rs)
		}
	})
	reserved.End()
	resourcesField(o, dst, "unreserved_resources", a.Total.Unreserved())
	o.Bool("active", a.Active)
	o.Bool("deactivated", a.Deactivated)
	o.String("version", a.Version)
	capabilities := o.Array("capabilities")
	for _, one := range a.Capabilities {
		capabilities.String(one.GetType().String())
	}
	capabilities.End()
	if a.Drain != nil {
		o.Message("drain_info", a.Drain, mesosjson.V0)
	}
	if !a.DrainStart.IsZero() {
		o.Double("estimated_drain_start_time_seconds", seconds(a.DrainStart))
	}
}

// byRole visits the reserved resources of each role that has some.
func byRole(rs resources.Resources, visit func(role string, rs resources.Resources)) {
	if rs.Reserved().Empty() {
		return
	}
	reservations := rs.ByReservation()
	for _, role := range slices.Sorted(maps.Keys(reservations)) {
		visit(role, reservations[role])
	}
}

func agentInfoFields(o mesosjson.Object, info *mesospb.AgentInfo) {
	o.String("id", info.GetId().GetValue())
	o.String("hostname", info.GetHostname())
	o.Int("port", int64(info.GetPort()))
	attributes := o.Object("attributes")
	for _, a := range info.GetAttributes() {
		switch a.GetType() {
		case mesospb.Value_SCALAR:
			attributes.Double(a.GetName(), a.GetScalar().GetValue())
		case mesospb.Value_RANGES:
			attributes.String(a.GetName(), resources.RangesOf(a.GetRanges()).String())
		case mesospb.Value_SET:
			attributes.String(a.GetName(), setText(a.GetSet().GetItem()))
		case mesospb.Value_TEXT:
			attributes.String(a.GetName(), a.GetText().GetValue())
		}
	}
	attributes.End()
	if info.Domain != nil {
		domainField(o, info.Domain)
	}
}

func domainField(o mesosjson.Object, d *mesospb.DomainInfo) {
	domain := o.Object("domain")
	if fault := d.GetFaultDomain(); fault != nil {
		f := domain.Object("fault_domain")
		region := f.Object("region")
		region.String("name", fault.GetRegion().GetName())
		region.End()
		zone := f.Object("zone")
		zone.String("name", fault.GetZone().GetName())
		zone.End()
		f.End()
	}
	domain.End()
}

// appendFullAgent writes an agent of /slaves, which adds every single resource.
func appendFullAgent(dst *[]byte, a *core.AgentView, w auth.View) {
	o := mesosjson.BeginObject(dst)
	agentFields(o, dst, a, w)
	reserved := o.Object("reserved_resources_full")
	byRole(a.Total, func(role string, rs resources.Resources) {
		if w.Role(role) {
			fullField(reserved, role, rs, w)
		}
	})
	reserved.End()
	fullField(o, "unreserved_resources_full", a.Total.Unreserved(), w)
	fullField(o, "used_resources_full", a.Used, w)
	fullField(o, "offered_resources_full", a.Offered, w)
	o.End()
}

func recoveredField(o mesosjson.Object, list []*core.RecoveredAgent, wanted func(id string) bool) {
	recovered := o.Array("recovered_slaves")
	for _, r := range list {
		if wanted(r.ID) {
			one := recovered.Object()
			agentInfoFields(one, r.Info)
			one.End()
		}
	}
	recovered.End()
}
