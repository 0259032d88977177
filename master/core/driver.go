package core

import (
	"errors"
	"fmt"
	"net/http"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// Frameworks on a v0 scheduler driver (src/sched/sched.cpp of the original) differ from
// those on the HTTP API in how they come and go; in between they are the same. A driver
// takes any error message as the end of it, so there is one for lasting conditions only:
// most of what is wrong is answered with silence, as the original does.

// driverSubscribe subscribes a framework that speaks through a driver. Drivers send the
// message again until they are answered.
func (c *Core) driverSubscribe(e DriverCall) {
	at := endpoint{pid: e.PID, oldDriver: e.Old}
	if e.Refusal != "" {
		c.refuse(at, e.Call.Subscribe.FrameworkInfo, errors.New(e.Refusal))
		return
	}
	info, wants, ok := c.admitSubscription(at, e.Call.Subscribe, e.identify)
	if !ok {
		return
	}
	here := c.byDriver[e.PID]
	if info.Id == nil {
		if here != nil && here.Connected() {
			c.log.Info("framework is subscribed already, told again", "framework", here.String())
			c.welcome(here, false)
			return
		}
		if here != nil {
			// The original answers for the framework that was lost here, and leaves it
			// disconnected. But this is a scheduler that knows nothing of it.
			c.detach(here)
			here.PID = ""
			c.touch(here, nil)
		}
		c.connect(c.newFramework(info, wants), at)
		return
	}
	if here != nil && here.ID != info.GetId().GetValue() {
		// An answer would go to the one that is there.
		c.log.Error("subscription dropped: another framework is at this address", "framework", info.GetId().GetValue(), "there", here.String())
		return
	}
	f, ok := c.subscribeAgain(at, info, wants)
	if !ok {
		return
	}
	if f.State != Recovered && f.PID != e.PID && !e.Force {
		// A scheduler that was cut off for a while and comes back, after another
		// instance took over.
		c.refuse(at, info, errors.New("Framework failed over"))
		return
	}
	c.updateFramework(f, info, wants)
	switch {
	case f.State == Recovered:
		c.connect(f, at)
	case e.Force:
		c.failover(f, at)
	default:
		c.resubscribe(f, at)
	}
	c.broadcastFramework(f)
}

// identify checks who a driver is, and fills in who its framework belongs to.
func (e DriverCall) identify(info *mesospb.FrameworkInfo) error {
	switch {
	case e.Unauthenticated:
		return fmt.Errorf("Framework at %s is not authenticated", e.PID)
	case e.Principal == "":
	case info.Principal == nil:
		info.Principal = proto.String(e.Principal)
	case info.GetPrincipal() != e.Principal:
		return fmt.Errorf("Framework principal '%s' does not match authenticated principal '%s'", info.GetPrincipal(), e.Principal)
	}
	return nil
}

// resubscribe takes a driver back that this master knows. Its answers to the offers it
// has may have been lost on the way, so these are rescinded.
func (c *Core) resubscribe(f *Framework, at endpoint) {
	f.Reregistered = c.now
	for _, id := range sortedKeys(f.Offers) {
		c.rescind(f.Offers[id])
	}
	c.dropInverseOffers(f, c.rescindInverseOffer)
	c.attach(f, at, true)
	c.log.Info("framework subscribed again", "framework", f.String())
}

// attachDriver makes a driver the framework's scheduler.
func (c *Core) attachDriver(f *Framework, at endpoint, again bool) {
	f.PID, f.oldDriver = at.pid, at.oldDriver
	c.byDriver[at.pid] = f
	c.effect(Link{To: at.pid})
	c.welcome(f, again)
}

// driverExited takes in that the connection to a driver broke. If it is alive it has to
// know, for drivers do not watch their connection to a master.
func (c *Core) driverExited(pid string) {
	f := c.byDriver[pid]
	if f == nil || !f.Connected() {
		return
	}
	c.emit(f, errorEvent("Framework disconnected"))
	c.disconnect(f)
}

// driverDeactivate stops offers to a framework whose driver aborted.
func (c *Core) driverDeactivate(e DriverDeactivate) {
	c.count("messages_deactivate_framework")
	f := c.known[e.Framework]
	if f == nil || f.PID != e.PID || f.State != Active {
		c.log.Warn("deactivation ignored: this driver has no such active framework", "framework", e.Framework, "pid", e.PID)
		return
	}
	c.log.Info("deactivating framework", "framework", f.String())
	c.deactivateFramework(f, c.rescind, c.rescindInverseOffer)
	f.State = Inactive
	c.touch(f, nil)
}

// driverCall carries out a call of a driver, if it subscribes or is the framework's.
func (c *Core) driverCall(e DriverCall) {
	call := e.Call
	drop := func(why string) {
		c.log.Warn("call dropped", "call", call.GetType().String(), "framework", call.GetFrameworkId().GetValue(), "pid", e.PID, "reason", why)
	}
	if err := validation.Call(call, ""); err != nil {
		c.countInvalid(call)
		drop(err.Error())
		return
	}
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		c.driverSubscribe(e)
		return
	}
	f := c.known[call.GetFrameworkId().GetValue()]
	if f == nil || f.PID != e.PID {
		if e.Old {
			c.countInvalid(call)
		}
		drop("no framework with this id is at this address")
		return
	}
	c.countCall(f, call)
	if !f.Connected() && !e.Old {
		// The way from here to the driver is broken, which the driver cannot notice.
		drop("the framework is disconnected")
		c.send(e.PID, driverError("Framework disconnected"))
		return
	}
	switch call.GetType() {
	case schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS, schedulerpb.Call_RECONCILE_OPERATIONS:
		drop("drivers do not know operations")
	case schedulerpb.Call_UPDATE_FRAMEWORK:
		if status, body := c.callUpdateFramework(f, call.UpdateFramework); status != http.StatusOK {
			c.send(e.PID, driverError(body))
		}
	default:
		c.carryOut(f, call)
	}
}

// countInvalid counts a call that could not be of use, where there is a count for it.
func (c *Core) countInvalid(call *schedulerpb.Call) {
	switch call.GetType() {
	case schedulerpb.Call_ACKNOWLEDGE:
		c.valid(false, "status_update_acknowledgements")
	case schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS:
		c.valid(false, "operation_status_update_acknowledgements")
	case schedulerpb.Call_MESSAGE:
		c.valid(false, "framework_to_executor_messages")
	}
}
