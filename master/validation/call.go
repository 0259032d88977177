package validation

import (
	"errors"
	"fmt"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/schedulerpb"
)

// Call checks a decoded scheduler call. principal is who the connection
// authenticated as, empty for nobody.
func Call(call *schedulerpb.Call, principal string) error {
	if call.Type == nil {
		return errors.New("Expecting 'type' to be present")
	}
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		return subscribe(call, principal)
	}
	if call.FrameworkId == nil {
		return errors.New("Expecting 'framework_id' to be present")
	}
	missing := func(name string) error { return fmt.Errorf("Expecting '%s' to be present", name) }
	switch call.GetType() {
	case schedulerpb.Call_ACCEPT:
		if call.Accept == nil {
			return missing("accept")
		}
	case schedulerpb.Call_DECLINE:
		if call.Decline == nil {
			return missing("decline")
		}
	case schedulerpb.Call_ACCEPT_INVERSE_OFFERS:
		if call.AcceptInverseOffers == nil {
			return missing("accept_inverse_offers")
		}
	case schedulerpb.Call_DECLINE_INVERSE_OFFERS:
		if call.DeclineInverseOffers == nil {
			return missing("decline_inverse_offers")
		}
	case schedulerpb.Call_KILL:
		if call.Kill == nil {
			return missing("kill")
		}
	case schedulerpb.Call_SHUTDOWN:
		if call.Shutdown == nil {
			return missing("shutdown")
		}
	case schedulerpb.Call_ACKNOWLEDGE:
		if call.Acknowledge == nil {
			return missing("acknowledge")
		}
		_, err := ids.UUIDFromBytes(call.Acknowledge.Uuid)
		return err
	case schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS:
		if call.AcknowledgeOperationStatus == nil {
			return missing("acknowledge_operation_status")
		}
		if _, err := ids.UUIDFromBytes(call.AcknowledgeOperationStatus.Uuid); err != nil {
			return err
		}
		if call.AcknowledgeOperationStatus.AgentId == nil {
			return missing("agent_id")
		}
	case schedulerpb.Call_RECONCILE:
		if call.Reconcile == nil {
			return missing("reconcile")
		}
	case schedulerpb.Call_RECONCILE_OPERATIONS:
		if call.ReconcileOperations == nil {
			return missing("reconcile_operations")
		}
	case schedulerpb.Call_MESSAGE:
		if call.Message == nil {
			return missing("message")
		}
	case schedulerpb.Call_REQUEST:
		if call.Request == nil {
			return missing("request")
		}
	case schedulerpb.Call_UPDATE_FRAMEWORK:
		if call.UpdateFramework == nil {
			return missing("update_framework")
		}
		info := call.UpdateFramework.GetFrameworkInfo()
		if err := principals(info.Principal, principal); err != nil {
			return err
		}
		if call.GetFrameworkId().GetValue() != info.GetId().GetValue() {
			return errors.New("'framework_id' differs from 'update_framework.framework_info.id'")
		}
	}
	return nil
}

func subscribe(call *schedulerpb.Call, principal string) error {
	if call.Subscribe == nil {
		return errors.New("Expecting 'subscribe' to be present")
	}
	info := call.Subscribe.GetFrameworkInfo()
	if info.GetId().GetValue() != call.GetFrameworkId().GetValue() {
		return errors.New("'framework_id' differs from 'subscribe.framework_info.id'")
	}
	return principals(info.Principal, principal)
}

func principals(own *string, authenticated string) error {
	if authenticated == "" || own == nil || *own == authenticated {
		return nil
	}
	return fmt.Errorf("Authenticated principal '%s' does not match principal '%s' set in `FrameworkInfo`", authenticated, *own)
}
