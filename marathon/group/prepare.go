package group

import "stoa/marathon/timestamp"

// Settings are the flags that decide how a tree is completed and judged.
type Settings struct {
	ServicePorts PortRange
	// MesosRole is the role of apps that name none; "" is "*" (--mesos_role).
	MesosRole string
	// Features are the names given to --enable_features.
	Features []string
	// MaxApps bounds the number of apps; 0 means no bound (--max_apps).
	MaxApps int
}

// Prepare completes and judges the tree that a change made: service ports, version infos,
// then the rules for the whole tree. from is the present tree. Errors are
// *PortsExhaustedError and *app.ValidationError.
func Prepare(from, to *Root, version timestamp.Timestamp, settings Settings) (*Root, error) {
	to, err := AssignServicePorts(from, to, settings.ServicePorts)
	if err != nil {
		return nil, err
	}
	to = StampVersions(from, to, version)
	if err := Validate(from, to, settings); err != nil {
		return nil, err
	}
	if err := validateResidents(from, to); err != nil {
		return nil, err
	}
	return to, nil
}
