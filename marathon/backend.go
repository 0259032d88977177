package marathon

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/httpapi"
	"stoa/marathon/id"
	"stoa/marathon/storage"
	"stoa/marathon/timestamp"
)

// backend is the service as the REST API sees it.
type backend struct{ *Service }

var _ httpapi.Backend = backend{}

// ask runs f in the loop and returns its result once everything it decided is durable. While
// there is no room for that, it does nothing.
func ask[T any](ctx context.Context, s *Service, f func(c *core.Core, now time.Time) T) (T, error) {
	answer := make(chan T, 1)
	var zero T
	full, lack := s.room.state()
	if lack != nil {
		return zero, &httpapi.UnavailableError{Reason: "nothing can be changed now: " + lack.Error()}
	}
	err := s.post(ctx, func(c *core.Core, now time.Time) {
		result := f(c, now)
		c.Answer(func() { answer <- result })
	})
	if err != nil {
		return zero, err
	}
	select {
	case result := <-answer:
		return result, nil
	case <-ctx.Done():
		return zero, ctx.Err()
	case <-full:
		// What was begun cannot be taken back.
		reason := "the change is made as soon as there is room"
		if _, lack := s.room.state(); lack != nil {
			reason += ": " + lack.Error()
		}
		return zero, &httpapi.UnavailableError{Reason: reason}
	case <-s.finished:
		// The last batch may have brought the answer.
		select {
		case result := <-answer:
			return result, nil
		default:
			return zero, errStopped
		}
	}
}

// Snapshot implements httpapi.Backend.
func (b backend) Snapshot() *httpapi.View { return b.view.Load().api }

// Queue implements httpapi.Backend.
func (b backend) Queue(ctx context.Context) ([]httpapi.QueueItem, error) {
	items, err := ask(ctx, b.Service, func(c *core.Core, now time.Time) []core.QueueItem { return c.Queue(now) })
	return apiQueue(items), err
}

type updated struct {
	core.Deployed
	found bool
	err   error
}

func (u updated) result() (httpapi.Deployed, error) {
	if u.err != nil {
		return httpapi.Deployed{}, apiError(u.err)
	}
	return httpapi.Deployed{DeploymentID: u.DeploymentID, Version: u.Version}, nil
}

// apiError gives the core's errors the API's types.
func apiError(err error) error {
	var locked *core.LockedError
	var many *core.TooManyDeploymentsError
	switch {
	case errors.As(err, &locked):
		return &httpapi.LockedError{DeploymentIDs: locked.DeploymentIDs}
	case errors.As(err, &many):
		return &httpapi.TooManyDeploymentsError{Limit: many.Limit}
	default:
		return err
	}
}

// errTooManyUpdates says that changes come faster than they can be made.
var errTooManyUpdates = errors.New("too many changes are waiting; try again later (--max_queued_root_group_updates)")

// UpdateRoot implements httpapi.Backend.
func (b backend) UpdateRoot(ctx context.Context, change httpapi.Change, options httpapi.UpdateOptions) (httpapi.Deployed, error) {
	if limit := int64(b.cfg.MaxQueuedRootGroupUpdates); b.updates.Add(1) > limit && limit > 0 {
		b.updates.Add(-1)
		return httpapi.Deployed{}, errTooManyUpdates
	}
	defer b.updates.Add(-1)
	u, err := ask(ctx, b.Service, func(c *core.Core, now time.Time) updated {
		d, err := c.UpdateRoot(core.Update{
			Change: b.guarded(change), GroupID: options.GroupID, Force: options.Force, ToKill: options.ToKill,
		}, now)
		return updated{Deployed: d, err: err}
	})
	if err != nil {
		return httpapi.Deployed{}, err
	}
	return u.result()
}

// guarded keeps a mistake in one change from ending the process.
func (b backend) guarded(change httpapi.Change) httpapi.Change {
	return func(root *group.Root, version timestamp.Timestamp) (next *group.Root, err error) {
		defer func() {
			if r := recover(); r != nil {
				b.log.Error("a change of the tree panicked", "panic", r, "stack", string(debug.Stack()))
				err = fmt.Errorf("internal error: %v", r)
			}
		}()
		return change(root, version)
	}
}

type planned struct {
	steps []httpapi.Step
	err   error
}

// Plan implements httpapi.Backend.
func (b backend) Plan(ctx context.Context, change httpapi.Change) ([]httpapi.Step, error) {
	p, err := ask(ctx, b.Service, func(c *core.Core, now time.Time) planned {
		plan, err := c.Plan(core.Update{Change: b.guarded(change)}, now)
		if err != nil {
			return planned{err: err}
		}
		return planned{steps: apiSteps(plan)}
	})
	if err != nil {
		return nil, err
	}
	return p.steps, p.err
}

