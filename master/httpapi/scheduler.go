package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"stoa/internal/httpd"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/recordio"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/core"
	"stoa/master/validation"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"
)

// SchedulerMaster is what the scheduler API needs of the running master. Its errors
// mean that the master is going down.
type SchedulerMaster interface {
	// Recovered says whether the master knows its registry and takes calls.
	Recovered() bool
	// Subscribe connects a stream; its events come until the stream is closed, from
	// either side. Unsubscribe says that the scheduler went away.
	Subscribe(ctx context.Context, stream *Stream, event core.Subscribe) (core.StreamID, error)
	Unsubscribe(id core.StreamID)
	// Call carries out a call and returns its answer.
	Call(ctx context.Context, event core.Call) (core.Answer, error)
}

// SchedulerConfig configures the scheduler API. Only Master is required.
type SchedulerConfig struct {
	Master SchedulerMaster
	// MaxBody is the largest request body in bytes; 0 is httpd.DefaultMaxBody.
	MaxBody int64
	// MaxBacklog is how many events may wait for one scheduler before it is dropped as
	// too slow; 0 is 100,000.
	MaxBacklog int
	// WriteTimeout is how long one write to a scheduler may take; 0 is one minute.
	WriteTimeout time.Duration
	Logger       *slog.Logger
}

// Stream is the queue of events between the master's loop and one scheduler.
type Stream = Queue[*schedulerpb.Event]

// NewStream returns a stream that holds at most max events.
func NewStream(max int) *Stream { return newQueue[*schedulerpb.Event](max) }

const streamIDHeader = "Mesos-Stream-Id"

// Scheduler serves POST /api/v1/scheduler (src/master/http.cpp,
// Master::Http::scheduler). Authentication and redirection to the leader come before it.
func Scheduler(cfg SchedulerConfig) gin.HandlerFunc {
	if cfg.MaxBacklog <= 0 {
		cfg.MaxBacklog = defaultBacklog
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return func(c *gin.Context) { (&scheduler{cfg: &cfg, gin: c}).serve() }
}

// scheduler is one request.
type scheduler struct {
	cfg       *SchedulerConfig
	gin       *gin.Context
	principal string
}

func (s *scheduler) refuse(status int, text string) { httpd.Text(s.gin, status, text) }

func (s *scheduler) serve() {
	c := s.gin
	principal := httpd.Principal(c)
	s.principal = principal
	if !s.cfg.Master.Recovered() {
		s.refuse(http.StatusServiceUnavailable, "Master has not finished recovery")
		return
	}
	if !httpd.Allow(c, http.MethodPost) {
		return
	}
	call, ok := s.decode()
	if !ok {
		return
	}
	if err := validation.Call(call, principal); err != nil {
		s.refuse(http.StatusBadRequest, "Failed to validate scheduler::Call: "+err.Error())
		return
	}
	media := ""
	if t := call.GetType(); t == schedulerpb.Call_SUBSCRIBE || t == schedulerpb.Call_RECONCILE_OPERATIONS {
		switch {
		case httpd.AcceptsType(c.Request, httpd.TypeJSON):
			media = httpd.TypeJSON
		case httpd.AcceptsType(c.Request, httpd.TypeProtobuf):
			media = httpd.TypeProtobuf
		default:
			s.refuse(http.StatusNotAcceptable, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
			return
		}
	}
	ids, hasID := c.Request.Header[http.CanonicalHeaderKey(streamIDHeader)]
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		if hasID {
			s.refuse(http.StatusBadRequest, "Subscribe calls should not include the 'Mesos-Stream-Id' header")
			return
		}
		s.subscribe(call, media)
		return
	}
	event := core.Call{Call: call, HasStreamUUID: hasID, Principal: principal}
	if hasID {
		event.StreamUUID = ids[0]
	}
	answer, err := s.cfg.Master.Call(c.Request.Context(), event)
	switch {
	case err != nil:
		s.refuse(http.StatusServiceUnavailable, "The master is shutting down")
	case answer.Body == "":
		httpd.Empty(c, answer.Status)
	default:
		s.refuse(answer.Status, answer.Body)
	}
}

// decode reads the call, or answers why it could not.
func (s *scheduler) decode() (*schedulerpb.Call, bool) {
	c := s.gin
	// Content-Type counts as it is: parameters and other cases are other types.
	types := c.Request.Header["Content-Type"]
	if len(types) == 0 {
		s.refuse(http.StatusBadRequest, "Expecting 'Content-Type' to be present")
		return nil, false
	}
	body, ok := httpd.Body(c, s.cfg.MaxBody)
	if !ok {
		return nil, false
	}
	call := new(schedulerpb.Call)
	switch types[0] {
	case httpd.TypeProtobuf:
		if err := proto.Unmarshal(body, call); err != nil {
			s.refuse(http.StatusBadRequest, "Failed to parse body into Call protobuf")
			return nil, false
		}
	case httpd.TypeJSON:
		if err := mesosjson.Unmarshal(body, call, mesosjson.V1); err != nil {
			text := "Failed to parse body into JSON: "
			if conversion := new(mesosjson.ConversionError); errors.As(err, &conversion) {
				text = "Failed to convert JSON into Call protobuf: "
			}
			s.refuse(http.StatusBadRequest, text+err.Error())
			return nil, false
		}
	default:
		s.refuse(http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of application/json or application/x-protobuf")
		return nil, false
	}
	return call, true
}

// subscribe answers with the stream: headers first, whatever the master will make
// of the framework.
func (s *scheduler) subscribe(call *schedulerpb.Call, media string) {
	c := s.gin
	id := ids.NewUUID().String()
	stream := NewStream(s.cfg.MaxBacklog)
	header := c.Writer.Header()
	header.Set("Content-Type", media)
	header.Set(streamIDHeader, id)
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	if http.NewResponseController(c.Writer).Flush() != nil {
		return
	}
	ctx := c.Request.Context()
	name, err := s.cfg.Master.Subscribe(ctx, stream, core.Subscribe{
		StreamUUID: id,
		Call:       call.Subscribe,
		Principal:  s.principal,
	})
	if err != nil {
		return
	}
	defer s.cfg.Master.Unsubscribe(name)
	writeStream(c, stream, s.cfg.WriteTimeout, func(out []byte, e *schedulerpb.Event) []byte {
		return appendEvent(out, e, media)
	})
}

// appendEvent appends one RecordIO record.
func appendEvent(dst []byte, e *schedulerpb.Event, media string) []byte {
	if media == httpd.TypeJSON {
		return recordio.Append(dst, mesosjson.Append(nil, e, mesosjson.V1))
	}
	record, err := proto.Marshal(e)
	if err != nil {
		return dst // a required field is missing: no client could read it
	}
	return recordio.Append(dst, record)
}
