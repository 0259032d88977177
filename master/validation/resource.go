package validation

import (
	"errors"
	"fmt"
	"strings"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Resources checks the resources of a task, executor or operation by themselves.
func Resources(list []*mesospb.Resource) error {
	if err := resources.ValidateAll(list); err != nil {
		return wrap("Invalid resources: ", err)
	}
	var gpus resources.Scalar
	for _, r := range list {
		if r.GetName() == "gpus" && r.GetType() == mesospb.Value_SCALAR {
			gpus = gpus.Plus(resources.ScalarOf(r.GetScalar().GetValue()))
		}
	}
	if gpus%1000 != 0 {
		return errors.New("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer")
	}
	for _, r := range list {
		if err := diskInfo(r); err != nil {
			return wrap("Invalid DiskInfo: ", err)
		}
	}
	for _, r := range list {
		if r.Revocable == nil {
			continue
		}
		for one := range resources.New(r).All() {
			if one.IsDynamicallyReserved() {
				return fmt.Errorf("Invalid ReservationInfo: Dynamically reserved resource %s cannot be created from revocable resources", one)
			}
		}
	}
	return nil
}

func diskInfo(r *mesospb.Resource) error {
	d := r.GetDisk()
	switch {
	case d == nil:
		return nil
	case d.Persistence != nil:
		if r.Revocable != nil {
			return errors.New("Persistent volumes cannot be created from revocable resources")
		}
		if len(r.GetReservations()) == 0 {
			return errors.New("Persistent volumes cannot be created from unreserved resources")
		}
		if d.Volume == nil {
			return errors.New("Expecting 'volume' to be set for persistent volume")
		}
		if d.Volume.HostPath != nil {
			return errors.New("Expecting 'host_path' to be unset for persistent volume")
		}
		return wrap("Invalid persistence ID for persistent volume: ", ids.Validate(d.Persistence.GetId()))
	case d.Volume != nil:
		return errors.New("Non-persistent volume not supported")
	case d.Source == nil:
		return errors.New("DiskInfo is set but empty")
	}
	return nil
}

func uniquePersistence(rs resources.Resources) error {
	type key struct{ role, id string }
	seen := make(map[key]bool)
	for r := range rs.All() {
		if !r.IsPersistentVolume() {
			continue
		}
		k := key{r.ReservationRole(), r.Disk().GetPersistence().GetId()}
		if seen[k] {
			return fmt.Errorf("Persistence ID '%s' is not unique", k.id)
		}
		seen[k] = true
	}
	return nil
}

func notMixedRevocable(rs resources.Resources) error {
	type kinds struct{ revocable, other bool }
	seen := make(map[string]kinds, rs.Len())
	for r := range rs.All() {
		k := seen[r.Name()]
		if r.IsRevocable() {
			k.revocable = true
		} else {
			k.other = true
		}
		if k.revocable && k.other {
			return fmt.Errorf("Cannot use both revocable and non-revocable '%s' at the same time", r.Name())
		}
		seen[r.Name()] = k
	}
	return nil
}

func allocatedToOneRole(rs resources.Resources) error {
	role, known := "", false
	for r := range rs.All() {
		if !r.IsAllocated() {
			return errors.New("The resources are not allocated to a role")
		}
		if known && r.AllocationRole() != role {
			return fmt.Errorf("The resources have multiple allocation roles ('%s' and '%s') but only one allocation role is allowed", r.AllocationRole(), role)
		}
		role, known = r.AllocationRole(), true
	}
	return nil
}

// overlap says whether ranges or sets of the parts have something in common.
func overlap(parts ...resources.Resources) bool {
	for i, a := range parts {
		for _, b := range parts[i+1:] {
			for x := range a.All() {
				for y := range b.All() {
					if x.Name() == y.Name() && x.Type() == y.Type() && meet(x, y) {
						return true
					}
				}
			}
		}
	}
	return false
}

func meet(x, y resources.Resource) bool {
	switch x.Type() {
	case mesospb.Value_RANGES:
		for _, a := range x.Ranges() {
			for _, b := range y.Ranges() {
				if a.Begin <= b.End && b.Begin <= a.End {
					return true
				}
			}
		}
	case mesospb.Value_SET:
		for _, a := range x.Set() {
			for _, b := range y.Set() {
				if a == b {
					return true
				}
			}
		}
	}
	return false
}

// PersistentVolumes checks that every resource is a writable persistent volume.
func PersistentVolumes(list []*mesospb.Resource) error {
	for _, r := range list {
		switch {
		case r.Disk == nil:
			text := ""
			for one := range resources.New(r).All() {
				text = one.String()
			}
			return fmt.Errorf("Resource %s does not have DiskInfo", text)
		case r.Disk.Persistence == nil:
			return errors.New("'persistence' is not set in DiskInfo")
		case r.Disk.Volume == nil:
			return errors.New("Expecting 'volume' to be set for persistent volume")
		case r.Disk.Volume.GetMode() == mesospb.Volume_RO:
			return errors.New("Read-only persistent volume not supported")
		}
	}
	return nil
}

// singleProvider checks that all resources have the same resource provider, or none.
func singleProvider(list []*mesospb.Resource) error {
	var with []string
	without := false
	for _, r := range list {
		if r.ProviderId == nil {
			without = true
		} else if id := r.ProviderId.GetValue(); !contains(with, id) {
			with = append(with, id)
		}
	}
	switch {
	case without && len(with) > 0:
		return errors.New("Some resources have a resource provider and some do not")
	case len(with) > 1:
		return fmt.Errorf("The resources have multiple resource providers: %s", strings.Join(with, ", "))
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}
