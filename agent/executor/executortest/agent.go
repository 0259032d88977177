// Package executortest is an agent's executor API for tests of executors: a real HTTP server
// that subscribes executors, takes their calls and can go away and come back at its address.
package executortest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
)

// Patience is how long tests wait for something that has to happen.
const Patience = 30 * time.Second

// Agent is the server.
type Agent struct {
	t       testing.TB
	address string
	// Acknowledge is whether updates are acknowledged at once. Set it before an executor subscribes.
	Acknowledge bool

	mu sync.Mutex
	// refusals is how many subscriptions are still answered with 503, as by an agent that recovers.
	refusals int
	server   *http.Server
	// calls are all calls in order of arrival, raw their bytes.
	calls []*executorpb.Call
	raw   [][]byte
	// statuses are the distinct status updates, seen their uuids.
	statuses []*mesospb.TaskStatus
	seen     map[string]bool
	// stream leads to the present subscription.
	stream  chan []byte
	changed chan struct{} // closed and replaced at every change
}

// New makes an agent with an address of its own and lets it listen.
func New(t testing.TB) *Agent {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{
		t: t, address: listener.Addr().String(), Acknowledge: true,
		seen: make(map[string]bool), changed: make(chan struct{}),
	}
	a.serve(listener)
	t.Cleanup(a.Stop)
	return a
}

// Address is host:port of the agent.
func (a *Agent) Address() string { return a.address }

func (a *Agent) serve(listener net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slave(1)/api/v1/executor", a.handle)
	server := &http.Server{Handler: mux}
	a.mu.Lock()
	a.server = server
	a.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
}

// Stop kills the agent: every connection breaks and nobody listens.
func (a *Agent) Stop() {
	a.mu.Lock()
	server := a.server
	a.server = nil
	a.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

// Start brings a stopped agent back at its old address.
func (a *Agent) Start() {
	a.t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		listener, err := net.Listen("tcp", a.address)
		if err == nil {
			a.serve(listener)
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("listen at %s again: %v", a.address, err)
		}
	}
}

