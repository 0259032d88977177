package httpapi

import (
	"net/http"
	"sync"
	"time"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// WatchStream is the queue of news between the master's loop and one operator who
// watches the cluster.
type WatchStream = Queue[*Announcement]

// Announcement is news on its way to any number of operators. It is encoded once for
// all of them.
type Announcement struct {
	news      core.News
	json, pb  []byte
	asJSON    sync.Once
	asMessage sync.Once
}

// NewAnnouncement makes an announcement of news.
func NewAnnouncement(n core.News) *Announcement { return &Announcement{news: n} }

// record returns the announcement as one RecordIO record.
func (a *Announcement) record(media string) []byte {
	if media == httpd.TypeJSON {
		a.asJSON.Do(func() { a.json = encodeNews(newsEvent(a.news), media) })
		return a.json
	}
	a.asMessage.Do(func() { a.pb = encodeNews(newsEvent(a.news), media) })
	return a.pb
}

// recordFor is record for a client who may not see everything
// (master.cpp, Subscribers::Subscriber::send); nil is nothing.
func (a *Announcement) recordFor(w auth.View, media string) []byte {
	if w.All() {
		return a.record(media)
	}
	shown := true
	switch n := a.news.(type) {
	case core.TaskAdded:
		shown = w.Framework(n.Framework) && w.Task(n.Task, n.Framework)
	case core.TaskUpdated:
		shown = w.Framework(n.Framework) && w.Task(n.Task, n.Framework)
	case core.FrameworkAdded:
		shown = w.Framework(n.Framework.Info)
	case core.FrameworkUpdated:
		shown = w.Framework(n.Framework.Info)
	case core.FrameworkRemoved:
		shown = w.Framework(n.Framework)
	case core.AgentAdded:
		e := newsEvent(n)
		e.AgentAdded.Agent = stateView{nil, w}.agent(n.Agent)
		return encodeNews(e, media)
	}
	if !shown {
		return nil
	}
	return a.record(media)
}

func encodeNews(e *masterpb.Event, media string) []byte {
	if media == httpd.TypeJSON {
		return recordio.Append(nil, mesosjson.Append(nil, e, mesosjson.V1))
	}
	record, err := proto.Marshal(e)
	if err != nil {
		return nil // a required field is missing: no client could read it
	}
	return recordio.Append(nil, record)
}

// watch serves SUBSCRIBE (src/master/readonly_handler.cpp, subscribe): a stream that
// begins with the whole state and goes on with what happens.
func (s *server) watch(a answer) {
	if s.config.Watch == nil {
		unsupported(a.c)
		return
	}
	media := httpd.TypeProtobuf
	if a.json {
		media = httpd.TypeJSON
	}
	ctx := a.c.Request.Context()
	stream := newQueue[*Announcement](s.config.MaxWatchBacklog)
	id, snapshot, err := s.config.Watch(ctx, stream)
	if err != nil {
		httpd.Text(a.c, http.StatusServiceUnavailable, "The master is shutting down")
		return
	}
	defer s.config.Unwatch(id)
	a.c.Writer.Header().Set("Content-Type", media)
	a.c.Writer.WriteHeader(http.StatusOK)
	control := http.NewResponseController(a.c.Writer)
	_ = control.SetWriteDeadline(time.Now().Add(watchWriteTimeout))
	seen := s.view(a.c)
	if _, err := a.c.Writer.Write(subscribedRecord(stateView{snapshot, seen}, media)); err != nil {
		return
	}
	if control.Flush() != nil {
		return
	}
	_ = control.SetWriteDeadline(time.Time{})
	writeStream(a.c, stream, watchWriteTimeout, func(out []byte, one *Announcement) []byte {
		return append(out, one.recordFor(seen, media)...)
	})
}

// watchWriteTimeout is how long one write to an operator may take.
const watchWriteTimeout = time.Minute

// subscribedRecord is the first record of a stream.
func subscribedRecord(v stateView, media string) []byte {
	if media == httpd.TypeJSON {
		buf := documents.Get().(*[]byte)
		defer documents.Put(buf)
		*buf = (*buf)[:0]
		o := mesosjson.BeginObject(buf)
		o.String("type", masterpb.Event_SUBSCRIBED.String())
		subscribed := o.Object("subscribed")
		subscribed.Key("get_state")
		v.appendState(buf)
		subscribed.Double("heartbeat_interval_seconds", core.DefaultHeartbeatInterval.Seconds())
		subscribed.End()
		o.End()
		return recordio.Append(nil, *buf)
	}
	record, err := proto.Marshal(&masterpb.Event{
		Type: masterpb.Event_SUBSCRIBED.Enum(),
		Subscribed: &masterpb.Event_Subscribed{
			GetState: &masterpb.Response_GetState{
				GetTasks: v.tasks(), GetExecutors: v.executors(), GetFrameworks: v.frameworks(), GetAgents: v.agents(),
			},
			HeartbeatIntervalSeconds: proto.Float64(core.DefaultHeartbeatInterval.Seconds()),
		},
	})
	if err != nil {
		return nil
	}
	return recordio.Append(nil, record)
}

// newsEvent is news as the operator API says it.
func newsEvent(news core.News) *masterpb.Event {
	e := &masterpb.Event{}
	switch n := news.(type) {
	case core.Heartbeat:
		e.Type = masterpb.Event_HEARTBEAT.Enum()
	case core.TaskAdded:
		e.Type = masterpb.Event_TASK_ADDED.Enum()
		e.TaskAdded = &masterpb.Event_TaskAdded{Task: n.Task}
	case core.TaskUpdated:
		e.Type = masterpb.Event_TASK_UPDATED.Enum()
		e.TaskUpdated = &masterpb.Event_TaskUpdated{FrameworkId: n.Task.FrameworkId, Status: n.Status, State: n.Task.State}
	case core.AgentAdded:
		e.Type = masterpb.Event_AGENT_ADDED.Enum()
		e.AgentAdded = &masterpb.Event_AgentAdded{Agent: agentMessage(n.Agent)}
	case core.AgentRemoved:
		e.Type = masterpb.Event_AGENT_REMOVED.Enum()
		e.AgentRemoved = &masterpb.Event_AgentRemoved{AgentId: &mesospb.AgentID{Value: proto.String(n.ID)}}
	case core.FrameworkAdded:
		e.Type = masterpb.Event_FRAMEWORK_ADDED.Enum()
		e.FrameworkAdded = &masterpb.Event_FrameworkAdded{Framework: frameworkNews(n.Framework)}
	case core.FrameworkUpdated:
		e.Type = masterpb.Event_FRAMEWORK_UPDATED.Enum()
		e.FrameworkUpdated = &masterpb.Event_FrameworkUpdated{Framework: frameworkNews(n.Framework)}
	case core.FrameworkRemoved:
		e.Type = masterpb.Event_FRAMEWORK_REMOVED.Enum()
		e.FrameworkRemoved = &masterpb.Event_FrameworkRemoved{FrameworkInfo: n.Framework}
	}
	return e
}

// frameworkNews is a framework with all three times, 0 for none, and without what
// belongs to it.
func frameworkNews(f *core.FrameworkView) *masterpb.Response_GetFrameworks_Framework {
	m := frameworkMessage(f)
	m.OfferConstraints = nil
	for _, t := range []**mesospb.TimeInfo{&m.RegisteredTime, &m.ReregisteredTime, &m.UnregisteredTime} {
		if *t == nil {
			*t = &mesospb.TimeInfo{Nanoseconds: proto.Int64(0)}
		}
	}
	return m
}
