package resources

import "stoa/internal/mesos/mesospb"

// String is the original's text: entries joined by "; ", "{}" when empty.
func (rs Resources) String() string {
	if len(rs.list) == 0 {
		return "{}"
	}
	var dst []byte
	for i, r := range rs.list {
		if i > 0 {
			dst = append(dst, "; "...)
		}
		dst = r.Append(dst)
	}
	return string(dst)
}

// String is the original's text, such as
// "disk(reservations: [(DYNAMIC,dev,ops)])[vol1:data]:64".
func (r Resource) String() string { return string(r.Append(nil)) }

// Append appends String to dst.
func (r Resource) Append(dst []byte) []byte { return appendResource(dst, r.meta, &r) }

// textOf is the text of a message that may not be valid.
func textOf(p *mesospb.Resource) string {
	r := wrap(p)
	return string(appendResource(nil, p, &r))
}

func appendResource(dst []byte, p *mesospb.Resource, r *Resource) []byte {
	dst = append(dst, p.GetName()...)
	if p.AllocationInfo != nil {
		dst = append(dst, "(allocated: "...)
		dst = append(dst, p.AllocationInfo.GetRole()...)
		dst = append(dst, ')')
	}
	if len(p.Reservations) > 0 {
		dst = append(dst, "(reservations: ["...)
		for i, reservation := range p.Reservations {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, '(')
			dst = appendReservation(dst, reservation)
			dst = append(dst, ')')
		}
		dst = append(dst, "])"...)
	}
	if p.Disk != nil {
		dst = append(dst, '[')
		dst = appendDisk(dst, p.Disk)
		dst = append(dst, ']')
	}
	if p.Revocable != nil {
		dst = append(dst, "{REV}"...)
	}
	if p.Shared != nil {
		dst = append(dst, "<SHARED>"...)
	}
	dst = append(dst, ':')
	switch p.GetType() {
	case mesospb.Value_SCALAR:
		dst = r.scalar.Append(dst)
	case mesospb.Value_RANGES:
		dst = r.ranges.Append(dst)
	case mesospb.Value_SET:
		dst = appendSet(dst, r.set)
	}
	return dst
}

func appendReservation(dst []byte, p *mesospb.Resource_ReservationInfo) []byte {
	dst = append(dst, p.GetType().String()...)
	dst = append(dst, ',')
	dst = append(dst, p.GetRole()...)
	if p.Principal != nil {
		dst = append(dst, ',')
		dst = append(dst, p.GetPrincipal()...)
	}
	if p.Labels != nil {
		dst = append(dst, ',')
		dst = appendLabels(dst, p.Labels)
	}
	return dst
}

// labelsText is the text of labels in error messages: "{k: v, flag}".
func labelsText(p *mesospb.Labels) string { return string(appendLabels(nil, p)) }

func appendLabels(dst []byte, p *mesospb.Labels) []byte {
	dst = append(dst, '{')
	for i, label := range p.GetLabels() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, label.GetKey()...)
		if label.Value != nil {
			dst = append(dst, ": "...)
			dst = append(dst, label.GetValue()...)
		}
	}
	return append(dst, '}')
}

func appendDisk(dst []byte, p *mesospb.Resource_DiskInfo) []byte {
	if p.Source != nil {
		dst = appendSource(dst, p.Source)
	}
	if p.Persistence != nil {
		if p.Source != nil {
			dst = append(dst, ',')
		}
		dst = append(dst, p.Persistence.GetId()...)
	}
	if p.Volume != nil {
		dst = append(dst, ':')
		dst = appendVolume(dst, p.Volume)
	}
	return dst
}

func appendSource(dst []byte, p *mesospb.Resource_DiskInfo_Source) []byte {
	dst = append(dst, p.GetType().String()...)
	if p.Id != nil || p.Profile != nil {
		dst = append(dst, '(')
		dst = append(dst, p.GetVendor()...)
		dst = append(dst, ',')
		dst = append(dst, p.GetId()...)
		dst = append(dst, ',')
		dst = append(dst, p.GetProfile()...)
		return append(dst, ')')
	}
	var root *string
	switch p.GetType() {
	case mesospb.Resource_DiskInfo_Source_MOUNT:
		if p.Mount != nil {
			root = p.Mount.Root
		}
	case mesospb.Resource_DiskInfo_Source_PATH:
		if p.Path != nil {
			root = p.Path.Root
		}
	}
	if root != nil {
		dst = append(dst, ':')
		dst = append(dst, *root...)
	}
	return dst
}

func appendVolume(dst []byte, p *mesospb.Volume) []byte {
	if p.HostPath != nil {
		dst = append(dst, p.GetHostPath()...)
		dst = append(dst, ':')
	}
	dst = append(dst, p.GetContainerPath()...)
	if p.HostPath != nil && p.Mode != nil {
		if p.GetMode() == mesospb.Volume_RO {
			return append(dst, ":ro"...)
		}
		return append(dst, ":rw"...)
	}
	return dst
}
