package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"stoa/internal/auth/crammd5"
	"stoa/internal/libprocess"

	"google.golang.org/protobuf/proto"
)

// Authentication is how the agent proves to masters who it is.
type Authentication struct {
	// Principal and Secret are the agent's credential (--credential).
	Principal, Secret string
	// One attempt takes a random time between TimeoutMin (--authentication_timeout_min,
	// default 5 seconds) and a bound that begins at twice BackoffFactor
	// (--authentication_backoff_factor, default 1 second) above it and doubles with
	// each attempt, up to TimeoutMax (--authentication_timeout_max, default 1 minute).
	TimeoutMin, TimeoutMax, BackoffFactor time.Duration
	// Spread is the random time to wait before the first attempt, so that not all agents
	// come to a new master at once; zero for none.
	Spread time.Duration
}

func (a *Authentication) setDefaults() {
	for _, one := range []struct {
		d *time.Duration
		v time.Duration
	}{{&a.TimeoutMin, 5 * time.Second}, {&a.TimeoutMax, time.Minute}, {&a.BackoffFactor, time.Second}} {
		if *one.d <= 0 {
			*one.d = one.v
		}
	}
}

// errRefused says that the master does not take the agent for who it says it is. Another
// attempt would end the same.
var errRefused = errors.New("refused authentication")

// authenticatee is the process crammd5-authenticatee(N): one attempt.
type authenticatee struct {
	messages chan libprocess.Message
	lost     chan struct{}
}

// Receive implements libprocess.Actor. A master that says more than fits has said too
// much.
func (a *authenticatee) Receive(m libprocess.Message) {
	select {
	case a.messages <- m:
	default:
	}
}

// Exited implements libprocess.Actor.
func (a *authenticatee) Exited(libprocess.UPID) {
	select {
	case a.lost <- struct{}{}:
	default:
	}
}

// authenticate repeats the handshake with a master until it is done. The error is
// errRefused or that of ctx.
func (p *Peer) authenticate(ctx context.Context, master netip.AddrPort) error {
	a := *p.authentication
	a.setDefaults()
	if err := sleep(ctx, random(0, max(a.Spread, 0))); err != nil {
		return err
	}
	limit := min(a.TimeoutMin+2*a.BackoffFactor, a.TimeoutMax)
	for {
		began := time.Now()
		timeout := random(a.TimeoutMin, max(limit, a.TimeoutMin))
		attempt, cancel := context.WithTimeout(ctx, timeout)
		err := p.handshake(attempt, master, a)
		cancel()
		switch {
		case err == nil:
			p.logger.Info("Successfully authenticated with master", "master", master.String())
			return nil
		case errors.Is(err, errRefused):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		p.logger.Warn("Failed to authenticate with master; trying again", "master", master.String(), "error", err)
		limit = min(a.TimeoutMin+2*(limit-a.TimeoutMin), a.TimeoutMax)
		// An attempt that failed at once, since the master is down, is not repeated at once.
		if err := sleep(ctx, min(a.BackoffFactor, timeout-time.Since(began))); err != nil {
			return err
		}
	}
}

func (p *Peer) handshake(ctx context.Context, master netip.AddrPort, a Authentication) error {
	actor := &authenticatee{messages: make(chan libprocess.Message, 8), lost: make(chan struct{}, 1)}
	id := p.transport.NextID("crammd5-authenticatee")
	self := p.transport.Spawn(id, actor)
	defer p.transport.Terminate(id)
	client, say := crammd5.NewClient(p.self.String(), a.Principal, a.Secret)
	to := libprocess.UPID{ID: MasterID, Addr: master}
	p.logger.Info("Authenticating with master", "master", to.String())
	p.transport.Link(self, to)
	p.transport.SendProto(self, to, say)
	for {
		select {
		case m := <-actor.messages:
			if m.From.Addr != master {
				continue // not from the master; nobody else is asked
			}
			answer, outcome, err := receive(client, m)
			if err != nil {
				return err
			}
			if answer != nil {
				p.transport.SendProto(self, m.From, answer)
			}
			switch outcome {
			case crammd5.Authenticated:
				return nil
			case crammd5.Refused:
				return errRefused
			}
		case <-actor.lost:
			return errors.New("the connection to the master was lost")
		case <-ctx.Done():
			return errors.New("Authentication timed out")
		}
	}
}

func receive(client *crammd5.Client, m libprocess.Message) (proto.Message, crammd5.Outcome, error) {
	message, err := crammd5.Decode(m.Name, m.Body)
	if err != nil {
		return nil, crammd5.Broken, fmt.Errorf("read %s: %w", m.Name, err)
	}
	return client.Receive(message)
}

// random is a duration between two bounds.
func random(low, high time.Duration) time.Duration {
	return low + time.Duration(float64(high-low)*rand.Float64())
}

// sleep waits, or gives up with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
