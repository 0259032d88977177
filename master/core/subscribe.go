package core

import (
	"fmt"
	"slices"
	"time"

	"stoa/internal/auth"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// noPID stands for the address of a framework that speaks HTTP.
const noPID = "@0.0.0.0:0"

// endpoint is where a framework's scheduler is reached: a stream it reads, or the
// address of its driver.
type endpoint struct {
	stream     StreamID
	streamUUID string
	pid        string
	oldDriver  bool
}

// subscribe connects a framework to its new stream. Whatever is wrong comes as one
// ERROR event, after which the stream ends.
func (c *Core) subscribe(e Subscribe) {
	at := endpoint{stream: e.Stream, streamUUID: e.StreamUUID}
	info, wants, ok := c.admitSubscription(at, e.Call, func(info *mesospb.FrameworkInfo) error {
		if e.Principal != "" && info.Principal == nil {
			info.Principal = proto.String(e.Principal)
		}
		return nil
	})
	if !ok {
		return
	}
	if info.Id == nil {
		c.connect(c.newFramework(info, wants), at)
		return
	}
	f, ok := c.subscribeAgain(at, info, wants)
	if !ok {
		return
	}
	c.updateFramework(f, info, wants)
	if f.State == Recovered {
		c.connect(f, at)
	} else {
		c.failover(f, at)
	}
	c.broadcastFramework(f)
}

// admitSubscription checks what a subscription says, and identify (if there is one)
// who says it; otherwise the scheduler is told what is wrong. An empty id is none.
func (c *Core) admitSubscription(at endpoint, call *schedulerpb.Call_Subscribe, identify func(*mesospb.FrameworkInfo) error) (*mesospb.FrameworkInfo, wishes, bool) {
	info := proto.Clone(call.GetFrameworkInfo()).(*mesospb.FrameworkInfo)
	if info.GetId().GetValue() == "" {
		c.count("messages_register_framework")
	} else {
		c.count("messages_reregister_framework")
	}
	err := c.validateFramework(info)
	if err == nil && identify != nil {
		err = identify(info)
	}
	var wants wishes
	if err == nil {
		wants, err = c.wishesOf(info, call.GetSuppressedRoles(), call.GetOfferConstraints())
	}
	if err == nil {
		err = c.unauthorized(info.GetPrincipal(), auth.Registration(info))
	}
	if err != nil {
		c.refuse(at, info, err)
		return nil, wishes{}, false
	}
	if info.GetId().GetValue() == "" {
		info.Id = nil
	}
	return info, wants, true
}

// refuse tells a scheduler why it cannot subscribe.
func (c *Core) refuse(at endpoint, info *mesospb.FrameworkInfo, err error) {
	c.log.Info("subscription refused", "framework", info.GetId().GetValue(), "name", info.GetName(), "error", err)
	if at.pid != "" {
		c.send(at.pid, driverError(err.Error()))
		return
	}
	c.effect(Emit{at.stream, errorEvent(err.Error())})
	c.effect(CloseStream{at.stream})
}

// newFramework gives a framework its id.
func (c *Core) newFramework(info *mesospb.FrameworkInfo, wants wishes) *Framework {
	info.Id = &mesospb.FrameworkID{Value: proto.String(ids.Framework(c.cfg.Master.GetId(), c.frameworks))}
	c.frameworks++
	return c.addFramework(info, wants)
}

// subscribeAgain finds the framework that has an id already, or makes it known, and
// checks that it may be what info says. What cannot change is kept, in info.
func (c *Core) subscribeAgain(at endpoint, info *mesospb.FrameworkInfo, wants wishes) (*Framework, bool) {
	f := c.known[info.GetId().GetValue()]
	if f == nil {
		f = c.addFramework(info, wants)
		c.announceFramework(f)
	}
	preserveImmutable(f.Info, info)
	if err := validation.FrameworkUpdate(f.Info, info); err != nil {
		c.refuse(at, info, err)
		return nil, false
	}
	return f, true
}

func errorEvent(message string) *schedulerpb.Event {
	return &schedulerpb.Event{
		Type:  schedulerpb.Event_ERROR.Enum(),
		Error: &schedulerpb.Event_Error{Message: &message},
	}
}

// validateFramework checks a description against this master.
func (c *Core) validateFramework(info *mesospb.FrameworkInfo) error {
	if err := validation.FrameworkInfo(info); err != nil {
		return err
	}
	var strange []string
	for _, role := range frameworkRoles(info) {
		if c.cfg.Roles != nil && role != "*" && !slices.Contains(c.cfg.Roles, role) {
			strange = append(strange, role)
		}
	}
	if len(strange) > 0 {
		return fmt.Errorf("Roles %s are not present in the master's --roles", validation.Set(strange))
	}
	if info.GetUser() == "root" && !c.cfg.RootSubmissions {
		return fmt.Errorf("User 'root' is not allowed to run frameworks without --root_submissions set")
	}
	if info.Id != nil && c.completedFramework(info.GetId().GetValue()) != nil {
		return fmt.Errorf("Framework has been removed")
	}
	return nil
}

// wishes are what a scheduler says beside the description of its framework: which
// offers it wants.
type wishes struct {
	suppressed  map[string]bool
	constraints *schedulerpb.OfferConstraints
	compiled    *allocator.Constraints
}

// wishesOf checks the wishes of a call. The error has the original's text.
func (c *Core) wishesOf(info *mesospb.FrameworkInfo, suppressed []string, constraints *schedulerpb.OfferConstraints) (wishes, error) {
	constrained := sortedKeys(constraints.GetRoleConstraints())
	if err := validation.SuppressedRoles(frameworkRoles(info), suppressed, constrained); err != nil {
		return wishes{}, err
	}
	w := wishes{suppressed: make(map[string]bool, len(suppressed)), constraints: constraints}
	if constraints == nil {
		w.constraints = &schedulerpb.OfferConstraints{}
	}
	for _, role := range suppressed {
		w.suppressed[role] = true
	}
	if len(constrained) > 0 {
		var err error
		if w.compiled, err = allocator.NewConstraints(constraints, c.cfg.OfferConstraintLimits); err != nil {
			return wishes{}, fmt.Errorf("Offer constraints are not valid: %w", err)
		}
	}
	return w, nil
}

// set takes over the wishes of a call.
func (f *Framework) set(w wishes) {
	f.Suppressed, f.OfferConstraints, f.constraints = w.suppressed, w.constraints, w.compiled
	if f.Suppressed == nil {
		f.Suppressed = make(map[string]bool)
	}
}

// preserveImmutable keeps what a framework cannot change.
func preserveImmutable(old, new *mesospb.FrameworkInfo) {
	if new.GetUser() != old.GetUser() {
		new.User = old.User
	}
	if new.GetCheckpoint() != old.GetCheckpoint() {
		new.Checkpoint = proto.Bool(old.GetCheckpoint())
	}
}

// addFramework makes a framework known, as one that is not connected.
func (c *Core) addFramework(info *mesospb.FrameworkInfo, wants wishes) *Framework {
	f := &Framework{
		ID:             info.GetId().GetValue(),
		Info:           info,
		Roles:          frameworkRoles(info),
		Capabilities:   frameworkCapabilities(info),
		State:          Recovered,
		Registered:     c.now,
		Tasks:          make(map[string]*Task),
		Unreachable:    newHistory(c.cfg.MaxUnreachableTasks, true),
		CompletedTasks: newHistory(c.cfg.MaxCompletedTasks, false),
		Executors:      make(map[string]map[string]*Executor),
		Offers:         make(map[string]*Offer),
		Operations:     make(map[string]*Operation),
	}
	f.set(wants)
	c.known[f.ID] = f
	c.alloc.AddFramework(f.ID, c.allocatorFramework(f))
	c.touch(f, nil)
	return f
}

// recoverFramework makes a framework known that an agent reports.
func (c *Core) recoverFramework(info *mesospb.FrameworkInfo) {
	c.log.Info("framework learnt from an agent", "framework", info.GetId().GetValue(), "name", info.GetName())
	c.announceFramework(c.addFramework(info, wishes{}))
}

func (c *Core) allocatorFramework(f *Framework) allocator.FrameworkOptions {
	options := allocator.FrameworkOptions{
		Roles:       f.Roles,
		Suppressed:  f.Suppressed,
		Constraints: f.constraints,
		Revocable:   f.Capabilities.RevocableResources,
		Shared:      f.Capabilities.SharedResources,
		Refined:     f.Capabilities.ReservationRefinement,
		GPU:         f.Capabilities.GPUResources,
		MultiRole:   f.Capabilities.MultiRole,
		RegionAware: f.Capabilities.RegionAware,
	}
	for role, filters := range f.Info.GetOfferFilters() {
		minimum := filters.GetMinAllocatableResources()
		if minimum == nil {
			continue
		}
		if options.MinAllocatable == nil {
			options.MinAllocatable = make(map[string][]resources.Quantities)
		}
		sets := []resources.Quantities{}
		for _, one := range minimum.GetQuantities() {
			set := make(map[string]resources.Scalar)
			for name, amount := range one.GetQuantities() {
				set[name] = resources.ScalarOf(amount.GetValue())
			}
			sets = append(sets, resources.QuantitiesOf(set))
		}
		options.MinAllocatable[role] = sets
	}
	return options
}

// updateFramework replaces a framework's description.
func (c *Core) updateFramework(f *Framework, info *mesospb.FrameworkInfo, wants wishes) {
	f.Info = info
	f.Roles = frameworkRoles(info)
	f.set(wants)
	f.Capabilities = frameworkCapabilities(info)
	c.alloc.UpdateFramework(f.ID, c.allocatorFramework(f))
	for _, id := range sortedKeys(f.Offers) {
		if o := f.Offers[id]; !f.Subscribed(o.Role) {
			c.rescind(o)
		}
	}
	c.touch(f, nil)
}

// connect subscribes a framework that is new to this master, or known from agents
// only.
func (c *Core) connect(f *Framework, at endpoint) {
	f.Registered, f.Reregistered = c.now, time.Time{}
	c.attach(f, at, false)
	if !f.announced {
		c.announceFramework(f)
	}
	c.log.Info("framework subscribed", "framework", f.String(), "roles", f.Roles)
}

// failover moves a framework to another scheduler. The offers of the old one are taken
// back without a word. A driver at the same address is the same one, or the old one is
// dead: nobody is told to stop then.
func (c *Core) failover(f *Framework, at endpoint) {
	f.Reregistered = c.now
	if f.Connected() && (at.pid == "" || at.pid != f.PID) {
		c.emit(f, errorEvent("Framework failed over"))
	}
	c.detach(f)
	for _, id := range sortedKeys(f.Offers) {
		c.discard(f.Offers[id])
	}
	c.dropInverseOffers(f, c.discardInverseOffer)
	c.attach(f, at, false)
	c.log.Info("framework failed over", "framework", f.String())
}

// attach gives the framework its stream or its driver and says hello; again says that
// it is one this master knows to be subscribed already.
func (c *Core) attach(f *Framework, at endpoint, again bool) {
	c.timers.stop(f.failoverTimer)
	f.State = Active
	f.count("calls")
	f.count("calls/subscribe")
	if at.pid != "" {
		c.attachDriver(f, at, again)
	} else {
		f.PID, f.oldDriver = "", false
		f.Stream, f.StreamUUID = at.stream, at.streamUUID
		c.byStream[at.stream] = f
		c.emit(f, &schedulerpb.Event{
			Type: schedulerpb.Event_SUBSCRIBED.Enum(),
			Subscribed: &schedulerpb.Event_Subscribed{
				FrameworkId:              f.Info.Id,
				HeartbeatIntervalSeconds: proto.Float64(c.cfg.HeartbeatInterval.Seconds()),
				MasterInfo:               c.cfg.Master,
			},
		})
		c.heartbeat(f)
	}
	c.alloc.ActivateFramework(f.ID)
	c.touch(f, nil)
}

// detach ends the framework's stream, or takes its driver's word from it.
func (c *Core) detach(f *Framework) {
	c.timers.stop(f.heartbeatTimer)
	if f.Stream != 0 {
		c.effect(CloseStream{f.Stream})
		delete(c.byStream, f.Stream)
		f.Stream, f.StreamUUID = 0, ""
	}
	if c.byDriver[f.PID] == f {
		delete(c.byDriver, f.PID)
	}
}

var heartbeatEvent = &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}