func (a *Agent) handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	call := new(executorpb.Call)
	if err := proto.Unmarshal(body, call); err != nil {
		http.Error(w, "Failed to parse body into Call protobuf", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	if call.GetType() == executorpb.Call_SUBSCRIBE && a.refusals > 0 {
		a.refusals--
		a.mu.Unlock()
		http.Error(w, "Agent has not finished recovery", http.StatusServiceUnavailable)
		return
	}
	a.calls = append(a.calls, call)
	a.raw = append(a.raw, body)
	var acks [][]byte
	note := func(status *mesospb.TaskStatus) {
		if !a.seen[string(status.GetUuid())] {
			a.seen[string(status.GetUuid())] = true
			a.statuses = append(a.statuses, status)
		}
		if a.Acknowledge {
			acks = append(acks, encode(a.t, acknowledgement(status)))
		}
	}
	var stream chan []byte
	switch call.GetType() {
	case executorpb.Call_SUBSCRIBE:
		a.stream = make(chan []byte, 64)
		stream = a.stream
		for _, update := range call.GetSubscribe().GetUnacknowledgedUpdates() {
			note(update.GetStatus())
		}
	case executorpb.Call_UPDATE:
		note(call.GetUpdate().GetStatus())
	}
	for _, ack := range acks {
		a.stream <- ack
	}
	close(a.changed)
	a.changed = make(chan struct{})
	a.mu.Unlock()
	if stream == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
	controller := http.NewResponseController(w)
	_ = controller.Flush()
	for {
		select {
		case record := <-stream:
			if _, err := w.Write(recordio.Append(nil, record)); err != nil {
				return
			}
			_ = controller.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func acknowledgement(status *mesospb.TaskStatus) *executorpb.Event {
	return &executorpb.Event{
		Type:         executorpb.Event_ACKNOWLEDGED.Enum(),
		Acknowledged: &executorpb.Event_Acknowledged{TaskId: status.GetTaskId(), Uuid: status.GetUuid()},
	}
}

func encode(t testing.TB, event *executorpb.Event) []byte {
	data, err := proto.Marshal(event)
	if err != nil {
		t.Error(err)
	}
	return data
}

// Refuse answers the next n subscriptions with 503.
func (a *Agent) Refuse(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refusals = n
}

// wait returns once the condition, called with the lock held, holds; it fails the test otherwise.
func (a *Agent) wait(what string, condition func() bool) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for {
		a.mu.Lock()
		ok := condition()
		changed := a.changed
		a.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			a.mu.Lock()
			defer a.mu.Unlock()
			a.t.Fatalf("no %s; statuses so far: %v", what, a.statuses)
		}
	}
}

// Calls gives the calls so far, decoded and as they came.
func (a *Agent) Calls() ([]*executorpb.Call, [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*executorpb.Call(nil), a.calls...), append([][]byte(nil), a.raw...)
}

// AwaitSubscribe waits for the n-th SUBSCRIBE call, counted from 1.
func (a *Agent) AwaitSubscribe(n int) *executorpb.Call {
	a.t.Helper()
	var found *executorpb.Call
	a.wait("subscription", func() bool {
		count := 0
		for _, call := range a.calls {
			if call.GetType() == executorpb.Call_SUBSCRIBE {
				if count++; count == n {
					found = call
				}
			}
		}
		return found != nil
	})
	return found
}

// AwaitStatus waits for the n-th distinct status update, counted from 1.
func (a *Agent) AwaitStatus(n int) *mesospb.TaskStatus {
	a.t.Helper()
	a.wait("status update", func() bool { return len(a.statuses) >= n })
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.statuses[n-1]
}

// AwaitState waits for the first status update with the state and gives all up to it.
func (a *Agent) AwaitState(state mesospb.TaskState) []*mesospb.TaskStatus {
	a.t.Helper()
	var found []*mesospb.TaskStatus
	a.wait(state.String(), func() bool {
		for i, status := range a.statuses {
			if status.GetState() == state {
				found = append([]*mesospb.TaskStatus(nil), a.statuses[:i+1]...)
				return true
			}
		}
		return false
	})
	return found
}

// AcknowledgeAll acknowledges every status received so far to the present subscription.
func (a *Agent) AcknowledgeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, status := range a.statuses {
		a.stream <- encode(a.t, acknowledgement(status))
	}
}

// Send sends an event to the present subscription.
func (a *Agent) Send(event *executorpb.Event) {
	a.t.Helper()
	a.SendRaw(encode(a.t, event))
}

// SendRaw sends the bytes of an event.
func (a *Agent) SendRaw(record []byte) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stream == nil {
		a.t.Fatal("no subscription to send an event to")
	}
	a.stream <- record
}

// Subscribed sends the SUBSCRIBED event that begins every stream.
func (a *Agent) Subscribed(framework *mesospb.FrameworkInfo, executor *mesospb.ExecutorInfo) {
	a.t.Helper()
	a.Send(&executorpb.Event{Type: executorpb.Event_SUBSCRIBED.Enum(), Subscribed: &executorpb.Event_Subscribed{
		ExecutorInfo:  executor,
		FrameworkInfo: framework,
		AgentInfo:     &mesospb.AgentInfo{Hostname: proto.String("agent.test")},
	}})
}

// Launch sends a LAUNCH event.
func (a *Agent) Launch(task *mesospb.TaskInfo) {
	a.t.Helper()
	a.Send(&executorpb.Event{Type: executorpb.Event_LAUNCH.Enum(), Launch: &executorpb.Event_Launch{Task: task}})
}

// Kill sends a KILL event with an optional policy.
func (a *Agent) Kill(task *mesospb.TaskInfo, policy *mesospb.KillPolicy) {
	a.t.Helper()
	a.Send(&executorpb.Event{Type: executorpb.Event_KILL.Enum(), Kill: &executorpb.Event_Kill{TaskId: task.GetTaskId(), KillPolicy: policy}})
}
