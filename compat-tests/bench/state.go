package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/sim"
	"stoa/internal/mesos/mesospb"
)

// Load is a cluster at rest: PerAgent tasks of each framework on each agent.
type Load struct {
	Agents, Frameworks, PerAgent int
	// Clients is how many poll /state while offers are measured.
	Clients int
}

func (l Load) String() string {
	return fmt.Sprintf("%d agents x %d framework(s) x %d tasks", l.Agents, l.Frameworks, l.PerAgent)
}

// StateLatency measures GET /state, and how long an offer takes to come back to a
// scheduler that gives it back, without and with clients that poll /state.
func (e *Environment) StateLatency(ctx context.Context, l Load) (err error) {
	c, err := e.load(ctx, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	url := "http://" + c.master.Address + "/state"
	var times []time.Duration
	var size int64
	for range 10 {
		begin := time.Now()
		if size, err = fetch(ctx, url); err != nil {
			return err
		}
		times = append(times, time.Since(begin))
	}
	fmt.Fprintf(e.Out, "state: %s: %s, %s\n", l, mega(size), spread(times))

	probe := c.schedulers(ctx, 1, SchedulerOptions{Probe: true})[0]
	alone, err := probe.returns50(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "  offer returns, nobody polls      %s\n", spread(alone))
	polls, stop := poll(ctx, url, l.Clients)
	busy, err := probe.returns50(ctx)
	if err == nil {
		err = cluster.Until(ctx, func() error {
			if answers, failed := polls(); failed == nil && len(answers) < 2*l.Clients {
				return fmt.Errorf("%d answers so far", len(answers))
			}
			return nil
		})
		busy = append(busy, probe.Returns()...)
	}
	stop()
	if err != nil {
		return err
	}
	answers, failed := polls()
	if failed != nil {
		return failed
	}
	fmt.Fprintf(e.Out, "  offer returns, %d clients poll   %s\n", l.Clients, spread(busy))
	fmt.Fprintf(e.Out, "  /state meanwhile                 %s\n", spread(answers))
	return nil
}

// load makes the cluster and waits until it is at rest.
func (e *Environment) load(ctx context.Context, l Load) (*loaded, error) {
	c, err := e.newCluster(ctx, sim.Options{
		Count: l.Agents, States: []sim.State{{State: mesospb.TaskState_TASK_RUNNING}}, RegistrationBackoff: -1,
	})
	if err != nil {
		return nil, err
	}
	for range l.Frameworks {
		// One after the other, so that each finds something on every agent.
		s := c.schedulers(ctx, 1, SchedulerOptions{Tasks: l.Agents * l.PerAgent, PerOffer: l.PerAgent})[0]
		if err := s.AwaitRunning(ctx); err != nil {
			return nil, errors.Join(err, c.stop())
		}
	}
	if err := c.settled(ctx, l.Agents*l.Frameworks*l.PerAgent); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// returns50 waits for 50 offers to come back.
func (s *Scheduler) returns50(ctx context.Context) ([]time.Duration, error) {
	s.Returns()
	var list []time.Duration
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := cluster.Until(ctx, func() error {
		if list = append(list, s.Returns()...); len(list) < 50 {
			return fmt.Errorf("%d of 50 offers came back", len(list))
		}
		return nil
	})
	return list, err
}

// fetch reads an answer to its end and returns its size.
func fetch(ctx context.Context, url string) (int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := poller.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return n, err
}

var poller = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}}

// poll has clients fetch a URL without a pause until stop is called; results are their times.
func poll(ctx context.Context, url string, clients int) (results func() ([]time.Duration, error), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var times []time.Duration
	var failed error
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for ctx.Err() == nil {
				begin := time.Now()
				_, err := fetch(ctx, url)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				times = append(times, time.Since(begin))
				failed = errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	return func() ([]time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		return times, failed
	}, func() { cancel(); running.Wait() }
}
