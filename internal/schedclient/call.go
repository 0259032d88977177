package schedclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/schedulerpb"
)

// grace is how long a call may still wait for its answer when the stream has ended: TEARDOWN ends the stream itself.
const grace = 2 * time.Second

// errLeaderChanged ends a stream whose master says that another one leads.
var errLeaderChanged = errors.New("the master does not lead any more")

// Call sends one call and returns nil when the master has accepted it: 202, and 200 for UPDATE_FRAMEWORK. The framework id is
// filled in if the call has none; the message is not changed. Without a subscription the error is ErrNotSubscribed; when the master
// refuses, a *StatusError. After any other error the call may or may not have arrived. Safe from any goroutine; calls arrive in the
// order in which they were made, except acknowledgements: those may overtake others, so several can be under way at a time.
// SUBSCRIBE is Run's.
func (c *Client) Call(ctx context.Context, call *schedulerpb.Call) error {
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		return errors.New("SUBSCRIBE is sent by Run")
	}
	if !unordered(call.GetType()) {
		select {
		case c.turn <- struct{}{}:
			defer func() { <-c.turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s := c.current.Load()
	if s == nil {
		return ErrNotSubscribed
	}
	body, err := callBody(s, call)
	if err != nil {
		return fmt.Errorf("call %s: %w", call.GetType(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AnswerTimeout)
	defer cancel()
	defer context.AfterFunc(s.ctx, func() {
		sleep(ctx, grace)
		cancel()
	})()
	if err := c.post(ctx, s, call.GetType(), body); err != nil {
		return err
	}
	return nil
}

// unordered says that a call means the same whatever comes before or after it. The next update of a task, or of an operation, is
// sent only after the one before is acknowledged, so acknowledgements have no order among themselves either.
func unordered(call schedulerpb.Call_Type) bool {
	return call == schedulerpb.Call_ACKNOWLEDGE || call == schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS
}

// callBody is the call in bytes. The framework id is put in front, where it stands in the encoding anyway.
func callBody(s *session, call *schedulerpb.Call) ([]byte, error) {
	var head []byte
	if call.FrameworkId == nil {
		var err error
		if head, err = proto.Marshal(&schedulerpb.Call{FrameworkId: s.framework}); err != nil {
			return nil, err
		}
	}
	return proto.MarshalOptions{}.MarshalAppend(head, call)
}

func (c *Client) post(ctx context.Context, s *session, call schedulerpb.Call_Type, body []byte) error {
	request, err := c.request(ctx, s.url, body)
	if err != nil {
		return err
	}
	request.Header.Set(streamIDHeader, s.streamID)
	if call != schedulerpb.Call_ACCEPT {
		// Lets net/http send the call again when the master has closed the kept connection in the same moment. (The key itself is
		// not sent.) A second ACCEPT would make the master report the tasks of the first as lost.
		request.Header["Idempotency-Key"] = nil
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("call %s: %w", call, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusAccepted, response.StatusCode == http.StatusOK && call == schedulerpb.Call_UPDATE_FRAMEWORK:
		// Read to the end, so that the connection can be used again.
		_, err := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
		if err != nil {
			return fmt.Errorf("call %s: %w", call, err)
		}
		return nil
	case response.StatusCode == http.StatusTemporaryRedirect:
		s.cancel(errLeaderChanged)
	}
	return statusError(call, hostURL(s.url), response)
}
