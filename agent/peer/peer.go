// Package peer carries what the agent says to masters and v0 executors over
// libprocess, and finds the leading master.
//
// Comes in: libprocess messages, and what a Detector finds. Goes out: the same as
// events of the core, in order per sender. It decides nothing and keeps no state
// about the cluster.
package peer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
)

// ID is the agent's process id. Tools and old executors build URLs from it.
const ID = "slave(1)"

// MasterID is the process id of every master.
const MasterID = "master"

// Peer is the libprocess side of one agent.
type Peer struct {
	transport *libprocess.Transport
	self      libprocess.UPID
	post      func(core.Event)
	logger    *slog.Logger

	// authentication is nil for an agent without a credential; refused is told why it
	// cannot go on.
	authentication *Authentication
	refused        func(error)
}

// New spawns the agent's process on the transport; post gets the events and may block,
// which holds up only the sender of the message.
func New(transport *libprocess.Transport, post func(core.Event), logger *slog.Logger) *Peer {
	p := &Peer{transport: transport, self: transport.UPID(ID), post: post, logger: logger}
	transport.Spawn(ID, p)
	return p
}

// messages are the ones the agent understands (Slave::initialize of the original).
var messages = func() map[string]proto.Message {
	table := map[string]proto.Message{}
	for _, m := range []proto.Message{
		(*internalpb.SlaveRegisteredMessage)(nil), (*internalpb.SlaveReregisteredMessage)(nil),
		(*internalpb.RunTaskMessage)(nil), (*internalpb.RunTaskGroupMessage)(nil),
		(*internalpb.KillTaskMessage)(nil), (*internalpb.ShutdownExecutorMessage)(nil),
		(*internalpb.ShutdownFrameworkMessage)(nil), (*internalpb.FrameworkToExecutorMessage)(nil),
		(*internalpb.UpdateFrameworkMessage)(nil), (*internalpb.CheckpointResourcesMessage)(nil),
		(*internalpb.ApplyOperationMessage)(nil), (*internalpb.ReconcileOperationsMessage)(nil),
		(*internalpb.StatusUpdateAcknowledgementMessage)(nil), (*internalpb.AcknowledgeOperationStatusMessage)(nil),
		(*internalpb.RegisterExecutorMessage)(nil), (*internalpb.ReregisterExecutorMessage)(nil),
		(*internalpb.StatusUpdateMessage)(nil), (*internalpb.ExecutorToFrameworkMessage)(nil),
		(*internalpb.ShutdownMessage)(nil), (*internalpb.DrainSlaveMessage)(nil),
		(*internalpb.PingSlaveMessage)(nil),
	} {
		table[string(m.ProtoReflect().Descriptor().FullName())] = m
	}
	return table
}()

// Decode reads a message by its wire name. ok is false for names the agent has no
// handler for; the original ignores those as well.
func Decode(name string, body []byte) (m proto.Message, ok bool, err error) {
	prototype, ok := messages[name]
	if !ok {
		return nil, false, nil
	}
	m = prototype.ProtoReflect().Type().New().Interface()
	return m, true, proto.Unmarshal(body, m)
}

// Receive implements libprocess.Actor.
func (p *Peer) Receive(m libprocess.Message) {
	body, ok, err := Decode(m.Name, m.Body)
	switch {
	case !ok:
		p.logger.Debug("Ignoring unknown message", "name", m.Name, "from", m.From.String())
	case err != nil:
		p.logger.Warn("Ignoring message that cannot be parsed", "name", m.Name, "from", m.From.String(), "error", err)
	default:
		p.post(core.Message{From: m.From.String(), Body: body})
	}
}

// Exited implements libprocess.Actor.
func (p *Peer) Exited(u libprocess.UPID) { p.post(core.MasterExited{UPID: u.String()}) }

// Send sends a message to the process with that UPID text; bad ones are dropped.
func (p *Peer) Send(to string, m proto.Message) {
	upid, err := libprocess.Parse(to)
	if err != nil {
		p.logger.Warn("Dropping message to an address that cannot be parsed", "to", to, "error", err)
		return
	}
	p.transport.SendProto(p.self, upid, m)
}

// Link watches the connection to a process.
func (p *Peer) Link(to string) {
	if upid, err := libprocess.Parse(to); err == nil {
		p.transport.Link(p.self, upid)
	}
}

// Authenticate makes Watch prove to each master who the agent is, before it posts it.
// refused is called when a master does not believe it. Call it before Watch.
func (p *Peer) Authenticate(a Authentication, refused func(error)) {
	p.authentication, p.refused = &a, refused
}

// Retry times of a detector that fails for now, such as a name that does not resolve yet.
const (
	detectRetryMin = time.Second
	detectRetryMax = 30 * time.Second
)

// Watch posts every change of the leading master until ctx ends. Each value from
// again starts it from scratch: the present leader is posted anew.
func (p *Peer) Watch(ctx context.Context, detector Detector, again <-chan struct{}) {
	for ctx.Err() == nil {
		round, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.watchOnce(round, detector)
		}()
		select {
		case <-again:
		case <-ctx.Done():
		}
		stop()
		<-done
	}
}

func (p *Peer) watchOnce(ctx context.Context, detector Detector) {
	var previous *Leader
	wait := detectRetryMin
	for {
		leader, err := detector.Detect(ctx, previous)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.logger.Error("Failed to detect a master; trying again", "error", err, "in", wait)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			wait = min(wait*2, detectRetryMax)
			continue
		}
		wait = detectRetryMin
		if p.authentication != nil && leader.Address.IsValid() {
			if previous != nil {
				p.post(core.MasterDetected{}) // the old one does not lead any more
			}
			if err := p.authenticate(ctx, leader.Address); err != nil {
				if ctx.Err() == nil {
					p.refused(fmt.Errorf("Master %s@%s %w: check --credential of this agent and --credentials of the master", MasterID, leader.Address, err))
				}
				return
			}
		}
		previous = &leader
		event := core.MasterDetected{Hostname: leader.Hostname, Update: leader.Update}
		if leader.Address.IsValid() {
			event.UPID = libprocess.UPID{ID: MasterID, Addr: leader.Address}.String()
		}
		p.post(event)
	}
}
