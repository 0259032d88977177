package core

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/internal/mesos/schedulerpb"
)

// Event is something that happened outside.
type Event interface{ event() }

// StreamID names one open event stream within this process; zero names none.
type StreamID uint64

// RequestID names one call that waits for an [Answer]; zero wants none.
type RequestID uint64

// WriteID names one registry write that waits for its [Written].
type WriteID uint64

// AgentMessage is a libprocess message an agent sent to the master.
type AgentMessage struct {
	// From is the sender's UPID text, IP the address part of it.
	From, IP string
	// Message is one of the messages of package internalpb that the core knows;
	// others are ignored.
	Message any
	// Principal is who the agent authenticated as, empty for nobody. It is set for
	// registrations.
	Principal string
}

// Pong is an agent's answer to a ping, sent to `slave-observer(N)`.
type Pong struct{ Observer int }

// PeerExited says that the connection to a peer broke: to an agent or to a
// scheduler driver.
type PeerExited struct{ PID string }

// Subscribe is a valid SUBSCRIBE call whose answer is an open stream already.
type Subscribe struct {
	Stream     StreamID
	StreamUUID string
	Call       *schedulerpb.Call_Subscribe
	// Principal is who the connection authenticated as, empty for nobody.
	Principal string
}

// DriverCall is a call of a v0 scheduler driver, which came over libprocess; whether it
// is valid is not known yet. Answers go to the driver's address.
type DriverCall struct {
	// PID is the driver's UPID text.
	PID  string
	Call *schedulerpb.Call
	// Message is the full name of the message it came as.
	Message string
	// Old marks a driver from before 0.24, which has a message for each purpose. These
	// are carried out for a framework that is disconnected, too.
	Old bool

	// What follows is for a SUBSCRIBE.

	// Force takes the framework over from another instance, if it has one.
	Force bool
	// Principal is who the driver authenticated as, empty for nobody; Unauthenticated
	// says that it did not and would have had to.
	Principal       string
	Unauthenticated bool
	// Refusal is what is wrong with the message by itself, empty for nothing.
	Refusal string
}

// DriverDeactivate says that a driver aborted: it wants no more offers, but leaves its
// tasks running.
type DriverDeactivate struct{ PID, Framework string }

// StreamClosed says that a stream ended from outside: the scheduler went away or
// was too slow.
type StreamClosed struct{ Stream StreamID }

// Call is a valid scheduler call that is not a SUBSCRIBE.
type Call struct {
	Request RequestID
	Call    *schedulerpb.Call
	// StreamUUID is the Mesos-Stream-Id header; HasStreamUUID says it was sent.
	StreamUUID    string
	HasStreamUUID bool
	Principal     string
}

// Teardown is the operator's removal of a framework. The answer is 200, or 400
// with the original's text for an unknown one.
type Teardown struct {
	Request   RequestID
	Framework string
}

// Written says how a registry write ended. An error ends the master: what the
// registry holds is not known any more.
type Written struct {
	Write WriteID
	Err   error
}

// Tick says that time passed; see [Core.Next].
type Tick struct{}

func (AgentMessage) event()     {}
func (Pong) event()             {}
func (PeerExited) event()       {}
func (Subscribe) event()        {}
func (DriverCall) event()       {}
func (DriverDeactivate) event() {}
func (StreamClosed) event()     {}
func (Call) event()             {}
func (Teardown) event()         {}
func (Written) event()          {}
func (Tick) event()             {}

// Recovery is what the registry held when the master started.
type Recovery struct {
	Agents      []*internalpb.Registry_Slave
	Unreachable []*internalpb.Registry_UnreachableSlave
	Gone        []*internalpb.Registry_GoneSlave
	Weights     []*mesospb.WeightInfo
	Quotas      []*quotapb.QuotaConfig
	// Maintenance holds the machines and schedules; nil if there never was a schedule.
	Maintenance *internalpb.Registry
	// Capabilities are those a master needs to understand the registry.
	Capabilities []string
}
