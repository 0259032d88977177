package libprocess

import "sync"

// localQueue carries messages between local processes and all exited events, so that
// Send and Link never call an actor from inside the caller. One goroutine delivers in
// order; it lives only while something is queued.
type localQueue struct {
	t *Transport

	mu       sync.Mutex
	queue    []localEvent
	messages int
	running  bool
	dropping bool
	// links of local processes to local processes.
	links map[link]struct{}
}

// localEvent is a message, or the exit of linked for the process linker.
type localEvent struct {
	message Message
	linker  string
	linked  UPID
	exit    bool
}

func (q *localQueue) init(t *Transport) {
	q.t = t
	q.links = make(map[link]struct{})
}

func (q *localQueue) send(m Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.messages >= q.t.config.MaxLocal {
		if !q.dropping {
			q.dropping = true
			q.t.log.Warn("Too many messages wait between local processes; dropping",
				"message", m.Name, "to", m.To.ID, "limit", q.t.config.MaxLocal)
		}
		return
	}
	q.dropping = false
	q.messages++
	q.push(localEvent{message: m})
}

// exited queues an exited event. These are never dropped: there is at most one for
// each link.
func (q *localQueue) exited(linker string, to UPID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.push(localEvent{linker: linker, linked: to, exit: true})
}

// link watches a local process; one that does not exist has exited already.
func (q *localQueue) link(from string, to UPID) {
	q.t.mu.Lock()
	_, exists := q.t.actors[to.ID]
	q.t.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !exists {
		q.push(localEvent{linker: from, linked: to, exit: true})
		return
	}
	q.links[link{from, to}] = struct{}{}
}

// terminated forgets the links of a process that ended and tells who linked to it.
func (q *localQueue) terminated(id string, existed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for l := range q.links {
		switch {
		case l.from == id:
			delete(q.links, l)
		case l.to.ID == id && existed:
			delete(q.links, l)
			q.push(localEvent{linker: l.from, linked: l.to, exit: true})
		}
	}
}

// push queues an event. q.mu must be held.
func (q *localQueue) push(e localEvent) {
	q.queue = append(q.queue, e)
	if q.running {
		return
	}
	q.t.mu.Lock()
	q.running = q.t.goRun(q.run)
	q.t.mu.Unlock()
	if !q.running {
		q.queue = nil // closed: nothing is delivered any more
	}
}

func (q *localQueue) run() {
	var batch []localEvent
	for {
		q.mu.Lock()
		clear(batch)
		batch, q.queue = q.queue, batch[:0]
		if len(batch) == 0 {
			q.running = false
			q.queue = nil
			q.mu.Unlock()
			return
		}
		q.messages = 0
		q.mu.Unlock()
		for _, e := range batch {
			if q.t.ctx.Err() != nil {
				return
			}
			if e.exit {
				q.t.exited(e.linker, e.linked)
			} else if !q.t.deliver(e.message) {
				q.t.log.Debug("Dropping a message to a local process that does not exist",
					"message", e.message.Name, "to", e.message.To.ID)
			}
		}
	}
}
