package storage_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/store"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/deployment"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/storage"
	"stoa/marathon/timestamp"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func open(t *testing.T, path string) *store.File {
	t.Helper()
	s, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t *testing.T, s store.Store, writes ...core.Write) {
	t.Helper()
	ops, err := storage.Ops(writes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(context.Background(), ops...); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s store.Store) core.State {
	t.Helper()
	state, err := storage.Load(context.Background(), s, false)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func web(version timestamp.Timestamp, cmd string) *app.App {
	seven, path := 7, "/h"
	return &app.App{
		ID: "/shop/web", Cmd: cmd, Instances: 2, Resources: app.Resources{CPUs: 0.1, Mem: 32}, Role: "*",
		Env:             app.Map[app.EnvValue]{{Key: "B", Value: app.EnvValue{Value: "2"}}, {Key: "A", Value: app.EnvValue{Value: "1"}}},
		Labels:          app.Map[string]{{Key: "x", Value: "y"}},
		PortDefinitions: []app.PortDefinition{{Port: 10000, Protocol: app.TCP}},
		Networks:        []app.Network{{Mode: app.NetworkHost}},
		HealthChecks:    []app.HealthCheck{{Protocol: app.HealthHTTP, Path: &path, PortIndex: &seven, Interval: time.Second}},
		VersionInfo:     app.NewConfig(version),
	}
}

func TestEverythingComesBackAfterTheFileWasClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marathon.db")
	s := open(t, path)
	old, now := web(1000, "old"), web(2000, "new")
	root := group.NewRoot(2000, false).WithApp(now, 2000).WithEmptyGroup("/empty/one")
	shop := *root.Find("/shop")
	shop.Dependencies, shop.EnforceRole = []id.Path{"/empty"}, true
	root = root.WithGroup(&shop, 2000)
	running := &instance.Instance{
		ID: "shop_web.instance-5c1d2e00-65d5-11eb-9f0a-0242ac110003", AppID: "/shop/web", Version: 1000, Role: "*",
		State: instance.State{
			Condition: instance.Running, Since: time.UnixMilli(5000).UTC(), ActiveSince: time.UnixMilli(5001).UTC(),
			Healthy: proto.Bool(true), Goal: instance.GoalRunning,
		},
		Agent: &instance.AgentInfo{Host: "h", AgentID: "S0", Region: "r", Zone: "z", Attributes: []*mesospb.Attribute{{
			Name: proto.String("rack"), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String("a")},
		}}},
		Tasks: []instance.Task{{
			ID:      "shop_web.instance-5c1d2e00-65d5-11eb-9f0a-0242ac110003._app.3",
			Version: 1000, Condition: instance.Running, StagedAt: time.UnixMilli(4000).UTC(), StartedAt: time.UnixMilli(5001).UTC(),
			Status:  &mesospb.TaskStatus{TaskId: &mesospb.TaskID{Value: proto.String("t")}, State: mesospb.TaskState_TASK_RUNNING.Enum()},
			Network: instance.NetworkInfo{HostName: "h", HostPorts: []int{31000}, IPAddresses: []instance.IPAddress{{Address: "10.0.0.1", Protocol: "IPv4"}}},
		}},
	}
	younger := instance.NewScheduled("shop_web.instance-6c1d2e00-65d5-11eb-9f0a-0242ac110003", "/shop/web", "*", 2000, time.UnixMilli(6000).UTC())
	plan := &deployment.Plan{
		ID: "d1", Version: 2000, Apps: []deployment.AppChange{{Old: old, New: now}},
		Groups: []deployment.GroupChange{{ID: "/empty", New: &deployment.GroupShape{}}},
		Steps:  []deployment.Step{{Actions: []deployment.Action{{Kind: deployment.Restart, App: now, ToKill: []string{"i"}}}}},
	}
	failure := &core.TaskFailure{AppID: "/shop/web", TaskID: "t", State: "TASK_FAILED", Message: "m", Timestamp: 7000, Version: 1000}
	change := core.RootChange{Version: 2000, Previous: 1000, Apps: []core.AppVersion{{AppID: "/shop/web", Version: 1000}}, Groups: []core.GroupRecord{{ID: "/"}}}
	apply(t, s,
		core.PutFrameworkID{ID: "f-1"}, core.PutApp{App: old}, core.PutApp{App: now}, core.PutTree{Root: root},
		core.PutInstance{Instance: younger}, core.PutInstance{Instance: running}, core.PutDeployment{Plan: plan},
		core.PutFailure{Failure: failure}, core.PutChange{Change: change},
	)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	want := core.State{
		FrameworkID: "f-1", Root: root, Instances: []*instance.Instance{running, younger}, Specs: []*app.App{old, now},
		Deployments: []*deployment.Plan{plan}, Failures: []*core.TaskFailure{failure},
		Versions: map[id.Path][]timestamp.Timestamp{"/shop/web": {1000, 2000}}, History: []core.RootChange{change},
	}
	if diff := cmp.Diff(want, load(t, s), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	versions, err := storage.AppVersions(context.Background(), s, "/shop/web")
	if err != nil || len(versions) != 2 || versions[0] != 2000 {
		t.Errorf("versions %v, %v", versions, err)
	}
	a, err := storage.AppVersion(context.Background(), s, "/shop/web", 1000)
	if err != nil || a.Cmd != "old" {
		t.Errorf("version %+v, %v", a, err)
	}
	if a, err := storage.AppVersion(context.Background(), s, "/shop/web", 1500); a != nil || err != nil {
		t.Errorf("a version that never was: %v, %v", a, err)
	}
}

func TestRemovedRecordsAreGone(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "marathon.db"))
	defer s.Close()
	a := web(1000, "x")
	i := instance.NewScheduled("shop_web.instance-6c1d2e00-65d5-11eb-9f0a-0242ac110003", "/shop/web", "*", 1000, time.UnixMilli(6000).UTC())
	apply(t, s, core.PutTree{Root: group.NewRoot(1, false)}, core.PutApp{App: a}, core.PutInstance{Instance: i},
		core.PutDeployment{Plan: &deployment.Plan{ID: "d"}}, core.PutFailure{Failure: &core.TaskFailure{AppID: a.ID}},
		core.PutFrameworkID{ID: "f"}, core.PutChange{Change: core.RootChange{Version: 5}})
	apply(t, s, core.DropApp{AppID: a.ID}, core.DropVersion{AppID: a.ID, Version: 1000}, core.DropInstance{InstanceID: i.ID},
		core.DropDeployment{ID: "d"}, core.DropFailure{AppID: a.ID}, core.PutFrameworkID{}, core.DropChange{Version: 5})
	state := load(t, s)
	if state.FrameworkID != "" || len(state.Instances)+len(state.Deployments)+len(state.Failures)+len(state.Versions)+len(state.History) > 0 || state.Root.HasApps() {
		t.Errorf("left: %+v", state)
	}
}

