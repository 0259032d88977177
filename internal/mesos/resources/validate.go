package resources

import (
	"errors"
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/roles"
)

// ValidateAll checks the resources of a message one by one. The error has the
// original's text "Resource '…' is invalid: …".
func ValidateAll(list []*mesospb.Resource) error {
	for _, p := range list {
		if err := Validate(p); err != nil {
			return errors.New("Resource '" + textOf(p) + "' is invalid: " + err.Error())
		}
	}
	return nil
}

// Validate checks one resource in either reservation format, with the
// original's texts (src/common/resources.cpp, Resources::validate).
func Validate(p *mesospb.Resource) error {
	if p.GetName() == "" {
		return errors.New("Empty resource name")
	}
	if err := validateAmount(p); err != nil {
		return err
	}
	if p.Disk != nil {
		if err := validateDisk(p); err != nil {
			return err
		}
	}
	if len(p.Reservations) == 0 {
		if err := validateOldReservation(p); err != nil {
			return err
		}
	} else if err := validateReservations(p); err != nil {
		return err
	}
	if p.Shared != nil {
		if p.GetName() != "disk" {
			return errors.New("Resource " + p.GetName() + " cannot be shared")
		}
		if p.Disk == nil || p.Disk.Persistence == nil {
			return errors.New("Only persistent volumes can be shared")
		}
	}
	return nil
}

func validateAmount(p *mesospb.Resource) error {
	switch p.GetType() {
	case mesospb.Value_SCALAR:
		if p.Scalar == nil || p.Ranges != nil || p.Set != nil {
			return errors.New("Invalid scalar resource")
		}
		// Not 0 itself, but neither below it nor so small that it would become 0.
		if v := p.Scalar.GetValue(); v != 0 && ScalarOf(v) <= 0 {
			return errors.New("Invalid scalar resource: value <= 0")
		}
		return nil
	case mesospb.Value_RANGES:
		if p.Scalar != nil || p.Ranges == nil || p.Set != nil {
			return errors.New("Invalid ranges resource")
		}
		return validateRanges(RangesOf(p.Ranges))
	case mesospb.Value_SET:
		if p.Scalar != nil || p.Ranges != nil || p.Set == nil {
			return errors.New("Invalid set resource")
		}
		if hasDuplicates(p.Set.GetItem()) {
			return errors.New("Invalid set resource: duplicated elements")
		}
		return nil
	case mesospb.Value_TEXT:
		return errors.New("Unsupported resource type")
	}
	return errors.New("Invalid resource type")
}

// fewRanges is up to how many spans are compared each with each, as the original
// does. It only finds a later span that begins inside an earlier one, so beyond
// this number the check also refuses those it would overlook.
const fewRanges = 256

func validateRanges(rs Ranges) error {
	var (
		inverted = errors.New("Invalid ranges resource: begin > end")
		overlap  = errors.New("Invalid ranges resource: overlapping ranges")
	)
	if rs.coalesced() {
		return nil
	}
	if len(rs) <= fewRanges {
		for i, r := range rs {
			if r.Begin > r.End {
				return inverted
			}
			for _, later := range rs[i+1:] {
				if r.Begin <= later.Begin && later.Begin <= r.End {
					return overlap
				}
			}
		}
		return nil
	}
	if slices.ContainsFunc(rs, func(r Range) bool { return r.Begin > r.End }) {
		return inverted
	}
	ordered := rs.ordered()
	for i := 1; i < len(ordered); i++ {
		if ordered[i].Begin <= ordered[i-1].End {
			return overlap
		}
	}
	return nil
}

func validateDisk(p *mesospb.Resource) error {
	if p.GetName() != "disk" {
		return errors.New("DiskInfo should not be set for " + p.GetName() + " resource")
	}
	source := p.Disk.Source
	if source == nil {
		return nil
	}
	switch source.GetType() {
	case mesospb.Resource_DiskInfo_Source_PATH, mesospb.Resource_DiskInfo_Source_MOUNT:
		return nil
	case mesospb.Resource_DiskInfo_Source_BLOCK, mesospb.Resource_DiskInfo_Source_RAW:
		if source.Mount != nil {
			return errors.New("Mount should not be set for " + source.GetType().String() + " disk source")
		}
		if source.Path != nil {
			return errors.New("Path should not be set for " + source.GetType().String() + " disk source")
		}
		return nil
	}
	return errors.New("Unsupported 'DiskInfo.Source.Type' in '" + string(appendSource(nil, source)) + "'")
}

