package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// Update asks for a change of the tree.
type Update struct {
	// Change makes the new tree; it must not touch the present one.
	Change func(root *group.Root, version timestamp.Timestamp) (*group.Root, error)
	// GroupID is what the events name.
	GroupID id.Path
	// Force cancels running deployments that touch the same apps.
	Force bool
	// ToKill names instances, by app, that a scale-down takes first.
	ToKill map[id.Path][]string
}

// LockedError says that running deployments touch the same apps.
type LockedError struct{ DeploymentIDs []string }

func (e *LockedError) Error() string {
	return "App is locked by one or more deployments. Override with the option '?force=true'. " +
		"View details at '/v2/deployments/<DEPLOYMENT_ID>'."
}

// TooManyDeploymentsError says that no further deployment may run.
type TooManyDeploymentsError struct{ Limit int }

func (e *TooManyDeploymentsError) Error() string {
	return fmt.Sprintf("Max number (%d) of running deployments is achieved. Wait for existing deployments to complete "+
		"or cancel oneusing force=true parameter. You can increase max deployment number by using "+
		"--max_running_deployments parameter but be advised that this can have negative effects on the performance.", e.Limit)
}

// Deployed is a change that has been taken up.
type Deployed struct {
	DeploymentID string
	Version      timestamp.Timestamp
}

// UpdateRoot changes the tree and starts the deployment that makes it real. Errors of
// Change come back as they are. Original: GroupManagerImpl.updateRootEither.
func (c *Core) UpdateRoot(u Update, now time.Time) (Deployed, error) {
	version := c.nextVersion(now)
	d, err := c.updateRoot(u, version, now)
	if err != nil {
		c.publish(event.GroupChangeFailed{GroupID: u.GroupID, Version: version, Reason: err.Error()}, now)
		return Deployed{}, err
	}
	c.publish(event.GroupChangeSuccess{GroupID: u.GroupID, Version: version}, now)
	return d, nil
}

// nextVersion is the time, or a moment later when the tree has that version already.
func (c *Core) nextVersion(now time.Time) timestamp.Timestamp {
	return max(timestamp.Of(now), c.root.Version+1)
}

func (c *Core) updateRoot(u Update, version timestamp.Timestamp, now time.Time) (Deployed, error) {
	if n := c.settings.MaxRunningDeployments; n > 0 && len(c.deployments) >= n {
		return Deployed{}, &TooManyDeploymentsError{n}
	}
	plan, target, err := c.plan(u, version)
	if err != nil {
		return Deployed{}, err
	}
	conflicts := c.conflicts(plan)
	if len(conflicts) > 0 && !u.Force {
		locked := &LockedError{}
		for _, r := range conflicts {
			locked.DeploymentIDs = append(locked.DeploymentIDs, r.plan.ID)
		}
		c.publish(event.DeploymentFailed{Plan: plan, Reason: locked.Error()}, now)
		return Deployed{}, locked
	}
	for _, r := range conflicts {
		c.cancel(r, now)
	}
	c.store(plan, target)
	if len(plan.Steps) > 0 {
		c.write(PutDeployment{plan})
	}
	c.resume(plan)
	return Deployed{DeploymentID: plan.ID, Version: version}, nil
}

// Plan tells the steps of a change without making it.
func (c *Core) Plan(u Update, now time.Time) (*deployment.Plan, error) {
	plan, _, err := c.plan(u, c.nextVersion(now))
	return plan, err
}

func (c *Core) plan(u Update, version timestamp.Timestamp) (*deployment.Plan, *group.Root, error) {
	changed, err := u.Change(c.root, version)
	if err != nil {
		return nil, nil, err
	}
	target, err := group.Prepare(c.root, changed, version, c.settings.Group)
	if err != nil {
		return nil, nil, err
	}
	return deployment.NewPlan(c.settings.NewDeploymentID(), c.root, target, version, u.ToKill), target, nil
}

