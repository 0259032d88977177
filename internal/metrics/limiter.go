package metrics

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"stoa/internal/flags"
)

// RateVariable is the environment variable for the rate of /metrics/snapshot, such as
// "2/1secs"; an empty one is no limit.
const RateVariable = "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT"

// DefaultRate is the original's, a request every half second.
const DefaultRate = 500 * time.Millisecond

// ParseRate reads a rate and returns the time between two requests, 0 for no limit.
func ParseRate(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	number, interval, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is not of the form <number of requests>/<duration>, such as 2/1secs", text)
	}
	d, err := flags.ParseDuration(interval)
	if err != nil {
		return 0, fmt.Errorf("%q is not of the form <number of requests>/<duration>: %w", text, err)
	}
	return d / time.Duration(n), nil
}

// Limiter lets requests through one after the other, with a time between them. Those
// that come too soon wait for their turn.
type Limiter struct {
	every time.Duration
	turn  chan time.Time // holds when the next one may go
}

// NewLimiter makes a limiter; 0 lets everything through.
func NewLimiter(every time.Duration) *Limiter {
	l := &Limiter{every: every, turn: make(chan time.Time, 1)}
	l.turn <- time.Time{}
	return l
}

// Wait returns when it is the caller's turn, or with the context's error when that ends
// first.
func (l *Limiter) Wait(ctx context.Context) error {
	if l == nil || l.every <= 0 {
		return nil
	}
	var next time.Time
	select {
	case next = <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if wait := time.Until(next); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			l.turn <- next
			return ctx.Err()
		}
	}
	l.turn <- time.Now().Add(l.every)
	return nil
}
