package master

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, text string) []*mesospb.Resource {
	t.Helper()
	list, err := resources.ParseList(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func launchBody(s *scheduler, offer, agent string, refuse int, ids ...string) string {
	var tasks []string
	for _, id := range ids {
		tasks = append(tasks, fmt.Sprintf(`{"name":%q,"task_id":{"value":%q},"agent_id":{"value":%q},"command":{"value":"sleep 1000"},"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.01}},{"name":"mem","type":"SCALAR","scalar":{"value":1}}]}`, id, id, agent))
	}
	return fmt.Sprintf(`{"framework_id":{"value":%q},"type":"ACCEPT","accept":{"offer_ids":[{"value":%q}],"filters":{"refuse_seconds":%d},"operations":[{"type":"LAUNCH","launch":{"task_infos":[%s]}}]}}`,
		s.id, offer, refuse, strings.Join(tasks, ","))
}

// The whole way over real sockets, in protobuf, with the master restarted under it:
// the agent and the framework come back with their ids, the task goes on.
func TestMasterRestartKeepsAgentsAndTasks(t *testing.T) {
	dir := t.TempDir()
	m := startMaster(t, dir)
	a := startAgent(t, m)
	agent := a.register(parse(t, "cpus:4;mem:4096"))
	s := subscribe(t, m, subscribeBody(""))
	offer, _ := s.nextOffer()
	s.must(launchBody(s, offer, agent, 1000, "t"))
	var run internalpb.RunTaskMessage
	a.expect(&run)
	m.stop()
	if e := s.next("ERROR", "UPDATE"); e != "" {
		t.Errorf("the stream says %s before it ends", e)
	}

	m2 := startMaster(t, dir)
	a.master = m2.upid()
	if m2.Info().GetId() == m.Info().GetId() {
		t.Error("the new master has the old one's id")
	}
	info := &mesospb.AgentInfo{
		Hostname: proto.String("agent1"), Port: proto.Int32(int32(a.address().Port())), Resources: parse(t, "cpus:4;mem:4096"),
		Checkpoint: proto.Bool(true), Id: &mesospb.AgentID{Value: &agent},
	}
	task := &mesospb.Task{
		Name: run.Task.Name, TaskId: run.Task.TaskId, FrameworkId: run.Framework.Id, AgentId: run.Task.AgentId,
		State: mesospb.TaskState_TASK_RUNNING.Enum(), Resources: run.Task.Resources,
	}
	a.send(&internalpb.ReregisterSlaveMessage{
		Slave: info, Version: proto.String("1.11.0"), AgentCapabilities: agentCapabilities,
		Frameworks: []*mesospb.FrameworkInfo{run.Framework}, Tasks: []*mesospb.Task{task},
	})
	var back internalpb.SlaveReregisteredMessage
	a.expect(&back)
	if back.GetSlaveId().GetValue() != agent || len(back.Reconciliations) != 0 {
		t.Errorf("answer: %v", &back)
	}
	s2 := subscribe(t, m2, subscribeBody(s.id))
	s2.next("SUBSCRIBED")
	if s2.id != s.id {
		t.Errorf("the framework is %s now, it was %s", s2.id, s.id)
	}
	s2.must(fmt.Sprintf(`{"framework_id":{"value":%q},"type":"RECONCILE","reconcile":{"tasks":[]}}`, s.id))
	if e := s2.next("UPDATE"); !strings.Contains(e, `"TASK_RUNNING"`) || !strings.Contains(e, "Latest task state") {
		t.Errorf("reconciled: %s", e)
	}
	a.expect(&internalpb.UpdateFrameworkMessage{})
}

// When an agent's process goes away its connection breaks, and its offers with it.
func TestAgentThatGoesAwayIsNoticed(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a := startAgent(t, m)
	a.register(parse(t, "cpus:4;mem:4096"))
	s := subscribe(t, m, subscribeBody(""))
	offer, _ := s.nextOffer()
	a.stop()
	if e := s.next("RESCIND"); !strings.Contains(e, offer) {
		t.Errorf("event: %s", e)
	}
}

// A scheduler that goes away and comes back takes its framework over; its first
// stream, if it is still there, is told and ends.
func TestSchedulerFailsOver(t *testing.T) {
	m := startMaster(t, t.TempDir())
	s := subscribe(t, m, subscribeBody(""))
	s.next("SUBSCRIBED")
	s2 := subscribe(t, m, subscribeBody(s.id))
	s2.next("SUBSCRIBED")
	if e := s.next("ERROR"); e != `{"type":"ERROR","error":{"message":"Framework failed over"}}` {
		t.Errorf("event: %s", e)
	}
	if e := s.next("ERROR"); e != "" {
		t.Errorf("after the error: %s", e)
	}
	if status, text := s.call(fmt.Sprintf(`{"framework_id":{"value":%q},"type":"SUPPRESS"}`, s.id)); status != http.StatusBadRequest || !strings.HasPrefix(text, "The stream ID '") {
		t.Errorf("a call of the old one: %d %s", status, text)
	}
	s2.body.Close()
	s3 := subscribe(t, m, subscribeBody(s.id))
	s3.next("SUBSCRIBED")
	if s3.id != s.id {
		t.Errorf("id: %s", s3.id)
	}
}

// A scheduler that does not read loses its stream; the others do not notice.
func TestSlowSchedulerIsDropped(t *testing.T) {
	m := startMaster(t, t.TempDir(), func(c *Config) { c.MaxStreamBacklog = 100 })
	conn, err := net.Dial("tcp", m.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	body := subscribeBody("")
	fmt.Fprintf(conn, "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	r := bufio.NewReader(conn)
	var stream, id string
	for id == "" {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if name, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(name, "Mesos-Stream-Id") {
			stream = strings.TrimSpace(value)
		}
		if found := frameworkID.FindStringSubmatch(line); found != nil {
			id = found[1]
		}
	}
	// From here on nobody reads. Each call is answered with many events.
	s := &scheduler{t: t, m: m, id: id, stream: stream}
	var names []string
	for i := range 500 {
		names = append(names, fmt.Sprintf(`{"task_id":{"value":"%0200d"}}`, i))
	}
	reconcile := fmt.Sprintf(`{"framework_id":{"value":%q},"type":"RECONCILE","reconcile":{"tasks":[%s]}}`, id, strings.Join(names, ","))
	end := time.Now().Add(deadline)
	for {
		status, text := s.call(reconcile)
		if status == http.StatusForbidden && text == "Framework is not subscribed" {
			break
		}
		if status != http.StatusAccepted || time.Now().After(end) {
			t.Fatalf("answer: %d %s", status, text)
		}
	}
	other := subscribe(t, m, subscribeBody(""))
	other.next("SUBSCRIBED")
}

// Protobuf both ways.
func TestSchedulerInProtobuf(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a := startAgent(t, m)
	a.register(parse(t, "cpus:4;mem:4096"))
	call := &schedulerpb.Call{
		Type:      schedulerpb.Call_SUBSCRIBE.Enum(),
		Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("p")}},
	}
	body, err := proto.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, m.url("/api/v1/scheduler"), strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("Accept", "application/x-protobuf")
	response, err := m.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/x-protobuf" {
		t.Errorf("Content-Type is %q", got)
	}
	reader := recordio.NewReader(response.Body, recordio.DefaultMaxRecord)
	for _, want := range []schedulerpb.Event_Type{schedulerpb.Event_SUBSCRIBED, schedulerpb.Event_HEARTBEAT, schedulerpb.Event_OFFERS} {
		record, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		var e schedulerpb.Event
		if err := proto.Unmarshal(record, &e); err != nil || e.GetType() != want {
			t.Errorf("event %v (%v), want %v", &e, err, want)
		}
	}
}

// Many tasks at once go through without loss and in order: every launch reaches the
// agent, every status the framework, every acknowledgement the agent.
func TestManyTasks(t *testing.T) {
	const tasks, perCall = 2000, 100
	m := startMaster(t, t.TempDir(), func(c *Config) { c.Logger = nil })
	a := startAgent(t, m)
	agent := a.register(parse(t, "cpus:100;mem:10000"))
	s := subscribe(t, m, subscribeBody(""))
	begin := time.Now()
	var wait sync.WaitGroup
	wait.Add(1)
	go func() { // the agent: every task runs at once
		defer wait.Done()
		for range tasks {
			var run internalpb.RunTaskMessage
			a.expect(&run)
			uuid := make([]byte, 16)
			copy(uuid, run.Task.GetTaskId().GetValue())
			uuid[6], uuid[8] = 0x40, 0x80
			a.send(&internalpb.StatusUpdateMessage{Pid: proto.String(a.self.String()), Update: &internalpb.StatusUpdate{
				FrameworkId: run.Framework.Id, SlaveId: run.Task.AgentId, Uuid: uuid, Timestamp: proto.Float64(1),
				Status:      &mesospb.TaskStatus{TaskId: run.Task.TaskId, State: mesospb.TaskState_TASK_RUNNING.Enum(), AgentId: run.Task.AgentId, Uuid: uuid, Timestamp: proto.Float64(1)},
				LatestState: mesospb.TaskState_TASK_RUNNING.Enum(),
			}})
		}
	}()
	for launched, running := 0, 0; running < tasks; {
		e := s.next("OFFERS", "UPDATE")
		if !s.learn(e) {
			running++
			continue
		}
		for id := range s.offers {
			delete(s.offers, id)
			if launched == tasks {
				continue
			}
			var ids []string
			for range perCall {
				ids = append(ids, fmt.Sprint("t", launched))
				launched++
			}
			s.must(launchBody(s, id, agent, 0, ids...))
		}
	}
	wait.Wait()
	t.Logf("%d tasks running after %v", tasks, time.Since(begin))
}

// Reads do not disturb: snapshots while tasks come and go are consistent.
func TestStateWhileBusy(t *testing.T) {
	m := startMaster(t, t.TempDir(), func(c *Config) { c.Logger = nil })
	a := startAgent(t, m)
	agent := a.register(parse(t, "cpus:100;mem:10000"))
	s := subscribe(t, m, subscribeBody(""))
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range 2 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for ctx.Err() == nil {
				response, err := m.http.Get(m.url("/state"))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				runtime.Gosched()
			}
		}()
	}
	for i := range 20 {
		offer, _ := s.nextOffer()
		s.must(launchBody(s, offer, agent, 0, fmt.Sprint("t", i)))
		// What was answered is in the next snapshot.
		snapshot, err := m.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if f := snapshot.Framework(s.id); f == nil || len(f.Tasks) != i+1 {
			t.Fatalf("task %d is not in the snapshot", i)
		}
	}
	cancel()
	wait.Wait()
}
