// Package marathon keeps long-running apps alive on a Mesos cluster.
//
// One loop goroutine owns the core (marathon/core), which decides without doing any
// I/O. The loop feeds it with changes asked for over HTTP, events from Mesos, health
// results and time. What it decides goes to a second goroutine, which stores it and
// only then carries it out: sends calls, tells events, answers requests.
package marathon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/internal/schedclient"
	"stoa/marathon/callback"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/health"
	"stoa/marathon/launch"
	"stoa/marathon/storage"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
)

// Bounds of the queues between the goroutines.
const (
	// maxInbox is how many events may wait for the loop.
	maxInbox = 1024
	// maxPending is how many effects may wait for the store before the loop takes no
	// more events.
	maxPending = 50_000
	// maxCalls is how many calls, and how many acknowledgements, may wait to be sent to
	// the master; ackSenders is how many acknowledgements are sent at a time.
	maxCalls   = 10_000
	ackSenders = 4
	// shutdownTime is how long answers under way may take once Run is to end.
	shutdownTime = 2 * time.Second
)

// ErrAbdicated is what Run returns when it was told over the API to give up leadership:
// whoever supervises the process starts it again.
var ErrAbdicated = errors.New("marathon: leadership abdicated")

// ErrFrameworkRemoved is wrapped by Run's error when the master has ended the framework
// for good, so that its tasks are gone. The next start registers a new framework and
// launches the apps again.
var ErrFrameworkRemoved = errors.New("marathon: the master has removed the framework")

// Service is one Marathon. Make it with [New] and run it with [Service.Run].
type Service struct {
	cfg     Config
	log     *slog.Logger
	core    *core.Core
	client  *schedclient.Client
	bus     *event.Bus
	checker *health.Checker
	// callbacks is nil without --event_subscriber.
	callbacks *callback.Sender

	inbox   chan func(c *core.Core, now time.Time)
	batches chan batch
	calls   chan *schedulerpb.Call
	acks    chan *schedulerpb.Call
	// stored tells the loop that the last batch is durable and carried out.
	stored chan struct{}
	// stopped is closed when the loop takes nothing more.
	stopped chan struct{}
	// finished is closed when nothing more will be carried out.
	finished chan struct{}
	abdicate chan struct{}
	room     *room
	view     atomic.Pointer[snapshot]
	updates  atomic.Int64
}

// New loads the durable state and prepares the service. It does no network I/O.
func New(ctx context.Context, cfg Config) (*Service, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg:      cfg,
		log:      cfg.Logger,
		inbox:    make(chan func(*core.Core, time.Time), maxInbox),
		batches:  make(chan batch),
		calls:    make(chan *schedulerpb.Call, maxCalls),
		acks:     make(chan *schedulerpb.Call, maxCalls),
		stored:   make(chan struct{}, 1),
		stopped:  make(chan struct{}),
		finished: make(chan struct{}),
		abdicate: make(chan struct{}, 1),
		room:     newRoom(),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	state, err := storage.Load(ctx, cfg.Store, cfg.NewGroupEnforceRole)
	if err != nil {
		return nil, fmt.Errorf("marathon: %w", err)
	}
	s.core = core.New(s.settings(), state, now())
	s.bus = event.NewBus(cfg.EventStreamMaxOutstanding, now)
	s.bus.Level = cfg.Level
	s.checker = health.New(cfg.MaxConcurrentHealthChecks, s.healthResult, s.readinessResult)
	client := schedclient.Config{
		Masters:   cfg.Masters,
		Framework: s.core.FrameworkInfo(),
		Logger:    s.log,
	}
	if cfg.Principal != "" && cfg.Secret != "" {
		client.Credential = &schedclient.Credential{Principal: cfg.Principal, Secret: cfg.Secret}
	}
	s.client = schedclient.New(client)
	s.view.Store(newSnapshot(&s.cfg, nil, s.core.View()))
	if cfg.EventCallbacks {
		s.callbacks, err = callback.New(ctx, callback.Config{
			Store: cfg.Store, Bus: s.bus, Logger: s.log, Now: now, Endpoints: cfg.EventEndpoints,
			RequestTimeout: cfg.EventRequestTimeout, SlowConsumer: cfg.EventSlowConsumer,
			Outstanding: cfg.EventStreamMaxOutstanding,
		})
		if err != nil {
			return nil, fmt.Errorf("marathon: %w", err)
		}
	}
	return s, nil
}

// now is the time with the precision that everything here is stored and shown with.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) settings() core.Settings {
	cfg := &s.cfg
	return core.Settings{
		Group: group.Settings{
			ServicePorts: group.PortRange{Min: cfg.LocalPortMin, Max: cfg.LocalPortMax},
			MesosRole:    cfg.MesosRole,
			Features:     cfg.Features,
			MaxApps:      cfg.MaxApps,
		},
		Launch: launch.Settings{
			AcceptedRolesDefault: cfg.AcceptedResourceRolesDefault,
			Maintenance:          cfg.MaintenanceMode,
			Draining:             cfg.Draining,
			GPUsRestricted:       cfg.GPUSchedulingBehavior == "restricted",
			BridgeName:           cfg.MesosBridgeName,
			EnvPrefix:            cfg.EnvVarsPrefix,
			Executor:             cfg.Executor,
		},
		Framework:                  s.framework(),
		DefaultRole:                cfg.MesosRole,
		NewGroupEnforceRole:        cfg.NewGroupEnforceRole,
		MaxRunningDeployments:      cfg.MaxRunningDeployments,
		MaxInstancesPerOffer:       max(1, cfg.MaxInstancesPerOffer),
		MaxVersions:                max(1, cfg.MaxVersions),
		DeclineFor:                 cfg.DeclineOfferDuration,
		MinReviveInterval:          cfg.MinReviveOffersInterval,
		Suppress:                   cfg.SuppressOffers,
		KillChunk:                  cfg.KillChunkSize,
		KillRetry:                  atLeast(cfg.KillRetryTimeout, time.Second),
		LaunchConfirmTimeout:       atLeast(cfg.TaskLaunchConfirmTimeout, time.Second),
		LaunchTimeout:              atLeast(cfg.TaskLaunchTimeout, time.Second),
		ReconciliationInitialDelay: cfg.ReconciliationInitialDelay,
		ReconciliationInterval:     atLeast(cfg.ReconciliationInterval, time.Second),
		ScaleInitialDelay:          cfg.ScaleAppsInitialDelay,
		ScaleInterval:              atLeast(cfg.ScaleAppsInterval, time.Second),
		NewInstanceUUID:            newTimeUUID,
		NewDeploymentID:            uuid.NewString,
		Random:                     rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
}

