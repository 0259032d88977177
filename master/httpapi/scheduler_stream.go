package httpapi

import (
	"context"
	"sync"

	"stoa/internal/mesos/schedulerpb"
)

// Stream is the queue between the master's loop and one scheduler's connection. The
// loop never waits for it: a scheduler that reads too slowly loses its stream.
type Stream struct {
	max  int
	wake chan struct{}

	mu     sync.Mutex
	events []*schedulerpb.Event
	closed bool
}

// NewStream returns a stream that holds at most max events.
func NewStream(max int) *Stream { return &Stream{max: max, wake: make(chan struct{}, 1)} }

// Push queues an event. It returns false when the queue is full: the stream is then
// closed, with what was queued dropped.
func (s *Stream) Push(e *schedulerpb.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	if len(s.events) >= s.max {
		s.events, s.closed = nil, true
		s.signal()
		return false
	}
	s.events = append(s.events, e)
	s.signal()
	return true
}

// Close ends the stream after what is queued.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.signal()
}

func (s *Stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next waits for events and takes them all. more is false when none will follow.
func (s *Stream) next(ctx context.Context) (events []*schedulerpb.Event, more bool) {
	for {
		s.mu.Lock()
		events, closed := s.events, s.closed
		s.events = nil
		s.mu.Unlock()
		if len(events) > 0 || closed {
			return events, !closed
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, false
		}
	}
}
