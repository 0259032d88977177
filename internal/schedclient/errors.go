package schedclient

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"stoa/internal/mesos/schedulerpb"
)

// ErrNotSubscribed is the error of a call without an open subscription.
var ErrNotSubscribed = errors.New("not subscribed to a master")

// ErrHeartbeatsLost ends a stream on which the master has been silent for five heartbeat intervals.
var ErrHeartbeatsLost = errors.New("the master missed five heartbeats")

// errStreamEnded is a stream that the master closed between two events: it stops, or the framework was torn down.
var errStreamEnded = errors.New("the master closed the event stream")

// FrameworkError is an ERROR event: the master refuses the framework ("Framework has been removed") or has handed it to another
// scheduler ("Framework failed over"). Subscribing again with the same data would end the same way, or throw the other scheduler out.
type FrameworkError struct {
	Message string // the master's words
}

func (e *FrameworkError) Error() string { return "error event from the master: " + e.Message }

// StatusError is an answer other than 202 to a call, or other than 200 to SUBSCRIBE.
type StatusError struct {
	Call   schedulerpb.Call_Type
	Master string // URL
	Status int
	Body   string // the master's words, cut at 4 KiB
}

func (e *StatusError) Error() string {
	hint := ""
	switch e.Status {
	case http.StatusUnauthorized:
		hint = " (check the framework's principal and secret)"
	case http.StatusNotFound:
		hint = " (is this address a Mesos master?)"
	}
	return fmt.Sprintf("%s answered %s with %d %s: %s%s", e.Master, e.Call, e.Status, http.StatusText(e.Status), e.Body, hint)
}

func statusError(call schedulerpb.Call_Type, master string, r *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	return &StatusError{Call: call, Master: master, Status: r.StatusCode, Body: string(body)}
}
