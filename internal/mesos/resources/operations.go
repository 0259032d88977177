package resources

import (
	"errors"

	"stoa/internal/mesos/mesospb"
)

// Conversion is what an offer operation does to resources: it takes Consumed and
// gives Converted.
type Conversion struct {
	Consumed, Converted Resources
	// gone, when set, must not be part of the result: a volume is only destroyed
	// when nobody else holds a share of it.
	gone *Resource
}

// ErrUnsupported says that an operation's effect is not known from its request.
var ErrUnsupported = errors.New("Operation not supported")

// Conversions returns what an operation does, for those that only reserve,
// unreserve or shape volumes: the others give ErrUnsupported. The operation must
// be valid and in post-refinement format.
func Conversions(op *mesospb.Offer_Operation) ([]Conversion, error) {
	switch op.GetType() {
	case mesospb.Offer_Operation_RESERVE:
		reserved := New(op.GetReserve().GetResources()...)
		consumed := reserved.PopReservation()
		if source := op.GetReserve().GetSource(); len(source) > 0 {
			consumed = New(source...)
		}
		return []Conversion{{Consumed: consumed, Converted: reserved}}, nil
	case mesospb.Offer_Operation_UNRESERVE:
		var out []Conversion
		for _, p := range op.GetUnreserve().GetResources() {
			reserved := New(p)
			out = append(out, Conversion{Consumed: reserved, Converted: reserved.PopReservation()})
		}
		return out, nil
	case mesospb.Offer_Operation_CREATE:
		var out []Conversion
		for _, p := range op.GetCreate().GetVolumes() {
			volume := New(p)
			out = append(out, Conversion{Consumed: volume.stripVolumes(), Converted: volume})
		}
		return out, nil
	case mesospb.Offer_Operation_DESTROY:
		var out []Conversion
		for _, p := range op.GetDestroy().GetVolumes() {
			volume := New(p)
			c := Conversion{Consumed: volume, Converted: volume.stripVolumes()}
			if len(volume.list) == 1 {
				c.gone = &volume.list[0]
			}
			out = append(out, c)
		}
		return out, nil
	case mesospb.Offer_Operation_GROW_VOLUME:
		return resize(op.GetGrowVolume().GetVolume(), func(volume Resource) Conversion {
			addition := New(op.GetGrowVolume().GetAddition())
			by := ScalarOf(op.GetGrowVolume().GetAddition().GetScalar().GetValue())
			return Conversion{
				Consumed:  Of(volume).Add(addition),
				Converted: Of(volume.withScalar(volume.scalar.Plus(by))),
			}
		})
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return resize(op.GetShrinkVolume().GetVolume(), func(volume Resource) Conversion {
			by := ScalarOf(op.GetShrinkVolume().GetSubtract().GetValue())
			freed := Of(volume.withScalar(by)).stripVolumes()
			shrunk := Of(volume.withScalar(volume.scalar.Minus(by)))
			return Conversion{Consumed: Of(volume), Converted: shrunk.Add(freed)}
		})
	case mesospb.Offer_Operation_UNKNOWN:
		return nil, errors.New("Unknown operation")
	}
	return nil, ErrUnsupported
}

func resize(p *mesospb.Resource, change func(Resource) Conversion) ([]Conversion, error) {
	volume := New(p)
	if len(volume.list) != 1 {
		return nil, errors.New("Invalid volume")
	}
	if volume.list[0].ProviderID() != nil {
		return nil, errors.New("Operation not supported for resource provider")
	}
	return []Conversion{change(volume.list[0])}, nil
}

// stripVolumes returns the plain disk that volumes are made of.
func (rs Resources) stripVolumes() Resources {
	out := sum{list: make([]Resource, 0, len(rs.list))}
	for _, r := range rs.list {
		r = r.withMeta(stripVolume(r.meta))
		r.shares = 0
		out.add(&r)
	}
	return out.resources()
}

func stripVolume(p *mesospb.Resource) *mesospb.Resource {
	p = copyMeta(p)
	p.Shared = nil
	if p.Disk != nil && p.Disk.Source != nil {
		p.Disk = &mesospb.Resource_DiskInfo{Source: p.Disk.Source}
	} else {
		p.Disk = nil
	}
	return p
}

// Apply returns rs after the conversions, one after the other. The error has the
// original's text "… does not contain …".
func (rs Resources) Apply(conversions ...Conversion) (Resources, error) {
	for _, c := range conversions {
		if !rs.Contains(c.Consumed) {
			return Resources{}, errors.New(rs.String() + " does not contain " + c.Consumed.String())
		}
		rs = rs.Subtract(c.Consumed).Add(c.Converted)
		if c.gone != nil && rs.Contains(Of(*c.gone)) {
			return Resources{}, errors.New("Persistent volume " + c.gone.String() + " cannot be removed due to additional shared copies")
		}
	}
	return rs, nil
}

// ApplyOperation returns rs after an operation.
func (rs Resources) ApplyOperation(op *mesospb.Offer_Operation) (Resources, error) {
	conversions, err := Conversions(op)
	if err != nil {
		return Resources{}, errors.New("Cannot get conversions: " + err.Error())
	}
	return rs.Apply(conversions...)
}

// ApplyCheckpointed returns an agent's resources with the reservations and
// volumes it remembers from before its restart laid over them. The error says
// which of them no longer fits, with the original's text.
func (rs Resources) ApplyCheckpointed(checkpointed Resources) (Resources, error) {
	for _, r := range checkpointed.list {
		if !r.NeedsCheckpoint() {
			return Resources{}, errors.New("Unexpected checkpointed resources " + r.String())
		}
		meta := copyMeta(r.meta)
		if r.IsDynamicallyReserved() {
			// An agent starts with unreserved and statically reserved resources only.
			meta.Reservations = nil
			if first := r.meta.Reservations[0]; first.GetType() == mesospb.Resource_ReservationInfo_STATIC {
				meta.Reservations = r.meta.Reservations[:1:1]
			}
		}
		if r.IsPersistentVolume() {
			meta = stripVolume(meta)
		}
		meta.Shared = nil
		plain := r.withMeta(meta)
		plain.shares = 0
		if !rs.Contains(Of(plain)) {
			return Resources{}, errors.New("Incompatible agent resources: " + rs.String() + " does not contain " + plain.String())
		}
		rs = rs.Subtract(Of(plain)).Add(Of(r))
	}
	return rs, nil
}
