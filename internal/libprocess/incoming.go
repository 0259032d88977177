package libprocess

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// incoming is an accepted connection. It takes the stream of requests apart: messages
// are delivered and answered here, and each ordinary request is shown to net/http, which
// reads from this type as if it were the connection, one request at a time. So answers
// come in the order of the requests, and a client that goes away during a long
// answer is noticed.
//
// A connection that never makes an ordinary request, like most links between daemons,
// never costs more than one goroutine and a small buffer.
//
//	between --> body --> serving --> between     one ordinary request
//	any     --> raw                              hijacked, or a body that makes no sense
//
// Only one goroutine reads at a time: that of serve, then the one of net/http, which stops
// its own background reader before it goes on.
type incoming struct {
	net.Conn
	t *Transport

	phase phase
	// in[r:] was received and not used yet.
	in []byte
	r  int
	// readErr is the lasting error that ended receiving.
	readErr error
	// out are answers to messages that were not written yet.
	out []byte
	// forward is the part of a request head that net/http did not read yet.
	forward []byte
	body    bodyScanner
	// timed: a read deadline of ours is set.
	timed bool

	mu      sync.Mutex
	changed sync.Cond // aborted or closed changed
	aborted bool
	closed  bool
}

type phase int

const (
	between phase = iota // no request, or a message, is being received
	body                 // the rest of an ordinary request is shown to net/http
	serving              // net/http is answering, and all of the request was shown
	raw                  // everything is shown as it comes
)

const (
	// firstBuffer is the receive buffer of a connection that stays idle.
	firstBuffer = 1 << 10
	// keptInput is the largest receive buffer that is kept between requests.
	keptInput = 64 << 10
	// maxAhead is how much of the following requests is read while one is answered.
	maxAhead = 64 << 10
	// maxAnswers is how many bytes of answers are collected before they are written,
	// while there is more input.
	maxAnswers = 8 << 10
)

var (
	errMessageSize = errors.New("the message is larger than the limit")
	errTooMuchHead = errors.New("the request head is larger than the limit")
)

func newIncoming(t *Transport, nc net.Conn) *incoming {
	c := &incoming{Conn: nc, t: t}
	c.changed.L = &c.mu
	return c
}

// serve handles messages until the connection ends or an ordinary request comes, with
// which the connection is given to hand for good.
func (c *incoming) serve(hand func(net.Conn) bool) {
	if err := c.nextHTTP(); err != nil || !hand(c) {
		c.Close()
	}
}

// nextHTTP handles messages until an ordinary request comes, whose head is then in
// c.forward. After an error the connection is of no more use.
func (c *incoming) nextHTTP() error {
	for {
		h, n, err := parseHead(c.in[c.r:])
		switch {
		case err == errIncomplete:
			if len(c.in)-c.r > c.t.config.MaxHead {
				err = errTooMuchHead
				break
			}
			if err = c.fill(len(c.in) > c.r && !c.timed); err == nil {
				continue
			}
		case err == nil && n > c.t.config.MaxHead:
			err = errTooMuchHead
		}
		if err != nil {
			if err != io.EOF {
				c.t.log.Debug("Closing an incoming connection", "peer", c.RemoteAddr().String(), "error", err)
			}
			c.flush()
			return err
		}
		c.body.reset(&h)
		switch {
		case h.path == "" || h.path[0] != '/':
			c.answer("400 Bad Request", "Request URL path must start with '/'")
			c.flush()
			return io.EOF
		case h.isMessage():
			c.r += n
			if err := c.message(&h); err != nil {
				c.flush()
				return err
			}
		default:
			c.forward = h.appendHTTP(nil, c.in[c.r:c.r+n])
			c.r += n
			c.phase = body
			c.untime()
			return c.flush()
		}
	}
}

// message receives the rest of a message, delivers and answers it.
func (c *incoming) message(h *head) error {
	content, err := c.readBody(h)
	if err == errMessageSize {
		c.answer("413 Request Entity Too Large", "")
		c.t.log.Warn("Refusing a message that is too large", "peer", c.RemoteAddr().String(), "path", h.path,
			"limit_bytes", c.t.config.MaxMessage)
	}
	if err != nil {
		return err
	}
	m := Message{From: h.sender(c.t.resolve), Body: content}
	id, name, err := h.addressee()
	if err != nil {
		c.answer("500 Internal Server Error", "Failed to decode URL path: "+err.Error())
	} else if m.To, m.Name = c.t.UPID(id), name; c.t.config.RequirePeerAddressMatch && !c.comesFrom(m.From) {
		c.answer("400 Bad Request", "UPID IP address validation failed: Message from "+m.From.String()+
			" was sent from IP "+c.RemoteAddr().String())
	} else if c.t.deliver(m) {
		c.answer("202 Accepted", "")
	} else {
		c.answer("404 Not Found", "404 Not Found.")
	}
	c.untime()
	if !h.keepAlive {
		return io.EOF
	}
	if len(c.out) >= maxAnswers {
		return c.flush()
	}
	return nil
}

func (c *incoming) readBody(h *head) ([]byte, error) {
	limit := c.t.config.MaxMessage
	if h.framing == byLength && h.length > int64(limit) {
		return nil, errMessageSize
	}
	var content []byte
	for !c.body.done {
		if c.r == len(c.in) {
			if err := c.fill(true); err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return nil, err
			}
		}
		n, size, err := c.body.scan(c.in[c.r:])
		c.r += n
		if err != nil {
			return nil, err
		}
		if size == 0 {
			continue
		}
		if len(content)+size > limit {
			return nil, errMessageSize
		}
		if content == nil {
			// What the sender announces is believed only up to a point.
			content = make([]byte, 0, min(int64(size)+c.body.left, 1<<20))
		}
		content = append(content, c.in[c.r-size:c.r]...)
	}
	return content, nil
}

