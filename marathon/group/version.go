package group

import (
	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// StampVersions gives every app that differs between the trees its new version info, and
// every group the new version (src/main/scala/mesosphere/marathon/upgrade/GroupVersioningUtil.scala).
// A definition that differs only in what IsUpgrade leaves out also gets a new version
// (the original forgets such a change with its leader).
func StampVersions(from, to *Root, version timestamp.Timestamp) *Root {
	return to.WithVersion(version).MapApps(id.Root, func(target *app.App) *app.App {
		old := from.App(target.ID)
		if old == target {
			return target
		}
		info := versionInfo(old, target, version)
		if info == target.VersionInfo {
			return target
		}
		return target.WithVersionInfo(info)
	})
}

func versionInfo(old, target *app.App, version timestamp.Timestamp) app.VersionInfo {
	switch {
	case old == nil, old.IsUpgrade(target):
		return app.NewConfig(version)
	case old.Instances != target.Instances:
		return old.VersionInfo.Scaled(version)
	case target.VersionInfo == app.VersionInfo{}:
		return old.VersionInfo.Scaled(version)
	case !old.SameDefinition(target):
		return old.VersionInfo.Scaled(version)
	default:
		return old.VersionInfo
	}
}
