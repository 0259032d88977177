package resources

// Shuffle reorders n things with swap, as math/rand's Shuffle does. Shrinking
// goes through the entries in the order it leaves, so that no entry is always
// the one that is cut. nil keeps the order.
type Shuffle func(n int, swap func(i, j int))

// Shrink returns the entry with a scalar of at most target, and whether that is
// possible: what can't be divided, such as a mount or a volume, can't be cut.
func (r Resource) Shrink(target Scalar) (Resource, bool) {
	if r.scalar <= target {
		return r, true
	}
	cut := r.withScalar(target)
	if r.meta.Disk != nil && !contains(&r, &cut) {
		return r, false
	}
	return cut, true
}

// ShrinkToQuantities returns a part of rs with at most these totals; names that
// are not in target are left out. rs must be scalars.
func (rs Resources) ShrinkToQuantities(target Quantities, shuffle Shuffle) Resources {
	if target.Empty() {
		return Resources{}
	}
	out := sum{}
	for _, r := range rs.shuffled(shuffle) {
		if room := target.Get(r.Name()); room > 0 {
			if cut, ok := r.Shrink(room); ok {
				target = target.Subtract(Of(cut).ScalarQuantities())
				out.add(&cut)
			}
		}
	}
	return out.resources()
}

// ShrinkToLimits returns a part of rs that the limits allow. Entries whose names
// are limited must be scalars.
func (rs Resources) ShrinkToLimits(limits Limits, shuffle Shuffle) Resources {
	if limits.Empty() {
		return rs
	}
	out := sum{}
	for _, r := range rs.shuffled(shuffle) {
		room, limited := limits.Get(r.Name())
		if !limited {
			out.add(&r)
			continue
		}
		if cut, ok := r.Shrink(room); ok {
			limits = limits.Subtract(Of(cut).ScalarQuantities())
			out.add(&cut)
		}
	}
	return out.resources()
}

func (rs Resources) shuffled(shuffle Shuffle) []Resource {
	if shuffle == nil {
		return rs.list
	}
	list := append([]Resource(nil), rs.list...)
	shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}
