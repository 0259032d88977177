package core

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// world is what survives a killed agent: its disk, its executors and the master. The model
// in it says what must come out.
type world struct {
	t *rapid.T
	*harness

	disk map[string]*savedTask // by task

	// What an executor still holds because it was not acknowledged, oldest first.
	unacknowledged map[string][]*mesospb.TaskStatus
	alive          map[string]RunID
	ended          map[string]bool

	// produced are the states that each executor reported, delivered what the scheduler
	// saw, each update once, in order.
	produced  map[string][]string
	delivered map[string][]string
	seen      map[string]bool
	// onTheWay are updates that the scheduler has and has not acknowledged.
	onTheWay []*internalpb.StatusUpdate
}

type savedTask struct {
	run       RunID
	task      *mesospb.Task
	executor  *mesospb.ExecutorInfo
	updates   []*internalpb.StatusUpdate
	acks      map[string]bool
	http      bool
	completed bool
}

// absorb does what effects ask for.
func (w *world) absorb() {
	for _, effect := range w.take() {
		switch e := effect.(type) {
		case SaveExecutor:
			w.disk[e.Run.Executor] = &savedTask{run: e.Run, executor: e.Info, acks: map[string]bool{}}
		case SaveTask:
			w.disk[e.Task.GetTaskId().GetValue()].task = e.Task
		case SaveExecutorPID:
			w.disk[e.Run.Executor].http = true
		case SaveUpdate:
			saved := w.disk[e.Task.Task]
			if e.Record.GetType() == internalpb.StatusUpdateRecord_UPDATE {
				saved.updates = append(saved.updates, proto.Clone(e.Record.Update).(*internalpb.StatusUpdate))
			} else {
				saved.acks[string(e.Record.Uuid)] = true
			}
		case SaveCompleted:
			w.disk[e.Run.Executor].completed = true
		case Launch:
			w.alive[e.Run.Executor] = e.Run
		case Destroy:
			w.t.Fatalf("container of %s destroyed for no reason", e.Run.Executor)
		case SendEvent:
			if e.Event.GetType() == executorpb.Event_ACKNOWLEDGED {
				task, uuid := e.Event.GetAcknowledged().GetTaskId().GetValue(), string(e.Event.GetAcknowledged().GetUuid())
				if !w.onDisk(task, uuid) {
					w.t.Fatalf("%s: an update was acknowledged to the executor that is not on disk", task)
				}
				var rest []*mesospb.TaskStatus
				for _, s := range w.unacknowledged[task] {
					if string(s.GetUuid()) != uuid {
						rest = append(rest, s)
					}
				}
				w.unacknowledged[task] = rest
			}
		case Send:
			if m, ok := e.Body.(*internalpb.StatusUpdateMessage); ok {
				w.arrive(m.GetUpdate())
			}
		}
	}
}

func (w *world) onDisk(task, uuid string) bool {
	for _, u := range w.disk[task].updates {
		if string(u.GetUuid()) == uuid {
			return true
		}
	}
	return false
}

// arrive is an update that reaches the scheduler.
func (w *world) arrive(u *internalpb.StatusUpdate) {
	if !w.seen[string(u.GetUuid())] {
		w.seen[string(u.GetUuid())] = true
		task := u.GetStatus().GetTaskId().GetValue()
		w.delivered[task] = append(w.delivered[task], u.GetStatus().GetState().String())
	}
	w.onTheWay = append(w.onTheWay, u)
}

func (w *world) connect() {
	w.step(MasterDetected{UPID: masterUPID})
	w.wait(2 * time.Second)
	if w.core.info.GetId() == nil {
		w.message(&internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: proto.String(agentName)}})
	} else {
		w.message(&internalpb.SlaveReregisteredMessage{SlaveId: w.core.info.GetId()})
	}
	w.absorb()
}

