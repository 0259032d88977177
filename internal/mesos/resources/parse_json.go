package resources

import (
	"errors"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
)

// parseJSON reads a JSON array of Resource; ok is false when text is no such array.
func parseJSON(text, defaultRole string) (list []*mesospb.Resource, ok bool, err error) {
	array, err := mesosjson.ParseKind([]byte(text), mesosjson.ArrayKind)
	if err != nil {
		return nil, false, nil
	}
	list, err = mesosjson.UnmarshalList[mesospb.Resource](array, mesosjson.V0)
	if err != nil {
		return nil, true, errors.New("Some JSON resources were not formatted properly: " + err.Error())
	}
	for _, p := range list {
		if p.Role == nil && len(p.Reservations) == 0 {
			p.Role = &defaultRole
		}
		Upgrade(p)
	}
	return list, true, nil
}
