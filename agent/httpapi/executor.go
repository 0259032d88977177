package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/httpd"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
)

// maxStreamQueue bounds the events that wait for an executor which does not read;
// beyond, its stream is closed, and it has to subscribe again.
const maxStreamQueue = 10000

// Executors is the v1 executor API: POST /api/v1/executor. It keeps the requests that
// wait for an answer of the core and the open event streams.
type Executors struct {
	ready func() bool
	post  func(core.Event)
	// done is closed when the agent ends.
	done <-chan struct{}

	mutex   sync.Mutex
	last    uint64
	calls   map[uint64]chan answer
	streams map[uint64]*eventStream
}

// answer is what the core says to one call.
type answer struct {
	status int
	body   string
	// stream is set instead when the call is a SUBSCRIBE that was accepted.
	id     uint64
	stream *eventStream
}

// eventStream is the events that go to one executor, oldest first.
type eventStream struct {
	mutex  sync.Mutex
	queue  []*executorpb.Event
	closed bool
	ready  chan struct{}
	// written is closed when nothing more goes out.
	written chan struct{}
}

// NewExecutors returns the API's edge. ready says whether the agent knows its executors yet, post
// hands an event to the loop, done is closed when the agent ends.
func NewExecutors(ready func() bool, post func(core.Event), done <-chan struct{}) *Executors {
	return &Executors{ready: ready, post: post, done: done, calls: map[uint64]chan answer{}, streams: map[uint64]*eventStream{}}
}

// Reply answers a call.
func (x *Executors) Reply(call uint64, status int, body string) {
	x.mutex.Lock()
	waiting := x.calls[call]
	delete(x.calls, call)
	x.mutex.Unlock()
	if waiting != nil {
		waiting <- answer{status: status, body: body}
	}
}

// Accept answers a SUBSCRIBE with a new stream.
func (x *Executors) Accept(call, id uint64) {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	waiting := x.calls[call]
	delete(x.calls, call)
	if waiting == nil {
		// The executor hung up meanwhile.
		go x.post(core.StreamClosed{Stream: id})
		return
	}
	s := &eventStream{ready: make(chan struct{}, 1), written: make(chan struct{})}
	x.streams[id] = s
	waiting <- answer{id: id, stream: s}
}

// Send queues an event. A stream that is not read is closed.
func (x *Executors) Send(id uint64, event *executorpb.Event) {
	x.mutex.Lock()
	s := x.streams[id]
	x.mutex.Unlock()
	if s == nil {
		return
	}
	s.mutex.Lock()
	if len(s.queue) >= maxStreamQueue {
		s.queue, s.closed = nil, true
	} else if !s.closed {
		s.queue = append(s.queue, event)
	}
	s.mutex.Unlock()
	s.wake()
}

// Close ends a stream after what was sent before.
func (x *Executors) Close(id uint64) {
	x.mutex.Lock()
	s := x.streams[id]
	x.mutex.Unlock()
	if s == nil {
		return
	}
	s.mutex.Lock()
	s.closed = true
	s.mutex.Unlock()
	s.wake()
}

// CloseAll ends every stream and waits until what was sent before is written, but not
// longer than patience: an executor may have stopped reading.
func (x *Executors) CloseAll(patience time.Duration) {
	x.mutex.Lock()
	open := make(map[uint64]*eventStream, len(x.streams))
	for id, s := range x.streams {
		open[id] = s
	}
	x.mutex.Unlock()
	for id := range open {
		x.Close(id)
	}
	timeout := time.After(patience)
	for _, s := range open {
		select {
		case <-s.written:
		case <-timeout:
			return
		}
	}
}

func (s *eventStream) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *eventStream) take() (events []*executorpb.Event, closed bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	events, s.queue = s.queue, nil
	return events, s.closed
}

