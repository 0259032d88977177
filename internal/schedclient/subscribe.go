package schedclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
	"stoa/internal/mesos/schedulerpb"
)

const (
	mediaType      = "application/x-protobuf"
	streamIDHeader = "Mesos-Stream-Id"

	// firstInterval is assumed until SUBSCRIBED names the master's heartbeat interval (DEFAULT_HEARTBEAT_INTERVAL).
	firstInterval = 15 * time.Second
	// missedHeartbeats in a row end the stream.
	missedHeartbeats = 5
)

// session is one open subscription.
type session struct {
	url       string // where calls go
	streamID  string
	framework *mesospb.FrameworkID
	ctx       context.Context // ends with the stream
	cancel    context.CancelCauseFunc
}

// subscribe follows redirects from one master, opens the stream and serves it until it ends. subscribed says whether SUBSCRIBED
// was received. The error is never nil.
func (c *Client) subscribe(ctx context.Context, url string, h Handler) (subscribed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, err := c.subscribeCall()
	if err != nil {
		return false, err
	}
	for range maxRedirects + 1 {
		response, err := c.open(ctx, cancel, url, body)
		if err != nil {
			return false, err
		}
		if response.StatusCode == http.StatusTemporaryRedirect {
			response.Body.Close()
			if url, err = redirectTarget(url, response); err != nil {
				return false, err
			}
			continue
		}
		defer response.Body.Close()
		s := &session{url: url, streamID: response.Header.Get(streamIDHeader), ctx: ctx, cancel: cancel}
		if err := checkStream(url, response, s.streamID); err != nil {
			return false, err
		}
		return c.serve(s, response.Body, h)
	}
	return false, fmt.Errorf("more than %d redirects; the last to %s", maxRedirects, url)
}

// subscribeCall is the body of SUBSCRIBE.
func (c *Client) subscribeCall() ([]byte, error) {
	c.mu.Lock()
	framework, suppressed := c.framework, c.suppressed
	c.mu.Unlock()
	return proto.Marshal(&schedulerpb.Call{
		Type:        schedulerpb.Call_SUBSCRIBE.Enum(),
		FrameworkId: framework.Id,
		Subscribe:   &schedulerpb.Call_Subscribe{FrameworkInfo: framework, SuppressedRoles: suppressed},
	})
}

// open sends SUBSCRIBE to one master and waits for the head of its answer.
func (c *Client) open(ctx context.Context, cancel context.CancelCauseFunc, url string, body []byte) (*http.Response, error) {
	late := time.AfterFunc(c.cfg.AnswerTimeout, func() {
		cancel(fmt.Errorf("%s did not answer SUBSCRIBE within %s", url, c.cfg.AnswerTimeout))
	})
	defer late.Stop()
	request, err := c.request(ctx, url, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", mediaType)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	return response, nil
}

func (c *Client) request(ctx context.Context, url string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", mediaType)
	request.Header.Set("User-Agent", "stoa")
	if c.cfg.Credential != nil {
		request.SetBasicAuth(c.cfg.Credential.Principal, c.cfg.Credential.Secret)
	}
	return request, nil
}

func checkStream(url string, r *http.Response, streamID string) error {
	switch contentType := r.Header.Get("Content-Type"); {
	case r.StatusCode != http.StatusOK:
		return statusError(schedulerpb.Call_SUBSCRIBE, hostURL(url), r)
	case contentType != mediaType:
		return fmt.Errorf("%s answered SUBSCRIBE with Content-Type %q instead of %s", hostURL(url), contentType, mediaType)
	case streamID == "":
		return fmt.Errorf("%s answered SUBSCRIBE without %s", hostURL(url), streamIDHeader)
	}
	return nil
}

// serve hands the events of an open stream to the handler until the stream ends.
func (c *Client) serve(s *session, body io.Reader, h Handler) (subscribed bool, err error) {
	master := hostURL(s.url)
	c.log.Info("connected to the master", "master", master)
	h.Connected(master)
	defer func() {
		c.current.CompareAndSwap(s, nil)
		h.Disconnected(err)
	}()
	watch := watchdog{interval: firstInterval, cancel: s.cancel}
	records := recordio.NewReader(body, c.cfg.MaxRecord)
	for {
		event, err := c.next(s.ctx, records, &watch)
		if err != nil {
			return subscribed, err
		}
		switch event.GetType() {
		case schedulerpb.Event_SUBSCRIBED:
			subscribed = true
			watch.interval = interval(event.GetSubscribed().GetHeartbeatIntervalSeconds())
			s.framework = event.GetSubscribed().GetFrameworkId()
			c.SetFrameworkID(s.framework.GetValue())
			c.current.Store(s)
			c.log.Info("subscribed", "master", master, "framework", s.framework.GetValue())
			h.Subscribed(event.GetSubscribed())
		case schedulerpb.Event_HEARTBEAT, schedulerpb.Event_UNKNOWN:
		case schedulerpb.Event_ERROR:
			return subscribed, &FrameworkError{Message: event.GetError().GetMessage()}
		default:
			h.Event(event)
		}
	}
}

// next reads one event. The time that the handler took for the one before does not count as the master's silence.
func (c *Client) next(ctx context.Context, records *recordio.Reader, watch *watchdog) (*schedulerpb.Event, error) {
	stop := watch.start()
	record, err := records.Next()
	stop()
	switch {
	case err == nil:
		err = ctx.Err() // an event that came in the same moment is not handed out any more
	case err == io.EOF:
		err = errStreamEnded
	default:
		err = fmt.Errorf("the event stream broke off: %w", err)
	}
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	event := &schedulerpb.Event{}
	if err := proto.Unmarshal(record, event); err != nil {
		return nil, fmt.Errorf("event that is no scheduler event: %w", err)
	}
	return event, nil
}

// watchdog ends a stream that is silent for too long.
type watchdog struct {
	interval time.Duration // of heartbeats; 0: the master sends none
	cancel   context.CancelCauseFunc
}

// start begins to count; the returned function ends it.
func (w *watchdog) start() (stop func()) {
	if w.interval == 0 {
		return func() {}
	}
	timer := time.AfterFunc(missedHeartbeats*w.interval, func() { w.cancel(ErrHeartbeatsLost) })
	return func() { timer.Stop() }
}

// interval converts the field of SUBSCRIBED. Masters that send no heartbeats leave it out.
func interval(seconds float64) time.Duration {
	const longest = 24 * time.Hour
	if math.IsNaN(seconds) || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
}

// causeOr is the reason for which the context was ended, or else err.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
