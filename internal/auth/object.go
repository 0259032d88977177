package auth

import (
	"slices"

	"stoa/internal/mesos/aclspb"
	"stoa/internal/mesos/mesospb"
)

// Object is what an action is done to. Only the fields that the action looks at need
// to be set.
type Object struct {
	// Value is a role, a principal, or the path of an endpoint.
	Value *string

	Framework *mesospb.FrameworkInfo
	Task      *mesospb.Task
	TaskInfo  *mesospb.TaskInfo
	Executor  *mesospb.ExecutorInfo
	Command   *mesospb.CommandInfo
	Resource  *mesospb.Resource
	Container *mesospb.ContainerID
}

// Named is the object with a name: a role, a principal or a path.
func Named(value string) *Object { return &Object{Value: &value} }

func (o *Object) container() *mesospb.ContainerID {
	if o == nil {
		return nil
	}
	return o.Container
}

// roles are the roles a framework wants to register with.
func (o *Object) roles() []*aclspb.ACL_Entity {
	switch {
	case o != nil && o.Framework != nil:
		var list []*aclspb.ACL_Entity
		for _, role := range FrameworkRoles(o.Framework) {
			list = append(list, some(role))
		}
		return list
	case o != nil && o.Value != nil:
		return []*aclspb.ACL_Entity{some(*o.Value)}
	}
	return []*aclspb.ACL_Entity{anyEntity}
}

// FrameworkRoles are the roles of a framework, sorted: those of the list if it has the
// MULTI_ROLE capability, else the one role.
func FrameworkRoles(info *mesospb.FrameworkInfo) []string {
	for _, c := range info.GetCapabilities() {
		if c.GetType() == mesospb.FrameworkInfo_Capability_MULTI_ROLE {
			roles := slices.Clone(info.GetRoles())
			slices.Sort(roles)
			return slices.Compact(roles)
		}
	}
	return []string{info.GetRole()}
}

// entity is the object as rules of an action see it.
func (o *Object) entity(action Action) *aclspb.ACL_Entity {
	if o == nil {
		return anyEntity
	}
	switch action {
	case GetEndpoint, ViewRole, UpdateWeight, GetQuota, UpdateQuota:
		return o.value()
	case TeardownFramework:
		if o.Framework != nil {
			return some(o.Framework.GetPrincipal())
		}
		return o.value()
	case DestroyVolume:
		if o.Resource != nil {
			return some(o.Resource.GetDisk().GetPersistence().GetPrincipal())
		}
		return o.value()
	case UnreserveResources:
		if o.Resource == nil {
			return o.value()
		}
		if n := len(o.Resource.GetReservations()); n > 0 {
			return some(o.Resource.Reservations[n-1].GetPrincipal())
		}
		return some(o.Resource.GetReservation().GetPrincipal())
	case ReserveResources, CreateVolume, ResizeVolume, CreateBlockDisk, DestroyBlockDisk, CreateMountDisk,
		DestroyMountDisk, DestroyRawDisk:
		if o.Resource == nil {
			return o.value()
		}
		if n := len(o.Resource.GetReservations()); n > 0 {
			return some(o.Resource.Reservations[n-1].GetRole())
		}
		return some(o.Resource.GetRole())
	case RunTask, ViewTask:
		return o.taskUser()
	case ViewFramework:
		return some(o.Framework.GetUser())
	case ViewExecutor, AccessSandbox:
		return o.executorUser(false)
	case ViewContainer:
		return o.executorUser(true)
	case AttachContainerInput, AttachContainerOutput, RemoveNestedContainer, KillNestedContainer, WaitNestedContainer:
		if user := o.executorUser(true); user != anyEntity || o.Container == nil {
			return user
		}
		return some(o.Container.GetValue())
	}
	return anyEntity
}

func (o *Object) value() *aclspb.ACL_Entity {
	if o.Value == nil {
		return anyEntity
	}
	return some(*o.Value)
}

// taskUser is the user that a task runs as: its own, its executor's, or that of the
// framework.
func (o *Object) taskUser() *aclspb.ACL_Entity {
	command, executor := o.TaskInfo.GetCommand(), o.TaskInfo.GetExecutor().GetCommand()
	switch {
	case o.Task != nil && o.Task.User != nil:
		return some(o.Task.GetUser())
	case command != nil && command.User != nil:
		return some(command.GetUser())
	case executor != nil && executor.User != nil:
		return some(executor.GetUser())
	case o.Framework != nil:
		return some(o.Framework.GetUser())
	}
	return anyEntity
}

// executorUser is the user that an executor runs as: its own, or the framework's. A
// framework without a user counts as one with an empty name unless named is set.
func (o *Object) executorUser(named bool) *aclspb.ACL_Entity {
	if command := o.Executor.GetCommand(); command != nil && command.User != nil {
		return some(command.GetUser())
	}
	if o.Framework != nil && (!named || o.Framework.User != nil) {
		return some(o.Framework.GetUser())
	}
	return anyEntity
}

// parentUser and commandUser are the two users of a nested container: the one that the
// container above it runs as, and its own.
func (o *Object) parentUser() *aclspb.ACL_Entity {
	if o == nil {
		return anyEntity
	}
	return o.executorUser(true)
}

func (o *Object) commandUser() *aclspb.ACL_Entity {
	if o.Command.User == nil {
		return anyEntity
	}
	return some(o.Command.GetUser())
}
