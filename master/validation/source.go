package validation

import (
	"errors"
	"fmt"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
)

// reservationUpdate checks a RESERVE that says where it starts: from resources with one
// stack of reservations to the same resources with another.
func reservationUpdate(op *mesospb.Offer_Operation_Reserve) error {
	if err := Resources(op.GetSource()); err != nil {
		return wrap("Invalid source: ", err)
	}
	if len(op.GetSource()) == 0 {
		return nil
	}
	if err := oneStack(op.GetSource()); err != nil {
		return wrap("Invalid source: ", err)
	}
	if err := oneStack(op.GetResources()); err != nil {
		return wrap("Invalid resources: ", err)
	}
	source, target := bare(op.GetSource()), bare(op.GetResources())
	if !source.Equal(target) {
		return fmt.Errorf("Source and target resources should refer to identical resource quantities: %s vs. %s", source, target)
	}
	return nil
}

// oneStack checks that all resources have the same reservations.
func oneStack(list []*mesospb.Resource) error {
	if len(list) == 0 {
		return errors.New("Resource cannot be empty")
	}
	for _, r := range list[1:] {
		same := len(r.Reservations) == len(list[0].Reservations)
		for i := 0; same && i < len(r.Reservations); i++ {
			same = proto.Equal(r.Reservations[i], list[0].Reservations[i])
		}
		if !same {
			return errors.New("Mixed reservations are not supported" + string(mesosjson.AppendSortedList(nil, list, mesosjson.V0)))
		}
	}
	return nil
}

// bare is what would be left without reservations.
func bare(list []*mesospb.Resource) resources.Resources { return resources.New(list...).ToUnreserved() }
