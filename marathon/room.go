package marathon

import "sync"

// room tells whether the store has room for changes. The store's goroutine says so;
// requests ask, so that none of them waits until somebody has freed some disk space.
type room struct {
	mu   sync.Mutex
	lack error
	// full is closed while there is a lack.
	full chan struct{}
}

func newRoom() *room { return &room{full: make(chan struct{})} }

// report says how the last attempt to store something went: nil for well.
func (r *room) report(lack error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case lack != nil && r.lack == nil:
		close(r.full)
	case lack == nil && r.lack != nil:
		r.full = make(chan struct{})
	}
	r.lack = lack
}

// state gives the lack, if there is one, and a channel that is closed as soon as there is.
func (r *room) state() (full <-chan struct{}, lack error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full, r.lack
}
