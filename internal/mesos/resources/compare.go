package resources

import (
	"slices"

	"stoa/internal/mesos/mesospb"
)

// sameKind says whether two resources differ at most in their amount. How a
// volume is mounted is no difference: that is about its use, not about it.
func sameKind(a, b *mesospb.Resource) bool {
	if a == b {
		return true
	}
	return a.GetName() == b.GetName() &&
		a.GetType() == b.GetType() &&
		sameAllocation(a.AllocationInfo, b.AllocationInfo) &&
		sameReservations(a.Reservations, b.Reservations) &&
		sameDisk(a.Disk, b.Disk) &&
		(a.Revocable != nil) == (b.Revocable != nil) &&
		(a.Shared != nil) == (b.Shared != nil) &&
		sameProvider(a.ProviderId, b.ProviderId)
}

func sameProvider(a, b *mesospb.ResourceProviderID) bool {
	return (a != nil) == (b != nil) && a.GetValue() == b.GetValue()
}

func sameAllocation(a, b *mesospb.Resource_AllocationInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equalText(a.Role, b.Role)
}

func equalText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sameReservations(a, b []*mesospb.Resource_ReservationInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameReservation(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameReservation(a, b *mesospb.Resource_ReservationInfo) bool {
	return a == b ||
		a.GetType() == b.GetType() &&
			a.GetRole() == b.GetRole() &&
			equalText(a.Principal, b.Principal) &&
			sameLabels(a.Labels, b.Labels)
}

// sameLabels compares without regard to order.
func sameLabels(a, b *mesospb.Labels) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equalLabels(a, b)
}

// equalLabels compares without regard to order; no labels and nil are equal.
func equalLabels(a, b *mesospb.Labels) bool {
	if len(a.GetLabels()) != len(b.GetLabels()) {
		return false
	}
	for _, label := range a.GetLabels() {
		found := slices.ContainsFunc(b.GetLabels(), func(other *mesospb.Label) bool {
			return label.GetKey() == other.GetKey() && equalText(label.Value, other.Value)
		})
		if !found {
			return false
		}
	}
	return true
}

func sameDisk(a, b *mesospb.Resource_DiskInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameSource(a.Source, b.Source) &&
		(a.Persistence != nil) == (b.Persistence != nil) &&
		a.GetPersistence().GetId() == b.GetPersistence().GetId()
}

func sameSource(a, b *mesospb.Resource_DiskInfo_Source) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.GetType() == b.GetType() &&
		samePath(a.Path, b.Path) &&
		sameMount(a.Mount, b.Mount) &&
		equalText(a.Vendor, b.Vendor) &&
		equalText(a.Id, b.Id) &&
		sameLabels(a.Metadata, b.Metadata) &&
		equalText(a.Profile, b.Profile)
}

// equalAmount compares the values of two resources of the same kind.
func equalAmount(a, b *Resource) bool {
	switch a.meta.GetType() {
	case mesospb.Value_SCALAR:
		return a.scalar == b.scalar
	case mesospb.Value_RANGES:
		return a.ranges.Equal(b.ranges)
	case mesospb.Value_SET:
		return len(a.set) == len(b.set) && setContains(a.set, b.set)
	}
	return false
}

// equal compares everything except how many holders a shared resource has.
func equal(a, b *Resource) bool {
	return sameKind(a.meta, b.meta) && equalAmount(a, b)
}

// addable says whether two entries make one. Those that stand for one
// indivisible thing (a mount, a block device, a volume, a disk with an identity)
// stay apart, and shared ones only count their holders.
func addable(a, b *Resource) bool {
	if !sameKind(a.meta, b.meta) {
		return false
	}
	if a.meta.Shared != nil {
		return equalAmount(a, b)
	}
	disk := a.meta.Disk
	if disk == nil {
		return true
	}
	if disk.Source != nil {
		switch disk.Source.GetType() {
		case mesospb.Resource_DiskInfo_Source_BLOCK, mesospb.Resource_DiskInfo_Source_MOUNT:
			return false
		case mesospb.Resource_DiskInfo_Source_RAW:
			if disk.Source.Id != nil {
				return false
			}
		}
	}
	return disk.Persistence == nil
}

// subtractable says whether b can be taken from a, leaving one entry: what
// stands for one indivisible thing goes as a whole or not at all.
func subtractable(a, b *Resource) bool {
	if !sameKind(a.meta, b.meta) {
		return false
	}
	if a.meta.Shared != nil {
		return equalAmount(a, b)
	}
	disk := a.meta.Disk
	if disk == nil {
		return true
	}
	whole := disk.Persistence != nil
	if disk.Source != nil {
		switch disk.Source.GetType() {
		case mesospb.Resource_DiskInfo_Source_BLOCK, mesospb.Resource_DiskInfo_Source_MOUNT:
			whole = true
		case mesospb.Resource_DiskInfo_Source_RAW:
			whole = whole || disk.Source.Id != nil
		}
	}
	return !whole || equalAmount(a, b)
}

// contains says whether b is a part of a.
func contains(a, b *Resource) bool {
	if (a.meta.Shared != nil) != (b.meta.Shared != nil) {
		return false
	}
	if a.meta.Shared != nil {
		return a.shares >= b.shares && equal(a, b)
	}
	if !subtractable(a, b) {
		return false
	}
	switch a.meta.GetType() {
	case mesospb.Value_SCALAR:
		return b.scalar <= a.scalar
	case mesospb.Value_RANGES:
		return a.ranges.Contains(b.ranges)
	case mesospb.Value_SET:
		return setContains(a.set, b.set)
	}
	return false
}

// plus adds b, which is addable to a.
func (r Resource) plus(b *Resource) Resource {
	if r.meta.Shared != nil {
		r.shares += b.shares
		return r
	}
	r.changed = true
	switch r.meta.GetType() {
	case mesospb.Value_SCALAR:
		r.scalar = r.scalar.Plus(b.scalar)
	case mesospb.Value_RANGES:
		r.ranges = r.ranges.Plus(b.ranges)
	case mesospb.Value_SET:
		r.set = setPlus(r.set, b.set)
	}
	return r
}

// minus takes away b, which is subtractable from a. The result can be negative.
func (r Resource) minus(b *Resource) Resource {
	if r.meta.Shared != nil {
		r.shares -= b.shares
		return r
	}
	r.changed = true
	switch r.meta.GetType() {
	case mesospb.Value_SCALAR:
		r.scalar = r.scalar.Minus(b.scalar)
	case mesospb.Value_RANGES:
		r.ranges = r.ranges.Minus(b.ranges)
	case mesospb.Value_SET:
		r.set = setMinus(r.set, b.set)
	}
	return r
}

func samePath(a, b *mesospb.Resource_DiskInfo_Source_Path) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equalText(a.Root, b.Root)
}

func sameMount(a, b *mesospb.Resource_DiskInfo_Source_Mount) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equalText(a.Root, b.Root)
}
