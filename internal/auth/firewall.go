package auth

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesosjson"
)

// ParseFirewall reads the JSON of --firewall_rules and returns the paths that are switched
// off:
//
//	{"disabled_endpoints": {"paths": ["/files/debug"]}}
func ParseFirewall(text []byte) (*internalpb.Firewall, error) {
	v, err := mesosjson.ParseKind(text, mesosjson.ObjectKind)
	if err != nil {
		return nil, err
	}
	rules := new(internalpb.Firewall)
	if err := v.Unmarshal(rules, mesosjson.V0); err != nil {
		return nil, err
	}
	return rules, nil
}