// DeleteDeployment implements httpapi.Backend.
func (b backend) DeleteDeployment(ctx context.Context, deploymentID string, force bool) (httpapi.Deployed, bool, error) {
	u, err := ask(ctx, b.Service, func(c *core.Core, now time.Time) updated {
		d, found, err := c.DeleteDeployment(deploymentID, force, now)
		return updated{Deployed: d, found: found, err: err}
	})
	if err != nil {
		return httpapi.Deployed{}, false, err
	}
	d, err := u.result()
	return d, u.found, err
}

// KillInstances implements httpapi.Backend.
func (b backend) KillInstances(ctx context.Context, instanceIDs []string, wipe bool) error {
	_, err := ask(ctx, b.Service, func(c *core.Core, now time.Time) struct{} {
		c.KillInstances(instanceIDs, wipe, now)
		return struct{}{}
	})
	return err
}

// ResetDelay implements httpapi.Backend.
func (b backend) ResetDelay(ctx context.Context, appID id.Path) (bool, error) {
	return ask(ctx, b.Service, func(c *core.Core, _ time.Time) bool { return c.ResetDelay(appID) })
}

// AppVersions implements httpapi.Backend.
func (b backend) AppVersions(ctx context.Context, appID id.Path) ([]timestamp.Timestamp, error) {
	return storage.AppVersions(ctx, b.cfg.Store, appID)
}

// AppVersion implements httpapi.Backend.
func (b backend) AppVersion(ctx context.Context, appID id.Path, version timestamp.Timestamp) (*app.App, error) {
	return storage.AppVersion(ctx, b.cfg.Store, appID, version)
}

// RootVersions implements httpapi.Backend.
func (b backend) RootVersions(context.Context) ([]timestamp.Timestamp, error) {
	v := b.view.Load().core
	out := []timestamp.Timestamp{v.Root.Version}
	for _, change := range slices.Backward(v.History) {
		if change.Previous < out[len(out)-1] {
			out = append(out, change.Previous)
		}
	}
	return out, nil
}

// RootVersion implements httpapi.Backend. An older tree is found by taking back the
// changes since, newest first; an app whose old definition is not kept any more is
// missing in it.
func (b backend) RootVersion(ctx context.Context, version timestamp.Timestamp) (*group.Root, error) {
	v := b.view.Load().core
	if version == v.Root.Version {
		return v.Root, nil
	}
	apps := map[id.Path]timestamp.Timestamp{}
	present := map[id.Path]*app.App{}
	for a := range v.Root.AllApps() {
		present[a.ID] = a
	}
	groups := core.GroupRecords(v.Root)
	for _, change := range slices.Backward(v.History) {
		if change.Groups != nil {
			groups = change.Groups
		}
		for _, a := range change.Apps {
			delete(present, a.AppID)
			apps[a.AppID] = a.Version
		}
		if change.Previous == version {
			return b.treeAt(ctx, version, groups, present, apps)
		}
	}
	return nil, nil
}

// treeAt builds a tree of the apps that are as they were and those of other versions.
func (b backend) treeAt(ctx context.Context, version timestamp.Timestamp, groups []core.GroupRecord,
	same map[id.Path]*app.App, others map[id.Path]timestamp.Timestamp,
) (*group.Root, error) {
	var apps []*app.App
	for _, a := range same {
		apps = append(apps, a)
	}
	for appID, at := range others {
		if at == 0 {
			continue
		}
		a, err := storage.AppVersion(ctx, b.cfg.Store, appID, at)
		if err != nil {
			return nil, err
		}
		if a != nil {
			apps = append(apps, a)
		}
	}
	return storage.BuildTree(groups, apps, version, b.cfg.NewGroupEnforceRole), nil
}

// SetEnforceRole implements httpapi.Backend.
func (b backend) SetEnforceRole(ctx context.Context, groupID id.Path, enforce bool) (bool, error) {
	return ask(ctx, b.Service, func(c *core.Core, _ time.Time) bool { return c.SetEnforceRole(groupID, enforce) })
}

// Subscribe implements httpapi.Backend.
func (b backend) Subscribe(remoteAddr string, accept func(eventType string) bool) httpapi.Subscription {
	return b.bus.Subscribe(remoteAddr, accept)
}

// PublishAPIPost implements httpapi.Backend.
func (b backend) PublishAPIPost(clientIP, uri string, definition *app.App) {
	b.bus.Publish(event.APIPost{ClientIP: clientIP, URI: uri, Definition: definition}, timestamp.Of(now()))
}

// Abdicate implements httpapi.Backend. Nobody else can lead a store that is embedded,
// so that the process ends, as the original's does, and its supervisor starts it again.
func (b backend) Abdicate(context.Context) error {
	time.AfterFunc(500*time.Millisecond, func() {
		select {
		case b.abdicate <- struct{}{}:
		default:
		}
	})
	return nil
}
