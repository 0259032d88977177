// Package storage keeps Marathon's durable state: one small record each for the
// framework id, the tree of groups, every app, every version of an app, every change
// of the tree, every instance, every running deployment and every last failure.
//
// Comes in: the writes of the core, in batches. Goes out: the same batches as atomic
// changes of a store.Store, and the whole state at the start. It decides nothing.
package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stoa/internal/store"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/deployment"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// The places of the records.
const (
	frameworkKey    = "marathon/framework-id"
	treeKey         = "marathon/tree"
	versionKey      = "marathon/version"
	appPrefix       = "marathon/apps/"
	versionPrefix   = "marathon/versions/"
	historyPrefix   = "marathon/history/"
	instancePrefix  = "marathon/instances/"
	deployPrefix    = "marathon/deployments/"
	failurePrefix   = "marathon/failures/"
	maxReadableName = 200
)

// name is the part of a key that names a thing. Ids that are too long for a key are
// cut and told apart by their hash; the record itself always holds the whole id.
func name(id string) string {
	if len(id) <= maxReadableName {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return id[:maxReadableName-65] + "~" + hex.EncodeToString(sum[:])
}

// number writes a version so that keys sort by it.
func number(v timestamp.Timestamp) string { return fmt.Sprintf("%020d", int64(v)) }

func appVersionPrefix(appID id.Path) string { return versionPrefix + name(appID.Safe()) + "/" }

// treeRecord is the tree without its apps.
type treeRecord struct {
	Groups []core.GroupRecord `json:"groups"`
}

// planRecord is a deployment; actions name their apps, whose definitions are in Apps.
type planRecord struct {
	ID      string                   `json:"id"`
	Version timestamp.Timestamp      `json:"version"`
	Steps   [][]actionRecord         `json:"steps"`
	Apps    []deployment.AppChange   `json:"apps"`
	Groups  []deployment.GroupChange `json:"groups,omitempty"`
}

type actionRecord struct {
	Kind   deployment.Kind `json:"kind"`
	AppID  id.Path         `json:"app"`
	ToKill []string        `json:"toKill,omitempty"`
}

// Ops turns writes into one atomic batch; the last write to a record wins.
func Ops(writes []core.Write) ([]store.Op, error) {
	b := batch{at: map[string]int{}}
	for _, w := range writes {
		if err := b.add(w); err != nil {
			return nil, err
		}
	}
	return b.ops, nil
}

type batch struct {
	ops []store.Op
	at  map[string]int
}

func (b *batch) set(op store.Op) {
	if n, ok := b.at[op.Key]; ok {
		b.ops[n] = op
		return
	}
	b.at[op.Key] = len(b.ops)
	b.ops = append(b.ops, op)
}

func (b *batch) put(key string, record any) error {
	value, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("storage: encoding %s: %w", key, err)
	}
	b.set(store.Put(key, value))
	return nil
}

func (b *batch) remove(key string) error {
	b.set(store.Remove(key))
	return nil
}

func (b *batch) add(w core.Write) error {
	switch w := w.(type) {
	case core.PutFrameworkID:
		if w.ID == "" {
			return b.remove(frameworkKey)
		}
		return b.put(frameworkKey, w.ID)
	case core.PutTree:
		if err := b.put(treeKey, treeRecord{core.GroupRecords(w.Root)}); err != nil {
			return err
		}
		return b.put(versionKey, w.Root.Version)
	case core.PutVersion:
		return b.put(versionKey, w.Version)
	case core.PutApp:
		if err := b.put(appPrefix+name(w.App.ID.Safe()), w.App); err != nil {
			return err
		}
		return b.put(appVersionPrefix(w.App.ID)+number(w.App.Version()), w.App)
	case core.DropApp:
		return b.remove(appPrefix + name(w.AppID.Safe()))
	case core.DropVersion:
		return b.remove(appVersionPrefix(w.AppID) + number(w.Version))
	case core.PutChange:
		return b.put(historyPrefix+number(w.Change.Version), w.Change)
	case core.DropChange:
		return b.remove(historyPrefix + number(w.Version))
	case core.PutInstance:
		return b.put(instancePrefix+name(w.Instance.ID), encodeInstance(w.Instance))
	case core.DropInstance:
		return b.remove(instancePrefix + name(w.InstanceID))
	case core.PutDeployment:
		return b.put(deployPrefix+w.Plan.ID, encodePlan(w.Plan))
	case core.DropDeployment:
		return b.remove(deployPrefix + w.ID)
	case core.PutFailure:
		return b.put(failurePrefix+name(w.Failure.AppID.Safe()), w.Failure)
	case core.DropFailure:
		return b.remove(failurePrefix + name(w.AppID.Safe()))
	default:
		return fmt.Errorf("storage: unknown write %T", w)
	}
}

