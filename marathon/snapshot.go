package marathon

import (
	"stoa/marathon/core"
	"stoa/marathon/deployment"
	"stoa/marathon/httpapi"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// snapshot is a picture of the core in the API's terms. Parts that did not change are
// shared with the one before.
type snapshot struct {
	core *core.View
	api  *httpapi.View
}

func newSnapshot(cfg *Config, before *snapshot, v *core.View) *snapshot {
	api := &httpapi.View{
		Root:             v.Root,
		Instances:        v.Instances,
		FrameworkID:      v.FrameworkID,
		Leader:           cfg.hostPort(),
		Elected:          true,
		MesosLeaderUIURL: cfg.MesosLeaderUIURL,
	}
	if api.MesosLeaderUIURL == "" {
		api.MesosLeaderUIURL = v.MasterURL
	}
	if before != nil && before.core.HealthEdition == v.HealthEdition {
		api.Health = before.api.Health
	} else {
		api.Health = apiHealth(v.Health)
	}
	if before != nil && before.core.FailuresEdition == v.FailuresEdition {
		api.Failures = before.api.Failures
	} else {
		api.Failures = apiFailures(v.Failures)
	}
	if before != nil && before.core.DeploymentsEdition == v.DeploymentsEdition {
		api.Deployments = before.api.Deployments
	} else {
		api.Deployments = apiDeployments(v.Deployments)
	}
	return &snapshot{core: v, api: api}
}

func apiHealth(from map[string][]instance.Health) map[string][]httpapi.Health {
	out := make(map[string][]httpapi.Health, len(from))
	for instanceID, results := range from {
		for _, h := range results {
			api := httpapi.Health{
				InstanceID: instanceID, LastFailureCause: h.LastFailureCause, ConsecutiveFailures: h.ConsecutiveFailures,
			}
			if !h.FirstSuccess.IsZero() {
				api.FirstSuccess = timestamp.Of(h.FirstSuccess)
			}
			if !h.LastSuccess.IsZero() {
				api.LastSuccess = timestamp.Of(h.LastSuccess)
			}
			if !h.LastFailure.IsZero() {
				api.LastFailure = timestamp.Of(h.LastFailure)
			}
			out[instanceID] = append(out[instanceID], api)
		}
	}
	return out
}

func apiFailures(from map[id.Path]*core.TaskFailure) map[id.Path]*httpapi.TaskFailure {
	out := make(map[id.Path]*httpapi.TaskFailure, len(from))
	for appID, f := range from {
		out[appID] = &httpapi.TaskFailure{
			AppID: f.AppID, Host: f.Host, Message: f.Message, State: f.State, TaskID: f.TaskID,
			Timestamp: f.Timestamp, Version: f.Version, AgentID: f.AgentID,
		}
	}
	return out
}

func apiDeployments(from []core.DeploymentView) []httpapi.Deployment {
	out := make([]httpapi.Deployment, 0, len(from))
	for _, d := range from {
		api := httpapi.Deployment{
			ID: d.Plan.ID, Version: d.Plan.Version, Steps: apiSteps(d.Plan), CurrentStep: d.Step,
		}
		for appID, results := range d.Readiness {
			for _, r := range results {
				result := httpapi.ReadinessResult{Name: r.Name, TaskID: r.TaskID, Ready: r.Ready}
				if r.Response != nil {
					result.LastResponse = &httpapi.ReadinessResponse{
						Status: r.Response.Status, ContentType: r.Response.ContentType, Body: r.Response.Body,
					}
				}
				if api.Readiness == nil {
					api.Readiness = map[id.Path][]httpapi.ReadinessResult{}
				}
				api.Readiness[appID] = append(api.Readiness[appID], result)
			}
		}
		out = append(out, api)
	}
	return out
}

func apiSteps(p *deployment.Plan) []httpapi.Step {
	out := make([]httpapi.Step, 0, len(p.Steps))
	for _, step := range p.Steps {
		actions := make([]httpapi.Action, 0, len(step.Actions))
		for _, a := range step.Actions {
			actions = append(actions, httpapi.Action{Kind: string(a.Kind), AppID: a.App.ID})
		}
		out = append(out, httpapi.Step{Actions: actions})
	}
	return out
}

func apiQueue(from []core.QueueItem) []httpapi.QueueItem {
	out := make([]httpapi.QueueItem, 0, len(from))
	for _, q := range from {
		item := httpapi.QueueItem{
			App: q.App, Role: q.Role, Count: q.Count, Since: timestamp.Of(q.Since),
			ProcessedOffers: q.Processed, UnusedOffers: q.Unused,
			RejectsLastOffers:    map[httpapi.RejectReason]int{},
			RejectsLaunchAttempt: map[httpapi.RejectReason]int{},
		}
		if !q.DelayUntil.IsZero() {
			item.DelayUntil = timestamp.Of(q.DelayUntil)
		}
		if !q.LastIdle.IsZero() {
			item.LastUnusedOfferAt = timestamp.Of(q.LastIdle)
		}
		if !q.LastUsed.IsZero() {
			item.LastUsedOfferAt = timestamp.Of(q.LastUsed)
		}
		for r, n := range q.Rejects {
			item.RejectsLaunchAttempt[httpapi.RejectReason(r)] = n
		}
		for r, n := range q.RejectsOfLastUnused {
			item.RejectsLastOffers[httpapi.RejectReason(r)] = n
		}
		for _, u := range q.LastUnused {
			unused := httpapi.UnusedOffer{Offer: u.Offer, Timestamp: timestamp.Of(u.At)}
			for _, r := range u.Reasons {
				unused.Reasons = append(unused.Reasons, httpapi.RejectReason(r))
			}
			item.LastUnused = append(item.LastUnused, unused)
		}
		out = append(out, item)
	}
	return out
}
