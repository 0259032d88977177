package master

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"stoa/master/core"
	"stoa/master/httpapi"
)

var errStopped = errors.New("master: stopped")

// edges are the HTTP requests and streams that the core knows by number.
type edges struct {
	mu       sync.Mutex
	streams  map[core.StreamID]*httpapi.Stream
	watches  map[core.StreamID]*httpapi.WatchStream
	requests map[core.RequestID]chan core.Answer
	last     uint64
}

func (e *edges) addStream(s *httpapi.Stream) core.StreamID {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	if e.streams == nil {
		e.streams = make(map[core.StreamID]*httpapi.Stream)
	}
	e.streams[core.StreamID(e.last)] = s
	return core.StreamID(e.last)
}

func (e *edges) stream(id core.StreamID) *httpapi.Stream {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.streams[id]
}

// emit queues an event; false means that the stream was full and is closed now.
func (e *edges) emit(event core.Emit) bool {
	s := e.stream(event.Stream)
	return s == nil || s.Push(event.Event)
}

func (e *edges) closeStream(id core.StreamID) {
	if s := e.stream(id); s != nil {
		s.Close()
	}
	e.dropStream(id)
}

func (e *edges) dropStream(id core.StreamID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.streams, id)
}

func (e *edges) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.streams {
		s.Close()
	}
	for _, s := range e.watches {
		s.Close()
	}
}

func (e *edges) addRequest() (core.RequestID, chan core.Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	if e.requests == nil {
		e.requests = make(map[core.RequestID]chan core.Answer)
	}
	reply := make(chan core.Answer, 1)
	e.requests[core.RequestID(e.last)] = reply
	return core.RequestID(e.last), reply
}

func (e *edges) dropRequest(id core.RequestID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.requests, id)
}

func (e *edges) answer(a core.Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if reply := e.requests[a.Request]; reply != nil {
		reply <- a
		delete(e.requests, a.Request)
	}
}

// Recovered says that the registry is known: New read it.
func (m *Master) Recovered() bool { return true }

// Subscribe connects a scheduler's stream.
func (m *Master) Subscribe(ctx context.Context, s *httpapi.Stream, e core.Subscribe) (core.StreamID, error) {
	e.Stream = m.edges.addStream(s)
	select {
	case m.inbox <- e:
		return e.Stream, nil
	case <-ctx.Done():
		m.edges.dropStream(e.Stream)
		return 0, ctx.Err()
	case <-m.done:
		return 0, errStopped
	}
}

// Unsubscribe says that a scheduler's connection ended.
func (m *Master) Unsubscribe(id core.StreamID) {
	m.edges.dropStream(id)
	m.deliver(core.StreamClosed{Stream: id})
}

// Call carries out a scheduler's call.
func (m *Master) Call(ctx context.Context, e core.Call) (core.Answer, error) {
	return m.ask(ctx, func(id core.RequestID) core.Event {
		e.Request = id
		return e
	})
}

func (m *Master) teardown(ctx context.Context, framework string) (int, string) {
	a, err := m.ask(ctx, func(id core.RequestID) core.Event {
		return core.Teardown{Request: id, Framework: framework}
	})
	if err != nil {
		return http.StatusServiceUnavailable, "The master is shutting down"
	}
	return a.Status, a.Body
}

// ask sends an event that has an answer and waits for it.
func (m *Master) ask(ctx context.Context, event func(core.RequestID) core.Event) (core.Answer, error) {
	id, reply := m.edges.addRequest()
	defer m.edges.dropRequest(id)
	select {
	case m.inbox <- event(id):
	case <-ctx.Done():
		return core.Answer{}, ctx.Err()
	case <-m.done:
		return core.Answer{}, errStopped
	}
	select {
	case a := <-reply:
		return a, nil
	case <-ctx.Done():
		return core.Answer{}, ctx.Err()
	case <-m.done:
		return core.Answer{}, errStopped
	}
}
