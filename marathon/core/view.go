package core

import (
	"maps"
	"slices"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/launch"
)

// View is an immutable picture of the state. What did not change since the last one is
// shared with it.
type View struct {
	Root        *group.Root
	Instances   map[id.Path][]*instance.Instance
	Health      map[string][]instance.Health
	Deployments []DeploymentView
	Failures    map[id.Path]*TaskFailure
	FrameworkID string
	MasterURL   string
	Connected   bool
	// History are the changes that led to Root, oldest first.
	History []RootChange
	// HealthEdition, DeploymentsEdition and FailuresEdition count how often these parts
	// were made anew: equal numbers mean equal parts.
	HealthEdition, DeploymentsEdition, FailuresEdition int
}

// DeploymentView is a running deployment with at least one step.
type DeploymentView struct {
	Plan *deployment.Plan
	// Step is 1-based; 0 before the first has begun.
	Step      int
	Readiness map[id.Path][]ReadinessResult
}

// viewCache keeps the parts of the last view that are still true; nil parts are made
// anew.
type viewCache struct {
	instances   map[id.Path][]*instance.Instance
	stale       map[id.Path]bool
	health      map[string][]instance.Health
	deployments []DeploymentView
	failures    map[id.Path]*TaskFailure

	healthEdition, deploymentsEdition, failuresEdition int
}

func (v *viewCache) markInstances(appID id.Path) {
	if v.stale == nil {
		v.stale = map[id.Path]bool{}
	}
	v.stale[appID] = true
}

// Changed says that the last View does not show the present state any more. Results of
// health checks change it without any other effect.
func (c *Core) Changed() bool {
	v := &c.view
	return v.instances == nil || len(v.stale) > 0 || v.health == nil || v.deployments == nil || v.failures == nil
}

// View pictures the present state.
func (c *Core) View() *View {
	v := &c.view
	if v.instances == nil || len(v.stale) > 0 {
		fresh := maps.Clone(v.instances)
		if fresh == nil {
			fresh = make(map[id.Path][]*instance.Instance, len(c.apps))
		}
		for appID := range v.stale {
			if list := c.list(appID); len(list) > 0 {
				fresh[appID] = list
			} else {
				delete(fresh, appID)
			}
		}
		v.instances, v.stale = fresh, nil
	}
	if v.health == nil {
		v.healthEdition++
		v.health = make(map[string][]instance.Health, len(c.checks))
		for _, tc := range c.checks {
			for _, h := range tc.results {
				if h.Known() {
					v.health[tc.instanceID] = append(v.health[tc.instanceID], h)
				}
			}
		}
	}
	if v.failures == nil {
		v.failuresEdition++
		v.failures = maps.Clone(c.failures)
	}
	if v.deployments == nil {
		v.deploymentsEdition++
		v.deployments = c.deploymentViews()
	}
	return &View{
		Root: c.root, Instances: v.instances, Health: v.health, Deployments: v.deployments, Failures: v.failures,
		FrameworkID: c.frameworkID, MasterURL: c.masterURL, Connected: c.connected, History: c.history,
		HealthEdition: v.healthEdition, DeploymentsEdition: v.deploymentsEdition, FailuresEdition: v.failuresEdition,
	}
}

func (c *Core) deploymentViews() []DeploymentView {
	out := make([]DeploymentView, 0, len(c.deployments))
	for _, r := range c.deployments {
		if len(r.plan.Steps) == 0 {
			continue
		}
		d := DeploymentView{Plan: r.plan, Step: r.step}
		for _, action := range r.present() {
			for _, i := range c.list(action.App.ID) {
				t := i.Task()
				if t == nil || c.readiness[t.ID] == nil {
					continue
				}
				if d.Readiness == nil {
					d.Readiness = map[id.Path][]ReadinessResult{}
				}
				d.Readiness[action.App.ID] = append(d.Readiness[action.App.ID], c.readiness[t.ID].result)
			}
		}
		out = append(out, d)
	}
	return out
}

// QueueItem is what waits to be launched of one app.
type QueueItem struct {
	App   *app.App
	Role  string
	Count int
	// DelayUntil is the end of the launch delay; zero when there is none.
	DelayUntil          time.Time
	Since               time.Time
	Processed, Unused   int
	LastUsed, LastIdle  time.Time
	Rejects             map[launch.Reason]int
	LastUnused          []UnusedOffer
	RejectsOfLastUnused map[launch.Reason]int
}

// Queue lists what waits to be launched.
func (c *Core) Queue(now time.Time) []QueueItem {
	var out []QueueItem
	for appID, w := range c.waiting {
		a := c.root.App(appID)
		if a == nil {
			continue
		}
		item := QueueItem{
			App: a, Role: a.Role, DelayUntil: c.delays.Until(a, now), Since: w.since,
			Processed: w.processed, Unused: w.unused, LastUsed: w.lastUsed, LastIdle: w.lastIdle,
			Rejects: maps.Clone(w.rejects), LastUnused: append([]UnusedOffer(nil), w.last...),
			RejectsOfLastUnused: map[launch.Reason]int{},
		}
		for _, e := range c.apps[appID].instances {
			if e.Scheduled() {
				item.Count++
			}
		}
		for _, u := range item.LastUnused {
			for _, r := range launch.Funnel {
				if slices.Contains(u.Reasons, r) {
					item.RejectsOfLastUnused[r]++
					break
				}
			}
		}
		out = append(out, item)
	}
	return out
}
