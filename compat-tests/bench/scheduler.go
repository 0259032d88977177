package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/internal/schedclient"
)

// SchedulerOptions say what a Scheduler launches.
type SchedulerOptions struct {
	// Master is host:port.
	Master string
	// Name is the framework's; it is also the beginning of the task ids.
	Name string
	// Tasks is how many to launch altogether, PerOffer how many of them at most on one
	// offer; zero is as many as fit.
	Tasks, PerOffer int
	// CPUs and Mem are what each task takes; zero is 0.01 and 1.
	CPUs, Mem float64
	// Label is put on each task, to give it the size that tasks have in practice.
	Label string
	// Probe makes a scheduler that launches nothing: it keeps all offers but one, which
	// it gives back again and again; how long it takes to return is in Returns.
	Probe bool
}

// Scheduler launches a number of tasks on whatever it is offered, over the v1 HTTP API.
type Scheduler struct {
	o      SchedulerOptions
	client *schedclient.Client
	calls  chan *schedulerpb.Call
	acks   chan *schedulerpb.Call

	mu       sync.Mutex
	changed  chan struct{}
	err      error
	launched int
	states   map[string]mesospb.TaskState
	counts   map[mesospb.TaskState]int
	agents   map[string]string // of tasks
	updates  int
	first    time.Time // the first ACCEPT
	last     time.Time // the newest first TASK_RUNNING of a task
	torn     bool      // it was torn down
	returned time.Time // when a probe's offer was given back
	returns  []time.Duration
}

// NewScheduler prepares a scheduler; Run connects it.
func NewScheduler(o SchedulerOptions) *Scheduler {
	if o.CPUs == 0 {
		o.CPUs = 0.01
	}
	if o.Mem == 0 {
		o.Mem = 1
	}
	s := &Scheduler{
		o: o, calls: make(chan *schedulerpb.Call, 1<<16), acks: make(chan *schedulerpb.Call, 1<<18),
		changed: make(chan struct{}), states: make(map[string]mesospb.TaskState),
		counts: make(map[mesospb.TaskState]int), agents: make(map[string]string),
	}
	s.client = schedclient.New(schedclient.Config{
		Masters: []string{o.Master},
		Framework: &mesospb.FrameworkInfo{
			User: proto.String("root"), Name: &o.Name, Roles: []string{"*"}, Checkpoint: proto.Bool(true),
			FailoverTimeout: proto.Float64(3600),
			Capabilities: []*mesospb.FrameworkInfo_Capability{
				{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
				{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
			},
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), AnswerTimeout: 5 * time.Minute,
	})
	return s
}

// Run works until ctx ends, which is no error, or the master ends the framework.
func (s *Scheduler) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { s.call(ctx, s.calls) })
	for range 4 {
		done.Go(func() { s.call(ctx, s.acks) })
	}
	err := s.client.Run(ctx, s)
	ended := ctx.Err() != nil
	cancel()
	done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended || s.torn {
		return s.err
	}
	return errors.Join(err, s.err)
}

// ID is the framework's id, empty before it is subscribed.
func (s *Scheduler) ID() string { return s.client.FrameworkID() }

// call sends the calls of a queue.
func (s *Scheduler) call(ctx context.Context, calls <-chan *schedulerpb.Call) {
	for {
		var c *schedulerpb.Call
		select {
		case c = <-calls:
		case <-ctx.Done():
			return
		}
		if err := s.client.Call(ctx, c); err != nil && ctx.Err() == nil {
			s.mu.Lock()
			if s.torn {
				s.mu.Unlock()
				return // nothing is to be said any more
			}
			s.err = errors.Join(s.err, fmt.Errorf("%s: %s: %w", s.o.Name, c.GetType(), err))
			s.notify()
			s.mu.Unlock()
			return
		}
	}
}

// notify wakes who waits; s.mu must be held.
func (s *Scheduler) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Connected implements schedclient.Handler.
func (s *Scheduler) Connected(string) {}

// Disconnected implements schedclient.Handler.
func (s *Scheduler) Disconnected(error) {}

// Subscribed implements schedclient.Handler.
func (s *Scheduler) Subscribed(*schedulerpb.Event_Subscribed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify()
}

// Event implements schedclient.Handler.
func (s *Scheduler) Event(e *schedulerpb.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.GetType() {
	case schedulerpb.Event_OFFERS:
		s.offers(e.GetOffers().GetOffers())
	case schedulerpb.Event_UPDATE:
		s.update(e.GetUpdate().GetStatus())
	}
	s.notify()
}

