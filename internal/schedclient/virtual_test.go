package schedclient

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stoa/internal/mesos/schedulerpb"
)

// pipeListener gives a server the other ends of pipes, so that a whole connection lives in virtual time.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// virtual runs a client against a peer in virtual time.
func virtual(t *testing.T, test func(t *testing.T, p *peer, cfg Config)) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{subscribes: make(chan *subscription, 16), calls: make(chan received, 16)}
		listener := pipeListener{make(chan net.Conn)}
		server := &http.Server{Handler: p}
		go func() { _ = server.Serve(listener) }()
		cfg := quickConfig("master:5050")
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			listener.conns <- theirs
			return ours, nil
		}
		test(t, p, cfg)
		close(listener.conns)
		server.Close()
	})
}

func TestFiveMissedHeartbeatsEndTheStream(t *testing.T) {
	virtual(t, func(t *testing.T, master *peer, cfg Config) {
		seen := newJournal()
		seen.virtual = true
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- New(cfg).Run(ctx, seen) }()
		s := <-master.subscribes
		s.event(subscribedEvent("f-0000", 15))
		seen.expect(t, "connected")
		seen.expect(t, "subscribed")

		// Any event proves that the master lives; four missed heartbeats don't end anything.
		time.Sleep(74 * time.Second)
		s.event(rescind("O1"))
		seen.expect(t, "RESCIND O1")
		begin := time.Now()
		seen.expect(t, "disconnected: the master missed five heartbeats")
		if silent := time.Since(begin); silent != 75*time.Second {
			t.Errorf("ended after %s", silent)
		}
		s = <-master.subscribes
		s.event(subscribedEvent("f-0000", 0))
		seen.expect(t, "connected")
		seen.expect(t, "subscribed")

		// A master without heartbeats may be silent for ever.
		time.Sleep(48 * time.Hour)
		s.event(rescind("O2"))
		seen.expect(t, "RESCIND O2")
		cancel()
		<-result
	})
}

// While the handler works, nobody reads, and that is not the master's silence.
func TestASlowHandlerDoesNotLookLikeALostMaster(t *testing.T) {
	virtual(t, func(t *testing.T, master *peer, cfg Config) {
		seen := newJournal()
		seen.virtual = true
		seen.hook = func(line string) {
			if strings.HasPrefix(line, "RESCIND") {
				time.Sleep(10 * time.Minute)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- New(cfg).Run(ctx, seen) }()
		s := <-master.subscribes
		go func() {
			s.event(subscribedEvent("f-0000", 15))
			s.event(rescind("O1"))
			s.event(rescind("O2"))
		}()
		seen.expect(t, "connected")
		seen.expect(t, "subscribed")
		seen.expect(t, "RESCIND O1")
		seen.expect(t, "RESCIND O2")
		cancel()
		<-result
	})
}

func TestAMasterThatNeverAnswersIsGivenUp(t *testing.T) {
	virtual(t, func(t *testing.T, master *peer, cfg Config) {
		asked := make(chan time.Time, 2)
		master.answer = func(_ http.ResponseWriter, r *http.Request, _ *schedulerpb.Call) bool {
			asked <- time.Now()
			<-r.Context().Done()
			return true
		}
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error)
		go func() { result <- New(cfg).Run(ctx, newJournal()) }()
		first, second := <-asked, <-asked
		if d := second.Sub(first); d < 30*time.Second || d > 31*time.Second {
			t.Errorf("asked again after %s", d)
		}
		cancel()
		if err := <-result; err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestBackoffDoublesWithJitterUpToItsBound(t *testing.T) {
	b := backoff{min: 100 * time.Millisecond, max: time.Second}
	for _, top := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		top *= time.Millisecond
		if got := b.next(); got < top/2 || got > top {
			t.Errorf("pause %s outside %s to %s", got, top/2, top)
		}
	}
	b.lasted(999 * time.Millisecond)
	if got := b.next(); got < 500*time.Millisecond {
		t.Errorf("a subscription that did not last: pause %s", got)
	}
	b.lasted(time.Second)
	if got := b.next(); got > 100*time.Millisecond {
		t.Errorf("a subscription that lasted: pause %s", got)
	}
}
