package auth

import (
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// View is the part of a cluster that one subject may see. The zero value is all of it.
type View struct {
	framework, task, executor, role, flags *Approver
}

// View makes the view of a subject.
func (a *Authorizer) View(s Subject) View {
	if a == nil {
		return View{}
	}
	return View{
		framework: a.Approver(s, ViewFramework),
		task:      a.Approver(s, ViewTask),
		executor:  a.Approver(s, ViewExecutor),
		role:      a.Approver(s, ViewRole),
		flags:     a.Approver(s, ViewFlags),
	}
}

// All says whether nothing is hidden because there is nobody who decides.
func (v View) All() bool { return v.framework == nil }

// Framework says whether a framework may be seen.
func (v View) Framework(info *mesospb.FrameworkInfo) bool {
	return v.framework == nil || v.framework.Approve(&Object{Framework: info})
}

// Task says whether a task of a framework may be seen.
func (v View) Task(t *mesospb.Task, framework *mesospb.FrameworkInfo) bool {
	return v.task == nil || v.task.Approve(&Object{Task: t, Framework: framework})
}

// Pending says whether a task that was not launched yet may be seen.
func (v View) Pending(t *mesospb.TaskInfo, framework *mesospb.FrameworkInfo) bool {
	return v.task == nil || v.task.Approve(&Object{TaskInfo: t, Framework: framework})
}

// Executor says whether an executor of a framework may be seen.
func (v View) Executor(e *mesospb.ExecutorInfo, framework *mesospb.FrameworkInfo) bool {
	return v.executor == nil || v.executor.Approve(&Object{Executor: e, Framework: framework})
}

// Role says whether a role may be seen.
func (v View) Role(role string) bool {
	return v.role == nil || v.role.Approve(&Object{Value: &role})
}

// Flags says whether the daemon's flags may be seen.
func (v View) Flags() bool { return v.flags.Approve(nil) }

// Resource says whether a resource may be seen: all roles that it is reserved and
// allocated to must be (src/common/http.hpp).
func (v View) Resource(r *mesospb.Resource) bool {
	if v.role == nil {
		return true
	}
	if r.Role != nil && r.GetRole() != "*" && !v.Role(r.GetRole()) {
		return false
	}
	for _, one := range r.GetReservations() {
		if !v.Role(one.GetRole()) {
			return false
		}
	}
	return r.AllocationInfo == nil || v.Role(r.GetAllocationInfo().GetRole())
}

// Resources are those of a list that may be seen.
func (v View) Resources(list []*mesospb.Resource) []*mesospb.Resource {
	if v.role == nil {
		return list
	}
	var out []*mesospb.Resource
	for _, r := range list {
		if v.Resource(r) {
			out = append(out, r)
		}
	}
	return out
}

// Operation says whether an operation may be seen: all resources that it uses up must be.
func (v View) Operation(op *mesospb.Operation) bool {
	if v.role == nil {
		return true
	}
	switch info := op.GetInfo(); info.GetType() {
	case mesospb.Offer_Operation_CREATE_DISK:
		return v.Resource(info.GetCreateDisk().GetSource())
	case mesospb.Offer_Operation_DESTROY_DISK:
		return v.Resource(info.GetDestroyDisk().GetSource())
	default:
		conversions, err := resources.Conversions(info)
		if err != nil {
			return false
		}
		for _, one := range conversions {
			for r := range one.Consumed.All() {
				if !v.Resource(r.Proto()) {
					return false
				}
			}
		}
		return true
	}
}
