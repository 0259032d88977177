package validation

import (
	"errors"
	"fmt"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
)

func (o *Operation) grow(op *mesospb.Offer_Operation_GrowVolume) error {
	v, addition := op.GetVolume(), op.GetAddition()
	if err := resources.ValidateAll([]*mesospb.Resource{v}); err != nil {
		return wrap("Invalid resource in the 'GrowVolume.volume' field: ", err)
	}
	if err := resources.ValidateAll([]*mesospb.Resource{addition}); err != nil {
		return wrap("Invalid resource in the 'GrowVolume.addition' field: ", err)
	}
	if resources.ScalarOf(addition.GetScalar().GetValue()) <= 0 {
		return errors.New("The size of 'GrowVolume.addition' field must be greater than zero")
	}
	if v.ProviderId != nil {
		return errors.New("Growing a volume from a resource provider is not supported")
	}
	if err := PersistentVolumes([]*mesospb.Resource{v}); err != nil {
		return wrap("Invalid persistent volume in the 'GrowVolume.volume' field: ", err)
	}
	if v.Shared != nil {
		return errors.New("Growing a shared persistent volume is not supported")
	}
	stripped := proto.Clone(v).(*mesospb.Resource)
	if stripped.Disk.Source != nil {
		stripped.Disk.Persistence, stripped.Disk.Volume = nil, nil
	} else {
		stripped.Disk = nil
	}
	if resources.New(stripped, addition).Len() != 1 {
		return errors.New("Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields")
	}
	if !o.ResizeVolume {
		return fmt.Errorf("Volume %s cannot be grown on an agent without RESIZE_VOLUME capability", entry(v))
	}
	return nil
}

func (o *Operation) shrink(op *mesospb.Offer_Operation_ShrinkVolume) error {
	v := op.GetVolume()
	if err := resources.ValidateAll([]*mesospb.Resource{v}); err != nil {
		return wrap("Invalid resource in the 'ShrinkVolume.volume' field: ", err)
	}
	subtract := resources.ScalarOf(op.GetSubtract().GetValue())
	if subtract <= 0 {
		return errors.New("Value of 'ShrinkVolume.subtract' must be greater than zero")
	}
	if resources.ScalarOf(v.GetScalar().GetValue()) <= subtract {
		return errors.New("Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'")
	}
	if v.ProviderId != nil {
		return errors.New("Shrinking a volume from a resource provider is not supported")
	}
	if v.GetDisk().GetSource().GetType() == mesospb.Resource_DiskInfo_Source_MOUNT {
		return errors.New("Shrinking a volume on a MOUNT disk is not supported")
	}
	if err := PersistentVolumes([]*mesospb.Resource{v}); err != nil {
		return wrap("Invalid persistent volume in the 'ShrinkVolume.volume' field: ", err)
	}
	if v.Shared != nil {
		return errors.New("Shrinking a shared persistent volume is not supported")
	}
	if !o.ResizeVolume {
		return fmt.Errorf("Volume %s cannot be shrunk on an agent without RESIZE_VOLUME capability", entry(v))
	}
	return nil
}

func createDisk(op *mesospb.Offer_Operation_CreateDisk) error {
	source := op.GetSource()
	if err := Resources([]*mesospb.Resource{source}); err != nil {
		return wrap("Invalid resource: ", err)
	}
	if source.ProviderId == nil {
		return errors.New("'source' is not managed by a resource provider")
	}
	if source.GetDisk().GetSource().GetType() != mesospb.Resource_DiskInfo_Source_RAW {
		return errors.New("'source' is not a RAW disk resource")
	}
	if t := op.GetTargetType(); t != mesospb.Resource_DiskInfo_Source_MOUNT && t != mesospb.Resource_DiskInfo_Source_BLOCK {
		return errors.New("'target_type' is neither MOUNT or BLOCK")
	}
	switch has := source.GetDisk().GetSource().Profile != nil; {
	case has && op.TargetProfile != nil:
		return errors.New("'target_profile' must not be set when 'source' has a profile")
	case !has && op.TargetProfile == nil:
		return errors.New("'target_profile' must be set when 'source' has no profile")
	}
	return nil
}

func destroyDisk(op *mesospb.Offer_Operation_DestroyDisk) error {
	source := op.GetSource()
	if err := Resources([]*mesospb.Resource{source}); err != nil {
		return wrap("Invalid resource: ", err)
	}
	if source.ProviderId == nil {
		return errors.New("'source' is not managed by a resource provider")
	}
	switch source.GetDisk().GetSource().GetType() {
	case mesospb.Resource_DiskInfo_Source_MOUNT, mesospb.Resource_DiskInfo_Source_BLOCK, mesospb.Resource_DiskInfo_Source_RAW:
	default:
		return errors.New("'source' is neither a MOUNT, BLOCK or RAW disk resource")
	}
	if source.GetDisk().GetSource().Id == nil {
		return errors.New("'source' is not backed by a CSI volume")
	}
	if source.GetDisk().Persistence != nil {
		return fmt.Errorf("A disk resource containing a persistent volume %s cannot be destroyed directly. Please destroy the persistent volume first then destroy the disk resource", entry(source))
	}
	return nil
}
