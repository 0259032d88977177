package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Queue is between the master's loop and one open connection. The loop never waits for
// it: a client that reads too slowly loses its stream.
type Queue[T any] struct {
	max  int
	wake chan struct{}

	mu     sync.Mutex
	items  []T
	closed bool
}

// defaultBacklog is how many items may wait for one client.
const defaultBacklog = 100_000

func newQueue[T any](max int) *Queue[T] {
	return &Queue[T]{max: max, wake: make(chan struct{}, 1)}
}

// Push queues an item. It returns false when the queue is full: the stream is then
// closed, with what was queued dropped.
func (q *Queue[T]) Push(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true
	}
	if len(q.items) >= q.max {
		q.items, q.closed = nil, true
		q.signal()
		return false
	}
	q.items = append(q.items, item)
	q.signal()
	return true
}

// Close ends the stream after what is queued.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for items and takes them all. more is false when none will follow.
func (q *Queue[T]) next(ctx context.Context) (items []T, more bool) {
	for {
		q.mu.Lock()
		items, closed := q.items, q.closed
		q.items = nil
		q.mu.Unlock()
		if len(items) > 0 || closed {
			return items, !closed
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// writeStream writes what comes through a queue, each item by encode, until the queue
// is closed or the client is gone. Without a deadline a client that stopped reading
// would hold this up for as long as its connection lives.
func writeStream[T any](c *gin.Context, q *Queue[T], timeout time.Duration, encode func(out []byte, item T) []byte) {
	control := http.NewResponseController(c.Writer)
	var out []byte
	for {
		items, more := q.next(c.Request.Context())
		out = out[:0]
		for _, item := range items {
			out = encode(out, item)
		}
		if len(out) > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(timeout))
			if _, err := c.Writer.Write(out); err != nil {
				return
			}
			if control.Flush() != nil {
				return
			}
			_ = control.SetWriteDeadline(time.Time{})
		}
		if !more {
			return
		}
		if cap(out) > 1<<20 {
			out = nil
		}
	}
}