// report makes an executor say something about its task.
func (w *world) report(task string, state mesospb.TaskState) {
	uuid := []byte(fmt.Sprintf("%016d", len(w.produced[task])+1000*len(task)+100000*len(w.seen)))
	status := &mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: &task}, ExecutorId: &mesospb.ExecutorID{Value: &task}, State: &state,
		Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: append(uuid[:14], byte(len(w.produced[task])), byte(task[0])),
	}
	w.produced[task] = append(w.produced[task], state.String())
	w.unacknowledged[task] = append(w.unacknowledged[task], status)
}

// send gives the agent what the executor has not sent or not been acknowledged.
func (w *world) sendUpdates(task string) {
	for _, s := range append([]*mesospb.TaskStatus(nil), w.unacknowledged[task]...) {
		w.step(ExecutorCall{Call: 1, Body: &executorpb.Call{
			FrameworkId: testFramework(true).Id, ExecutorId: s.ExecutorId, Type: executorpb.Call_UPDATE.Enum(),
			Update: &executorpb.Call_Update{Status: proto.Clone(s).(*mesospb.TaskStatus)},
		}})
	}
	w.absorb()
}

// crash kills the agent and starts the next one on the same disk.
func (w *world) crash() {
	saved := Saved{}
	if w.core.info.GetId() != nil {
		saved.Info = proto.Clone(w.core.info).(*mesospb.AgentInfo)
		f := SavedFramework{ID: "F", Info: testFramework(true), PID: noUPID}
		for _, task := range sortedTasks(w.disk) {
			s := w.disk[task]
			run := SavedRun{ID: s.run.Container, Completed: s.completed, ForkedPID: 1, HTTP: s.http}
			if s.task != nil {
				st := SavedTask{ID: task, Info: s.task, Acks: map[string]bool{}}
				for _, u := range s.updates {
					st.Updates = append(st.Updates, proto.Clone(u).(*internalpb.StatusUpdate))
				}
				for uuid := range s.acks {
					st.Acks[uuid] = true
				}
				run.Tasks = append(run.Tasks, st)
			}
			f.Executors = append(f.Executors, SavedExecutor{ID: task, Info: s.executor, Generated: true, Latest: run.ID, Runs: []SavedRun{run}})
		}
		if len(f.Executors) > 0 {
			saved.Frameworks = []SavedFramework{f}
		}
	}
	ids := w.ids
	w.harness = newHarness(w.t, nil)
	w.ids = ids
	w.now = w.now.Add(time.Hour)
	w.onTheWay = nil
	w.step(Recovered{Saved: saved, Info: agentInfo()})
	w.absorb()
	for _, task := range sortedTasks(w.disk) {
		s := w.disk[task]
		if s.completed {
			continue
		}
		if w.ended[task] {
			w.terminated(s.run, &containerizer.Termination{})
			continue
		}
		// The executor subscribes again with what nobody has acknowledged to it.
		subscribe := &executorpb.Call_Subscribe{UnacknowledgedTasks: []*mesospb.TaskInfo{commandTask(task)}}
		for _, status := range w.unacknowledged[task] {
			subscribe.UnacknowledgedUpdates = append(subscribe.UnacknowledgedUpdates,
				&executorpb.Call_Update{Status: proto.Clone(status).(*mesospb.TaskStatus)})
		}
		w.subscribe("F", task, subscribe)
	}
	w.absorb()
	w.wait(3 * time.Second)
	w.absorb()
}

func sortedTasks(m map[string]*savedTask) []string {
	var list []string
	for _, c := range "abcdefgh" {
		if _, ok := m[string(c)]; ok {
			list = append(list, string(c))
		}
	}
	return list
}

