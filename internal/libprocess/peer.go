package libprocess

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// peer is the one outgoing connection to a remote address, with what waits for it and
// who watches it.
//
// One goroutine (run) dials, then reads and throws away the answers until the
// connection ends, so that the end is noticed at once. Writing is done by a second
// goroutine that lives only while something is queued.
//
//	dialing --> open       connected
//	open    --> half       the queue is empty and nobody linked: our side is closed
//	half    --> dialing    the peer closed too, and something new is queued or linked
//	half    --> gone       the peer closed too, and there is nothing new
//	dialing, open --> gone failed: the queue is dropped, every link gets an exited event
type peer struct {
	t    *Transport
	addr netip.AddrPort

	mu sync.Mutex
	// gone: no longer in t.peers; a new peer must be made.
	gone bool
	// open is the connection that is written to, if any.
	open net.Conn
	// half is the connection whose writing side we have closed, while the peer has not.
	half net.Conn
	// hurried: something new waits for half to end.
	hurried bool
	// pending are the encoded messages that were not given to a connection yet.
	pending []byte
	// flushing: a goroutine is writing to open.
	flushing bool
	// persistent: somebody linked, so the connection stays when the queue is empty.
	persistent bool
	// overflowed: the queue limit was hit, and this was logged.
	overflowed bool
	links      map[link]struct{}
}

type link struct {
	from string
	to   UPID
}

const (
	// halfPatience is how long something new waits for the peer to close a
	// half-closed connection, so that it cannot overtake what was sent on that.
	halfPatience = time.Second
	// halfLimit is when a half-closed connection is closed for good, even if the
	// peer did not. Closing earlier could reset it before the peer has read.
	halfLimit = 30 * time.Second
	// keptBuffer is the largest write buffer that is kept for the next write.
	keptBuffer = 64 << 10
)

// Keep-alive probes find a vanished peer after about six and a half minutes. They are
// slow on purpose: a short partition must not look like the death of a peer, which the
// pings of the layer above judge better.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 30 * time.Second, Count: 9}

var errGivenUp = errors.New("the connection was given up")

// peer finds or makes the peer of an address and starts its connection. It is nil when
// the transport is closed. The peer may be gone by the time it is locked.
func (t *Transport) peer(addr netip.AddrPort) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.peers[addr]; p != nil {
		return p
	}
	p := &peer{t: t, addr: addr, links: make(map[link]struct{})}
	if !t.goRun(p.run) {
		return nil
	}
	t.peers[addr] = p
	return p
}

// locked locks the peer, or its successor if it is gone; nil when the transport is
// closed.
func (p *peer) locked() *peer {
	p.mu.Lock()
	for p.gone {
		p.mu.Unlock()
		if p = p.t.peer(p.addr); p == nil {
			return nil
		}
		p.mu.Lock()
	}
	return p
}

func (p *peer) send(from, to UPID, name string, body []byte) {
	if p = p.locked(); p == nil {
		return
	}
	defer p.mu.Unlock()
	if p.overflowed {
		return
	}
	if len(p.pending) > 0 && len(p.pending)+len(body) > p.t.config.MaxQueue {
		p.overflowed = true
		p.t.log.Warn("Too many messages wait for a peer that does not read; giving its connection up",
			"peer", p.addr.String(), "queued_bytes", len(p.pending), "limit_bytes", p.t.config.MaxQueue)
		if p.open != nil {
			p.open.Close()
		}
		return
	}
	p.pending = appendMessage(p.pending, from, to.ID, p.addr, name, body)
	p.wake()
}

func (p *peer) link(from string, to UPID) {
	if p = p.locked(); p == nil {
		return
	}
	defer p.mu.Unlock()
	p.persistent = true
	p.links[link{from, to}] = struct{}{}
	p.wake()
}

// relink leaves the connection to its end; its links move to a new peer.
func (p *peer) relink(from string, to UPID) {
	if p = p.locked(); p == nil {
		return
	}
	old := p.links
	p.links = make(map[link]struct{})
	p.leave()
	if p.open != nil {
		p.open.Close()
	}
	p.mu.Unlock()
	old[link{from, to}] = struct{}{}
	for l := range old {
		if next := p.t.peer(p.addr); next != nil {
			next.link(l.from, l.to)
		}
	}
}

// unlink forgets the links of a local process that ended. The connection stays, as in
// the original.
func (p *peer) unlink(from string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.from == from {
			delete(p.links, l)
		}
	}
}

