package resources

import (
	"fmt"

	"stoa/internal/mesos/mesospb"
)

// Allocate returns the same resources, allocated to role.
func (rs Resources) Allocate(role string) Resources {
	if len(rs.list) == 0 {
		return rs
	}
	info := &mesospb.Resource_AllocationInfo{Role: &role}
	out := make([]Resource, len(rs.list))
	for i, r := range rs.list {
		meta := copyMeta(r.meta)
		meta.AllocationInfo = info
		out[i] = r.withMeta(meta)
	}
	return Resources{out}
}

// Unallocate returns the same resources without allocation information. Like the
// original it leaves entries apart that only differed in it; Add them to an empty
// collection with Merged to join them.
func (rs Resources) Unallocate() Resources {
	return rs.mapMeta(func(m *mesospb.Resource) *mesospb.Resource {
		if m.AllocationInfo == nil {
			return m
		}
		m = copyMeta(m)
		m.AllocationInfo = nil
		return m
	})
}

// Merged adds up the entries again.
func (rs Resources) Merged() Resources {
	out := sum{list: make([]Resource, 0, len(rs.list))}
	for i := range rs.list {
		out.add(&rs.list[i])
	}
	return out.resources()
}

func (rs Resources) mapMeta(change func(*mesospb.Resource) *mesospb.Resource) Resources {
	var out []Resource
	for i, r := range rs.list {
		meta := change(r.meta)
		if meta == r.meta {
			continue
		}
		if out == nil {
			out = append(make([]Resource, 0, len(rs.list)), rs.list...)
		}
		out[i] = r.withMeta(meta)
	}
	if out == nil {
		return rs
	}
	return Resources{out}
}

// PushReservation returns the resources with one more reservation on the stack
// of each. The error says which resource can't have it.
func (rs Resources) PushReservation(reservation *mesospb.Resource_ReservationInfo) (Resources, error) {
	out := sum{list: make([]Resource, 0, len(rs.list))}
	for _, r := range rs.list {
		meta := copyMeta(r.meta)
		stack := r.meta.Reservations
		meta.Reservations = append(stack[:len(stack):len(stack)], reservation)
		r = r.withMeta(meta)
		if err := Validate(r.Proto()); err != nil {
			return Resources{}, fmt.Errorf("reserving %s: %w", r, err)
		}
		out.add(&r)
	}
	return out.resources(), nil
}

// PopReservation returns the resources without the innermost reservation of
// each. Unreserved ones stay as they are.
func (rs Resources) PopReservation() Resources {
	return rs.mapMeta(func(m *mesospb.Resource) *mesospb.Resource {
		n := len(m.Reservations)
		if n == 0 {
			return m
		}
		m = copyMeta(m)
		m.Reservations = m.Reservations[: n-1 : n-1]
		return m
	}).Merged()
}

// ToUnreserved returns the resources without any reservation.
func (rs Resources) ToUnreserved() Resources {
	return rs.mapMeta(func(m *mesospb.Resource) *mesospb.Resource {
		if len(m.Reservations) == 0 {
			return m
		}
		m = copyMeta(m)
		m.Reservations = nil
		return m
	}).Merged()
}

// ReservationAncestor returns rs with only those reservations, from the bottom of
// the stack, that the first entries of rs and o have in common. Both must be
// the same resources apart from their reservations.
func (rs Resources) ReservationAncestor(o Resources) (Resources, error) {
	result := rs.ToUnreserved()
	if len(rs.list) == 0 || len(o.list) == 0 {
		return result, nil
	}
	a, b := rs.list[0].meta.Reservations, o.list[0].meta.Reservations
	for i := 0; i < len(a) && i < len(b) && sameReservation(a[i], b[i]); i++ {
		var err error
		if result, err = result.PushReservation(a[i]); err != nil {
			return Resources{}, err
		}
	}
	return result, nil
}

// Find returns resources of rs that add up to the amounts of targets: those of
// the target's role first, then unreserved ones, then others. The second result
// is false when rs does not have that much.
func (rs Resources) Find(targets Resources) (Resources, bool) {
	var total Resources
	for _, target := range targets.list {
		found, ok := rs.find(target)
		if !ok {
			return Resources{}, false
		}
		total = total.Add(found)
	}
	return total, true
}

func (rs Resources) find(target Resource) (Resources, bool) {
	var found Resources
	total := rs
	remaining := Of(target).ToUnreserved()
	any := func(Resource) bool { return true }
	orders := []func(Resource) bool{Resource.IsUnreserved, any}
	if target.IsReserved() {
		role := target.ReservationRole()
		own := func(r Resource) bool { return r.IsReservedTo(role) }
		orders = []func(Resource) bool{own, Resource.IsUnreserved, any}
	}
	for _, order := range orders {
		for _, r := range total.Filter(order).list {
			unreserved := Of(r).ToUnreserved()
			if unreserved.Contains(remaining) {
				part := remaining.mapMeta(func(m *mesospb.Resource) *mesospb.Resource {
					m = copyMeta(m)
					m.Reservations = r.meta.Reservations
					return m
				})
				return found.Add(part), true
			}
			if remaining.Contains(unreserved) {
				found = found.Add(Of(r))
				total = total.Subtract(Of(r))
				remaining = remaining.Subtract(unreserved)
				break
			}
		}
	}
	return Resources{}, false
}
