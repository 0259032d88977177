package sim

import (
	"container/heap"
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
)

// host owns the agents behind one listener: its one goroutine gives them what comes in,
// in order, and the time.
type host struct {
	transport *libprocess.Transport
	log       *slog.Logger
	inbox     chan event
	looks     chan func(Counts)
	done      chan struct{}

	agents []*Agent
	counts Counts
	wakes  wakes
	// wakeAt are, by agent, when it is in wakes, zero if it is not.
	wakeAt []time.Time
}

// event is a message, or with a nil body the end of the connection to from.
type event struct {
	agent int
	from  libprocess.UPID
	body  proto.Message
}

const (
	// inboxSize bounds what waits for the loop; a full inbox holds the master back.
	inboxSize = 4096
	// maxBatch is how many events are handled before the clock is looked at again.
	maxBatch = 256
)

// newHost makes the agents first to first+n-1 (from 1) behind a listener.
func newHost(b *behaviour, listener net.Listener, first, n int, log *slog.Logger) *host {
	h := &host{
		transport: libprocess.New(libprocess.Config{Listener: listener, Logger: log}), log: log,
		inbox: make(chan event, inboxSize), looks: make(chan func(Counts)), done: make(chan struct{}),
		agents: make([]*Agent, n), wakeAt: make([]time.Time, n),
	}
	now := time.Now()
	for i := range h.agents {
		id := h.transport.NextID("slave")
		h.agents[i] = newAgent(now, b, first+i, h.transport.UPID(id), &h.counts)
		h.transport.Spawn(id, &actor{h, i})
		h.plan(i)
	}
	return h
}

// actor receives for one agent.
type actor struct {
	host  *host
	agent int
}

// Exited implements libprocess.Actor.
func (p *actor) Exited(who libprocess.UPID) { p.host.post(event{agent: p.agent, from: who}) }

// Receive implements libprocess.Actor.
func (p *actor) Receive(m libprocess.Message) {
	body, err := decode(m)
	if body == nil {
		p.host.log.Debug("Ignoring a message", "name", m.Name, "from", m.From.String(), "error", err)
		return
	}
	p.host.post(event{p.agent, m.From, body})
}

func (h *host) post(e event) {
	select {
	case h.inbox <- e:
	case <-h.done:
	}
}

const internalPrefix = "mesos.internal."

// decode reads a message; nil if agents don't know it or it makes no sense.
func decode(m libprocess.Message) (proto.Message, error) {
	name, _ := strings.CutPrefix(m.Name, internalPrefix)
	var body proto.Message
	switch name {
	case "RunTaskMessage":
		body = &internalpb.RunTaskMessage{}
	case "StatusUpdateAcknowledgementMessage":
		body = &internalpb.StatusUpdateAcknowledgementMessage{}
	case "PingSlaveMessage":
		body = &internalpb.PingSlaveMessage{}
	case "KillTaskMessage":
		body = &internalpb.KillTaskMessage{}
	case "RunTaskGroupMessage":
		body = &internalpb.RunTaskGroupMessage{}
	case "SlaveRegisteredMessage":
		body = &internalpb.SlaveRegisteredMessage{}
	case "SlaveReregisteredMessage":
		body = &internalpb.SlaveReregisteredMessage{}
	case "UpdateFrameworkMessage":
		body = &internalpb.UpdateFrameworkMessage{}
	case "ShutdownExecutorMessage":
		body = &internalpb.ShutdownExecutorMessage{}
	case "ShutdownFrameworkMessage":
		body = &internalpb.ShutdownFrameworkMessage{}
	case "FrameworkToExecutorMessage":
		body = &internalpb.FrameworkToExecutorMessage{}
	case "ApplyOperationMessage":
		body = &internalpb.ApplyOperationMessage{}
	case "AcknowledgeOperationStatusMessage":
		body = &internalpb.AcknowledgeOperationStatusMessage{}
	case "ReconcileOperationsMessage":
		body = &internalpb.ReconcileOperationsMessage{}
	case "CheckpointResourcesMessage":
		body = &internalpb.CheckpointResourcesMessage{}
	case "DrainSlaveMessage":
		body = &internalpb.DrainSlaveMessage{}
	case "ShutdownMessage":
		body = &internalpb.ShutdownMessage{}
	default:
		return nil, nil
	}
	if err := proto.Unmarshal(m.Body, body); err != nil {
		return nil, err
	}
	return body, nil
}

// run is the host until ctx ends or the transport fails.
func (h *host) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- h.transport.Run(ctx) }()
	err := h.loop(ctx, ended)
	close(h.done)
	stop()
	h.transport.Close()
	return err
}

func (h *host) loop(ctx context.Context, ended <-chan error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if len(h.wakes) > 0 {
			timer.Reset(time.Until(h.wakes[0].at))
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-timer.C:
			h.wake(time.Now())
		case look := <-h.looks:
			look(h.counts)
		case e := <-h.inbox:
			now := time.Now()
			h.take(now, e)
			h.drain(now)
			h.wake(now)
		}
	}
}

func (h *host) drain(now time.Time) {
	for range maxBatch {
		select {
		case e := <-h.inbox:
			h.take(now, e)
		default:
			return
		}
	}
}

func (h *host) take(now time.Time, e event) {
	a := h.agents[e.agent]
	if e.body == nil {
		h.do(e.agent, a.Exited(now, e.from))
	} else {
		h.do(e.agent, a.Receive(now, e.from, e.body))
	}
	h.plan(e.agent)
}

// wake ticks the agents that are due.
func (h *host) wake(now time.Time) {
	for len(h.wakes) > 0 && !h.wakes[0].at.After(now) {
		w := heap.Pop(&h.wakes).(wakeUp)
		if !h.wakeAt[w.agent].Equal(w.at) {
			continue // it was planned anew since
		}
		h.wakeAt[w.agent] = time.Time{}
		h.do(w.agent, h.agents[w.agent].Tick(now))
		h.plan(w.agent)
	}
}

// plan wakes an agent when it wants, unless it is woken before that anyway.
func (h *host) plan(agent int) {
	next := h.agents[agent].Next()
	if next.IsZero() || !h.wakeAt[agent].IsZero() && !next.Before(h.wakeAt[agent]) {
		return
	}
	h.wakeAt[agent] = next
	heap.Push(&h.wakes, wakeUp{next, agent})
}

func (h *host) do(agent int, effects []Effect) {
	a := h.agents[agent]
	for _, effect := range effects {
		switch e := effect.(type) {
		case Send:
			h.transport.SendProto(a.self, e.To, e.Body)
		case Link:
			h.transport.Link(a.self, e.To)
		case End:
			h.transport.Terminate(a.self.ID)
		}
	}
}

// read returns the counts as they are between two events.
func (h *host) read() Counts {
	out := make(chan Counts, 1)
	select {
	case h.looks <- func(c Counts) { out <- c }:
		return <-out
	case <-h.done:
		return h.counts
	}
}

type wakeUp struct {
	at    time.Time
	agent int
}

type wakes []wakeUp

func (w wakes) Len() int           { return len(w) }
func (w wakes) Less(i, j int) bool { return w[i].at.Before(w[j].at) }
func (w wakes) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }
func (w *wakes) Push(x any)        { *w = append(*w, x.(wakeUp)) }
func (w *wakes) Pop() any {
	old := *w
	last := old[len(old)-1]
	*w = old[:len(old)-1]
	return last
}
