package validation

import (
	"errors"
	"fmt"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// ResourcesOf are the resources an operation names, in the order of the message.
func ResourcesOf(op *mesospb.Offer_Operation) []*mesospb.Resource {
	some := func(r *mesospb.Resource) []*mesospb.Resource {
		if r == nil {
			return nil
		}
		return []*mesospb.Resource{r}
	}
	switch op.GetType() {
	case mesospb.Offer_Operation_LAUNCH:
		return taskResourcesOf(op.GetLaunch().GetTaskInfos(), nil)
	case mesospb.Offer_Operation_LAUNCH_GROUP:
		executor := op.GetLaunchGroup().GetExecutor()
		list := append([]*mesospb.Resource(nil), executor.GetResources()...)
		return append(list, taskResourcesOf(op.GetLaunchGroup().GetTaskGroup().GetTasks(), executor)...)
	case mesospb.Offer_Operation_RESERVE:
		return append(append([]*mesospb.Resource(nil), op.GetReserve().GetResources()...), op.GetReserve().GetSource()...)
	case mesospb.Offer_Operation_UNRESERVE:
		return op.GetUnreserve().GetResources()
	case mesospb.Offer_Operation_CREATE:
		return op.GetCreate().GetVolumes()
	case mesospb.Offer_Operation_DESTROY:
		return op.GetDestroy().GetVolumes()
	case mesospb.Offer_Operation_GROW_VOLUME:
		return append(some(op.GetGrowVolume().GetVolume()), some(op.GetGrowVolume().GetAddition())...)
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return some(op.GetShrinkVolume().GetVolume())
	case mesospb.Offer_Operation_CREATE_DISK:
		return some(op.GetCreateDisk().GetSource())
	case mesospb.Offer_Operation_DESTROY_DISK:
		return some(op.GetDestroyDisk().GetSource())
	}
	return nil
}

// taskResourcesOf leaves out an executor that is listed already.
func taskResourcesOf(tasks []*mesospb.TaskInfo, listed *mesospb.ExecutorInfo) []*mesospb.Resource {
	var list []*mesospb.Resource
	for _, t := range tasks {
		list = append(list, t.GetResources()...)
		if t.Executor != nil && t.Executor != listed {
			list = append(list, t.Executor.GetResources()...)
		}
	}
	return list
}

// OperationResources checks that an operation has its payload, and every resource
// in it by itself (the original's validateAndUpgradeResources).
func OperationResources(op *mesospb.Offer_Operation) error {
	missing := func(an, kind, field, dot string) error {
		return fmt.Errorf("%s %s must have the Offer.Operation.%s field set%s", an, kind, field, dot)
	}
	switch op.GetType() {
	case mesospb.Offer_Operation_LAUNCH:
		if op.Launch == nil {
			return missing("A", "LAUNCH offer operation", "launch", ".")
		}
	case mesospb.Offer_Operation_LAUNCH_GROUP:
		if op.LaunchGroup == nil {
			return missing("A", "LAUNCH_GROUP offer operation", "launch_group", ".")
		}
	case mesospb.Offer_Operation_RESERVE:
		if op.Reserve == nil {
			return missing("A", "RESERVE offer operation", "reserve", ".")
		}
	case mesospb.Offer_Operation_UNRESERVE:
		if op.Unreserve == nil {
			return missing("An", "UNRESERVE offer operation", "unreserve", ".")
		}
	case mesospb.Offer_Operation_CREATE:
		if op.Create == nil {
			return missing("A", "CREATE offer operation", "create", ".")
		}
	case mesospb.Offer_Operation_DESTROY:
		if op.Destroy == nil {
			return missing("A", "DESTROY offer operation", "destroy", ".")
		}
	case mesospb.Offer_Operation_GROW_VOLUME:
		if op.GrowVolume == nil {
			return missing("A", "GROW_VOLUME operation", "grow_volume", "")
		}
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		if op.ShrinkVolume == nil {
			return missing("A", "SHRINK_VOLUME offer operation", "shrink_volume", "")
		}
	case mesospb.Offer_Operation_CREATE_DISK:
		if op.CreateDisk == nil {
			return missing("A", "CREATE_DISK offer operation", "create_disk", ".")
		}
	case mesospb.Offer_Operation_DESTROY_DISK:
		if op.DestroyDisk == nil {
			return missing("A", "DESTROY_DISK offer operation", "destroy_disk", ".")
		}
	default:
		return errors.New("Unknown offer operation")
	}
	return resources.ValidateAll(ResourcesOf(op))
}

// ProviderOf is the id of the resource provider whose resources an operation names,
// empty for the agent's own.
func ProviderOf(op *mesospb.Offer_Operation) string {
	for _, r := range ResourcesOf(op) {
		if r.ProviderId != nil {
			return r.ProviderId.GetValue()
		}
	}
	return ""
}

// Operation is what an operation is measured against.
type Operation struct {
	// Framework is who asks, nil for an operator; Roles are its roles.
	Framework *mesospb.FrameworkInfo
	Roles     []string
	// Principal is who the framework or operator is, nil for nobody.
	Principal *string
	// What the agent can do.
	HierarchicalRole, ReservationRefinement, ResizeVolume bool
	// Checkpointed are the agent's reservations and volumes, Used what tasks and
	// executors hold there, by framework.
	Checkpointed resources.Resources
	Used         map[string]resources.Resources
}

// Check checks an operation other than a launch. Its resources are in the form
// with stacked reservations.
func (o *Operation) Check(op *mesospb.Offer_Operation) error {
	switch op.GetType() {
	case mesospb.Offer_Operation_RESERVE:
		return o.reserve(op.GetReserve())
	case mesospb.Offer_Operation_UNRESERVE:
		return unreserve(op.GetUnreserve())
	case mesospb.Offer_Operation_CREATE:
		return o.create(op.GetCreate())
	case mesospb.Offer_Operation_DESTROY:
		return o.destroy(op.GetDestroy())
	case mesospb.Offer_Operation_GROW_VOLUME:
		return o.grow(op.GetGrowVolume())
	case mesospb.Offer_Operation_SHRINK_VOLUME:
		return o.shrink(op.GetShrinkVolume())
	case mesospb.Offer_Operation_CREATE_DISK:
		return createDisk(op.GetCreateDisk())
	case mesospb.Offer_Operation_DESTROY_DISK:
		return destroyDisk(op.GetDestroyDisk())
	}
	return errors.New("Unknown offer operation")
}

func plain(list []*mesospb.Resource) error {
	if err := Resources(list); err != nil {
		return wrap("Invalid resources: ", err)
	}
	return wrap("Invalid resources: ", singleProvider(list))
}

// entry is a message as an entry of Resources, for its questions and its text.
func entry(p *mesospb.Resource) resources.Resource {
	for r := range resources.New(p).All() {
		return r
	}
	return resources.Resource{}
}

// placeable checks that the agent can hold the reservations of r.
func (o *Operation) placeable(r resources.Resource, what, done string) error {
	if !o.HierarchicalRole && strings.Contains(r.ReservationRole(), "/") {
		return fmt.Errorf("%s %s with reservation for hierarchical role '%s' cannot be %s on an agent without HIERARCHICAL_ROLE capability", what, r, r.ReservationRole(), done)
	}
	if !o.ReservationRefinement && r.HasRefinedReservations() {
		return fmt.Errorf("%s %s with reservation refinement cannot be %s on an agent without RESERVATION_REFINEMENT capability", what, r, done)
	}
	return nil
}

func (o *Operation) reserve(op *mesospb.Offer_Operation_Reserve) error {
	if err := Resources(op.GetResources()); err != nil {
		return wrap("Invalid resources: ", err)
	}
	if err := reservationUpdate(op); err != nil {
		return err
	}
	if err := singleProvider(op.GetResources()); err != nil {
		return wrap("Invalid resources: ", err)
	}
	for _, p := range op.GetResources() {
		r := entry(p)
		if !r.IsDynamicallyReserved() {
			return fmt.Errorf("Resource %s is not dynamically reserved", r)
		}
		if err := o.placeable(r, "Resource", "reserved"); err != nil {
			return err
		}
		if o.Principal != nil {
			own := p.Reservations[len(p.Reservations)-1].Principal
			if own == nil {
				return fmt.Errorf("A reserve operation was attempted by principal '%s', but there is a reserved resource in the request with no principal set", *o.Principal)
			}
			if *own != *o.Principal {
				return fmt.Errorf("A reserve operation was attempted by authenticated principal '%s', which does not match a reserved resource in the request with principal '%s'", *o.Principal, *own)
			}
		}
		if o.Framework == nil {
			if r.IsAllocated() {
				return errors.New("A reserve operation was attempted with an allocated resource, but the operator API only allows reservations to be made to unallocated resources")
			}
			continue
		}
		if !r.IsAllocated() {
			return fmt.Errorf("A reserve operation was attempted on unallocated resource %s, but frameworks can only perform reservations on allocated resources", r)
		}
		if r.AllocationRole() != r.ReservationRole() {
			return fmt.Errorf("A reserve operation was attempted for a resource with role '%s', but the resource was allocated to role '%s'", r.ReservationRole(), r.AllocationRole())
		}
		if !contains(o.Roles, r.AllocationRole()) {
			return fmt.Errorf("A reserve operation was attempted for a resource allocated to role '%s', but the framework only has roles '%s'", r.AllocationRole(), Set(o.Roles))
		}
	}
	if o.Framework != nil {
		return wrap("Invalid reservation resources: ", allocatedToOneRole(resources.New(op.GetResources()...)))
	}
	return nil
}

func unreserve(op *mesospb.Offer_Operation_Unreserve) error {
	if err := plain(op.GetResources()); err != nil {
		return err
	}
	for _, p := range op.GetResources() {
		r := entry(p)
		if !r.IsDynamicallyReserved() {
			return fmt.Errorf("Resource %s is not dynamically reserved", r)
		}
		if r.IsPersistentVolume() {
			return fmt.Errorf("A dynamically reserved persistent volume %s cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource", r)
		}
	}
	return nil
}

func (o *Operation) create(op *mesospb.Offer_Operation_Create) error {
	volumes := op.GetVolumes()
	if err := plain(volumes); err != nil {
		return err
	}
	if err := PersistentVolumes(volumes); err != nil {
		return wrap("Not a persistent volume: ", err)
	}
	if err := uniquePersistence(o.Checkpointed.Add(resources.New(volumes...))); err != nil {
		return err
	}
	for _, p := range volumes {
		r := entry(p)
		if o.Framework != nil && r.IsShared() && !capable(o.Framework, mesospb.FrameworkInfo_Capability_SHARED_RESOURCES) {
			return fmt.Errorf("Create volume operation for '%s' has been attempted by framework '%s' with no SHARED_RESOURCES capability", r, o.Framework.GetId().GetValue())
		}
		if err := o.placeable(r, "Volume", "created"); err != nil {
			return err
		}
		if o.Principal == nil {
			continue
		}
		own := p.GetDisk().GetPersistence().Principal
		if own == nil {
			return fmt.Errorf("Create volume operation attempted by principal '%s', but there is a volume in the operation with no principal set in 'disk.persistence'", *o.Principal)
		}
		if *own != *o.Principal {
			return fmt.Errorf("Create volume operation attempted by authenticated principal '%s', which does not match a volume in the operation with principal '%s' set in 'disk.persistence'", *o.Principal, *own)
		}
	}
	if o.Framework != nil {
		return wrap("Invalid volume resources: ", allocatedToOneRole(resources.New(volumes...)))
	}
	return nil
}

func capable(info *mesospb.FrameworkInfo, what mesospb.FrameworkInfo_Capability_Type) bool {
	for _, c := range info.GetCapabilities() {
		if c.GetType() == what {
			return true
		}
	}
	return false
}

func (o *Operation) destroy(op *mesospb.Offer_Operation_Destroy) error {
	volumes := op.GetVolumes()
	if err := plain(volumes); err != nil {
		return err
	}
	if err := PersistentVolumes(volumes); err != nil {
		return wrap("Not a persistent volume: ", err)
	}
	for _, p := range volumes {
		r := resources.New(p).Unallocate()
		if p.ProviderId == nil && !o.Checkpointed.Contains(r) {
			return errors.New("Persistent volumes not found")
		}
	}
	for _, used := range o.Used {
		for _, p := range volumes {
			if used.Unallocate().Contains(resources.New(p).Unallocate()) {
				return errors.New("Persistent volumes in use")
			}
		}
	}
	return nil
}
