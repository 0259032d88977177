package resources

import (
	"encoding/json"
	"errors"

	"google.golang.org/protobuf/encoding/protojson"

	"stoa/internal/mesos/mesospb"
)

// parseJSON reads a JSON array of Resource; ok is false when text is no such array.
func parseJSON(text, defaultRole string) (list []*mesospb.Resource, ok bool, err error) {
	var elements []json.RawMessage
	if json.Unmarshal([]byte(text), &elements) != nil {
		return nil, false, nil
	}
	for _, element := range elements {
		p := new(mesospb.Resource)
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(element, p); err != nil {
			return nil, true, errors.New("Some JSON resources were not formatted properly: " + err.Error())
		}
		setDefaultRole(p, defaultRole)
		Upgrade(p)
		list = append(list, p)
	}
	return list, true, nil
}

func setDefaultRole(p *mesospb.Resource, role string) {
	if p.Role == nil && len(p.Reservations) == 0 {
		p.Role = &role
	}
}
