package callback

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"stoa/marathon/event"
)

const (
	// maxAttempts is how often one event is tried.
	maxAttempts = 3
	// maxPause is the longest pause after failures; the original knew no bound, so that
	// a receiver that was away for an hour was not asked again for another one.
	maxPause = time.Minute
	// maxAnswer is how much of an answer is read, so that its connection can be used again.
	maxAnswer = 64 << 10
	// dropsPerWord is how many dropped events make the log say so once more.
	dropsPerWord = 1000
)

// receiver is one subscribed URL with the events that wait for it.
type receiver struct {
	sender *Sender
	url    string
	log    *slog.Logger
	cancel context.CancelFunc
	events chan event.Encoded
	// dropped counts the events that found the queue full since it last had room;
	// guarded by the sender's lock.
	dropped int
}

// queue lets an event wait for its turn, or drops it when too many do.
func (r *receiver) queue(e event.Encoded) {
	select {
	case r.events <- e:
		if r.dropped > 0 {
			r.log.Warn("an event subscriber catches up", "dropped", r.dropped)
			r.dropped = 0
		}
	default:
		if r.dropped%dropsPerWord == 0 {
			r.log.Warn("an event subscriber is too slow or down; events for it are dropped", "waiting", cap(r.events))
		}
		r.dropped++
	}
}

// run delivers until ctx ends.
func (r *receiver) run(ctx context.Context) {
	failures := 0
	for {
		var e event.Encoded
		select {
		case <-ctx.Done():
			return
		case e = <-r.events:
		}
		for attempt := 1; ; attempt++ {
			delivered, err := r.post(ctx, e)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				failures = 0
				break
			}
			failures++
			wait := pause(r.sender.cfg.Backoff, failures)
			last := delivered || attempt == maxAttempts
			if last && !delivered {
				r.log.Warn("an event could not be delivered and is dropped", "event", e.Type, "attempts", attempt, "error", err, "pause", wait)
			} else {
				r.log.Warn("an event subscriber fails", "event", e.Type, "error", err, "pause", wait)
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			if last {
				break
			}
		}
	}
}

// pause is how long a receiver is left alone after so many failures in a row.
func pause(backoff time.Duration, failures int) time.Duration {
	if failures > 6 {
		return maxPause
	}
	return min(maxPause, backoff<<failures)
}

// post sends one event. A good answer that took too long is an error all the same, but
// the event has been delivered.
func (r *receiver) post(ctx context.Context, e event.Encoded) (delivered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.sender.cfg.RequestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(e.JSON))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	begin := time.Now()
	response, err := r.sender.client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
		return false, fmt.Errorf("it answered %s", response.Status)
	}
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	if took := time.Since(begin); took > r.sender.cfg.SlowConsumer {
		return true, fmt.Errorf("it took %s to answer", took.Round(time.Millisecond))
	}
	return true, nil
}