// serve answers one call. The checks come in the original's order (Http::executor in
// src/slave/http.cpp).
func (x *Executors) serve(c *gin.Context) {
	if !x.ready() {
		httpd.Text(c, http.StatusServiceUnavailable, "Agent has not finished recovery")
		return
	}
	if !httpd.Allow(c, http.MethodPost) {
		return
	}
	call, ok := decodeExecutorCall(c)
	if !ok {
		return
	}
	if problem := validateExecutorCall(call); problem != "" {
		httpd.Text(c, http.StatusBadRequest, "Failed to validate Executor::Call: "+problem)
		return
	}
	mediaType := httpd.TypeJSON
	switch call.GetType() {
	case executorpb.Call_SUBSCRIBE:
		if !httpd.AcceptsType(c.Request, httpd.TypeJSON) {
			if !httpd.AcceptsType(c.Request, httpd.TypeProtobuf) {
				httpd.Text(c, http.StatusNotAcceptable, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
				return
			}
			mediaType = httpd.TypeProtobuf
		}
	case executorpb.Call_HEARTBEAT:
		httpd.Empty(c, http.StatusAccepted)
		return
	}
	a, ok := x.ask(c.Request.Context(), call)
	switch {
	case !ok:
		httpd.Text(c, http.StatusServiceUnavailable, "Agent is terminating")
	case a.stream != nil:
		x.serveStream(c.Writer, c.Request, a, mediaType)
	case a.body == "":
		httpd.Empty(c, a.status)
	default:
		httpd.Text(c, a.status, a.body)
	}
}

// ask hands the call to the core and waits for its answer; false if there will be none.
func (x *Executors) ask(ctx context.Context, call *executorpb.Call) (answer, bool) {
	waiting := make(chan answer, 1)
	x.mutex.Lock()
	x.last++
	id := x.last
	x.calls[id] = waiting
	x.mutex.Unlock()
	x.post(core.ExecutorCall{Call: id, Body: call})
	select {
	case a := <-waiting:
		return a, true
	case <-ctx.Done():
	case <-x.done:
	}
	x.mutex.Lock()
	_, open := x.calls[id]
	delete(x.calls, id)
	x.mutex.Unlock()
	if !open {
		// Answered at the same moment.
		return <-waiting, true
	}
	return answer{}, false
}

// serveStream writes events until the stream is closed at either side.
func (x *Executors) serveStream(w http.ResponseWriter, r *http.Request, a answer, mediaType string) {
	defer func() {
		close(a.stream.written)
		x.mutex.Lock()
		delete(x.streams, a.id)
		x.mutex.Unlock()
		x.post(core.StreamClosed{Stream: a.id})
	}()
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil {
		return
	}
	var record, frame []byte
	for {
		events, closed := a.stream.take()
		for _, event := range events {
			if mediaType == httpd.TypeJSON {
				record = mesosjson.Append(record[:0], event, mesosjson.V1)
			} else {
				var err error
				if record, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(record[:0], event); err != nil {
					return
				}
			}
			// One write per record gives one HTTP chunk per record.
			frame = recordio.Append(frame[:0], record)
			if _, err := w.Write(frame); err != nil {
				return
			}
			if control.Flush() != nil {
				return
			}
		}
		if closed {
			return
		}
		select {
		case <-a.stream.ready:
		case <-r.Context().Done():
			return
		}
	}
}

// decodeExecutorCall reads the body by its Content-Type, which is compared as an exact
// string. When it fails it has answered.
func decodeExecutorCall(c *gin.Context) (*executorpb.Call, bool) {
	refuse := func(status int, text string) (*executorpb.Call, bool) {
		httpd.Text(c, status, text)
		return nil, false
	}
	contentType, ok := c.Request.Header["Content-Type"]
	if !ok {
		return refuse(http.StatusBadRequest, "Expecting 'Content-Type' to be present")
	}
	if contentType[0] != httpd.TypeProtobuf && contentType[0] != httpd.TypeJSON {
		return refuse(http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of application/json or application/x-protobuf")
	}
	body, ok := httpd.Body(c, 0)
	if !ok {
		return nil, false
	}
	call := &executorpb.Call{}
	if contentType[0] == httpd.TypeProtobuf {
		if proto.Unmarshal(body, call) != nil {
			return refuse(http.StatusBadRequest, "Failed to parse body into Call protobuf")
		}
		return call, true
	}
	err := mesosjson.Unmarshal(body, call, mesosjson.V1)
	var syntax *mesosjson.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return refuse(http.StatusBadRequest, "Failed to parse body into JSON: "+err.Error())
	case err != nil:
		return refuse(http.StatusBadRequest, "Failed to convert JSON into Call protobuf: "+err.Error())
	}
	return call, true
}

// validateExecutorCall gives the original's text for what is wrong with a call
// (validateExecutorCall in src/common/validation.cpp).
func validateExecutorCall(call *executorpb.Call) string {
	if call.Type == nil {
		return "Expecting 'type' to be present"
	}
	switch call.GetType() {
	case executorpb.Call_SUBSCRIBE:
		if call.Subscribe == nil {
			return "Expecting 'subscribe' to be present"
		}
	case executorpb.Call_UPDATE:
		if call.Update == nil {
			return "Expecting 'update' to be present"
		}
		return validateStatus(call, call.Update.GetStatus())
	case executorpb.Call_MESSAGE:
		if call.Message == nil {
			return "Expecting 'message' to be present"
		}
	}
	return ""
}

func validateStatus(call *executorpb.Call, s *mesospb.TaskStatus) string {
	from := "Received Call from executor " + call.GetExecutorId().GetValue() +
		" of framework " + call.GetFrameworkId().GetValue()
	if s.Uuid == nil {
		return "Expecting 'uuid' to be present"
	}
	if _, err := ids.UUIDFromBytes(s.Uuid); err != nil {
		return err.Error()
	}
	switch {
	case s.ExecutorId != nil && s.ExecutorId.GetValue() != call.GetExecutorId().GetValue():
		return "ExecutorID in Call: " + call.GetExecutorId().GetValue() +
			" does not match ExecutorID in TaskStatus: " + s.ExecutorId.GetValue()
	case s.GetSource() != mesospb.TaskStatus_SOURCE_EXECUTOR:
		return from + " with invalid source, expecting 'SOURCE_EXECUTOR'"
	case s.GetState() == mesospb.TaskState_TASK_STAGING:
		return "Received TASK_STAGING from executor " + call.GetExecutorId().GetValue() +
			" of framework " + call.GetFrameworkId().GetValue() + " which is not allowed"
	}
	return validateCheckStatus(s.GetCheckStatus())
}

func validateCheckStatus(s *mesospb.CheckStatusInfo) string {
	if s == nil {
		return ""
	}
	if s.Type == nil {
		return "CheckStatusInfo must specify 'type'"
	}
	switch s.GetType() {
	case mesospb.CheckInfo_COMMAND:
		if s.Command == nil {
			return "Expecting 'command' to be set for COMMAND check's status"
		}
	case mesospb.CheckInfo_HTTP:
		if s.Http == nil {
			return "Expecting 'http' to be set for HTTP check's status"
		}
	case mesospb.CheckInfo_TCP:
		if s.Tcp == nil {
			return "Expecting 'tcp' to be set for TCP check's status"
		}
	default:
		return "'" + s.GetType().String() + "' is not a valid check's status type"
	}
	return ""
}
