package core_test

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// update changes the tree and fails the test when that is refused.
func (w *world) update(force bool, change func(*group.Root, timestamp.Timestamp) (*group.Root, error)) core.Deployed {
	w.t.Helper()
	d, err := w.tryUpdate(force, change)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) tryUpdate(force bool, change func(*group.Root, timestamp.Timestamp) (*group.Root, error)) (core.Deployed, error) {
	d, err := w.core.UpdateRoot(core.Update{Change: change, GroupID: id.Root, Force: force}, w.now)
	w.pump()
	return d, err
}

// put is a change that defines an app.
func put(a *app.App) func(*group.Root, timestamp.Timestamp) (*group.Root, error) {
	return func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		fresh := *a
		fresh.VersionInfo = app.OnlyVersion(version)
		if old := root.App(a.ID); old != nil {
			fresh.VersionInfo = old.VersionInfo
		}
		return root.WithApp(&fresh, version), nil
	}
}

func remove(appID id.Path) func(*group.Root, timestamp.Timestamp) (*group.Root, error) {
	return func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		return root.WithoutApp(appID, version), nil
	}
}

func restart(appID id.Path) func(*group.Root, timestamp.Timestamp) (*group.Root, error) {
	return func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		return root.WithApp(root.App(appID).MarkedForRestart(), version), nil
	}
}

// simple is an app as the API would make it of {"id":…, "cmd":…, "instances":…}.
func simple(appID id.Path, instances int) *app.App {
	return &app.App{
		ID: appID, Cmd: "sleep 1000", Instances: instances,
		Resources:       app.Resources{CPUs: 0.1, Mem: 10},
		PortDefinitions: []app.PortDefinition{{Name: "default", Protocol: app.TCP}},
		Backoff:         app.Backoff{Backoff: time.Second, Factor: 1.15, MaxLaunchDelay: 5 * time.Minute},
		UpgradeStrategy: app.UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1},
		Networks:        []app.Network{{Mode: app.NetworkHost}},
		KillSelection:   app.YoungestFirst,
		Role:            "*",
	}
}

// running lists the tasks of an app that run, oldest first.
func (w *world) running(appID id.Path) []*task {
	var out []*task
	for _, taskID := range w.sortedTasks() {
		if t := w.tasks[taskID]; t.state == mesospb.TaskState_TASK_RUNNING && t.appID() == appID {
			out = append(out, t)
		}
	}
	return out
}

func (w *world) live(appID id.Path) int {
	n := 0
	for _, t := range w.tasks {
		if t.live() && t.appID() == appID {
			n++
		}
	}
	return n
}

func (w *world) instances(appID id.Path) []*instance.Instance { return w.core.View().Instances[appID] }

func (w *world) eventTypes() []string {
	var out []string
	for _, e := range w.events {
		out = append(out, e.Type())
	}
	return out
}

func (w *world) count(types ...string) int {
	n := 0
	for _, e := range w.events {
		if slices.Contains(types, e.Type()) {
			n++
		}
	}
	return n
}
