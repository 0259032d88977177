package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Sim is a number of simulated agents in this process.
type Sim struct {
	b     *behaviour
	hosts []*host
}

// New listens and makes the agents, which do nothing before Run. A nil logger logs nothing.
func New(o Options, log *slog.Logger) (*Sim, error) {
	b, err := newBehaviour(o)
	if err != nil {
		return nil, err
	}
	if !o.IP.Is4() || o.IP.IsUnspecified() {
		return nil, errors.New("the agents need an IPv4 address that the master can reach")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	per := o.PerAddress
	if per == 0 {
		per = o.Count
	}
	if addresses := (o.Count + per - 1) / per; o.Port != 0 && int(o.Port)+addresses-1 > 65535 {
		return nil, fmt.Errorf("there are not %d ports from %d on", addresses, o.Port)
	}
	s := &Sim{b: b}
	port := o.Port
	for first := 1; first <= o.Count; first += per {
		listener, err := listen(netip.AddrPortFrom(o.IP, port))
		if err != nil {
			s.close()
			return nil, err
		}
		s.hosts = append(s.hosts, newHost(b, listener, first, min(per, o.Count-first+1), log))
		if port != 0 {
			port++
		}
	}
	return s, nil
}

func listen(at netip.AddrPort) (net.Listener, error) {
	l, err := net.Listen("tcp4", at.String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d is in use: stop what listens there or choose another first port", at.Port())
	case errors.Is(err, syscall.EMFILE):
		return nil, fmt.Errorf("too many open files: raise the limit (ulimit -n) or put more agents behind one address: %w", err)
	}
	return l, err
}

func (s *Sim) close() {
	for _, h := range s.hosts {
		h.transport.Close()
	}
}

// Addresses are where the agents listen.
func (s *Sim) Addresses() []netip.AddrPort {
	var list []netip.AddrPort
	for _, h := range s.hosts {
		list = append(list, h.transport.Address())
	}
	return list
}

// Run has the agents work until ctx ends, which is no error. They leave without a word, as
// machines do that lose their power.
func (s *Sim) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, h := range s.hosts {
		group.Go(func() error { return h.run(ctx) })
	}
	return group.Wait()
}

// Counts sums up what the agents did. It works while Run does, and after.
func (s *Sim) Counts() Counts {
	var sum Counts
	for _, h := range s.hosts {
		sum.add(h.read())
	}
	return sum
}

// Report writes a line with counts and rates each interval, until ctx ends.
func (s *Sim) Report(ctx context.Context, w io.Writer, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var before Counts
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c := s.Counts()
			fmt.Fprintln(w, Line(s.b.Count, before, c, now.Sub(last)))
			before, last = c, now
		}
	}
}

// Line is one line of a report: what count agents do, and what they did since before.
func Line(count int, before, now Counts, d time.Duration) string {
	rate := func(before, now int) float64 { return float64(now-before) / max(d.Seconds(), 1e-9) }
	line := fmt.Sprintf("registered %d/%d  tasks %d  running %d  launched/s %.0f  updates/s %.0f  acks/s %.0f  kills/s %.0f",
		now.Registered, count, now.Tasks, now.Running, rate(before.Launched, now.Launched),
		rate(before.Updates, now.Updates), rate(before.Acknowledged, now.Acknowledged), rate(before.Kills, now.Kills))
	for _, rare := range []struct {
		name string
		n    int
	}{
		{"silent", now.Silent}, {"ended", now.Ended}, {"retries", now.Retries}, {"dropped", now.Dropped},
		{"operations", now.Operations}, {"unexpected acks", now.Unexpected}, {"ignored", now.Ignored},
	} {
		if rare.n > 0 {
			line += fmt.Sprintf("  %s %d", rare.name, rare.n)
		}
	}
	return line
}
