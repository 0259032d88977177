package httpapi

import (
	"math"
	"time"

	"stoa/internal/auth"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// directAgent carries out the calls that decide about agents. It says whether the call
// was one of them.
func (s *server) directAgent(a answer, call *masterpb.Call) bool {
	var event func(core.RequestID) core.Event
	switch call.GetType() {
	case masterpb.Call_DRAIN_AGENT:
		drain := call.GetDrainAgent()
		if !s.allowed(a.c, auth.DrainAgent, nil) || drain.GetMarkGone() && !s.allowed(a.c, auth.MarkAgentGone, nil) {
			return true
		}
		event = func(id core.RequestID) core.Event {
			return core.DrainAgent{
				Request:        id,
				Agent:          drain.GetAgentId().GetValue(),
				MaxGracePeriod: durationInfo(drain.GetMaxGracePeriod()),
				MarkGone:       drain.GetMarkGone(),
			}
		}
	case masterpb.Call_DEACTIVATE_AGENT:
		if !s.allowed(a.c, auth.DeactivateAgent, nil) {
			return true
		}
		event = func(id core.RequestID) core.Event {
			return core.DeactivateAgent{Request: id, Agent: call.GetDeactivateAgent().GetAgentId().GetValue()}
		}
	case masterpb.Call_REACTIVATE_AGENT:
		if !s.allowed(a.c, auth.ReactivateAgent, nil) {
			return true
		}
		event = func(id core.RequestID) core.Event {
			return core.ReactivateAgent{Request: id, Agent: call.GetReactivateAgent().GetAgentId().GetValue()}
		}
	case masterpb.Call_MARK_AGENT_GONE:
		if !s.allowed(a.c, auth.MarkAgentGone, nil) {
			return true
		}
		event = func(id core.RequestID) core.Event {
			return core.MarkAgentGone{Request: id, Agent: call.GetMarkAgentGone().GetAgentId().GetValue()}
		}
	default:
		return false
	}
	s.ask(a.c, event)
	return true
}

// durationInfo is a duration in the form that is stored and sent to agents, as long as
// that form can hold it; nil stays nil.
func durationInfo(d *durationpb.Duration) *mesospb.DurationInfo {
	if d == nil {
		return nil
	}
	const most = math.MaxInt64 / int64(time.Second)
	seconds := min(max(d.GetSeconds(), -most), most-1)
	return &mesospb.DurationInfo{Nanoseconds: proto.Int64(seconds*int64(time.Second) + min(max(int64(d.GetNanos()), -999_999_999), 999_999_999))}
}
