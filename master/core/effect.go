package core

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// Effect is something the loop has to do outside, in the order in which the core
// asked for it.
type Effect interface{ effect() }

// Send sends a libprocess message from `master`.
type Send struct {
	To      string
	Message proto.Message
}

// Link watches the connection to a peer; [PeerExited] follows when it breaks.
type Link struct{ To string }

// Observe starts the process `slave-observer(Observer)`; Unobserve ends it.
type (
	Observe   struct{ Observer int }
	Unobserve struct{ Observer int }
)

// Ping sends a PingSlaveMessage from `slave-observer(Observer)`.
type Ping struct {
	Observer  int
	To        string
	Connected bool
}

// Emit puts an event into a scheduler's stream. The event is shared: it must not
// be changed.
type Emit struct {
	Stream StreamID
	Event  *schedulerpb.Event
}

// CloseStream ends a stream after everything emitted so far.
type CloseStream struct{ Stream StreamID }

// Answer is the outcome of a call: an HTTP status and the body to go with it.
type Answer struct {
	Request RequestID
	Status  int
	Body    string
}

// Write stores changes in the registry, all or none; [Written] follows.
type Write struct {
	Write   WriteID
	Changes []Change
}

// Abort ends the master process, with what to tell its operator.
type Abort struct{ Err error }

func (Send) effect()        {}
func (Link) effect()        {}
func (Observe) effect()     {}
func (Unobserve) effect()   {}
func (Ping) effect()        {}
func (Emit) effect()        {}
func (CloseStream) effect() {}
func (Answer) effect()      {}
func (Write) effect()       {}
func (Abort) effect()       {}

// Change is one change of the registry: a record that is set or removed.
type Change interface{ change() }

type (
	// PutAgent admits an agent, or renews what is known of it.
	PutAgent struct{ Agent *internalpb.Registry_Slave }
	// DropAgent takes an admitted agent out.
	DropAgent struct{ ID string }
	// PutUnreachable lists an agent as unreachable; DropUnreachable ends that.
	PutUnreachable struct {
		Agent *internalpb.Registry_UnreachableSlave
	}
	DropUnreachable struct{ ID string }
	// PutGone lists an agent as gone for ever; DropGone forgets it.
	PutGone struct {
		Agent *internalpb.Registry_GoneSlave
	}
	DropGone struct{ ID string }
	// PutMaintenance replaces the machines and schedules: a Registry of which no other
	// field is set.
	PutMaintenance struct{ Maintenance *internalpb.Registry }
	// PutCapability says that only masters with a capability (the name of a
	// MasterInfo.Capability) understand the registry; DropCapability ends that.
	PutCapability  struct{ Name string }
	DropCapability struct{ Name string }
)

func (PutAgent) change()        {}
func (DropAgent) change()       {}
func (PutUnreachable) change()  {}
func (DropUnreachable) change() {}
func (PutGone) change()         {}
func (DropGone) change()        {}
func (PutMaintenance) change()  {}
func (PutCapability) change()   {}
func (DropCapability) change()  {}
