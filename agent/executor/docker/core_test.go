package docker

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"stoa/agent/executor/session"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Fatalf(format string, args ...any)
}

// world is a docker core with what it asked for.
type world struct {
	t       failer
	core    *core
	now     time.Time
	states  []mesospb.TaskState
	last    *mesospb.TaskStatus
	runs    int
	stops   []time.Duration
	exited  bool
	history []effect
}

func newWorld(t failer, grace time.Duration) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0)}
	w.core = newCore(session.Environment{ExecutorID: &mesospb.ExecutorID{Value: proto.String("e")}}, grace)
	w.take(w.core.event(w.now, &executorpb.Event{Type: executorpb.Event_SUBSCRIBED.Enum(), Subscribed: &executorpb.Event_Subscribed{
		FrameworkInfo: &mesospb.FrameworkInfo{Capabilities: []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()}}},
	}}))
	return w
}

func (w *world) take(effects []effect) {
	for _, e := range effects {
		w.history = append(w.history, e)
		switch e := e.(type) {
		case send:
			status := e.call.GetUpdate().GetStatus()
			if n := len(w.states); n > 0 && session.Terminal(w.states[n-1]) {
				w.t.Fatalf("%v after %v", status.GetState(), w.states)
			}
			w.states = append(w.states, status.GetState())
			w.last = status
		case run:
			w.runs++
		case stop:
			w.stops = append(w.stops, e.grace)
		case exit:
			w.exited = true
		}
	}
}

func (w *world) launch(change func(*mesospb.TaskInfo)) {
	task := &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: proto.String("t")}}
	if change != nil {
		change(task)
	}
	w.take(w.core.event(w.now, &executorpb.Event{Type: executorpb.Event_LAUNCH.Enum(), Launch: &executorpb.Event_Launch{Task: task}}))
}

func (w *world) kill(grace time.Duration) {
	kill := &executorpb.Event_Kill{TaskId: &mesospb.TaskID{Value: proto.String("t")}}
	if grace >= 0 {
		kill.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(grace.Nanoseconds())}}
	}
	w.take(w.core.event(w.now, &executorpb.Event{Type: executorpb.Event_KILL.Enum(), Kill: kill}))
}

func (w *world) tickTo(deadline time.Time) {
	w.now = deadline
	w.take(w.core.tick(w.now))
}

func TestKillDuringTheStartWaitsForTheContainer(t *testing.T) {
	w := newWorld(t, 5*time.Second)
	w.launch(nil)
	w.kill(-1)
	if len(w.stops) != 0 {
		t.Fatal("the engine was asked to stop what it does not know yet")
	}
	w.take(w.core.running(w.now, []byte("[]"), nil))
	w.take(w.core.exited(w.now, 137))
	want := []mesospb.TaskState{mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING, mesospb.TaskState_TASK_KILLED}
	if len(w.states) != 4 || w.states[1] != want[1] || w.states[2] != want[2] || w.states[3] != want[3] {
		t.Errorf("states %v", w.states)
	}
	if len(w.stops) != 1 || w.stops[0] != 5*time.Second {
		t.Errorf("stops %v", w.stops)
	}
}

func TestKillIsNotHeldUpByAHangingEngine(t *testing.T) {
	w := newWorld(t, 5*time.Second)
	w.launch(nil)
	w.kill(time.Second)
	w.tickTo(w.core.deadline())
	if len(w.stops) != 1 || w.states[len(w.states)-1] != mesospb.TaskState_TASK_KILLING {
		t.Errorf("stops %v, states %v", w.stops, w.states)
	}
	// It started after all: the engine has to be told again.
	w.take(w.core.running(w.now, nil, nil))
	if len(w.stops) != 2 || w.states[len(w.states)-1] != mesospb.TaskState_TASK_KILLING {
		t.Errorf("stops %v, states %v", w.stops, w.states)
	}
}

func TestOnlyKillsForBadHealthAreRetriedHere(t *testing.T) {
	for _, health := range []bool{true, false} {
		w := newWorld(t, 5*time.Second)
		w.launch(func(task *mesospb.TaskInfo) {
			task.HealthCheck = &mesospb.HealthCheck{GracePeriodSeconds: proto.Float64(0), ConsecutiveFailures: proto.Uint32(1)}
		})
		w.take(w.core.running(w.now, nil, nil))
		if health {
			w.take(w.core.healthResult(w.now, errors.New("bad")))
		} else {
			w.kill(-1)
		}
		w.take(w.core.stopFailed(w.now, errors.New("engine")))
		if retries := !w.core.deadline().IsZero(); retries != health {
			t.Errorf("for health %v: retries %v", health, retries)
		}
		if health {
			w.tickTo(w.core.deadline())
			if len(w.stops) != 2 {
				t.Errorf("stops %v", w.stops)
			}
		}
		w.take(w.core.exited(w.now, 137))
		if (w.last.Healthy != nil && !w.last.GetHealthy()) != health {
			t.Errorf("last status %v", w.last)
		}
	}
}

