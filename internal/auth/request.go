package auth

import (
	"strings"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
)

// Request is an action on an object that a framework or an operator asks for
// (src/master/authorization.cpp, ActionObject). A nil object is any object.
type Request struct {
	Action Action
	Object *Object
}

// Refused returns the first request that the subject may not do, or nil.
func (a *Authorizer) Refused(s Subject, requests ...Request) *Request {
	if a == nil {
		return nil
	}
	for i := range requests {
		if !a.Allowed(s, requests[i].Action, requests[i].Object) {
			return &requests[i]
		}
	}
	return nil
}

// Registration asks for a framework's subscription.
func Registration(info *mesospb.FrameworkInfo) Request {
	return Request{RegisterFramework, &Object{Framework: info}}
}

// Launch asks for one task of a framework.
func Launch(task *mesospb.TaskInfo, framework *mesospb.FrameworkInfo) Request {
	return Request{RunTask, &Object{TaskInfo: task, Framework: framework}}
}

// AgentRegistration asks for an agent with its statically reserved resources, which must
// be in the form with stacked reservations.
func AgentRegistration(info *mesospb.AgentInfo) []Request {
	var list []Request
	if !resources.New(info.GetResources()...).Reserved().Empty() {
		list = byRoles(ReserveResources, info.GetResources())
	}
	return append(list, Request{RegisterAgent, nil})
}

// Operation asks for what an offer operation, or the operator's call for the same, does.
// Resources must be in the form with stacked reservations. Launches are asked for task by
// task, see Launch.
func Operation(op *mesospb.Offer_Operation) []Request {
	switch op.GetType() {
	case mesospb.Offer_Operation_RESERVE:
		return reserve(op.GetReserve())
	case mesospb.Offer_Operation_UNRESERVE:
		return unreserve(op.GetUnreserve().GetResources())
	case mesospb.Offer_Operation_CREATE:
		if list := byRoles(CreateVolume, op.GetCreate().GetVolumes()); len(list) > 0 {
			return list
		}
		return []Request{{CreateVolume, nil}}
	case mesospb.Offer_Operation_DESTROY:
		var list []Request
		for _, volume := range op.GetDestroy().GetVolumes() {
			if p := volume.GetDisk().GetPersistence(); p != nil {
				principal := p.GetPrincipal()
				list = append(list, Request{DestroyVolume, &Object{Resource: volume, Value: &principal}})
			}
		}
		if len(list) == 0 {
			list = []Request{{DestroyVolume, nil}}
		}
		return list
	case mesospb.Offer_Operation_GROW_VOLUME:
		return []Request{onResource(ResizeVolume, op.GetGrowVolume().GetVolume())}
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return []Request{onResource(ResizeVolume, op.GetShrinkVolume().GetVolume())}
	case mesospb.Offer_Operation_CREATE_DISK:
		source := op.GetCreateDisk().GetSource()
		switch op.GetCreateDisk().GetTargetType() {
		case mesospb.Resource_DiskInfo_Source_MOUNT:
			return []Request{onResource(CreateMountDisk, source)}
		case mesospb.Resource_DiskInfo_Source_BLOCK:
			return []Request{onResource(CreateBlockDisk, source)}
		}
	case mesospb.Offer_Operation_DESTROY_DISK:
		source := op.GetDestroyDisk().GetSource()
		switch source.GetDisk().GetSource().GetType() {
		case mesospb.Resource_DiskInfo_Source_MOUNT:
			return []Request{onResource(DestroyMountDisk, source)}
		case mesospb.Resource_DiskInfo_Source_BLOCK:
			return []Request{onResource(DestroyBlockDisk, source)}
		case mesospb.Resource_DiskInfo_Source_RAW:
			return []Request{onResource(DestroyRawDisk, source)}
		}
	}
	return nil
}

// reservationRole is the role of the innermost reservation, or "*".
func reservationRole(r *mesospb.Resource) string {
	if n := len(r.GetReservations()); n > 0 {
		return r.Reservations[n-1].GetRole()
	}
	return "*"
}

func onResource(action Action, r *mesospb.Resource) Request {
	role := reservationRole(r)
	return Request{action, &Object{Resource: r, Value: &role}}
}

// byRoles asks once for each role among resources.
func byRoles(action Action, list []*mesospb.Resource) []Request {
	var requests []Request
	seen := make(map[string]bool)
	for _, r := range list {
		if role := reservationRole(r); !seen[role] {
			seen[role] = true
			requests = append(requests, onResource(action, r))
		}
	}
	return requests
}

func unreserve(list []*mesospb.Resource) []Request {
	var requests []Request
	anonymous := false
	for _, r := range list {
		if n := len(r.GetReservations()); n > 0 && r.Reservations[n-1].Principal != nil {
			principal := r.Reservations[n-1].GetPrincipal()
			requests = append(requests, Request{UnreserveResources, &Object{Resource: r, Value: &principal}})
		} else {
			anonymous = true
		}
	}
	if anonymous {
		requests = append(requests, Request{UnreserveResources, nil})
	}
	return requests
}

// reserve asks for a reservation. One that says where it starts (source) is undone down
// to what both have in common, then built up: each step is asked for.
func reserve(op *mesospb.Offer_Operation_Reserve) []Request {
	if len(op.GetSource()) == 0 || len(op.GetResources()) == 0 {
		return byRoles(ReserveResources, op.GetResources())
	}
	source, target := op.Source[0].GetReservations(), op.Resources[0].GetReservations()
	common := 0
	for common < len(source) && common < len(target) && sameReservation(source[common], target[common]) {
		common++
	}
	var requests []Request
	for n := len(source); n > common; n-- {
		requests = append(requests, unreserve(withReservations(op.Source, source[:n]))...)
	}
	for n := common + 1; n <= len(target); n++ {
		requests = append(requests, byRoles(ReserveResources, withReservations(op.Source, target[:n]))...)
	}
	return requests
}

// String is the request as the original's refusals name it.
func (r Request) String() string {
	o := r.Object
	switch {
	case o == nil:
		return "perform action " + r.Action.String() + " on ANY object"
	case r.Action == RunTask:
		user := o.Framework.GetUser()
		if c := o.TaskInfo.GetCommand(); c != nil && c.User != nil {
			user = c.GetUser()
		} else if c := o.TaskInfo.GetExecutor().GetCommand(); c != nil && c.User != nil {
			user = c.GetUser()
		}
		return "launch task " + o.TaskInfo.GetTaskId().GetValue() + " of framework " + o.Framework.GetId().GetValue() +
			" under user '" + user + "'"
	case r.Action == RegisterFramework:
		return "register framework " + o.Framework.GetId().GetValue() + " with roles { " +
			strings.Join(FrameworkRoles(o.Framework), ", ") + " }"
	}
	var buf []byte
	object := mesosjson.BeginObject(&buf)
	if o.Value != nil {
		object.String("value", *o.Value)
	}
	if o.Resource != nil {
		object.Message("resource", o.Resource, mesosjson.V0)
	}
	object.End()
	return "perform action " + r.Action.String() + " on object " + string(buf)
}

func sameReservation(a, b *mesospb.Resource_ReservationInfo) bool { return proto.Equal(a, b) }

func withReservations(list []*mesospb.Resource, stack []*mesospb.Resource_ReservationInfo) []*mesospb.Resource {
	out := make([]*mesospb.Resource, len(list))
	for i, r := range list {
		out[i] = proto.Clone(r).(*mesospb.Resource)
		out[i].Reservations = stack
	}
	return out
}