// store makes a tree the present one, durably, with the way back.
func (c *Core) store(plan *deployment.Plan, target *group.Root) {
	change := RootChange{Version: target.Version, Previous: c.root.Version}
	for _, ch := range plan.Apps {
		if ch.New == nil {
			change.Apps = append(change.Apps, AppVersion{AppID: ch.Old.ID, Version: ch.Old.Version()})
			c.write(DropApp{ch.Old.ID})
			continue
		}
		before := AppVersion{AppID: ch.New.ID}
		if ch.Old != nil {
			before.Version = ch.Old.Version()
		}
		change.Apps = append(change.Apps, before)
		c.write(PutApp{ch.New})
		c.addRole(ch.New.Role)
		c.remember(ch.New)
		c.addVersion(ch.New)
	}
	if len(plan.Groups) > 0 {
		change.Groups = GroupRecords(c.root)
		c.write(PutTree{target})
	} else {
		c.write(PutVersion{target.Version})
	}
	c.setRoot(target)
	c.write(PutChange{change})
	c.history = append(c.history, change)
	for len(c.history) > max(1, c.settings.MaxVersions) {
		oldest := c.history[0]
		c.history = slices.Clone(c.history[1:])
		c.write(DropChange{oldest.Version})
		for _, a := range oldest.Apps {
			c.forgetVersions(a.AppID)
		}
	}
}

func (c *Core) setRoot(root *group.Root) { c.root = root }

// addVersion adds to an app's versions and drops the oldest over the limit, except
// those in use.
func (c *Core) addVersion(a *app.App) {
	all := append(slices.Clone(c.versions[a.ID]), a.Version())
	for n := 0; n < len(all)-1 && len(all) > max(1, c.settings.MaxVersions); {
		if c.versionUsed(specKey{a.ID, all[n]}) {
			n++
			continue
		}
		c.write(DropVersion{a.ID, all[n]})
		all = slices.Delete(all, n, n+1)
	}
	c.versions[a.ID] = all
}

func (c *Core) versionUsed(k specKey) bool {
	if s := c.apps[k.app]; s != nil {
		for _, e := range s.instances {
			if e.Version == k.version {
				return true
			}
		}
	}
	return c.plansUse(k)
}

// forgetVersions drops the versions of an app that no longer exists, in the tree or in
// what is kept of its history.
func (c *Core) forgetVersions(appID id.Path) {
	if c.root.App(appID) != nil || c.locks[appID] != nil {
		return
	}
	for _, change := range c.history {
		if slices.ContainsFunc(change.Apps, func(a AppVersion) bool { return a.AppID == appID }) {
			return
		}
	}
	for _, v := range c.versions[appID] {
		c.write(DropVersion{appID, v})
	}
	delete(c.versions, appID)
}

// DeleteDeployment cancels a deployment. With force its work stays as it is, else a
// deployment that takes it back is started; that one is the result.
func (c *Core) DeleteDeployment(deploymentID string, force bool, now time.Time) (Deployed, bool, error) {
	at := slices.IndexFunc(c.deployments, func(r *running) bool { return r.plan.ID == deploymentID })
	if at < 0 {
		return Deployed{}, false, nil
	}
	r := c.deployments[at]
	if force {
		c.cancel(r, now)
		return Deployed{}, true, nil
	}
	d, err := c.UpdateRoot(Update{
		GroupID: id.Root,
		Force:   true,
		Change: func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
			return r.plan.Revert(root, version), nil
		},
	}, now)
	if err == nil && slices.Contains(c.deployments, r) {
		// Nothing was left to take back.
		c.cancel(r, now)
	}
	return d, true, err
}

// KillInstances ends the tasks of instances, which are then launched again. With wipe
// the instances themselves go, and new ones take their place. Unknown ids are ignored.
func (c *Core) KillInstances(instanceIDs []string, wipe bool, now time.Time) {
	for _, instanceID := range instanceIDs {
		e := c.instances[instanceID]
		switch {
		case e == nil:
		case wipe:
			c.setGoal(instanceID, instance.GoalDecommissioned, now)
		case e.Active() && e.State.Condition != instance.Unreachable:
			for n := range e.Tasks {
				if !e.Tasks[n].Condition.Terminal() {
					c.kill(e.Instance, e.Tasks[n].ID, now)
				}
			}
		}
	}
}

// ResetDelay forgets the launch delay of an app; it returns false when no instance of
// the app waits to be launched.
func (c *Core) ResetDelay(appID id.Path) bool {
	if c.waiting[appID] == nil {
		return false
	}
	c.delays.ResetAll(appID)
	c.grow(appID)
	return true
}

// SetEnforceRole changes the flag of a top-level group; it returns false when there is
// no such group.
func (c *Core) SetEnforceRole(groupID id.Path, enforce bool) bool {
	g := c.root.Find(groupID)
	if g == nil || !groupID.IsTopLevel() || strings.Contains(string(groupID[1:]), "/") {
		return false
	}
	if g.EnforceRole != enforce {
		fresh := *g
		fresh.EnforceRole = enforce
		c.setRoot(c.root.WithGroup(&fresh, c.root.Version))
		c.write(PutTree{c.root})
	}
	return true
}
