package schedclient

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff gives pauses that double from min to max. Each is drawn between half of it and all of it, so that the frameworks of a
// cluster don't return to a restarted master all at once.
type backoff struct {
	min, max, pause time.Duration
}

func (b *backoff) next() time.Duration {
	b.pause = min(max(b.pause*2, b.min), b.max)
	return b.pause/2 + rand.N(b.pause/2+1)
}

// lasted tells how long a subscription stood. One that stood longer than the last pause starts the pauses from min again; a master
// that takes and drops it at once gets longer and longer ones.
func (b *backoff) lasted(d time.Duration) {
	if d >= b.pause {
		b.pause = 0
	}
}

// sleep waits; false means that the context has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
