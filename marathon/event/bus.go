package event

import (
	"sync"
	"time"

	"stoa/marathon/level"
	"stoa/marathon/timestamp"
)

// Encoded is an event as all subscribers get it.
type Encoded struct {
	Type string
	JSON []byte
}

// Bus hands events to subscribers. All methods may be called from any goroutine; the
// order of Publish calls of one goroutine is kept for every subscriber.
type Bus struct {
	// Level is the release whose events are published; set it before anything else.
	Level level.Level

	outstanding int
	now         func() time.Time

	mu          sync.Mutex
	subscribers map[*Subscription]struct{}
	watchers    map[*func(Encoded)]struct{}
	closed      bool
}

// NewBus makes a bus on which outstanding events may wait for one subscriber. now
// stamps the bus's own events.
func NewBus(outstanding int, now func() time.Time) *Bus {
	return &Bus{outstanding: max(1, outstanding), now: now, subscribers: map[*Subscription]struct{}{}, watchers: map[*func(Encoded)]struct{}{}}
}

// Encode writes an event the way this bus's readers get it.
func (b *Bus) Encode(e Event, at timestamp.Timestamp) []byte { return EncodeAt(e, at, b.Level).JSON }

// Watch calls f with every event, in order. f must be quick and must not call the bus.
// After stop has returned, f is not called any more.
func (b *Bus) Watch(f func(Encoded)) (stop func()) {
	key := &f
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[key] = struct{}{}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, key)
	}
}

// Publish hands an event to everyone who wants it.
func (b *Bus) Publish(e Event, at timestamp.Timestamp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publish(e, at)
}

func (b *Bus) publish(e Event, at timestamp.Timestamp) {
	name := typeAt(e, b.Level)
	if name == "" {
		return
	}
	var encoded Encoded
	if len(b.watchers) > 0 {
		encoded = EncodeAt(e, at, b.Level)
		for f := range b.watchers {
			(*f)(encoded)
		}
	}
	for s := range b.subscribers {
		if s.accept != nil && !s.accept(name) {
			continue
		}
		if encoded.JSON == nil {
			encoded = EncodeAt(e, at, b.Level)
		}
		select {
		case s.events <- encoded:
		default:
			// Too slow. Its reader finds the channel closed, and closes the stream.
			b.remove(s)
		}
	}
}

func (b *Bus) remove(s *Subscription) {
	if _, attached := b.subscribers[s]; attached {
		delete(b.subscribers, s)
		close(s.events)
	}
}

// Subscribe attaches a reader; accept chooses event types, nil takes all. The reader's
// own event_stream_attached is its first event. On a closed bus the subscription is
// closed from the beginning.
func (b *Bus) Subscribe(remoteAddress string, accept func(eventType string) bool) *Subscription {
	s := &Subscription{bus: b, remote: remoteAddress, accept: accept, events: make(chan Encoded, b.outstanding)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(s.events)
		return s
	}
	b.subscribers[s] = struct{}{}
	b.publish(StreamAttached{remoteAddress}, timestamp.Of(b.now()))
	return s
}

// Close ends all subscriptions.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for s := range b.subscribers {
		b.remove(s)
	}
}

// Subscription is one reader of the bus.
type Subscription struct {
	bus    *Bus
	remote string
	accept func(string) bool
	events chan Encoded
	once   sync.Once
}

// Events delivers in order; the channel is closed when the reader fell too far behind,
// when the bus was closed, and after Close.
func (s *Subscription) Events() <-chan Encoded { return s.events }

// Close detaches the reader and tells the others. It may be called more than once.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.bus.mu.Lock()
		defer s.bus.mu.Unlock()
		s.bus.remove(s)
		if !s.bus.closed {
			s.bus.publish(StreamDetached{s.remote}, timestamp.Of(s.bus.now()))
		}
	})
}
