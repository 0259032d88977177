package marathon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"stoa/internal/mesos/schedulerpb"
	"stoa/internal/schedclient"
	"stoa/internal/store"
	"stoa/marathon/core"
	"stoa/marathon/storage"
)

// viewGap is the shortest time between two pictures of the state that differ in results
// of health checks only.
const viewGap = 100 * time.Millisecond

// gatherFrom is how long a turn takes at least before the loop waits for more events
// to share the next one, and gatherMax the longest such wait.
const (
	gatherFrom = 200 * time.Microsecond
	gatherMax  = 20 * time.Millisecond
)

// errStopped says that the service does not run any more.
var errStopped = errors.New("marathon: stopped")

// batch is what the core decided between two turns of the store, with a picture of the
// state that it leads to.
type batch struct {
	effects core.Effects
	view    *core.View
}

// post hands something to the loop.
func (s *Service) post(ctx context.Context, f func(c *core.Core, now time.Time)) error {
	select {
	case s.inbox <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stopped:
		return errStopped
	}
}

// loop owns the core. While the store writes one batch, what is decided meanwhile
// becomes the next: the busier it is, the more share one sync of the disk.
func (s *Service) loop(ctx context.Context) error {
	defer close(s.batches)
	defer close(s.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var pending core.Effects
	var pictured time.Time
	var turn time.Duration // how long the last one took
	idle := true
	for {
		inbox := s.inbox
		if len(pending.Writes)+len(pending.After) > maxPending {
			inbox = nil
		}
		select {
		case <-ctx.Done():
			s.flush(pending, idle)
			return nil
		case f := <-inbox:
			f(s.core, now())
			s.drain()
			s.gather(ctx, turn)
		case <-timer.C:
		case <-s.stored:
			idle = true
		}
		at := now()
		begun := time.Now()
		s.core.Tick(at)
		s.core.Settle(at)
		next := s.core.Take()
		pending.Writes = append(pending.Writes, next.Writes...)
		pending.After = append(pending.After, next.After...)
		if idle && (!pending.Empty() || s.core.Changed() && time.Since(pictured) >= viewGap) {
			s.batches <- batch{pending, s.core.View()}
			pending, idle, pictured = core.Effects{}, false, time.Now()
		}
		turn = time.Since(begun)
		wait := time.Duration(math.MaxInt64)
		if due := s.core.Next(); !due.IsZero() {
			wait = max(0, due.Sub(at))
		}
		if idle && s.core.Changed() {
			wait = min(wait, max(0, viewGap-time.Since(pictured)))
		}
		timer.Reset(wait)
	}
}

// gather takes what comes after a turn that took long, which is the case with many
// instances: a turn costs much the same for one event as for hundreds. So the loop
// spends most of its time on events, at the price of a short delay.
func (s *Service) gather(ctx context.Context, turn time.Duration) {
	if turn < gatherFrom {
		return
	}
	timer := time.NewTimer(min(4*turn, gatherMax))
	defer timer.Stop()
	for range maxInbox {
		select {
		case f := <-s.inbox:
			f(s.core, now())
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// drain takes what waits in the inbox, up to a bound, without waiting for more.
func (s *Service) drain() {
	for range 255 {
		select {
		case f := <-s.inbox:
			f(s.core, now())
		default:
			return
		}
	}
}

// flush stores what is decided already, so that nobody waits in vain for an answer.
func (s *Service) flush(pending core.Effects, idle bool) {
	if !idle {
		<-s.stored
	}
	if !pending.Empty() {
		s.batches <- batch{pending, s.core.View()}
		<-s.stored
	}
}

// carryOut stores batches and then does what they ask for.
func (s *Service) carryOut(ctx context.Context) error {
	defer close(s.calls)
	defer close(s.acks)
	defer close(s.finished)
	var failure error
	for b := range s.batches {
		if failure == nil {
			failure = s.store(ctx, b)
		}
		if failure == nil {
			s.view.Store(newSnapshot(&s.cfg, s.view.Load(), b.view))
			for _, e := range b.effects.After {
				s.do(ctx, e)
			}
		}
		s.stored <- struct{}{}
		if failure != nil {
			// The others are told to stop by the error; the loop may still flush.
			go s.discard()
			return failure
		}
	}
	return nil
}

// discard lets the loop end when nothing can be stored any more.
func (s *Service) discard() {
	for range s.batches {
		s.stored <- struct{}{}
	}
}

// store writes one batch. A full disk is waited for: nothing is acknowledged until
// there is room again, and nothing new is begun.
func (s *Service) store(ctx context.Context, b batch) error {
	ops, err := storage.Ops(b.effects.Writes)
	if err != nil || len(ops) == 0 {
		return err
	}
	for {
		// A batch that has begun is finished even when Run is to end.
		_, err := s.cfg.Store.Apply(context.WithoutCancel(ctx), ops...)
		if err == nil {
			s.room.report(nil)
			return nil
		}
		if !errors.Is(err, store.ErrFull) {
			return fmt.Errorf("marathon: cannot store its state: %w", err)
		}
		s.room.report(err)
		s.log.Error("cannot store state, trying again; free some disk space", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("marathon: cannot store its state: %w", err)
		}
	}
}

// do carries out one effect.
func (s *Service) do(ctx context.Context, e core.Effect) {
	switch e := e.(type) {
	case core.Call:
		queue := s.calls
		if e.Call.GetType() == schedulerpb.Call_ACKNOWLEDGE {
			queue = s.acks
		}
		select {
		case queue <- e.Call:
		case <-ctx.Done():
		}
	case core.Publish:
		journal(s.log, e.Event)
		s.bus.Publish(e.Event, e.At)
	case core.Roles:
		info := s.framework()
		info.Roles = e.All
		s.client.SetFramework(info, e.Suppressed)
	case core.StartProbe:
		s.checker.Start(e.Probe)
	case core.StopProbe:
		s.checker.Stop(e.Key)
	case core.StartReadiness:
		s.checker.StartReadiness(e.Probe)
	case core.StopReadiness:
		s.checker.StopReadiness(e.TaskID)
	case core.Answer:
		e.Do()
	}
}

// send makes the calls of a queue, one after the other: a kill must not overtake the
// launch. Acknowledgements, of which there are most, have a queue of their own and
// several senders.
func (s *Service) send(ctx context.Context, calls <-chan *schedulerpb.Call) error {
	for call := range calls {
		err := s.client.Call(ctx, call)
		switch {
		case err == nil, ctx.Err() != nil:
			continue
		case errors.Is(err, schedclient.ErrNotSubscribed):
			// The next subscription begins with a reconciliation.
			continue
		}
		s.log.Warn("call to the master failed", "call", call.GetType(), "error", err)
		if call.GetType() == schedulerpb.Call_ACCEPT {
			_ = s.post(ctx, func(c *core.Core, now time.Time) { c.AcceptFailed(now) })
		}
	}
	return nil
}