func (s *Scheduler) offers(list []*mesospb.Offer) {
	if s.o.Probe {
		if !s.returned.IsZero() {
			s.returns = append(s.returns, time.Since(s.returned))
		}
		s.decline(list[:1], 0)
		s.calls <- &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}
		s.returned = time.Now()
		return
	}
	for i, o := range list {
		n := min(s.o.Tasks-s.launched, fits(o, "cpus", s.o.CPUs), fits(o, "mem", s.o.Mem))
		if s.o.PerOffer > 0 {
			n = min(n, s.o.PerOffer)
		}
		if s.launched == s.o.Tasks {
			s.decline(list[i:], 1e6)
			return
		}
		if n > 0 {
			s.launch(o, n)
		}
	}
	if s.launched == s.o.Tasks {
		s.calls <- &schedulerpb.Call{Type: schedulerpb.Call_SUPPRESS.Enum()}
	}
}

func (s *Scheduler) decline(list []*mesospb.Offer, seconds float64) {
	d := &schedulerpb.Call_Decline{Filters: &mesospb.Filters{RefuseSeconds: &seconds}}
	for _, o := range list {
		d.OfferIds = append(d.OfferIds, o.Id)
	}
	s.calls <- &schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: d}
}

// fits is how often an amount fits into an offer.
func fits(o *mesospb.Offer, name string, amount float64) int {
	total := 0.0
	for _, r := range o.Resources {
		if r.GetName() == name {
			total += r.GetScalar().GetValue()
		}
	}
	return int(total/amount + 1e-6)
}

func (s *Scheduler) launch(o *mesospb.Offer, n int) {
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{
			Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}, AllocationInfo: o.AllocationInfo,
		}
	}
	resources := []*mesospb.Resource{scalar("cpus", s.o.CPUs), scalar("mem", s.o.Mem)}
	var labels *mesospb.Labels
	if s.o.Label != "" {
		labels = &mesospb.Labels{Labels: []*mesospb.Label{{Key: proto.String("bench"), Value: &s.o.Label}}}
	}
	command := &mesospb.CommandInfo{Value: proto.String("sleep 1000")}
	launch := &mesospb.Offer_Operation_Launch{}
	for range n {
		s.launched++
		id := fmt.Sprintf("%s-%d", s.o.Name, s.launched)
		s.agents[id] = o.GetAgentId().GetValue()
		launch.TaskInfos = append(launch.TaskInfos, &mesospb.TaskInfo{
			Name: &s.o.Name, TaskId: &mesospb.TaskID{Value: &id}, AgentId: o.AgentId, Resources: resources, Command: command, Labels: labels,
		})
	}
	refuse := 1e6
	if s.first.IsZero() {
		s.first = time.Now()
	}
	s.calls <- &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
		OfferIds: []*mesospb.OfferID{o.Id}, Filters: &mesospb.Filters{RefuseSeconds: &refuse},
		Operations: []*mesospb.Offer_Operation{{Type: mesospb.Offer_Operation_LAUNCH.Enum(), Launch: launch}},
	}}
}

func (s *Scheduler) update(status *mesospb.TaskStatus) {
	s.updates++
	id := status.GetTaskId().GetValue()
	before, known := s.states[id]
	if known {
		s.counts[before]--
	}
	s.states[id] = status.GetState()
	s.counts[status.GetState()]++
	if status.GetState() == mesospb.TaskState_TASK_RUNNING && before != mesospb.TaskState_TASK_RUNNING {
		s.last = time.Now()
	}
	if status.Uuid != nil {
		s.acks <- &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{
			AgentId: status.AgentId, TaskId: status.TaskId, Uuid: status.Uuid,
		}}
	}
}

// Await waits until done says so, which sees how many tasks are in which state.
func (s *Scheduler) Await(ctx context.Context, done func(counts map[mesospb.TaskState]int) bool) error {
	for {
		s.mu.Lock()
		ok, err, changed := done(s.counts), s.err, s.changed
		s.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			return fmt.Errorf("%s: %w; launched %d of %d, states %v", s.o.Name, ctx.Err(), s.launched, s.o.Tasks, s.counts)
		}
	}
}

// AwaitRunning waits until all of the scheduler's tasks run.
func (s *Scheduler) AwaitRunning(ctx context.Context) error {
	return s.Await(ctx, func(c map[mesospb.TaskState]int) bool { return c[mesospb.TaskState_TASK_RUNNING] == s.o.Tasks })
}

// Took is the time from the first ACCEPT to the TASK_RUNNING of the last task.
func (s *Scheduler) Took() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Sub(s.first)
}

// Returns are how long a probe's offers took to come back since the last call.
func (s *Scheduler) Returns() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.returns
	s.returns = nil
	return list
}

// Kill asks the master to kill a task.
func (s *Scheduler) Kill(id string) {
	s.mu.Lock()
	agent := s.agents[id]
	s.mu.Unlock()
	s.calls <- &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{
		TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: &agent},
	}}
}

// Teardown ends the framework with all its tasks.
func (s *Scheduler) Teardown() {
	s.mu.Lock()
	s.torn = true
	s.mu.Unlock()
	s.calls <- &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()}
}
