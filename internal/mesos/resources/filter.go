package resources

import (
	"slices"

	"stoa/internal/mesos/mesospb"
)

// Filter keeps the entries that keep approves.
func (rs Resources) Filter(keep func(Resource) bool) Resources {
	n := 0
	for i := range rs.list {
		if keep(rs.list[i]) {
			n++
		}
	}
	switch n {
	case 0:
		return Resources{}
	case len(rs.list):
		return rs
	}
	out := make([]Resource, 0, n)
	for i := range rs.list {
		if keep(rs.list[i]) {
			out = append(out, rs.list[i])
		}
	}
	return Resources{out}
}

// Named keeps the entries of one name.
func (rs Resources) Named(name string) Resources {
	return rs.Filter(func(r Resource) bool { return r.Name() == name })
}

// Scalars keeps the scalar entries.
func (rs Resources) Scalars() Resources {
	return rs.Filter(func(r Resource) bool { return r.Type() == mesospb.Value_SCALAR })
}

// Unreserved keeps what is reserved to nobody.
func (rs Resources) Unreserved() Resources { return rs.Filter(Resource.IsUnreserved) }

// Reserved keeps what is reserved to anybody.
func (rs Resources) Reserved() Resources { return rs.Filter(Resource.IsReserved) }

// ReservedTo keeps what is reserved to exactly role.
func (rs Resources) ReservedTo(role string) Resources {
	return rs.Filter(func(r Resource) bool { return r.IsReservedTo(role) })
}

// AllocatableTo keeps what role may be offered: unreserved, or reserved to role or above.
func (rs Resources) AllocatableTo(role string) Resources {
	return rs.Filter(func(r Resource) bool { return r.IsAllocatableTo(role) })
}

// ReservedToSubtree keeps what is reserved to role or below it.
func (rs Resources) ReservedToSubtree(role string) Resources {
	return rs.Filter(func(r Resource) bool { return r.IsReservedToSubtree(role) })
}

// AllocatedToSubtree keeps what is allocated to role or below it.
func (rs Resources) AllocatedToSubtree(role string) Resources {
	return rs.Filter(func(r Resource) bool { return r.IsAllocatedToSubtree(role) })
}

// PersistentVolumes keeps the volumes.
func (rs Resources) PersistentVolumes() Resources { return rs.Filter(Resource.IsPersistentVolume) }

// Revocable keeps what may be taken back.
func (rs Resources) Revocable() Resources { return rs.Filter(Resource.IsRevocable) }

// NonRevocable drops what may be taken back.
func (rs Resources) NonRevocable() Resources {
	return rs.Filter(func(r Resource) bool { return !r.IsRevocable() })
}

// Shared keeps what several may hold at once.
func (rs Resources) Shared() Resources { return rs.Filter(Resource.IsShared) }

// NonShared drops what several may hold at once.
func (rs Resources) NonShared() Resources {
	return rs.Filter(func(r Resource) bool { return !r.IsShared() })
}

// Scalar is the total of the scalars of one name, and whether there are any.
func (rs Resources) Scalar(name string) (Scalar, bool) {
	var total Scalar
	found := false
	for i := range rs.list {
		if r := &rs.list[i]; r.meta.GetType() == mesospb.Value_SCALAR && r.meta.GetName() == name {
			total, found = total.Plus(r.scalar), true
		}
	}
	return total, found
}

// Cpus is the total of "cpus", 0 when there are none.
func (rs Resources) Cpus() Scalar { return rs.total("cpus") }

// Gpus is the total of "gpus", 0 when there are none.
func (rs Resources) Gpus() Scalar { return rs.total("gpus") }

// Mem is the total of "mem" in megabytes, 0 when there is none.
func (rs Resources) Mem() Scalar { return rs.total("mem") }

// Disk is the total of "disk" in megabytes, 0 when there is none.
func (rs Resources) Disk() Scalar { return rs.total("disk") }

func (rs Resources) total(name string) Scalar {
	total, _ := rs.Scalar(name)
	return total
}

// Ranges is the union of the ranges of one name, coalesced.
func (rs Resources) Ranges(name string) Ranges {
	var total Ranges
	for i := range rs.list {
		if r := &rs.list[i]; r.meta.GetType() == mesospb.Value_RANGES && r.meta.GetName() == name {
			if total == nil {
				total = r.ranges.Coalesced()
			} else {
				total = total.Plus(r.ranges)
			}
		}
	}
	return total
}

// Ports is the union of "ports", coalesced.
func (rs Resources) Ports() Ranges { return rs.Ranges("ports") }

// Set is the union of the sets of one name.
func (rs Resources) Set(name string) []string {
	var total []string
	for i := range rs.list {
		if r := &rs.list[i]; r.meta.GetType() == mesospb.Value_SET && r.meta.GetName() == name {
			total = setPlus(total, r.set)
		}
	}
	return total
}

// Names are the distinct names, sorted.
func (rs Resources) Names() []string {
	names := make([]string, 0, len(rs.list))
	for i := range rs.list {
		names = append(names, rs.list[i].Name())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ByReservation splits what is reserved by the role of the innermost reservation.
func (rs Resources) ByReservation() map[string]Resources {
	return rs.split(Resource.IsReserved, Resource.ReservationRole)
}

// ByAllocation splits what is allocated by the role it is allocated to.
func (rs Resources) ByAllocation() map[string]Resources {
	return rs.split(Resource.IsAllocated, Resource.AllocationRole)
}

func (rs Resources) split(keep func(Resource) bool, key func(Resource) string) map[string]Resources {
	out := make(map[string]Resources)
	for _, r := range rs.list {
		if keep(r) {
			// Entries of one collection never add up, so they need not be added.
			k := key(r)
			out[k] = Resources{append(out[k].list, r)}
		}
	}
	return out
}
