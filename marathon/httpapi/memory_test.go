package httpapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// memory is a Backend without a cluster: the real trees, versions and plans, kept in
// memory; deployments stay as they begin until someone ends them.
type memory struct {
	mu       sync.Mutex
	view     View
	now      timestamp.Timestamp
	count    int
	trees    []*group.Root
	apps     map[id.Path][]*app.App
	plans    map[string]*deployment.Plan
	killed   []string
	wiped    bool
	toKill   map[id.Path][]string
	waiting  []QueueItem
	posted   []string
	streams  []*stream
	settings group.Settings
	limit    int
}

func newMemory(now timestamp.Timestamp) *memory {
	return &memory{
		view: View{Root: group.NewRoot(now, false), Elected: true, Leader: "h:8080"},
		now:  now, apps: map[id.Path][]*app.App{}, plans: map[string]*deployment.Plan{}, limit: 100,
		settings: group.Settings{ServicePorts: group.PortRange{Min: 10000, Max: 20000}},
	}
}

func (m *memory) Snapshot() *View {
	m.mu.Lock()
	defer m.mu.Unlock()
	view := m.view
	return &view
}

func (m *memory) Queue(context.Context) ([]QueueItem, error) { return m.waiting, nil }

func (m *memory) UpdateRoot(_ context.Context, change Change, options UpdateOptions) (Deployed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.plans) >= m.limit {
		return Deployed{}, &TooManyDeploymentsError{m.limit}
	}
	version := m.now
	for _, tree := range m.trees {
		version = max(version, tree.Version+1)
	}
	next, err := change(m.view.Root, version)
	if err != nil {
		return Deployed{}, err
	}
	if next, err = group.Prepare(m.view.Root, next, version, m.settings); err != nil {
		return Deployed{}, err
	}
	m.count++
	plan := deployment.NewPlan(fmt.Sprintf("D%d", m.count), m.view.Root, next, version, options.ToKill)
	if err := m.lock(plan, options.Force); err != nil {
		return Deployed{}, err
	}
	if len(plan.Steps) > 0 {
		m.plans[plan.ID] = plan
	}
	m.toKill = options.ToKill
	m.view.Root = next
	m.trees = append(m.trees, next)
	for _, change := range plan.Apps {
		if change.New != nil {
			m.apps[change.New.ID] = append(m.apps[change.New.ID], change.New)
		}
	}
	m.picture()
	return Deployed{plan.ID, version}, nil
}

// lock finds running deployments that touch the same apps; with force they end.
func (m *memory) lock(plan *deployment.Plan, force bool) error {
	var conflicting []string
	for _, one := range plan.Apps {
		for _, running := range m.plans {
			for _, other := range running.Apps {
				if changed(one) == changed(other) && !slices.Contains(conflicting, running.ID) {
					conflicting = append(conflicting, running.ID)
				}
			}
		}
	}
	if len(conflicting) > 0 && !force {
		return &LockedError{conflicting}
	}
	for _, running := range conflicting {
		delete(m.plans, running)
	}
	return nil
}

func changed(c deployment.AppChange) id.Path {
	if c.New != nil {
		return c.New.ID
	}
	return c.Old.ID
}

func steps(plan *deployment.Plan) []Step {
	shown := []Step{}
	for _, step := range plan.Steps {
		var actions []Action
		for _, action := range step.Actions {
			actions = append(actions, Action{string(action.Kind), action.App.ID})
		}
		shown = append(shown, Step{actions})
	}
	return shown
}

func (m *memory) picture() {
	m.view.Deployments = nil
	for _, planID := range slices.Sorted(maps.Keys(m.plans)) {
		plan := m.plans[planID]
		m.view.Deployments = append(m.view.Deployments, Deployment{ID: plan.ID, Version: plan.Version, Steps: steps(plan)})
	}
}

// finish ends all running deployments.
func (m *memory) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.plans)
	m.picture()
}

func (m *memory) Plan(_ context.Context, change Change) ([]Step, error) {
	next, err := change(m.view.Root, m.now)
	if err != nil {
		return nil, err
	}
	if next, err = group.Prepare(m.view.Root, next, m.now, m.settings); err != nil {
		return nil, err
	}
	return steps(deployment.NewPlan("dry", m.view.Root, next, m.now, nil)), nil
}

func (m *memory) DeleteDeployment(_ context.Context, deploymentID string, force bool) (Deployed, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.plans[deploymentID] == nil {
		return Deployed{}, false, nil
	}
	delete(m.plans, deploymentID)
	m.picture()
	if force {
		return Deployed{}, true, nil
	}
	return Deployed{"rollback", m.now}, true, nil
}

func (m *memory) KillInstances(_ context.Context, instanceIDs []string, wipe bool) error {
	m.killed, m.wiped = append(m.killed, instanceIDs...), wipe
	return nil
}

func (m *memory) ResetDelay(_ context.Context, appID id.Path) (bool, error) {
	return slices.ContainsFunc(m.waiting, func(q QueueItem) bool { return q.App.ID == appID }), nil
}

func (m *memory) AppVersions(_ context.Context, appID id.Path) ([]timestamp.Timestamp, error) {
	var versions []timestamp.Timestamp
	for _, a := range m.apps[appID] {
		versions = append([]timestamp.Timestamp{a.Version()}, versions...)
	}
	return versions, nil
}

func (m *memory) AppVersion(_ context.Context, appID id.Path, version timestamp.Timestamp) (*app.App, error) {
	for _, a := range m.apps[appID] {
		if a.Version() == version {
			return a, nil
		}
	}
	return nil, nil
}

func (m *memory) RootVersions(context.Context) ([]timestamp.Timestamp, error) {
	var versions []timestamp.Timestamp
	for _, tree := range m.trees {
		versions = append([]timestamp.Timestamp{tree.Version}, versions...)
	}
	return versions, nil
}

func (m *memory) RootVersion(_ context.Context, version timestamp.Timestamp) (*group.Root, error) {
	for _, tree := range m.trees {
		if tree.Version == version {
			return tree, nil
		}
	}
	return nil, nil
}

func (m *memory) SetEnforceRole(_ context.Context, groupID id.Path, enforce bool) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.view.Root.Find(groupID)
	if found == nil {
		return false, nil
	}
	fresh := *found
	fresh.EnforceRole = enforce
	m.view.Root = m.view.Root.WithGroup(&fresh, m.view.Root.Version)
	return true, nil
}

// stream is one subscription.
type stream struct {
	events chan Event
	accept func(string) bool
	once   sync.Once
}

func (s *stream) Events() <-chan Event { return s.events }
func (s *stream) Close()               { s.once.Do(func() { close(s.events) }) }

func (m *memory) Subscribe(remoteAddr string, accept func(string) bool) Subscription {
	s := &stream{events: make(chan Event, 8), accept: accept}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams = append(m.streams, s)
	m.publish(s, "event_stream_attached", `{"remoteAddress":"`+remoteAddr+`"}`)
	return s
}

func (m *memory) publish(s *stream, eventType, text string) {
	if s.accept == nil || s.accept(eventType) {
		s.events <- Event{Type: eventType, JSON: []byte(text)}
	}
}

func (m *memory) PublishAPIPost(clientIP, uri string, definition *app.App) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := clientIP + " " + uri + " " + string(definition.Append(nil, playjson.Play))
	m.posted = append(m.posted, text)
	for _, s := range m.streams {
		m.publish(s, "api_post_event", text)
	}
}

func (m *memory) Abdicate(context.Context) error {
	m.view.Elected, m.view.Leader = false, ""
	return nil
}