func encodePlan(p *deployment.Plan) planRecord {
	r := planRecord{ID: p.ID, Version: p.Version, Apps: p.Apps, Groups: p.Groups}
	for _, step := range p.Steps {
		actions := []actionRecord{}
		for _, a := range step.Actions {
			actions = append(actions, actionRecord{a.Kind, a.App.ID, a.ToKill})
		}
		r.Steps = append(r.Steps, actions)
	}
	return r
}

func (r planRecord) plan() (*deployment.Plan, error) {
	p := &deployment.Plan{ID: r.ID, Version: r.Version, Apps: r.Apps, Groups: r.Groups}
	for _, actions := range r.Steps {
		var step deployment.Step
		for _, a := range actions {
			at := slices.IndexFunc(r.Apps, func(c deployment.AppChange) bool {
				return c.Old != nil && c.Old.ID == a.AppID || c.New != nil && c.New.ID == a.AppID
			})
			if at < 0 {
				return nil, fmt.Errorf("action of app %s without a definition", a.AppID)
			}
			definition := r.Apps[at].New
			if a.Kind == deployment.Stop {
				definition = r.Apps[at].Old
			}
			if definition == nil {
				return nil, fmt.Errorf("%s of app %s without a definition", a.Kind, a.AppID)
			}
			step.Actions = append(step.Actions, deployment.Action{Kind: a.Kind, App: definition, ToKill: a.ToKill})
		}
		p.Steps = append(p.Steps, step)
	}
	return p, nil
}

// Load reads the whole state. newGroupEnforceRole is the flag for groups to come. A
// record that cannot be read stops it: going on without would lose what it held.
func Load(ctx context.Context, s store.Store, newGroupEnforceRole bool) (core.State, error) {
	state := core.State{Versions: map[id.Path][]timestamp.Timestamp{}}
	if _, err := get(ctx, s, frameworkKey, &state.FrameworkID); err != nil {
		return state, err
	}
	apps, err := list[app.App](ctx, s, appPrefix)
	if err != nil {
		return state, err
	}
	if state.Root, err = loadTree(ctx, s, apps, newGroupEnforceRole); err != nil {
		return state, err
	}
	instances, err := list[instanceRecord](ctx, s, instancePrefix)
	if err != nil {
		return state, err
	}
	needed := map[string]bool{}
	for _, r := range instances {
		i, err := r.instance()
		if err != nil {
			return state, fmt.Errorf("storage: instance %s: %w", r.InstanceID.IDString, err)
		}
		state.Instances = append(state.Instances, i)
		needed[appVersionPrefix(i.AppID)+number(i.Version)] = true
	}
	slices.SortStableFunc(state.Instances, func(a, b *instance.Instance) int { return created(a).Compare(created(b)) })
	if err := loadVersions(ctx, s, &state, needed); err != nil {
		return state, err
	}
	plans, err := list[planRecord](ctx, s, deployPrefix)
	if err != nil {
		return state, err
	}
	for _, r := range plans {
		p, err := r.plan()
		if err != nil {
			return state, fmt.Errorf("storage: deployment %s: %w", r.ID, err)
		}
		state.Deployments = append(state.Deployments, p)
	}
	slices.SortFunc(state.Deployments, func(a, b *deployment.Plan) int { return int(a.Version - b.Version) })
	if state.Failures, err = list[core.TaskFailure](ctx, s, failurePrefix); err != nil {
		return state, err
	}
	changes, err := list[core.RootChange](ctx, s, historyPrefix)
	for _, c := range changes {
		state.History = append(state.History, *c)
	}
	return state, err
}