// atLeast keeps a repeated action from being repeated without pause.
func atLeast(d, least time.Duration) time.Duration { return max(d, least) }

func newTimeUUID() string {
	u, err := uuid.NewUUID()
	if err != nil {
		// Only without any random bits for a node id; a random UUID is as unique.
		return uuid.NewString()
	}
	return u.String()
}

// framework is what Mesos is told. Original: MarathonSchedulerDriver.scala.
func (s *Service) framework() *mesospb.FrameworkInfo {
	cfg := &s.cfg
	info := &mesospb.FrameworkInfo{
		User:            proto.String(cfg.MesosUser),
		Name:            proto.String(cfg.FrameworkName),
		FailoverTimeout: proto.Float64(cfg.FailoverTimeout.Seconds()),
		Checkpoint:      proto.Bool(cfg.Checkpoint),
		Hostname:        proto.String(cfg.Hostname),
		WebuiUrl:        proto.String(cfg.webUIURL()),
	}
	if cfg.Principal != "" {
		info.Principal = proto.String(cfg.Principal)
	}
	capabilities := []mesospb.FrameworkInfo_Capability_Type{
		mesospb.FrameworkInfo_Capability_PARTITION_AWARE,
		mesospb.FrameworkInfo_Capability_REGION_AWARE,
		mesospb.FrameworkInfo_Capability_MULTI_ROLE,
	}
	for _, feature := range cfg.Features {
		switch feature {
		case "task_killing":
			capabilities = append(capabilities, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE)
		case "gpu_resources":
			capabilities = append(capabilities, mesospb.FrameworkInfo_Capability_GPU_RESOURCES)
		}
	}
	for _, c := range capabilities {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

// Run serves the API and schedules until ctx ends, and returns nil then. It returns an
// error when it cannot go on: the listener or the store broke, or the master refused
// the framework for good.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.loop(ctx) })
	g.Go(func() error { return s.carryOut(ctx) })
	g.Go(func() error { return s.send(ctx, s.calls) })
	for range ackSenders {
		g.Go(func() error { return s.send(ctx, s.acks) })
	}
	g.Go(func() error { return s.subscribe(ctx) })
	g.Go(func() error { return s.serve(ctx) })
	g.Go(func() error {
		select {
		case <-s.abdicate:
			return ErrAbdicated
		case <-ctx.Done():
			return nil
		}
	})
	err := g.Wait()
	s.checker.Close()
	if s.callbacks != nil {
		s.callbacks.Close()
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve answers HTTP requests.
func (s *Service) serve(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(s.cfg.Listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("marathon: serving HTTP: %w", err)
	case <-ctx.Done():
	}
	// Event streams end with the bus; other answers get a moment.
	s.bus.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		server.Close()
	}
	return nil
}

// subscribe keeps the connection to the master.
func (s *Service) subscribe(ctx context.Context) error {
	err := s.client.Run(ctx, &handler{service: s})
	if ctx.Err() != nil {
		return nil
	}
	var final *schedclient.FrameworkError
	if errors.As(err, &final) && strings.Contains(final.Message, "removed") {
		s.forgetFramework(ctx)
		return fmt.Errorf("%w: %s; start Marathon again to register anew and launch all apps", ErrFrameworkRemoved, final.Message)
	}
	return fmt.Errorf("marathon: %w", err)
}

// forgetFramework makes the next start register a new framework.
func (s *Service) forgetFramework(ctx context.Context) {
	done := make(chan struct{})
	if s.post(ctx, func(c *core.Core, _ time.Time) {
		c.FrameworkRemoved()
		c.Answer(func() { close(done) })
	}) != nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// handler takes the events of the master's stream.
type handler struct {
	service *Service
	master  string
}

func (h *handler) post(f func(c *core.Core, now time.Time)) {
	_ = h.service.post(context.Background(), f)
}

// Connected notes which master it is.
func (h *handler) Connected(masterURL string) { h.master = masterURL }

// Subscribed begins a session.
func (h *handler) Subscribed(e *schedulerpb.Event_Subscribed) {
	master := h.master
	h.post(func(c *core.Core, now time.Time) { c.Subscribed(e, master, now) })
}

// Event is any other event.
func (h *handler) Event(e *schedulerpb.Event) {
	h.post(func(c *core.Core, now time.Time) { c.Event(e, now) })
}

// Disconnected ends a session.
func (h *handler) Disconnected(error) {
	h.post(func(c *core.Core, now time.Time) { c.Disconnected(now) })
}

func (s *Service) healthResult(r core.ProbeResult) {
	_ = s.post(context.Background(), func(c *core.Core, now time.Time) { c.HealthResult(r, now) })
}

func (s *Service) readinessResult(r core.ReadinessResult) {
	_ = s.post(context.Background(), func(c *core.Core, now time.Time) { c.ReadinessResult(r, now) })
}