// validateOldReservation checks the pre-refinement fields, when there is no stack.
func validateOldReservation(p *mesospb.Resource) error {
	role := p.GetRole()
	if err := roles.Validate(role); err != nil {
		return err
	}
	if p.Reservation == nil {
		return nil
	}
	switch {
	case p.Reservation.Type != nil:
		return errors.New("'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field")
	case p.Reservation.Role != nil:
		return errors.New("'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field")
	case role == roles.Any:
		return errors.New(`Invalid reservation: role "*" cannot be dynamically reserved`)
	}
	return nil
}

// validateReservations checks the stack, and that the pre-refinement fields, if
// they are there too, say the same.
func validateReservations(p *mesospb.Resource) error {
	for _, r := range p.Reservations {
		if r.Type == nil {
			return errors.New("Invalid reservation: 'Resource.ReservationInfo.type' field must be set.")
		}
		if r.Role == nil {
			return errors.New("Invalid reservation: 'Resource.ReservationInfo.role' field must be set.")
		}
		if err := roles.Validate(r.GetRole()); err != nil {
			return err
		}
		if r.GetRole() == roles.Any {
			return errors.New(`Invalid reservation: role "*" cannot be reserved`)
		}
	}
	ancestor := p.Reservations[0].GetRole()
	for _, r := range p.Reservations[1:] {
		if r.GetType() == mesospb.Resource_ReservationInfo_STATIC {
			return errors.New("Invalid refined reservation: A refined reservation cannot be STATIC")
		}
		if !roles.IsStrictSubroleOf(r.GetRole(), ancestor) {
			return errors.New("Invalid refined reservation: role '" + r.GetRole() + "' is not a refinement of '" + ancestor + "'")
		}
		ancestor = r.GetRole()
	}
	return validateBothFormats(p)
}

func validateBothFormats(p *mesospb.Resource) error {
	role, reservation := p.Role, p.Reservation
	if len(p.Reservations) > 1 {
		if role != nil {
			return errors.New("Invalid resource format: 'Resource.role' must not be set if there is more than one reservation in 'Resource.reservations'")
		}
		if reservation != nil {
			return errors.New("Invalid resource format: 'Resource.reservation' must not be set if there is more than one reservation in 'Resource.reservations'")
		}
		return nil
	}
	only := p.Reservations[0]
	if role != nil && *role != only.GetRole() {
		return errors.New("Invalid resource format: 'Resource.role' field with '" + *role + "' does not match the role '" + only.GetRole() + "' in 'Resource.reservations'")
	}
	switch only.GetType() {
	case mesospb.Resource_ReservationInfo_STATIC:
		if reservation != nil {
			return errors.New("Invalid resource format: 'Resource.reservation' must not be set if the single reservation in 'Resource.reservations' is STATIC")
		}
	case mesospb.Resource_ReservationInfo_DYNAMIC:
		if (role != nil) != (reservation != nil) {
			return errors.New("Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both not set if the single reservation in 'Resource.reservations' is DYNAMIC")
		}
		if reservation == nil {
			return nil
		}
		if reservation.GetPrincipal() != only.GetPrincipal() {
			return errors.New("Invalid resource format: 'Resource.reservation.principal' field with '" + reservation.GetPrincipal() + "' does not match the principal '" + only.GetPrincipal() + "' in 'Resource.reservations'")
		}
		if !equalLabels(reservation.Labels, only.Labels) {
			return errors.New("Invalid resource format: 'Resource.reservation.labels' field with '" + labelsText(reservation.Labels) + "' does not match the labels '" + labelsText(only.Labels) + "' in 'Resource.reservations'")
		}
	default:
		return errors.New("Unsupported 'Resource.ReservationInfo.Type'")
	}
	return nil
}
