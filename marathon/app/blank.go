package app

import (
	"time"

	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// CreateFromUpdate makes a new app of a partial definition that NormaliseUpdate has been
// through: it is laid over an app with nothing but defaults, which has no ports
// (api/v2/AppHelpers.scala, withoutPriorAppDefinition).
func (d *Definition) CreateFromUpdate(appID id.Path, s *Settings, now timestamp.Timestamp) (*App, error) {
	return d.overBlank(appID).Create(id.Root, s, now)
}

func (d *Definition) overBlank(appID id.Path) *Definition {
	blank := &App{
		ID:                  appID,
		Instances:           defaultInstances,
		Resources:           Resources{CPUs: defaultCPUs, Mem: defaultMem},
		Backoff:             Backoff{defaultBackoffSeconds * time.Second, defaultBackoffFactor, defaultMaxLaunchDelaySeconds * time.Second},
		UpgradeStrategy:     d.upgrade(),
		Labels:              Map[string]{},
		Networks:            []Network{{Mode: NetworkHost}},
		KillSelection:       YoungestFirst,
		UnreachableStrategy: UnreachableStrategy{Disabled: d.Container != nil && hasPersistent(d.Container.Volumes)},
	}
	merged := d.Merge(blank)
	if d.Role == nil {
		merged.Role = nil
	}
	return merged
}
