package resources

import (
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/roles"
)

// Resources have had two wire formats for reservations. Before 1.4 a resource had
// one role and perhaps one dynamic reservation ("role", "reservation"); since
// then it has a stack of them ("reservations"). We work in the second format,
// speak the first to peers that know no other, and show both at the HTTP
// endpoints (src/common/resources_utils.cpp, convertResourceFormat).

// ErrRefined says that a stack of reservations has no pre-refinement form.
var ErrRefined = errors.New("Cannot downgrade resources containing refined reservations")

// Upgrade changes a message of either format (or of both, as endpoints show
// it) to the post-refinement format. What is invalid stays invalid.
func Upgrade(p *mesospb.Resource) {
	role := p.Role
	switch {
	case len(p.Reservations) > 0:
		p.Reservation = nil
	case role == nil || *role == roles.Any:
		if p.Reservation != nil {
			return // "*" can't be reserved: Validate says so
		}
	case p.Reservation != nil:
		reservation := proto.Clone(p.Reservation).(*mesospb.Resource_ReservationInfo)
		reservation.Type = mesospb.Resource_ReservationInfo_DYNAMIC.Enum()
		reservation.Role = role
		p.Reservations = []*mesospb.Resource_ReservationInfo{reservation}
		p.Reservation = nil
	default:
		p.Reservations = []*mesospb.Resource_ReservationInfo{{
			Type: mesospb.Resource_ReservationInfo_STATIC.Enum(),
			Role: role,
		}}
	}
	p.Role = nil
}

// Upgraded returns p in the post-refinement format: p itself when it has it.
func Upgraded(p *mesospb.Resource) *mesospb.Resource {
	if p.Role == nil && p.Reservation == nil {
		return p
	}
	p = proto.Clone(p).(*mesospb.Resource)
	Upgrade(p)
	return p
}

// Downgrade changes a message in post-refinement format to the earlier one, or
// returns ErrRefined.
func Downgrade(p *mesospb.Resource) error {
	if len(p.Reservations) > 1 {
		return ErrRefined
	}
	setOldFields(p)
	p.Reservations = nil
	return nil
}

// ForEndpoint returns a message in both formats, as HTTP endpoints show it. A
// stack of reservations has no old form and is shown as it is.
func ForEndpoint(p *mesospb.Resource) *mesospb.Resource {
	if len(p.Reservations) > 1 {
		return p
	}
	p = copyMeta(p)
	setOldFields(p)
	return p
}

func setOldFields(p *mesospb.Resource) {
	role := proto.String(roles.Any)
	if len(p.Reservations) == 1 {
		reservation := p.Reservations[0]
		role = proto.String(reservation.GetRole())
		if reservation.GetType() == mesospb.Resource_ReservationInfo_DYNAMIC {
			p.Reservation = &mesospb.Resource_ReservationInfo{
				Principal: reservation.Principal,
				Labels:    reservation.Labels,
			}
		}
	}
	p.Role = role
}

// UpgradeAll upgrades every Resource anywhere inside a message, in place.
func UpgradeAll(m proto.Message) {
	_ = each(m.ProtoReflect(), func(p *mesospb.Resource) error {
		Upgrade(p)
		return nil
	})
}

// DowngradeAll downgrades every Resource anywhere inside a message, in place. At
// the first one it can't downgrade it stops with ErrRefined.
func DowngradeAll(m proto.Message) error { return each(m.ProtoReflect(), Downgrade) }

// each visits the Resources inside a message.
func each(m protoreflect.Message, visit func(*mesospb.Resource) error) error {
	if p, ok := m.Interface().(*mesospb.Resource); ok {
		return visit(p)
	}
	var err error
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsMap():
			// No map of the API holds resources.
		case field.IsList():
			for i := 0; i < value.List().Len() && err == nil; i++ {
				err = each(value.List().Get(i).Message(), visit)
			}
		default:
			err = each(value.Message(), visit)
		}
		return err == nil
	})
	return err
}