func TestMaximumCompletionTime(t *testing.T) {
	w := newWorld(t, 5*time.Second)
	w.launch(func(task *mesospb.TaskInfo) {
		task.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(time.Minute))}
	})
	w.take(w.core.running(w.now, nil, nil))
	w.tickTo(w.core.deadline())
	if len(w.stops) != 1 || w.stops[0] != 0 {
		t.Errorf("stops %v", w.stops)
	}
	w.take(w.core.exited(w.now, 137))
	if w.last.GetState() != mesospb.TaskState_TASK_FAILED || w.last.GetReason() != mesospb.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED {
		t.Errorf("last status %v", w.last)
	}
}

func TestEveryHistoryEndsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, time.Duration(rapid.IntRange(0, 10).Draw(t, "grace"))*time.Second)
		w.launch(func(task *mesospb.TaskInfo) {
			if rapid.Bool().Draw(t, "checked") {
				task.HealthCheck = &mesospb.HealthCheck{ConsecutiveFailures: proto.Uint32(2), GracePeriodSeconds: proto.Float64(1)}
			}
			if rapid.Bool().Draw(t, "limited") {
				task.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(5 * time.Second))}
			}
		})
		started, ended := false, false
		for steps := rapid.IntRange(0, 30).Draw(t, "steps"); steps > 0 && !w.exited; steps-- {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			if d := w.core.deadline(); !d.IsZero() && !d.After(w.now) {
				w.take(w.core.tick(w.now))
				continue
			}
			switch rapid.IntRange(0, 7).Draw(t, "event") {
			case 0:
				w.kill(time.Duration(rapid.IntRange(-1, 10).Draw(t, "override")) * time.Second)
			case 1:
				w.take(w.core.event(w.now, &executorpb.Event{Type: executorpb.Event_SHUTDOWN.Enum()}))
			case 2:
				if !started && !ended {
					started = true
					w.take(w.core.running(w.now, nil, nil))
				}
			case 3:
				var why error
				if rapid.Bool().Draw(t, "bad") {
					why = errors.New("bad")
				}
				if started {
					w.take(w.core.healthResult(w.now, why))
				}
			case 4:
				if !ended {
					ended = true
					w.take(w.core.exited(w.now, rapid.IntRange(0, 2).Draw(t, "code")))
				}
			case 5:
				w.take(w.core.stopFailed(w.now, errors.New("engine")))
			case 6:
				w.acknowledge()
			case 7:
				w.take(w.core.agentGone(w.now))
			}
		}
		for i := 0; i < 200 && !w.exited; i++ {
			if !ended {
				ended = true
				w.take(w.core.exited(w.now, 0))
				continue
			}
			if !w.acknowledge() && !w.exited {
				t.Fatalf("the executor does not end; states %v", w.states)
			}
		}
		if w.runs != 1 {
			t.Fatalf("%d runs", w.runs)
		}
	})
}

// acknowledge acknowledges the oldest update, if there is one.
func (w *world) acknowledge() bool {
	waiting := w.core.updates.Subscribe().GetUnacknowledgedUpdates()
	if len(waiting) == 0 {
		return false
	}
	status := waiting[0].GetStatus()
	w.take(w.core.event(w.now, &executorpb.Event{Type: executorpb.Event_ACKNOWLEDGED.Enum(), Acknowledged: &executorpb.Event_Acknowledged{
		TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
	}}))
	return true
}

func TestFlags(t *testing.T) {
	s, err := readFlags([]string{"--container=mesos-x", "--sandbox_directory=/s", "--docker=docker", "--launcher_dir=/l", "--stop_timeout=2secs",
		"--docker_socket=unix:///d", "--mapped_directory=/m", "--cgroups_enable_cfs=true", `--task_environment={"A":"b"}`, `--default_container_dns={"docker":[]}`, "--volume=/a:/b:rw"})
	if err != nil || s.container != "mesos-x" || s.stopTimeout != 2*time.Second || !s.enableCFS || s.taskEnvironment["A"] != "b" || s.dns == nil || len(s.volumes) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range [][]string{{}, {"--container=x"}, {"--container=x", "--sandbox_directory=/s", "--stop_timeout=x"}, {"--no-such"}, {"--container=x", "--sandbox_directory=/s", "--task_environment={"}} {
		if _, err := readFlags(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