// leave marks the peer as gone and takes it out of the map. p.mu must be held.
func (p *peer) leave() {
	p.gone = true
	p.pending = nil
	p.t.mu.Lock()
	if p.t.peers[p.addr] == p {
		delete(p.t.peers, p.addr)
	}
	p.t.mu.Unlock()
}

// wake gets what was queued or linked going. p.mu must be held.
func (p *peer) wake() {
	switch {
	case p.open != nil:
		p.startFlush()
	case p.half != nil && !p.hurried:
		p.hurried = true
		p.half.SetReadDeadline(time.Now().Add(halfPatience))
	}
}

// startFlush starts the writer if none runs and there is something for it to do.
// p.mu must be held.
func (p *peer) startFlush() {
	if p.flushing || len(p.pending) == 0 {
		return
	}
	conn := p.open
	p.t.mu.Lock()
	p.flushing = p.t.goRun(func() { p.flush(conn) })
	p.t.mu.Unlock()
}

// flush writes until nothing is pending, then half-closes a connection that nobody
// linked. A failed write closes the connection, which ends run's reading.
func (p *peer) flush(conn net.Conn) {
	var spare []byte
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.flushing = false }()
	for len(p.pending) > 0 && !p.gone {
		writing := p.pending
		p.pending = spare[:0]
		p.mu.Unlock()
		_, err := conn.Write(writing)
		p.mu.Lock()
		if err != nil {
			conn.Close()
			return
		}
		spare = nil
		if cap(writing) <= keptBuffer {
			spare = writing
		}
	}
	if p.pending != nil && len(p.pending) == 0 {
		p.pending = nil // an idle peer keeps no buffer
	}
	if p.persistent || p.gone {
		return
	}
	p.open, p.half = nil, conn
	conn.SetReadDeadline(time.Now().Add(halfLimit))
	if tcp, ok := conn.(*net.TCPConn); !ok || tcp.CloseWrite() != nil {
		conn.Close()
	}
}

// run keeps the connection from the first dial until there is no more use for it.
func (p *peer) run() {
	for p.connect() {
	}
}

// connect dials and stays until the connection has ended. It reports whether another
// connection is wanted.
func (p *peer) connect() (again bool) {
	d := net.Dialer{Timeout: p.t.config.DialTimeout, KeepAliveConfig: keepAlive}
	conn, err := d.DialContext(p.t.ctx, "tcp4", p.addr.String())
	if err != nil {
		p.fail(err)
		return false
	}
	stop := context.AfterFunc(p.t.ctx, func() { conn.Close() })
	p.mu.Lock()
	if p.gone || p.overflowed {
		p.mu.Unlock()
		stop()
		conn.Close()
		p.fail(errGivenUp)
		return false
	}
	p.open, p.hurried = conn, false
	p.startFlush()
	p.mu.Unlock()

	err = discard(conn)
	p.mu.Lock()
	if p.half != conn {
		p.mu.Unlock()
		stop()
		conn.Close()
		p.fail(err)
		return false
	}
	p.half = nil
	again = !p.gone && (len(p.pending) > 0 || p.persistent)
	if !again && !p.gone {
		p.leave()
	}
	p.mu.Unlock()
	if again && errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.mu.Lock()
		lingers := p.t.goRun(func() { linger(conn, stop) })
		p.t.mu.Unlock()
		if lingers {
			return true
		}
	}
	stop()
	conn.Close()
	return again
}

// linger gives a half-closed connection the rest of its time.
func linger(conn net.Conn, stop func() bool) {
	conn.SetReadDeadline(time.Now().Add(halfLimit))
	discard(conn)
	stop()
	conn.Close()
}

// fail drops the queue and reports to every link, once.
func (p *peer) fail(err error) {
	p.mu.Lock()
	links := p.links
	p.links = nil
	dropped := len(p.pending)
	p.open = nil
	p.leave()
	p.mu.Unlock()
	if p.t.ctx.Err() != nil {
		return
	}
	if len(links) > 0 || dropped > 0 {
		p.t.log.Debug("Connection to a peer ended", "peer", p.addr.String(), "error", err,
			"links", len(links), "dropped_bytes", dropped)
	}
	for l := range links {
		p.t.local.exited(l.from, l.to)
	}
}

// discard reads answers until the connection ends.
func discard(conn net.Conn) error {
	var buf [512]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return io.EOF
			}
			return err
		}
	}
}
