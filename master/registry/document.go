package registry

import (
	"context"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/resources"
)

// Document returns everything the store holds as the one message in which the original
// keeps it, for people to look at. Its Master is left to the caller.
func (r *Registry) Document(ctx context.Context) (*internalpb.Registry, error) {
	held, err := r.Load(ctx)
	if err != nil {
		return nil, err
	}
	out := &internalpb.Registry{}
	if len(held.Agents)+len(held.Unreachable)+len(held.Gone) > 0 {
		out.Slaves = &internalpb.Registry_Slaves{Slaves: held.Agents}
	}
	for _, one := range held.Agents {
		// The original keeps resources in the form from before stacked reservations,
		// if that can say it.
		_ = resources.DowngradeAll(one)
	}
	if len(held.Unreachable) > 0 {
		out.Unreachable = &internalpb.Registry_UnreachableSlaves{Slaves: held.Unreachable}
	}
	if len(held.Gone) > 0 {
		out.Gone = &internalpb.Registry_GoneSlaves{Slaves: held.Gone}
	}
	if held.Maintenance != nil {
		out.Machines, out.Schedules = held.Maintenance.GetMachines(), held.Maintenance.GetSchedules()
		if out.Machines == nil {
			out.Machines = &internalpb.Registry_Machines{}
		}
	}
	out.QuotaConfigs = held.Quotas
	for _, w := range held.Weights {
		out.Weights = append(out.Weights, &internalpb.Registry_Weight{Info: w})
	}
	for _, name := range held.Capabilities {
		out.MinimumCapabilities = append(out.MinimumCapabilities, &internalpb.Registry_MinimumCapability{Capability: &name})
	}
	return out, nil
}
