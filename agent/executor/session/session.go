// Package session is an executor's side of the v1 executor API: it keeps an executor
// subscribed to its agent, across restarts of the agent, and delivers its updates in order.
//
// Comes in: Calls. Goes out: Events, in order. It never decides what an update says, and it never ends
// the process: when the agent is gone for good it says so.
package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/recordio"
)

const (
	mediaType = "application/x-protobuf"
	// maxEvent bounds one event of the agent. A LAUNCH carries a whole TaskInfo.
	maxEvent = 64 << 20
	// callTimeout bounds one call other than SUBSCRIBE; the agent answers at once.
	callTimeout = 30 * time.Second
	// heartbeatInterval is the original library's.
	heartbeatInterval = 30 * time.Minute
	// minBackoff is the least pause between two attempts to subscribe.
	minBackoff = 20 * time.Millisecond
)

// ErrAgentGone is returned by Run when the agent went away and will not be waited for (any
// longer): the executor has to end its tasks and itself.
var ErrAgentGone = errors.New("the agent is gone")

// Handler is the executor. Its methods are called from one goroutine at a time, in order.
type Handler interface {
	// Connecting asks for the content of a SUBSCRIBE call: everything not acknowledged yet.
	// What was sent before and has not been delivered is forgotten.
	Connecting() *executorpb.Call_Subscribe
	// Event takes one event of the agent.
	Event(*executorpb.Event)
	// Disconnected tells that the subscription ended.
	Disconnected(error)
}

// Session is one executor's connection to its agent.
type Session struct {
	env     Environment
	client  *http.Client
	logger  *slog.Logger
	handler Handler

	mu sync.Mutex
	// pending are updates for the present subscription. It is bounded by what the executor has
	// not been acknowledged.
	pending []*executorpb.Call
	wake    chan struct{}
}

// New makes a session. Nothing is sent before Run.
func New(env Environment, handler Handler, logger *slog.Logger) *Session {
	return &Session{
		env:     env,
		handler: handler,
		logger:  logger,
		wake:    make(chan struct{}, 1),
		client: &http.Client{Transport: &http.Transport{
			Proxy:               nil, // the agent is on this machine
			MaxIdleConnsPerHost: 2,
		}},
	}
}

// Send delivers a call once the executor is subscribed, after those sent before. A call that
// is not delivered when the subscription ends is dropped: updates come back through Connecting.
func (s *Session) Send(call *executorpb.Call) {
	call.ExecutorId, call.FrameworkId = s.env.ExecutorID, s.env.FrameworkID
	s.mu.Lock()
	s.pending = append(s.pending, call)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run subscribes again and again until the context ends (its error) or the agent is gone
// (ErrAgentGone).
func (s *Session) Run(ctx context.Context) error {
	s.logger.Info("Using URL " + s.env.URL + " for the executor API endpoint")
	lost := time.Now() // since when there is no subscription
	everSubscribed := false
	for {
		began := time.Now()
		subscribed, err := s.subscribe(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if subscribed {
			everSubscribed = true
			lost = time.Now()
		}
		switch {
		case s.env.Checkpoint:
			if time.Since(lost) > s.env.RecoveryTimeout {
				return fmt.Errorf("%w: recovery timeout of %v exceeded following the first connection failure: %v",
					ErrAgentGone, s.env.RecoveryTimeout, err)
			}
		case everSubscribed:
			// An agent that does not checkpoint this framework would not know the executor again.
			return fmt.Errorf("%w: %v", ErrAgentGone, err)
		case time.Since(lost) > s.env.BackoffMax:
			return fmt.Errorf("%w: %v", ErrAgentGone, err)
		}
		// The agent gives its executors only --executor_reregistration_timeout to come back, which
		// is also the maximum here, so the pauses stay well below.
		pause := minBackoff + rand.N(max(s.env.BackoffMax/4, time.Millisecond)) - time.Since(began)
		timer := time.NewTimer(max(pause, minBackoff))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// subscribe makes one attempt and stays until the subscription ends. It tells whether there was one.
func (s *Session) subscribe(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	s.mu.Lock()
	s.pending = nil
	s.mu.Unlock()
	response, err := s.post(ctx, &executorpb.Call{
		Type:        executorpb.Call_SUBSCRIBE.Enum(),
		ExecutorId:  s.env.ExecutorID,
		FrameworkId: s.env.FrameworkID,
		Subscribe:   s.handler.Connecting(),
	})
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		err := fmt.Errorf("Received '%s' (%s) for SUBSCRIBE", response.Status, bytes.TrimSpace(text))
		if response.StatusCode != http.StatusServiceUnavailable {
			s.logger.Warn(err.Error())
		}
		return false, err
	}

	var sender sync.WaitGroup
	sender.Go(func() {
		if err := s.deliver(ctx); err != nil {
			cancel(err)
		}
	})
	// A failed delivery has to end the reading below as well.
	stop := context.AfterFunc(ctx, func() { response.Body.Close() })
	defer stop()

	err = s.read(response.Body)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(err)
	sender.Wait()
	s.handler.Disconnected(err)
	return true, err
}

// read passes the stream's events on until it ends.
func (s *Session) read(body io.Reader) error {
	reader := recordio.NewReader(body, maxEvent)
	for {
		record, err := reader.Next()
		if err != nil {
			return fmt.Errorf("subscription ended: %w", err)
		}
		event := new(executorpb.Event)
		if err := proto.Unmarshal(record, event); err != nil {
			return fmt.Errorf("undecodable event: %w", err)
		}
		s.handler.Event(event)
	}
}

// deliver sends pending calls one after the other until the context ends or one cannot be delivered.
func (s *Session) deliver(ctx context.Context) error {
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	for {
		s.mu.Lock()
		var call *executorpb.Call
		if len(s.pending) > 0 {
			call = s.pending[0]
			s.pending = s.pending[1:]
		}
		s.mu.Unlock()
		if call == nil {
			select {
			case <-ctx.Done():
				return nil
			case <-s.wake:
			case <-heartbeat.C:
				s.Send(&executorpb.Call{Type: executorpb.Call_HEARTBEAT.Enum()})
			}
			continue
		}
		if err := s.call(ctx, call); err != nil {
			return err
		}
	}
}

// call sends one call and expects 202.
func (s *Session) call(ctx context.Context, call *executorpb.Call) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := s.post(ctx, call)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	switch {
	case response.StatusCode == http.StatusAccepted:
		return nil
	case response.StatusCode == http.StatusBadRequest:
		// It would be refused again: subscribing anew does not help.
		s.logger.Error(fmt.Sprintf("Received '%s' (%s) for %s", response.Status, bytes.TrimSpace(text), call.GetType()))
		return nil
	}
	return fmt.Errorf("Received '%s' (%s) for %s", response.Status, bytes.TrimSpace(text), call.GetType())
}

func (s *Session) post(ctx context.Context, call *executorpb.Call) (*http.Response, error) {
	body, err := proto.Marshal(call)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", call.GetType(), err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.env.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", mediaType)
	request.Header.Set("Content-Type", mediaType)
	if s.env.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.env.Token)
	}
	return s.client.Do(request)
}