// TestNoHistoryLosesRepeatsOrReordersUpdates lets executors report, the agent be killed, the master go
// away and acknowledgements be lost in any order. In the end the scheduler has seen every
// update of every executor exactly once, in order.
func TestNoHistoryLosesRepeatsOrReordersUpdates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			t: t, harness: newHarness(t, nil), disk: map[string]*savedTask{}, unacknowledged: map[string][]*mesospb.TaskStatus{},
			alive: map[string]RunID{}, ended: map[string]bool{}, produced: map[string][]string{},
			delivered: map[string][]string{}, seen: map[string]bool{},
		}
		w.step(Recovered{Info: agentInfo()})
		w.connect()
		started := 0
		pick := func(live bool) (string, bool) {
			var list []string
			for _, task := range sortedTasks(w.disk) {
				if w.ended[task] != live {
					list = append(list, task)
				}
			}
			if len(list) == 0 {
				return "", false
			}
			return rapid.SampledFrom(list).Draw(t, "task"), true
		}
		acknowledge := func() {
			if len(w.onTheWay) > 0 {
				u := w.onTheWay[0]
				w.onTheWay = w.onTheWay[1:]
				w.acknowledge("F", u.GetStatus().GetTaskId().GetValue(), u.GetUuid())
				w.absorb()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"launch": func(t *rapid.T) {
				if started == 8 || w.core.state != Running {
					t.Skip()
				}
				task := string("abcdefgh"[started])
				started++
				w.runTask(testFramework(true), commandTask(task))
				w.absorb()
				w.step(ContainerLaunched{Run: w.alive[task]})
				w.subscribe("F", task, nil)
				w.absorb()
				w.report(task, mesospb.TaskState_TASK_STARTING)
				w.sendUpdates(task)
			},
			"report": func(t *rapid.T) {
				if task, ok := pick(true); ok {
					w.report(task, mesospb.TaskState_TASK_RUNNING)
					if rapid.Bool().Draw(t, "sent") {
						w.sendUpdates(task)
					}
				}
			},
			"send": func(t *rapid.T) {
				if task, ok := pick(true); ok {
					w.sendUpdates(task)
				}
			},
			"finish": func(t *rapid.T) {
				if task, ok := pick(true); ok {
					w.report(task, mesospb.TaskState_TASK_FINISHED)
					w.sendUpdates(task)
					if len(w.unacknowledged[task]) == 0 {
						w.ended[task] = true
						w.terminated(w.alive[task], &containerizer.Termination{})
						w.absorb()
					} else {
						t.Fatalf("%s: the agent does not take the last update", task)
					}
				}
			},
			"acknowledge":          func(*rapid.T) { acknowledge() },
			"acknowledgement lost": func(*rapid.T) { w.onTheWay = nil },
			"time": func(t *rapid.T) {
				w.wait(time.Duration(rapid.IntRange(1, 50).Draw(t, "secs")) * time.Second)
				w.absorb()
			},
			"the agent is killed":   func(*rapid.T) { w.crash(); w.connect() },
			"killed while away":     func(*rapid.T) { w.step(MasterExited{UPID: masterUPID}); w.absorb(); w.crash() },
			"the master comes back": func(*rapid.T) { w.step(MasterExited{UPID: masterUPID}); w.absorb(); w.connect() },
			"the scheduler is back": func(*rapid.T) {
				w.message(&internalpb.UpdateFrameworkMessage{FrameworkId: testFramework(true).Id, FrameworkInfo: testFramework(true)})
				w.absorb()
			},
		})
		// Everybody is back and nothing is lost any more.
		w.connect()
		for _, task := range sortedTasks(w.disk) {
			if !w.ended[task] {
				w.sendUpdates(task)
			}
		}
		for i := 0; i < 1000 && len(w.core.streams) > 0; i++ {
			for len(w.onTheWay) > 0 {
				acknowledge()
			}
			pending := false
			for _, s := range w.core.streams {
				pending = pending || len(s.pending) > 0
			}
			if !pending {
				break
			}
			w.wait(11 * time.Minute)
			w.connect()
		}
		for task, want := range w.produced {
			if got := w.delivered[task]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: the scheduler saw %v of %v", task, got, want)
			}
		}
	})
}