// comesFrom reports whether a UPID has the address the connection comes from.
func (c *incoming) comesFrom(u UPID) bool {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	return ok && tcp.AddrPort().Addr().Unmap() == u.address().Addr()
}

// resolve looks the host of a UPID text up.
func (t *Transport) resolve(text string) (UPID, error) {
	ctx, cancel := context.WithTimeout(t.ctx, 5*time.Second)
	defer cancel()
	return Resolve(ctx, text)
}

// answer queues an answer. Header names and order are those of the original.
func (c *incoming) answer(status, text string) {
	c.out = append(c.out, "HTTP/1.1 "...)
	c.out = append(c.out, status...)
	c.out = append(c.out, "\r\nDate: "...)
	c.out = append(c.out, c.t.date.now()...)
	if text != "" {
		c.out = append(c.out, "\r\nContent-Type: text/plain; charset=utf-8"...)
	}
	c.out = append(c.out, "\r\nContent-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(len(text)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, text...)
}

// flush writes the queued answers. A peer that does not read them for too long is given
// up; the original reads and ignores them.
func (c *incoming) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.Conn.SetWriteDeadline(time.Now().Add(c.t.config.RequestTimeout))
	_, err := c.Conn.Write(c.out)
	c.Conn.SetWriteDeadline(time.Time{})
	c.out = c.out[:0]
	return err
}

// fill waits for more input. If timed, the wait is limited, because a request has begun.
func (c *incoming) fill(timed bool) error {
	if c.readErr != nil {
		return c.readErr
	}
	if c.r == len(c.in) {
		c.in, c.r = c.in[:0], 0
		if cap(c.in) > keptInput {
			c.in = nil
		}
	} else if c.r > 0 && len(c.in) == cap(c.in) {
		c.in = c.in[:copy(c.in, c.in[c.r:])]
		c.r = 0
	}
	if len(c.in) == cap(c.in) {
		grown := make([]byte, len(c.in), max(firstBuffer, 2*cap(c.in)))
		copy(grown, c.in)
		c.in = grown
	}
	if err := c.flush(); err != nil {
		return err
	}
	if timed {
		c.timed = true
		c.Conn.SetReadDeadline(time.Now().Add(c.t.config.RequestTimeout))
	}
	n, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.readErr = err
	}
	if n > 0 {
		return nil
	}
	return err
}

// untime ends a limited wait.
func (c *incoming) untime() {
	if c.timed {
		c.timed = false
		c.Conn.SetReadDeadline(time.Time{})
	}
}

// Read is what net/http sees.
func (c *incoming) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.phase == between {
		if err := c.nextHTTP(); err != nil {
			// Anything but the end would make net/http answer.
			return 0, io.EOF
		}
	}
	if len(c.forward) > 0 {
		n := copy(p, c.forward)
		c.forward = c.forward[n:]
		return n, nil
	}
	if c.phase == body && c.body.done {
		c.forward = nil
		c.phase = serving
	}
	switch c.phase {
	case body:
		return c.readForward(p)
	case serving:
		return 0, c.awaitEnd()
	}
	if c.r < len(c.in) {
		n := copy(p, c.in[c.r:])
		c.r += n
		return n, nil
	}
	if c.readErr != nil {
		return 0, c.readErr
	}
	return c.Conn.Read(p)
}

// readForward shows net/http more of a request body, with its chunk framing, but nothing
// that comes after it.
func (c *incoming) readForward(p []byte) (int, error) {
	if c.r == len(c.in) {
		if err := c.fill(false); err != nil {
			return 0, err
		}
	}
	part := c.in[c.r:min(len(c.in), c.r+len(p))]
	total := 0
	for total < len(part) && !c.body.done {
		n, _, err := c.body.scan(part[total:])
		total += n
		if err != nil {
			// net/http finds the same mistake, answers it and closes.
			c.phase = raw
			total = len(part)
			break
		}
	}
	copy(p, part[:total])
	c.r += total
	return total, nil
}

// awaitEnd waits until the client goes away or net/http wants no more to know about it.
// Meanwhile it collects following requests, up to a limit.
func (c *incoming) awaitEnd() error {
	for {
		if len(c.in)-c.r >= maxAhead {
			c.mu.Lock()
			for !c.aborted && !c.closed {
				c.changed.Wait()
			}
			c.mu.Unlock()
			return os.ErrDeadlineExceeded
		}
		if err := c.fill(false); err != nil {
			return err
		}
	}
}

// served is called when net/http has written its answer and the connection stays.
func (c *incoming) served() {
	if c.phase == raw || !c.body.done || len(c.forward) > 0 {
		// The end of the request is unknown, so what follows cannot be read.
		c.phase = raw
		c.in, c.r, c.readErr = nil, 0, io.EOF
		return
	}
	c.phase = between
}

// hijacked is called when a handler took the connection over.
func (c *incoming) hijacked() { c.phase = raw }

// SetReadDeadline is used by net/http to stop its background reader.
func (c *incoming) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.aborted = !t.IsZero() && !t.After(time.Now())
	c.changed.Broadcast()
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline sets both deadlines.
func (c *incoming) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close closes the connection and forgets it.
func (c *incoming) Close() error {
	c.mu.Lock()
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.t.mu.Lock()
	delete(c.t.accepted, c)
	c.t.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite closes our side only. net/http does so before it gives up a connection
// whose client is still sending, so that the client can read the answer.
func (c *incoming) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