func TestTheLastWriteOfABatchWins(t *testing.T) {
	ops, err := storage.Ops([]core.Write{core.PutFrameworkID{ID: "a"}, core.PutFrameworkID{ID: "b"}})
	if err != nil || len(ops) != 1 || string(ops[0].Value) != `"b"` {
		t.Errorf("%v, %v", ops, err)
	}
}

func TestLongIDsFitIntoKeys(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "marathon.db"))
	defer s.Close()
	var apps []*app.App
	for _, end := range []string{"a", "b"} {
		a := web(1000, end)
		a.ID = id.Path("/" + strings.Repeat("x", 3000) + end)
		apps = append(apps, a)
		apply(t, s, core.PutApp{App: a})
	}
	apply(t, s, core.PutTree{Root: group.NewRoot(1, false)})
	root := load(t, s).Root
	for _, a := range apps {
		if got := root.App(a.ID); got == nil || got.Cmd != a.Cmd {
			t.Errorf("app of %d characters did not come back", len(a.ID))
		}
	}
}

func TestUnreadableRecordStopsTheStart(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "marathon.db"))
	defer s.Close()
	apply(t, s, core.PutTree{Root: group.NewRoot(1, false)})
	if _, err := s.Apply(context.Background(), store.Put("marathon/instances/x", []byte("{"))); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Load(context.Background(), s, false); err == nil || !strings.Contains(err.Error(), "marathon/instances/x") {
		t.Errorf("error %v", err)
	}
}

// FuzzLoad feeds arbitrary bytes to every kind of record.
func FuzzLoad(f *testing.F) {
	f.Add("marathon/instances/x", []byte(`{"instanceId":{"idString":"a.instance-5c1d2e00-65d5-11eb-9f0a-0242ac110003"},"tasksMap":{"t":{}},"state":{"condition":"Running","goal":"Running"}}`))
	f.Add("marathon/deployments/x", []byte(`{"id":"d","steps":[[{"kind":"StopApplication","app":"/a"}]],"apps":[{"Old":{"ID":"/a"}}]}`))
	f.Add("marathon/tree", []byte(`{"groups":[{"ID":"/"},{"ID":"/a/b"}]}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		if key == "" || len(key) > 100 {
			return
		}
		_, _ = storage.Load(context.Background(), single{key, value}, false)
	})
}

// single is a store with one record.
type single struct {
	key   string
	value []byte
}

func (s single) Get(_ context.Context, key string) (store.Record, error) {
	if key != s.key {
		return store.Record{}, store.ErrNotFound
	}
	return store.Record{Key: key, Value: s.value, Version: 1}, nil
}

func (s single) List(_ context.Context, prefix string) ([]store.Record, error) {
	if !strings.HasPrefix(s.key, prefix) {
		return nil, nil
	}
	return []store.Record{{Key: s.key, Value: s.value, Version: 1}}, nil
}

func (s single) Apply(context.Context, ...store.Op) ([]int64, error) { return nil, nil }
func (s single) Close() error                                        { return nil }
