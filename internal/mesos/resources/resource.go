package resources

import (
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/roles"
)

// Resource is one entry of Resources: a named amount with what says where it
// comes from and to whom it belongs. It is a value; nothing changes it.
//
// It keeps the message it came from for everything but the amount, and gives
// back that very message until arithmetic changes the amount, so that clients
// see what they or the operator wrote.
type Resource struct {
	meta    *mesospb.Resource
	changed bool // the amount is in the fields below, not in meta
	scalar  Scalar
	ranges  Ranges
	set     []string
	shares  int // how many holders a shared resource has; 0 when not shared
}

// wrap makes an entry of a valid message in post-reservation-refinement format.
func wrap(p *mesospb.Resource) Resource {
	r := Resource{meta: p}
	switch p.GetType() {
	case mesospb.Value_SCALAR:
		r.scalar = ScalarOf(p.GetScalar().GetValue())
	case mesospb.Value_RANGES:
		r.ranges = RangesOf(p.GetRanges())
	case mesospb.Value_SET:
		r.set = p.GetSet().GetItem()
	}
	if p.Shared != nil {
		r.shares = 1
	}
	return r
}

// Proto returns the entry as a message. The message is shared: read it only.
func (r Resource) Proto() *mesospb.Resource {
	if !r.changed {
		return r.meta
	}
	p := copyMeta(r.meta)
	switch r.meta.GetType() {
	case mesospb.Value_SCALAR:
		value := r.scalar.Float()
		p.Scalar = &mesospb.Value_Scalar{Value: &value}
	case mesospb.Value_RANGES:
		p.Ranges = r.ranges.Proto()
	case mesospb.Value_SET:
		p.Set = &mesospb.Value_Set{Item: r.set}
	}
	return p
}

// copyMeta copies one level, without the pre-refinement fields, which no entry
// has; the parts below are shared and never changed.
func copyMeta(m *mesospb.Resource) *mesospb.Resource {
	p := &mesospb.Resource{
		ProviderId:     m.ProviderId,
		Name:           m.Name,
		Type:           m.Type,
		Scalar:         m.Scalar,
		Ranges:         m.Ranges,
		Set:            m.Set,
		AllocationInfo: m.AllocationInfo,
		Reservations:   m.Reservations,
		Disk:           m.Disk,
		Revocable:      m.Revocable,
		Shared:         m.Shared,
	}
	if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		p.ProtoReflect().SetUnknown(unknown)
	}
	return p
}

// withMeta returns the same amount under other metadata.
func (r Resource) withMeta(meta *mesospb.Resource) Resource {
	r.meta = meta
	return r
}

// withScalar returns the entry with another scalar amount.
func (r Resource) withScalar(s Scalar) Resource {
	r.scalar, r.changed = s, true
	return r
}

// Name is the resource's name, such as "cpus".
func (r Resource) Name() string { return r.meta.GetName() }

// Type is SCALAR, RANGES or SET.
func (r Resource) Type() mesospb.Value_Type { return r.meta.GetType() }

// Scalar is the amount of a scalar, and 0 for other types.
func (r Resource) Scalar() Scalar { return r.scalar }

// Ranges are the spans of a ranges resource. Read only.
func (r Resource) Ranges() Ranges { return r.ranges }

// Set holds the items of a set resource. Read only.
func (r Resource) Set() []string { return r.set }

// Shares is how many holders a shared resource has, and 0 when it is not shared.
func (r Resource) Shares() int { return r.shares }

// Disk is the disk information, or nil. Read only.
func (r Resource) Disk() *mesospb.Resource_DiskInfo { return r.meta.GetDisk() }

// ProviderID is the resource provider's id, or nil for the agent's own resources.
func (r Resource) ProviderID() *mesospb.ResourceProviderID { return r.meta.GetProviderId() }

// Reservations is the stack of reservations, outermost role first. Read only.
func (r Resource) Reservations() []*mesospb.Resource_ReservationInfo { return r.meta.GetReservations() }

