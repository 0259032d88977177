package core

import (
	"fmt"
	"slices"
	"time"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// noPID stands for the address of a framework that speaks HTTP.
const noPID = "@0.0.0.0:0"

// subscribe connects a framework to its new stream. Whatever is wrong comes as one
// ERROR event, after which the stream ends.
func (c *Core) subscribe(e Subscribe) {
	info := proto.Clone(e.Call.GetFrameworkInfo()).(*mesospb.FrameworkInfo)
	if info.GetId().GetValue() == "" {
		c.count("messages_register_framework")
	} else {
		c.count("messages_reregister_framework")
	}
	refuse := func(err error) {
		c.log.Info("subscription refused", "framework", info.GetId().GetValue(), "name", info.GetName(), "error", err)
		c.effect(Emit{e.Stream, errorEvent(err.Error())})
		c.effect(CloseStream{e.Stream})
	}
	if err := c.validateFramework(info); err != nil {
		refuse(err)
		return
	}
	suppressed, err := suppressedRoles(info, e.Call.GetSuppressedRoles(), e.Call.GetOfferConstraints())
	if err != nil {
		refuse(err)
		return
	}
	id := info.GetId().GetValue()
	if id == "" {
		id = ids.Framework(c.cfg.Master.GetId(), c.frameworks)
		c.frameworks++
		info.Id = &mesospb.FrameworkID{Value: &id}
		f := c.addFramework(info, suppressed)
		c.connect(f, e)
		return
	}
	f := c.known[id]
	if f == nil {
		f = c.addFramework(info, suppressed)
	}
	preserveImmutable(f.Info, info)
	if err := validation.FrameworkUpdate(f.Info, info); err != nil {
		refuse(err)
		return
	}
	c.updateFramework(f, info, suppressed)
	if f.State == Recovered {
		c.connect(f, e)
	} else {
		c.failover(f, e)
	}
	c.broadcastFramework(f)
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

func suppressedRoles(info *mesospb.FrameworkInfo, suppressed []string, constraints *schedulerpb.OfferConstraints) (map[string]bool, error) {
	constrained := sortedKeys(constraints.GetRoleConstraints())
	if err := validation.SuppressedRoles(frameworkRoles(info), suppressed, constrained); err != nil {
		return nil, err
	}
	set := make(map[string]bool, len(suppressed))
	for _, role := range suppressed {
		set[role] = true
	}
	return set, nil
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
func (c *Core) addFramework(info *mesospb.FrameworkInfo, suppressed map[string]bool) *Framework {
	f := &Framework{
		ID:             info.GetId().GetValue(),
		Info:           info,
		Roles:          frameworkRoles(info),
		Suppressed:     suppressed,
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
	c.known[f.ID] = f
	c.alloc.AddFramework(f.ID, c.allocatorFramework(f))
	c.touch(f, nil)
	return f
}

// recoverFramework makes a framework known that an agent reports.
func (c *Core) recoverFramework(info *mesospb.FrameworkInfo) {
	c.log.Info("framework learnt from an agent", "framework", info.GetId().GetValue(), "name", info.GetName())
	c.addFramework(info, make(map[string]bool))
}

func (c *Core) allocatorFramework(f *Framework) allocator.FrameworkOptions {
	options := allocator.FrameworkOptions{
		Roles:       f.Roles,
		Suppressed:  f.Suppressed,
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
			options.MinAllocatable = make(map[string][]map[string]float64)
		}
		sets := []map[string]float64{}
		for _, one := range minimum.GetQuantities() {
			set := make(map[string]float64)
			for name, amount := range one.GetQuantities() {
				set[name] = amount.GetValue()
			}
			sets = append(sets, set)
		}
		options.MinAllocatable[role] = sets
	}
	return options
}

// updateFramework replaces a framework's description.
func (c *Core) updateFramework(f *Framework, info *mesospb.FrameworkInfo, suppressed map[string]bool) {
	f.Info = info
	f.Roles = frameworkRoles(info)
	f.Suppressed = suppressed
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
func (c *Core) connect(f *Framework, e Subscribe) {
	f.Registered, f.Reregistered = c.now, time.Time{}
	c.attach(f, e)
	c.log.Info("framework subscribed", "framework", f.ID, "name", f.Info.GetName(), "roles", f.Roles)
}

// failover moves a framework to a new stream. The offers of the old one are taken
// back without a word.
func (c *Core) failover(f *Framework, e Subscribe) {
	f.Reregistered = c.now
	if f.Stream != 0 {
		c.emit(f, errorEvent("Framework failed over"))
		c.detach(f)
	}
	for _, id := range sortedKeys(f.Offers) {
		c.discard(f.Offers[id])
	}
	c.attach(f, e)
	c.log.Info("framework failed over", "framework", f.ID, "name", f.Info.GetName())
}

// attach gives the framework its stream and says hello.
func (c *Core) attach(f *Framework, e Subscribe) {
	c.timers.stop(f.failoverTimer)
	f.State = Active
	f.count("calls")
	f.count("calls/subscribe")
	f.Stream, f.StreamUUID = e.Stream, e.StreamUUID
	c.byStream[e.Stream] = f
	c.emit(f, &schedulerpb.Event{
		Type: schedulerpb.Event_SUBSCRIBED.Enum(),
		Subscribed: &schedulerpb.Event_Subscribed{
			FrameworkId:              f.Info.Id,
			HeartbeatIntervalSeconds: proto.Float64(c.cfg.HeartbeatInterval.Seconds()),
			MasterInfo:               c.cfg.Master,
		},
	})
	c.heartbeat(f)
	c.alloc.ActivateFramework(f.ID)
	c.touch(f, nil)
}

// detach ends the framework's stream.
func (c *Core) detach(f *Framework) {
	c.timers.stop(f.heartbeatTimer)
	if f.Stream != 0 {
		c.effect(CloseStream{f.Stream})
		delete(c.byStream, f.Stream)
		f.Stream, f.StreamUUID = 0, ""
	}
}

var heartbeatEvent = &schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}

func (c *Core) heartbeat(f *Framework) {
	c.emit(f, heartbeatEvent)
	f.heartbeatTimer = c.after(c.cfg.HeartbeatInterval, func(time.Time) { c.heartbeat(f) })
}

// broadcastFramework renews what every agent knows of the framework.
func (c *Core) broadcastFramework(f *Framework) {
	for _, id := range sortedKeys(c.registered) {
		c.sendFramework(c.registered[id], f)
	}
}

// streamClosed takes in that a scheduler went away: it has its failover timeout to
// come back.
func (c *Core) streamClosed(id StreamID) {
	f := c.byStream[id]
	if f == nil {
		return
	}
	c.detach(f)
	c.deactivateFramework(f, c.rescind)
	f.State = Disconnected
	timeout := time.Duration(f.Info.GetFailoverTimeout() * float64(time.Second))
	c.log.Info("framework disconnected", "framework", f.ID, "failover_timeout", timeout)
	f.failoverTimer = c.after(max(timeout, 0), func(time.Time) {
		c.log.Info("framework failover timeout passed, removing the framework", "framework", f.ID)
		c.removeFramework(f)
	})
	c.touch(f, nil)
}

func (c *Core) deactivateFramework(f *Framework, giveUp func(*Offer)) {
	c.alloc.DeactivateFramework(f.ID)
	for _, id := range sortedKeys(f.Offers) {
		giveUp(f.Offers[id])
	}
}
