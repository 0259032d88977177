package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"stoa/agent/core"
	"stoa/agent/gc"
	"stoa/internal/auth"
	"stoa/internal/mesos/mesospb"
)

// Run serves until ctx ends or the agent has to stop. When ctx ends, executors of
// checkpointing frameworks keep running, to be taken back by the next
// run on the same WorkDir, and nil is returned. It also returns nil
// after Shutdown or a ShutdownMessage of the master has ended every task. An
// error says why the agent could not go on and what the operator can do.
func (a *Agent) Run(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	a.containers = newContainers(running, a.config.Containerizers, a.post, &a.working)
	if a.config.LogFile != "" {
		readers := func(principal string) bool {
			return a.config.Authorizer.Allowed(auth.As(principal), auth.AccessMesosLog, nil)
		}
		if err := a.files.AttachFor(a.config.LogFile, "/slave/log", readers); err != nil {
			a.logger.Warn("Cannot show the agent's log", "error", err)
		}
	}
	transport := make(chan error, 1)
	go func() { transport <- a.transport.Run(running) }()
	a.working.Go(func() { a.gc.Run(running) })
	a.working.Go(func() { a.watchDisk(running) })

	err := a.loop(ctx, running, transport)
	a.last = a.core.View()
	close(a.done)
	a.executors.CloseAll(flushTime)
	stop()
	a.transport.Close()
	a.working.Wait()
	for _, log := range a.logs {
		log.Close()
	}
	a.claimed.Close()
	return err
}

// flushTime is how long the end of the agent waits for executors to read their last events.
const flushTime = time.Second

// exit is how the core ends the agent.
type exit struct{ reason string }

func (e exit) Error() string { return e.reason }

func (a *Agent) loop(ctx, running context.Context, transport <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stopping := ctx.Done()
	var event core.Event = a.saved
	a.saved = core.Recovered{}
	for {
		if event != nil {
			if err := a.step(running, event); err != nil {
				var end exit
				if errors.As(err, &end) && end.reason == "" {
					return nil
				}
				return err
			}
			if _, last := event.(core.Stop); last {
				return nil
			}
		}
		event = nil
		if due, ok := a.core.NextTimer(); ok {
			timer.Reset(max(time.Until(due), 0))
		} else {
			timer.Stop()
		}
		select {
		case event = <-a.events:
		case read := <-a.reads:
			read <- a.core.View()
		case <-timer.C:
			event = core.Tick{}
		case reason := <-a.shutdown:
			event = core.Shutdown{Reason: reason}
		case <-stopping:
			event = core.Stop{}
		case err := <-a.failed:
			return a.recoveryFailed(err)
		case err := <-a.refused:
			// Executors run on, to be taken back when that is put right.
			return fmt.Errorf("agent: %w", err)
		case err := <-transport:
			if err == nil {
				err = errors.New("the listener was closed")
			}
			return err
		}
	}
}

// step feeds the core one event and carries its effects out, in order.
func (a *Agent) step(ctx context.Context, event core.Event) error {
	for _, effect := range a.core.Step(time.Now(), event) {
		if err := a.do(ctx, effect); err != nil {
			return err
		}
	}
	a.ready.Store(a.core.Ready())
	return nil
}

// post hands an event to the loop; it waits while too many do already, and gives up
// when the agent ends.
func (a *Agent) post(event core.Event) {
	select {
	case a.events <- event:
	case <-a.done:
	}
}

// currentView is the state after everything that has happened so far.
func (a *Agent) currentView(ctx context.Context) *core.View {
	read := make(chan *core.View, 1)
	select {
	case a.reads <- read:
		return <-read
	case <-a.done:
		return a.last
	case <-ctx.Done():
		// Nobody reads the answer.
		return &core.View{Info: &mesospb.AgentInfo{}}
	}
}

// maxAge is a duration that several goroutines read.
type maxAge struct{ d atomic.Int64 }

func (m *maxAge) get() time.Duration { return time.Duration(m.d.Load()) }

// watchDisk lets gc remove directories earlier when the disk gets full.
func (a *Agent) watchDisk(ctx context.Context) {
	for {
		usage, err := gc.Usage(a.config.WorkDir)
		if err != nil {
			a.logger.Error("Failed to get disk usage", "error", err)
		} else {
			age := gc.MaxAge(a.config.GCDelay, a.config.GCDiskHeadroom, usage)
			a.maxAge.d.Store(int64(age))
			a.gc.Prune(a.config.GCDelay - age)
		}
		select {
		case <-time.After(a.config.DiskWatchInterval):
		case <-ctx.Done():
			return
		}
	}
}