// IsEmpty says whether nothing is left of it.
func (r Resource) IsEmpty() bool {
	if r.meta.Shared != nil && r.shares == 0 {
		return true
	}
	switch r.meta.GetType() {
	case mesospb.Value_SCALAR:
		return r.scalar == 0
	case mesospb.Value_RANGES:
		return len(r.ranges) == 0
	case mesospb.Value_SET:
		return len(r.set) == 0
	}
	return false
}

// ReservationRole is the role of the innermost reservation, or "*" when there is none.
func (r Resource) ReservationRole() string {
	if n := len(r.meta.Reservations); n > 0 {
		return r.meta.Reservations[n-1].GetRole()
	}
	return roles.Any
}

// AllocationRole is the role it is allocated to, or "" when it is not allocated.
func (r Resource) AllocationRole() string { return r.meta.GetAllocationInfo().GetRole() }

// IsAllocated says whether allocation information is there.
func (r Resource) IsAllocated() bool { return r.meta.AllocationInfo != nil }

// IsUnreserved says whether anyone may be offered it.
func (r Resource) IsUnreserved() bool { return len(r.meta.Reservations) == 0 }

// IsReserved says whether it is reserved to some role.
func (r Resource) IsReserved() bool { return len(r.meta.Reservations) > 0 }

// IsReservedTo says whether its innermost reservation is role's.
func (r Resource) IsReservedTo(role string) bool {
	return r.IsReserved() && r.ReservationRole() == role
}

// IsDynamicallyReserved says whether its innermost reservation is a dynamic one.
func (r Resource) IsDynamicallyReserved() bool {
	n := len(r.meta.Reservations)
	return n > 0 && r.meta.Reservations[n-1].GetType() == mesospb.Resource_ReservationInfo_DYNAMIC
}

// HasRefinedReservations says whether reservations are stacked.
func (r Resource) HasRefinedReservations() bool { return len(r.meta.Reservations) > 1 }

// IsAllocatableTo says whether role may be offered it: it is unreserved, or
// reserved to role or to a role above it.
func (r Resource) IsAllocatableTo(role string) bool {
	if r.IsUnreserved() {
		return true
	}
	reserved := r.ReservationRole()
	return reserved == role || roles.IsStrictSubroleOf(role, reserved)
}

// IsReservedToSubtree says whether it is reserved to role or a role below it.
func (r Resource) IsReservedToSubtree(role string) bool {
	return r.IsReserved() && inSubtree(r.ReservationRole(), role)
}

// IsAllocatedToSubtree says whether it is allocated to role or a role below it.
func (r Resource) IsAllocatedToSubtree(role string) bool {
	return inSubtree(r.AllocationRole(), role)
}

func inSubtree(role, top string) bool { return role == top || roles.IsStrictSubroleOf(role, top) }

// IsRevocable says whether it may be taken back at any time.
func (r Resource) IsRevocable() bool { return r.meta.Revocable != nil }

// IsShared says whether several tasks may hold it at once.
func (r Resource) IsShared() bool { return r.meta.Shared != nil }

// IsPersistentVolume says whether it is a volume that outlives tasks.
func (r Resource) IsPersistentVolume() bool {
	return r.meta.Disk != nil && r.meta.Disk.Persistence != nil
}

// IsDisk says whether it is a disk of the given source type.
func (r Resource) IsDisk(kind mesospb.Resource_DiskInfo_Source_Type) bool {
	return r.meta.Disk != nil && r.meta.Disk.Source != nil && r.meta.Disk.Source.GetType() == kind
}

// NeedsCheckpoint says whether an agent must remember it across restarts: it is
// dynamically reserved or a persistent volume, and not some provider's own.
func (r Resource) NeedsCheckpoint() bool {
	return r.meta.ProviderId == nil && (r.IsDynamicallyReserved() || r.IsPersistentVolume())
}
