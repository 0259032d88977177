package peer

import (
	"encoding/binary"
	"fmt"
	"sort"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/core"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

const fuzzMaster = "master@127.0.0.1:5050"

// registeredCore is a core that is registered and runs a task.
func registeredCore() (*core.Core, time.Time) {
	now := time.Unix(1_700_000_000, 0)
	ids := uint32(0)
	uuid := func() []byte {
		ids++
		b := make([]byte, 16)
		binary.BigEndian.PutUint32(b[12:], ids)
		return b
	}
	path := func(r core.RunID) string { return "/x/" + r.Container }
	c := core.New(core.Options{
		UPID: "slave(1)@127.0.0.1:5051", Endpoint: "127.0.0.1:5051", IP: "127.0.0.1", Sandbox: path, PIDFile: path,
		Executable: func(name string) (string, error) { return "/bin/" + name, nil }, Random: func() float64 { return 0.5 },
		NewUUID: uuid, NewContainerID: func() string { ids++; return fmt.Sprint("c", ids) }, MaxCompletedExecutors: 2,
		ExecutorRegistrationTimeout: time.Minute, ExecutorShutdownGracePeriod: time.Second, RegistrationBackoffFactor: time.Second,
	}, now)
	for _, e := range []core.Event{
		core.Recovered{Info: &mesospb.AgentInfo{Hostname: proto.String("h")}},
		core.ContainersRecovered{},
		core.MasterDetected{UPID: fuzzMaster},
		core.Message{From: fuzzMaster, Body: &internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: proto.String("A")}}},
	} {
		answer(c, now, e, 0)
	}
	return c, now
}

// answer feeds an event and what the edges would say to the effects.
func answer(c *core.Core, now time.Time, e core.Event, depth int) {
	for _, effect := range c.Step(now, e) {
		if depth > 20 {
			return
		}
		switch effect := effect.(type) {
		case core.PrepareSandbox:
			answer(c, now, core.SandboxReady{Run: effect.Run}, depth+1)
		case core.Launch:
			answer(c, now, core.ContainerLaunched{Run: effect.Run}, depth+1)
			answer(c, now, core.ExecutorCall{Call: 1, Body: &executorpb.Call{
				FrameworkId: &mesospb.FrameworkID{Value: &effect.Run.Framework},
				ExecutorId:  &mesospb.ExecutorID{Value: &effect.Run.Executor},
				Type:        executorpb.Call_SUBSCRIBE.Enum(), Subscribe: &executorpb.Call_Subscribe{},
			}}, depth+1)
		case core.UpdateContainer:
			answer(c, now, core.ContainerUpdated{Run: effect.Run, Token: effect.Token}, depth+1)
		case core.QueryStatus:
			answer(c, now, core.ContainerStatus{Run: effect.Run}, depth+1)
		case core.Destroy:
			answer(c, now, core.ContainerTerminated{Run: effect.Run}, depth+1)
		}
	}
}

// FuzzMessages lets a peer send whatever parses. The agent may ignore it, but must go on.
func FuzzMessages(f *testing.F) {
	var names []string
	for name := range messages {
		names = append(names, name)
	}
	sort.Strings(names)
	id := "t"
	run := &internalpb.RunTaskMessage{
		Framework: &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Id: &mesospb.FrameworkID{Value: proto.String("F")}, Roles: []string{"*"}},
		Task: &mesospb.TaskInfo{Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: proto.String("A")},
			Command: &mesospb.CommandInfo{}},
	}
	seed, err := proto.Marshal(run)
	if err != nil {
		f.Fatal(err)
	}
	for i := range names {
		f.Add(uint8(i), seed, uint8(i), []byte{})
		f.Add(uint8(i), []byte{}, uint8(i), []byte{10, 0})
	}
	f.Fuzz(func(t *testing.T, first uint8, one []byte, second uint8, two []byte) {
		c, now := registeredCore()
		answer(c, now, core.Message{From: fuzzMaster, Body: proto.Clone(run)}, 0)
		for _, m := range []struct {
			kind uint8
			body []byte
		}{{first, one}, {second, two}} {
			body, ok, err := Decode(names[int(m.kind)%len(names)], m.body)
			if ok && err == nil {
				answer(c, now, core.Message{From: fuzzMaster, Body: body}, 0)
			}
		}
		for range 5 {
			now = now.Add(20 * time.Second)
			answer(c, now, core.Tick{}, 0)
		}
		c.View()
	})
}
