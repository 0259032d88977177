package master

import (
	"context"
	"time"

	"stoa/master/core"
	"stoa/master/httpapi"
)

func (e *edges) addWatch(s *httpapi.WatchStream) core.StreamID {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	if e.watches == nil {
		e.watches = make(map[core.StreamID]*httpapi.WatchStream)
	}
	e.watches[core.StreamID(e.last)] = s
	return core.StreamID(e.last)
}

func (e *edges) dropWatch(id core.StreamID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watches, id)
}

// announce queues news. It returns the streams that were full and are closed now.
func (e *edges) announce(a core.Announce) []core.StreamID {
	e.mu.Lock()
	defer e.mu.Unlock()
	var full []core.StreamID
	one := httpapi.NewAnnouncement(a.News)
	for _, id := range a.Streams {
		if s := e.watches[id]; s != nil && !s.Push(one) {
			full = append(full, id)
		}
	}
	return full
}

func (e *edges) closeWatch(id core.StreamID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.watches[id]; s != nil {
		s.Close()
		delete(e.watches, id)
	}
}

// watch opens a stream of news and returns the state before the first of them.
func (m *Master) watch(ctx context.Context, s *httpapi.WatchStream) (core.StreamID, *core.Snapshot, error) {
	id := m.edges.addWatch(s)
	var state *core.Snapshot
	err := m.look(ctx, func(c *core.Core) {
		now := time.Now()
		c.Step(now, core.Tick{}) // what is due now belongs to the state
		state = c.Snapshot(m.snapshot.Load())
		m.snapshot.Store(state)
		c.Step(now, core.Watch{Stream: id})
	})
	if err != nil {
		m.edges.dropWatch(id)
		return 0, nil, err
	}
	return id, state, nil
}

// unwatch says that an operator went away.
func (m *Master) unwatch(id core.StreamID) {
	m.edges.dropWatch(id)
	m.deliver(core.WatchEnded{Stream: id})
}
