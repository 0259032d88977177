package master

import (
	"context"
	"time"

	"stoa/master/core"
)

// maxBatch is how many events are taken in before the allocator looks at what they
// changed.
const maxBatch = 256

// loop owns the core: it feeds it events, those that wait together as one batch, and
// carries out the effects.
func (m *Master) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next := m.core.Next(); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			m.edges.closeAll()
			return nil
		case e := <-m.inbox:
			m.core.Step(time.Now(), e)
			m.drain()
		case <-timer.C:
			m.core.Step(time.Now(), core.Tick{})
			m.drain()
		case look := <-m.looks:
			look(m.core)
		}
		if err := m.flush(); err != nil {
			return err
		}
	}
}

func (m *Master) drain() {
	for range maxBatch {
		select {
		case e := <-m.inbox:
			m.core.Step(time.Now(), e)
		default:
			return
		}
	}
}

// flush carries out effects until there are no more: dropping a scheduler that is
// too slow is an event of its own.
func (m *Master) flush() error {
	for {
		effects := m.core.Flush(time.Now())
		if len(effects) == 0 {
			return nil
		}
		for _, effect := range effects {
			if m.peer.Do(effect) {
				continue
			}
			switch e := effect.(type) {
			case core.Emit:
				if !m.edges.emit(e) {
					m.cfg.Logger.Warn("scheduler dropped: it does not read its events", "stream", e.Stream)
					m.core.Step(time.Now(), core.StreamClosed{Stream: e.Stream})
				}
			case core.CloseStream:
				m.edges.closeStream(e.Stream)
			case core.Announce:
				for _, id := range m.edges.announce(e) {
					m.cfg.Logger.Warn("operator dropped: it does not read its events", "stream", id)
					m.core.Step(time.Now(), core.WatchEnded{Stream: id})
				}
			case core.CloseWatch:
				m.edges.closeWatch(e.Stream)
			case core.Answer:
				m.edges.answer(e)
			case core.Write:
				m.registry.Write(e)
			case core.Abort:
				return e.Err
			}
		}
	}
}

// look runs read inside the loop, between two batches.
func (m *Master) look(ctx context.Context, read func(*core.Core)) error {
	done := make(chan struct{})
	select {
	case m.looks <- func(c *core.Core) { read(c); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.done:
		return errStopped
	}
}

// Snapshot returns the state, with everything in it that was answered before the
// call. It costs the loop what changed since the last one.
func (m *Master) Snapshot(ctx context.Context) (*core.Snapshot, error) {
	var s *core.Snapshot
	err := m.look(ctx, func(c *core.Core) {
		s = c.Snapshot(m.snapshot.Load())
		m.snapshot.Store(s)
	})
	return s, err
}

func (m *Master) counters() map[string]float64 {
	var out map[string]float64
	if m.look(context.Background(), func(c *core.Core) { out = c.Counters() }) != nil {
		return nil
	}
	return out
}
