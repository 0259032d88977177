package command

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"stoa/agent/executor/session"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

func task(id string) *mesospb.TaskInfo {
	return &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: proto.String(id)}, Command: &mesospb.CommandInfo{Value: proto.String("x")}}
}

func event(kind executorpb.Event_Type, fill func(*executorpb.Event)) *executorpb.Event {
	e := &executorpb.Event{Type: kind.Enum()}
	if fill != nil {
		fill(e)
	}
	return e
}

// TestEveryHistoryEndsOnce drives the core through random histories. Whatever the agent, the checks and the
// clock do: there is at most one terminal update of the task, nothing after it, SIGKILL follows SIGTERM, and
// after the task's end and the acknowledgement the executor ends.
func TestEveryHistoryEndsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		c := newCore(session.Environment{
			ExecutorID:          &mesospb.ExecutorID{Value: proto.String("e")},
			ShutdownGracePeriod: time.Duration(rapid.IntRange(0, 10).Draw(t, "grace")) * time.Second,
		})
		var states []mesospb.TaskState
		var termed, killed, started, ended, exited bool
		take := func(effects []effect) {
			for len(effects) > 0 {
				next := effects[0]
				effects = effects[1:]
				switch e := next.(type) {
				case send:
					status := e.call.GetUpdate().GetStatus()
					if len(status.GetUuid()) != 16 || status.GetSource() != mesospb.TaskStatus_SOURCE_EXECUTOR {
						t.Fatalf("incomplete status %v", status)
					}
					if status.GetTaskId().GetValue() != "t" {
						continue
					}
					if n := len(states); n > 0 && session.Terminal(states[n-1]) {
						t.Fatalf("%v after %v", status.GetState(), states)
					}
					states = append(states, status.GetState())
				case start:
					if started {
						t.Fatal("a second start")
					}
					started = true
					effects = append(c.started(now, 100, nil), effects...)
				case signal:
					if e.signal == syscall.SIGTERM {
						if termed {
							t.Fatal("a second SIGTERM")
						}
						termed = true
					} else {
						if !termed {
							t.Fatal("SIGKILL without SIGTERM")
						}
						killed = true
					}
				case exit:
					exited = true
				}
			}
		}
		take(c.event(now, event(executorpb.Event_SUBSCRIBED, func(e *executorpb.Event) {
			e.Subscribed = &executorpb.Event_Subscribed{FrameworkInfo: &mesospb.FrameworkInfo{}}
			if rapid.Bool().Draw(t, "killing") {
				e.Subscribed.FrameworkInfo.Capabilities = []*mesospb.FrameworkInfo_Capability{{Type: mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()}}
			}
		})))
		first := task("t")
		if rapid.Bool().Draw(t, "checked") {
			first.HealthCheck = &mesospb.HealthCheck{ConsecutiveFailures: proto.Uint32(2), GracePeriodSeconds: proto.Float64(1)}
			first.Check = &mesospb.CheckInfo{Type: mesospb.CheckInfo_TCP.Enum()}
		}
		if rapid.Bool().Draw(t, "limited") {
			first.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(5 * time.Second))}
		}
		take(c.event(now, event(executorpb.Event_LAUNCH, func(e *executorpb.Event) { e.Launch = &executorpb.Event_Launch{Task: first} })))
		for steps := rapid.IntRange(0, 30).Draw(t, "steps"); steps > 0 && !exited; steps-- {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			if d := c.deadline(); !d.IsZero() && !d.After(now) {
				take(c.tick(now))
				continue
			}
			switch rapid.IntRange(0, 7).Draw(t, "event") {
			case 0:
				take(c.event(now, event(executorpb.Event_KILL, func(e *executorpb.Event) {
					e.Kill = &executorpb.Event_Kill{TaskId: first.TaskId}
					if rapid.Bool().Draw(t, "override") {
						e.Kill.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(rapid.Int64Range(0, 1e10).Draw(t, "ns"))}}
					}
				})))
			case 1:
				take(c.event(now, event(executorpb.Event_SHUTDOWN, nil)))
			case 2:
				take(c.event(now, event(executorpb.Event_LAUNCH, func(e *executorpb.Event) { e.Launch = &executorpb.Event_Launch{Task: task("other")} })))
			case 3:
				var why error
				if rapid.Bool().Draw(t, "bad") {
					why = errors.New("bad")
				}
				take(c.healthResult(now, why))
			case 4:
				take(c.checkResult(now, &mesospb.CheckStatusInfo{Type: mesospb.CheckInfo_TCP.Enum(), Tcp: &mesospb.CheckStatusInfo_Tcp{Succeeded: proto.Bool(rapid.Bool().Draw(t, "up"))}}))
			case 5:
				if !ended {
					ended = true
					take(c.exited(now, 100, session.Exit{Code: rapid.IntRange(0, 2).Draw(t, "code")}))
				}
			case 6:
				if waiting := c.updates.Subscribe().GetUnacknowledgedUpdates(); len(waiting) > 0 {
					status := waiting[0].GetStatus()
					take(c.event(now, event(executorpb.Event_ACKNOWLEDGED, func(e *executorpb.Event) {
						e.Acknowledged = &executorpb.Event_Acknowledged{TaskId: status.TaskId, Uuid: status.Uuid}
					})))
				}
			case 7:
				take(c.agentGone(now))
			}
		}
		// Let the rest happen: deadlines pass, the signalled task ends, everything is acknowledged.
		for i := 0; i < 200 && !exited; i++ {
			if !ended && (killed || !termed) {
				ended = true
				take(c.exited(now, 100, session.Exit{Signal: 9}))
				continue
			}
			waiting := c.updates.Subscribe().GetUnacknowledgedUpdates()
			if ended && len(waiting) > 0 {
				status := waiting[0].GetStatus()
				take(c.event(now, event(executorpb.Event_ACKNOWLEDGED, func(e *executorpb.Event) {
					e.Acknowledged = &executorpb.Event_Acknowledged{TaskId: status.TaskId, Uuid: status.Uuid}
				})))
				continue
			}
			deadline := c.deadline()
			if deadline.IsZero() {
				t.Fatalf("nothing will ever happen; states %v", states)
			}
			now = deadline
			take(c.tick(now))
		}
		if !exited {
			t.Fatalf("the executor does not end; states %v", states)
		}
	})
}

func TestUnusableCommandsEndTheExecutor(t *testing.T) {
	c := newCore(session.Environment{ExecutorID: &mesospb.ExecutorID{Value: proto.String("e")}})
	effects := c.event(time.Unix(0, 0), event(executorpb.Event_LAUNCH, func(e *executorpb.Event) {
		e.Launch = &executorpb.Event_Launch{Task: &mesospb.TaskInfo{TaskId: &mesospb.TaskID{Value: proto.String("t")}, Command: &mesospb.CommandInfo{}}}
	}))
	if last, ok := effects[len(effects)-1].(exit); !ok || last.code != 1 {
		t.Errorf("effects %v", effects)
	}
}