func (c *Core) heartbeat(f *Framework) {
	c.emit(f, heartbeatEvent)
	f.heartbeatTimer = c.after(c.cfg.HeartbeatInterval, func(time.Time) { c.heartbeat(f) })
}

// broadcastFramework renews what watchers and every agent know of the framework.
func (c *Core) broadcastFramework(f *Framework) {
	c.announceFramework(f)
	for _, id := range sortedKeys(c.registered) {
		c.sendFramework(c.registered[id], f)
	}
}

// streamClosed takes in that a scheduler went away.
func (c *Core) streamClosed(id StreamID) {
	if f := c.byStream[id]; f != nil {
		c.detach(f)
		c.disconnect(f)
	}
}

// disconnect ends a framework's subscription: it has its failover timeout to come back.
func (c *Core) disconnect(f *Framework) {
	c.deactivateFramework(f, c.rescind, c.rescindInverseOffer)
	f.State = Disconnected
	timeout := time.Duration(f.Info.GetFailoverTimeout() * float64(time.Second))
	c.log.Info("framework disconnected", "framework", f.String(), "failover_timeout", timeout)
	f.failoverTimer = c.after(max(timeout, 0), func(time.Time) {
		c.log.Info("framework failover timeout passed, removing the framework", "framework", f.String())
		c.removeFramework(f)
	})
	c.touch(f, nil)
}

func (c *Core) deactivateFramework(f *Framework, giveUp func(*Offer), giveUpInverse func(*InverseOffer)) {
	c.alloc.DeactivateFramework(f.ID)
	for _, id := range sortedKeys(f.Offers) {
		giveUp(f.Offers[id])
	}
	c.dropInverseOffers(f, giveUpInverse)
}
