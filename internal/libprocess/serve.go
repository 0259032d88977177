package libprocess

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// serve accepts connections until the listener fails or is closed.
func (t *Transport) serve() error {
	handed := &handedConns{conns: make(chan net.Conn), done: t.ctx.Done(), addr: t.config.Listener.Addr()}
	server := &http.Server{
		Handler:                      t.config.HTTP,
		DisableGeneralOptionsHandler: true,
		// The limit that counts is MaxHead; heads grow a little on the way to net/http.
		MaxHeaderBytes: 2*t.config.MaxHead + 4096,
		ErrorLog:       slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return t.ctx },
		ConnState: func(nc net.Conn, state http.ConnState) {
			c := nc.(*incoming)
			switch state {
			case http.StateIdle:
				c.served()
			case http.StateHijacked:
				c.hijacked()
			}
		},
		// No timeouts: a silent connection is a link (doc.go).
	}
	defer server.Close()
	t.mu.Lock()
	running := t.goRun(func() { server.Serve(handed) })
	t.mu.Unlock()
	if !running {
		return net.ErrClosed
	}

	var pause time.Duration
	for {
		nc, err := t.config.Listener.Accept()
		if err != nil {
			if !passing(err) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			t.log.Warn("Cannot accept a connection; trying again", "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-t.ctx.Done():
				return net.ErrClosed
			}
			continue
		}
		pause = 0
		c := newIncoming(t, nc)
		t.mu.Lock()
		started := t.goRun(func() { c.serve(handed.hand) })
		if started {
			t.accepted[c] = struct{}{}
		}
		t.mu.Unlock()
		if !started {
			nc.Close()
			return net.ErrClosed
		}
	}
}

// passing reports whether accepting may work again later: the process or the system is
// out of file descriptors or memory, or the client was gone before it was accepted.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// handedConns is the listener that net/http serves: connections come from our own
// accept loop once they have made an ordinary request.
type handedConns struct {
	conns chan net.Conn
	done  <-chan struct{}
	addr  net.Addr
}

func (l *handedConns) hand(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.done:
		return false
	}
}

// Accept implements net.Listener.
func (l *handedConns) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; the transport's end closes it.
func (l *handedConns) Close() error { return nil }

// Addr implements net.Listener.
func (l *handedConns) Addr() net.Addr { return l.addr }

// dateCache formats the Date header once a second.
type dateCache struct {
	last atomic.Pointer[datedText]
}

type datedText struct {
	second int64
	text   []byte
}

func (d *dateCache) now() []byte {
	now := time.Now()
	if last := d.last.Load(); last != nil && last.second == now.Unix() {
		return last.text
	}
	next := &datedText{now.Unix(), now.UTC().AppendFormat(nil, http.TimeFormat)}
	d.last.Store(next)
	return next.text
}
