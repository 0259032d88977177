// Package httpapi is Marathon's REST API: it turns requests into changes of the group tree
// and snapshots into the original's bytes. Decisions about deployments, instances and
// storage are made behind Backend; nothing here holds state of its own.
package httpapi

import (
	"context"
	"errors"
	"fmt"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// Backend is what the API needs of the scheduler. All methods may be called from any
// goroutine. Methods with an error return ErrNotLeader when this process does not lead and
// *UnavailableError when it cannot do anything at present.
type Backend interface {
	// Snapshot gives the present state at once, without waiting for the loop. It is immutable.
	Snapshot() *View
	// Queue gives what waits to be launched, in no particular order.
	Queue(context.Context) ([]QueueItem, error)

	// UpdateRoot runs the change on the present tree, then ports, versions and validation
	// (group.Prepare), the plan, the conflict check, and stores it all. It returns when the
	// change is durable and its deployment registered; it never waits for the deployment.
	// Errors of the change come back as they are. Others: *LockedError, *TooManyDeploymentsError,
	// *app.ValidationError, *group.PortsExhaustedError.
	UpdateRoot(context.Context, Change, UpdateOptions) (Deployed, error)
	// Plan tells the steps that UpdateRoot would take for the change, without doing anything.
	Plan(context.Context, Change) ([]Step, error)
	// DeleteDeployment cancels a running deployment: with force it is only dropped and the
	// result is the zero Deployed, else a deployment that goes back is started. found is
	// false when there is no such deployment.
	DeleteDeployment(ctx context.Context, deploymentID string, force bool) (result Deployed, found bool, err error)

	// KillInstances asks for the death of instances, by instance id, that are then replaced.
	// With wipe their reservations and the instances themselves go as well. Unknown ids are
	// ignored. To scale down as well, use UpdateRoot with ToKill.
	KillInstances(ctx context.Context, instanceIDs []string, wipe bool) error
	// ResetDelay forgets the launch backoff of an app; found is false when no instance of
	// it waits to be launched.
	ResetDelay(ctx context.Context, appID id.Path) (found bool, err error)

	// AppVersions gives the stored versions of an app, newest first; none when there never was one.
	AppVersions(ctx context.Context, appID id.Path) ([]timestamp.Timestamp, error)
	// AppVersion gives one stored version of an app; nil when there is none.
	AppVersion(ctx context.Context, appID id.Path, version timestamp.Timestamp) (*app.App, error)
	// RootVersions gives the stored versions of the tree, newest first.
	RootVersions(context.Context) ([]timestamp.Timestamp, error)
	// RootVersion gives one stored version of the tree; nil when there is none.
	RootVersion(ctx context.Context, version timestamp.Timestamp) (*group.Root, error)
	// SetEnforceRole changes the flag of a top-level group without a deployment; found is
	// false when there is no such group.
	SetEnforceRole(ctx context.Context, groupID id.Path, enforce bool) (found bool, err error)

	// Subscribe attaches to the event stream. accept chooses event types; nil takes all. The
	// subscription's own event_stream_attached event is its first one. remoteAddr has no port.
	Subscribe(remoteAddr string, accept func(eventType string) bool) Subscription
	// PublishAPIPost publishes an api_post_event for a call that defined an app.
	PublishAPIPost(clientIP, uri string, definition *app.App)

	// Abdicate gives up leadership (or, when nobody else could lead, does what the
	// original does: end the process) shortly after it returns.
	Abdicate(context.Context) error
}

// Change makes a new tree out of the present one. version is that of the new tree, and its
// time. It runs in the loop: it must be quick and do no I/O.
type Change func(root *group.Root, version timestamp.Timestamp) (*group.Root, error)

// UpdateOptions tell how a change is deployed.
type UpdateOptions struct {
	// GroupID is what group_change_success and group_change_failed name.
	GroupID id.Path
	// Force cancels running deployments that touch the same apps.
	Force bool
	// ToKill names instances, by app, that a scale-down must take first.
	ToKill map[id.Path][]string
}

// Deployed is the result of a change.
type Deployed struct {
	DeploymentID string
	Version      timestamp.Timestamp
}

// ErrNotLeader says that another process leads, or none.
var ErrNotLeader = errors.New("this Marathon is not the leading one")

// LockedError says that running deployments touch the same apps (409).
type LockedError struct{ DeploymentIDs []string }

func (e *LockedError) Error() string {
	return "App is locked by one or more deployments. Override with the option '?force=true'. " +
		"View details at '/v2/deployments/<DEPLOYMENT_ID>'."
}

// TooManyDeploymentsError says that --max_running_deployments is reached (403).
type TooManyDeploymentsError struct{ Limit int }

func (e *TooManyDeploymentsError) Error() string {
	return fmt.Sprintf("Max number (%d) of running deployments is achieved. Wait for existing deployments to complete "+
		"or cancel oneusing force=true parameter. You can increase max deployment number by using "+
		"--max_running_deployments parameter but be advised that this can have negative effects on the performance.", e.Limit)
}

// UnavailableError says why nothing can be done at present (503).
type UnavailableError struct{ Reason string }

func (e *UnavailableError) Error() string { return e.Reason }

// View is one immutable state of the scheduler.
type View struct {
	Root *group.Root
	// Instances are all known instances by app, each list in order of creation.
	Instances map[id.Path][]*instance.Instance
	// Health has the results of the health checks by instance id, one per check.
	Health map[string][]Health
	// Deployments are the running ones, oldest first, without those that have no steps.
	Deployments []Deployment
	// Failures has the last task failure by app.
	Failures map[id.Path]*TaskFailure
	// FrameworkID is "" before the first registration.
	FrameworkID string
	// Leader is host:port of the leading Marathon; "" when there is none.
	Leader string
	// Elected tells whether this process leads.
	Elected bool
	// MesosLeaderUIURL is the leading master's address as a URL; "" when unknown.
	MesosLeaderUIURL string
}

// Health is what one health check knows of one instance. Zero times mean never.
type Health struct {
	InstanceID          string
	FirstSuccess        timestamp.Timestamp
	LastSuccess         timestamp.Timestamp
	LastFailure         timestamp.Timestamp
	LastFailureCause    string
	ConsecutiveFailures int
}

// Alive tells whether the last result was a success.
func (h Health) Alive() bool { return h.LastSuccess != 0 && h.LastSuccess > h.LastFailure }

// Deployment is one running deployment.
type Deployment struct {
	ID      string
	Version timestamp.Timestamp
	Steps   []Step
	// CurrentStep is 1-based; 0 before the first step has begun.
	CurrentStep int
	// Readiness has the readiness results of the current step by app.
	Readiness map[id.Path][]ReadinessResult
}

// Step is a set of actions that run side by side.
type Step struct{ Actions []Action }

// Action is what a step does to one app.
type Action struct {
	// Kind is StartApplication, StopApplication, ScaleApplication or RestartApplication.
	Kind  string
	AppID id.Path
}

// ReadinessResult is the last answer of one task to its readiness check.
type ReadinessResult struct {
	Name   string
	TaskID string
	Ready  bool
	// LastResponse is nil unless the check preserves it.
	LastResponse *ReadinessResponse
}

// ReadinessResponse is an HTTP response to a readiness check.
type ReadinessResponse struct {
	Status            int
	ContentType, Body string
}

// TaskFailure is the last failure of a task of an app.
type TaskFailure struct {
	AppID   id.Path
	Host    string
	Message string
	// State is the Mesos name, such as TASK_FAILED.
	State     string
	TaskID    string
	Timestamp timestamp.Timestamp
	// Version is the app version of the task.
	Version timestamp.Timestamp
	// AgentID is "" when unknown.
	AgentID string
}

// QueueItem is what waits to be launched of one app.
type QueueItem struct {
	App  *app.App
	Role string
	// Count is how many instances wait.
	Count int
	// DelayUntil is the end of the launch backoff; 0 when there is none.
	DelayUntil timestamp.Timestamp
	// Since is when the first of them began to wait.
	Since timestamp.Timestamp
	// ProcessedOffers and UnusedOffers count since the launch began.
	ProcessedOffers, UnusedOffers int
	// LastUnusedOfferAt and LastUsedOfferAt are 0 when there was none.
	LastUnusedOfferAt, LastUsedOfferAt timestamp.Timestamp
	// RejectsLastOffers counts, by reason, the first reason each of LastUnused was refused for.
	RejectsLastOffers map[RejectReason]int
	// RejectsLaunchAttempt counts, by reason, all refusals since the launch began.
	RejectsLaunchAttempt map[RejectReason]int
	// LastUnused holds the last refused offer of each agent.
	LastUnused []UnusedOffer
}

// UnusedOffer is an offer that no instance could use.
type UnusedOffer struct {
	Offer     *mesospb.Offer
	Reasons   []RejectReason
	Timestamp timestamp.Timestamp
}

// RejectReason says why an offer was not used (src/main/scala/mesosphere/mesos/NoOfferMatchReason.scala).
type RejectReason string

// The reasons in funnel order.
const (
	UnfulfilledRole                 RejectReason = "UnfulfilledRole"
	UnfulfilledConstraint           RejectReason = "UnfulfilledConstraint"
	NoCorrespondingReservationFound RejectReason = "NoCorrespondingReservationFound"
	AgentMaintenance                RejectReason = "AgentMaintenance"
	InsufficientCpus                RejectReason = "InsufficientCpus"
	InsufficientMemory              RejectReason = "InsufficientMemory"
	InsufficientDisk                RejectReason = "InsufficientDisk"
	InsufficientGpus                RejectReason = "InsufficientGpus"
	InsufficientPorts               RejectReason = "InsufficientPorts"
	DeclinedScarceResources         RejectReason = "DeclinedScarceResources"
)

// Funnel is every reason in the order in which offers are judged.
var Funnel = [...]RejectReason{
	UnfulfilledRole, UnfulfilledConstraint, NoCorrespondingReservationFound, AgentMaintenance, InsufficientCpus,
	InsufficientMemory, InsufficientDisk, InsufficientGpus, InsufficientPorts, DeclinedScarceResources,
}

// Event is one event, encoded once for all subscribers.
type Event = event.Encoded

// Subscription is one reader of the event stream.
type Subscription interface {
	// Events delivers in order. The channel is closed when the subscriber fell too far
	// behind, the leadership was lost, or Close was called.
	Events() <-chan Event
	// Close detaches; it may be called more than once.
	Close()
}
