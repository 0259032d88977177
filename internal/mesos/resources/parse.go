package resources

import (
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/roles"
)

// Parse reads the value of --resources: the text form
// "cpus:4;mem:1024;ports(role):[31000-32000]" or a JSON array of Resource. A
// resource without a role gets defaultRole; a role other than "*" is a static
// reservation. Volumes, revocable resources, dynamic reservations and one name
// with two types are refused, as from the original's command line.
func Parse(text, defaultRole string) (Resources, error) {
	list, err := ParseList(text, defaultRole)
	if err != nil {
		return Resources{}, err
	}
	for _, p := range list {
		if err := Validate(p); err != nil {
			return Resources{}, err
		}
	}
	parsed := New(list...)
	if err := validateCommandLine(parsed); err != nil {
		return Resources{}, err
	}
	return parsed, nil
}

// ParseList reads what Parse does, but returns the resources one by one in
// post-refinement format, empty ones and invalid ones included: "gpus:0" in
// --resources says that the agent shall not look for gpus.
func ParseList(text, defaultRole string) ([]*mesospb.Resource, error) {
	if list, ok, err := parseJSON(text, defaultRole); ok {
		return list, err
	}
	return parseText(text, defaultRole)
}

func parseText(text, defaultRole string) ([]*mesospb.Resource, error) {
	var list []*mesospb.Resource
	for _, token := range tokenize(text, ";") {
		pair := tokenize(token, ":")
		if len(pair) != 2 {
			return nil, errors.New("Bad value for resources, missing or extra ':' in " + token)
		}
		name, role := pair[0], defaultRole
		if open := strings.IndexByte(name, '('); open >= 0 {
			shut := strings.IndexByte(name, ')')
			if shut < open {
				return nil, errors.New("Bad value for resources, mismatched parentheses in " + token)
			}
			role = trim(name[open+1 : shut])
			name = name[:open]
		}
		p, err := parseOne(trim(name), pair[1], role)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func parseOne(name, text, role string) (*mesospb.Resource, error) {
	value, err := ParseValue(text)
	if err != nil {
		return nil, errors.New("Failed to parse resource " + name + " value " + text + " error " + err.Error())
	}
	p := &mesospb.Resource{
		Name:   &name,
		Type:   value.Type,
		Scalar: value.Scalar,
		Ranges: value.Ranges,
		Set:    value.Set,
	}
	if value.GetType() == mesospb.Value_TEXT {
		return nil, errors.New("Bad type for resource " + name + " value " + text + " type TEXT")
	}
	if role != roles.Any {
		p.Reservations = []*mesospb.Resource_ReservationInfo{{
			Type: mesospb.Resource_ReservationInfo_STATIC.Enum(),
			Role: proto.String(role),
		}}
	}
	return p, nil
}

// trim cuts the white space the original cuts.
func trim(text string) string { return strings.Trim(text, " \t\n\r") }

func validateCommandLine(rs Resources) error {
	types := make(map[string]mesospb.Value_Type, rs.Len())
	for _, r := range rs.list {
		switch {
		case r.IsPersistentVolume():
			return errors.New("Persistent volumes cannot be specified at the command line")
		case r.IsRevocable():
			return errors.New("Revocable resources cannot be specified at the command line; do not include a 'revocable' key in the resources JSON")
		case r.IsDynamicallyReserved():
			return errors.New("Dynamic reservations cannot be specified at the command line; do not include a reservation with DYNAMIC type in the resources JSON")
		}
		if kind, ok := types[r.Name()]; ok && kind != r.Type() {
			return errors.New("Resources with the same name ('" + r.Name() + "') but different types are not allowed")
		}
		types[r.Name()] = r.Type()
	}
	return nil
}