func loadTree(ctx context.Context, s store.Store, apps []*app.App, newGroupEnforceRole bool) (*group.Root, error) {
	var tree treeRecord
	found, err := get(ctx, s, treeKey, &tree)
	if err != nil || !found {
		return nil, err
	}
	var version timestamp.Timestamp
	if _, err := get(ctx, s, versionKey, &version); err != nil {
		return nil, err
	}
	return BuildTree(tree.Groups, apps, version, newGroupEnforceRole), nil
}

// BuildTree makes a tree of its groups and its apps.
func BuildTree(groups []core.GroupRecord, apps []*app.App, version timestamp.Timestamp, newGroupEnforceRole bool) *group.Root {
	slices.SortFunc(apps, func(a, b *app.App) int { return id.Compare(a.ID, b.ID) })
	nodes := map[id.Path]*group.Group{id.Root: {ID: id.Root, Version: version}}
	var node func(at id.Path) *group.Group
	node = func(at id.Path) *group.Group {
		if g := nodes[at]; g != nil {
			return g
		}
		g := &group.Group{ID: at, Version: version}
		nodes[at] = g
		parent := node(at.Parent())
		parent.Groups = append(parent.Groups, g)
		return g
	}
	for _, r := range groups {
		g := node(r.ID)
		g.Dependencies, g.EnforceRole = r.Dependencies, r.EnforceRole
	}
	for _, a := range apps {
		g := node(a.ID.Parent())
		g.Apps = append(g.Apps, a)
	}
	for _, g := range nodes {
		slices.SortFunc(g.Groups, func(a, b *group.Group) int { return id.Compare(a.ID, b.ID) })
	}
	return &group.Root{Group: *nodes[id.Root], NewGroupEnforceRole: newGroupEnforceRole}
}

// loadVersions reads which versions there are, and the definitions of those that
// instances refer to.
func loadVersions(ctx context.Context, s store.Store, state *core.State, needed map[string]bool) error {
	records, err := s.List(ctx, versionPrefix)
	if err != nil {
		return fmt.Errorf("storage: reading versions: %w", err)
	}
	for _, r := range records {
		if !needed[r.Key] {
			var short struct {
				ID          id.Path
				VersionInfo app.VersionInfo
			}
			if err := decode(r, &short); err != nil {
				return err
			}
			state.Versions[short.ID] = append(state.Versions[short.ID], short.VersionInfo.Version)
			continue
		}
		a := &app.App{}
		if err := decode(r, a); err != nil {
			return err
		}
		state.Versions[a.ID] = append(state.Versions[a.ID], a.Version())
		state.Specs = append(state.Specs, a)
	}
	return nil
}

// AppVersions lists the stored versions of an app, newest first.
func AppVersions(ctx context.Context, s store.Store, appID id.Path) ([]timestamp.Timestamp, error) {
	records, err := s.List(ctx, appVersionPrefix(appID))
	if err != nil {
		return nil, fmt.Errorf("storage: versions of %s: %w", appID, err)
	}
	var out []timestamp.Timestamp
	for _, r := range slices.Backward(records) {
		var n int64
		if _, err := fmt.Sscanf(r.Key[strings.LastIndexByte(r.Key, '/')+1:], "%d", &n); err == nil {
			out = append(out, timestamp.Timestamp(n))
		}
	}
	return out, nil
}

// AppVersion reads one version of an app; nil when it is not stored.
func AppVersion(ctx context.Context, s store.Store, appID id.Path, version timestamp.Timestamp) (*app.App, error) {
	a := &app.App{}
	found, err := get(ctx, s, appVersionPrefix(appID)+number(version), a)
	if err != nil || !found {
		return nil, err
	}
	return a, nil
}

func get(ctx context.Context, s store.Store, key string, into any) (bool, error) {
	r, err := s.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("storage: reading %s: %w", key, err)
	}
	return true, decode(r, into)
}

func list[T any](ctx context.Context, s store.Store, prefix string) ([]*T, error) {
	records, err := s.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("storage: reading %s: %w", prefix, err)
	}
	out := make([]*T, 0, len(records))
	for _, r := range records {
		v := new(T)
		if err := decode(r, v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func decode(r store.Record, into any) error {
	if err := json.Unmarshal(r.Value, into); err != nil {
		return fmt.Errorf("storage: record %s cannot be read (%w); restore the store from a backup, or move it away to start anew", r.Key, err)
	}
	return nil
}
