package marathon_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// cluster is the far end of the wire: a master with one agent whose tasks run as soon
// as they are launched and end as soon as they are killed.
type cluster struct {
	server *httptest.Server
	// launched is called, before anything else happens, with each task of an ACCEPT.
	launched func(*mesospb.TaskInfo)
	// acknowledged is called with each acknowledgement.
	acknowledged func(*schedulerpb.Call_Acknowledge)

	mu         sync.Mutex
	stream     chan *schedulerpb.Event
	framework  string
	wanted     bool
	offered    bool
	number     int
	tasks      map[string]*mesospb.TaskInfo
	unacked    map[string]*mesospb.TaskStatus
	frameworks []*mesospb.FrameworkInfo
	calls      []schedulerpb.Call_Type
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{tasks: map[string]*mesospb.TaskInfo{}, unacked: map[string]*mesospb.TaskStatus{}}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.server.Close)
	return c
}

func (c *cluster) address() string { return strings.TrimPrefix(c.server.URL, "http://") }

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	call := &schedulerpb.Call{}
	if err == nil {
		err = proto.Unmarshal(body, call)
	}
	if err != nil || r.URL.Path != "/api/v1/scheduler" {
		http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	if call.GetType() == schedulerpb.Call_SUBSCRIBE {
		c.subscribe(w, r, call.GetSubscribe())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(call)
	w.WriteHeader(http.StatusAccepted)
}

func (c *cluster) subscribe(w http.ResponseWriter, r *http.Request, s *schedulerpb.Call_Subscribe) {
	c.mu.Lock()
	if c.framework == "" {
		c.framework = fmt.Sprintf("framework-%04d", len(c.frameworks))
	}
	c.frameworks = append(c.frameworks, s.GetFrameworkInfo())
	stream := make(chan *schedulerpb.Event, 1000)
	c.stream, c.wanted, c.offered = stream, true, false
	c.send(&schedulerpb.Event{
		Type: schedulerpb.Event_SUBSCRIBED.Enum(),
		Subscribed: &schedulerpb.Event_Subscribed{
			FrameworkId:              &mesospb.FrameworkID{Value: proto.String(c.framework)},
			HeartbeatIntervalSeconds: proto.Float64(15),
			MasterInfo: &mesospb.MasterInfo{
				Id: proto.String("m"), Ip: proto.Uint32(0), Port: proto.Uint32(5050), Hostname: proto.String("master"),
			},
		},
	})
	for _, status := range c.unacked {
		c.send(updateEvent(status))
	}
	c.offer()
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Header().Set("Mesos-Stream-Id", "stream")
	w.WriteHeader(http.StatusOK)
	for {
		select {
		case e := <-stream:
			b, err := proto.Marshal(e)
			if err != nil {
				panic(err)
			}
			if _, err := w.Write(recordio.Append(nil, b)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (c *cluster) send(e *schedulerpb.Event) {
	if c.stream != nil {
		c.stream <- e
	}
}

func updateEvent(status *mesospb.TaskStatus) *schedulerpb.Event {
	return &schedulerpb.Event{Type: schedulerpb.Event_UPDATE.Enum(), Update: &schedulerpb.Event_Update{Status: status}}
}

// offer makes one offer at a time, of more than any test needs.
func (c *cluster) offer() {
	if !c.wanted || c.offered {
		return
	}
	c.offered = true
	c.number++
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{
			Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}, Role: proto.String("*"),
		}
	}
	c.send(&schedulerpb.Event{Type: schedulerpb.Event_OFFERS.Enum(), Offers: &schedulerpb.Event_Offers{Offers: []*mesospb.Offer{{
		Id:             &mesospb.OfferID{Value: proto.String(fmt.Sprintf("offer-%d", c.number))},
		FrameworkId:    &mesospb.FrameworkID{Value: &c.framework},
		AgentId:        &mesospb.AgentID{Value: proto.String("agent-S0")},
		Hostname:       proto.String("127.0.0.1"),
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
		Resources: []*mesospb.Resource{
			scalar("cpus", 100), scalar("mem", 100000), scalar("disk", 100000),
			{
				Name: proto.String("ports"), Type: mesospb.Value_RANGES.Enum(), Role: proto.String("*"),
				Ranges: &mesospb.Value_Ranges{Range: []*mesospb.Value_Range{{Begin: proto.Uint64(31000), End: proto.Uint64(32000)}}},
			},
		},
	}}}})
}

func (c *cluster) take(call *schedulerpb.Call) {
	c.calls = append(c.calls, call.GetType())
	switch call.GetType() {
	case schedulerpb.Call_ACCEPT:
		c.offered = false
		for _, op := range call.GetAccept().GetOperations() {
			for _, task := range op.GetLaunch().GetTaskInfos() {
				if c.launched != nil {
					c.launched(task)
				}
				c.tasks[task.GetTaskId().GetValue()] = task
				c.status(task, mesospb.TaskState_TASK_RUNNING)
			}
		}
		c.offer()
	case schedulerpb.Call_DECLINE:
		c.offered = false
		c.wanted = false
	case schedulerpb.Call_REVIVE:
		c.wanted = true
		c.offer()
	case schedulerpb.Call_SUPPRESS:
		c.wanted = false
	case schedulerpb.Call_KILL:
		if task := c.tasks[call.GetKill().GetTaskId().GetValue()]; task != nil {
			delete(c.tasks, task.GetTaskId().GetValue())
			c.status(task, mesospb.TaskState_TASK_KILLED)
		}
	case schedulerpb.Call_ACKNOWLEDGE:
		if c.acknowledged != nil {
			c.acknowledged(call.GetAcknowledge())
		}
		delete(c.unacked, string(call.GetAcknowledge().GetUuid()))
	case schedulerpb.Call_RECONCILE:
		for _, asked := range call.GetReconcile().GetTasks() {
			state := mesospb.TaskState_TASK_GONE
			if c.tasks[asked.GetTaskId().GetValue()] != nil {
				state = mesospb.TaskState_TASK_RUNNING
			}
			c.send(updateEvent(&mesospb.TaskStatus{
				TaskId: asked.TaskId, State: state.Enum(), AgentId: asked.AgentId,
				Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum(),
			}))
		}
	}
}

func (c *cluster) status(task *mesospb.TaskInfo, state mesospb.TaskState) {
	c.number++
	uuid := fmt.Sprintf("uuid-%012d", c.number)
	status := &mesospb.TaskStatus{
		TaskId: task.TaskId, State: state.Enum(), AgentId: task.AgentId, Uuid: []byte(uuid), Timestamp: proto.Float64(1),
	}
	c.unacked[uuid] = status
	c.send(updateEvent(status))
}

// fail ends a task by itself.
func (c *cluster) fail(taskID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	task := c.tasks[taskID]
	delete(c.tasks, taskID)
	c.status(task, mesospb.TaskState_TASK_FAILED)
}

// remove ends the framework for good, with all its tasks.
func (c *cluster) remove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tasks)
	c.framework = ""
	c.send(&schedulerpb.Event{
		Type: schedulerpb.Event_ERROR.Enum(), Error: &schedulerpb.Event_Error{Message: proto.String("Framework has been removed")},
	})
}

// running lists the ids of the tasks that run.
func (c *cluster) running() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for taskID := range c.tasks {
		ids = append(ids, taskID)
	}
	return ids
}

func (c *cluster) unacknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.unacked)
}
