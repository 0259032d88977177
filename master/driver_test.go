package master

import (
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

func TestReplayTestFramework(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a, d := startAgent(t, m), startDriver(t, m, "")
	c := readConversation(t, "driver-test-framework.json")
	// The agent of the recording had registered before, and another framework had an
	// executor there.
	run := message(t, "mesos.internal.RunTaskMessage", firstTo(c, "mesos.internal.RunTaskMessage")).(*internalpb.RunTaskMessage)
	a.send(&internalpb.RegisterSlaveMessage{
		Slave: &mesospb.AgentInfo{
			Hostname: proto.String("agent1.rec"), Port: proto.Int32(int32(a.address().Port())),
			Resources: parse(t, "cpus:3.9;mem:4064;disk:8192;ports:[31000-31999]"), Checkpoint: proto.Bool(true),
			Attributes: []*mesospb.Attribute{{Name: proto.String("rack"), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String("r1")}}},
		},
		Version: proto.String("1.12.0"), AgentCapabilities: agentCapabilities, ResourceVersionUuid: run.ResourceVersionUuids[0].Uuid,
	})
	a.expect(&internalpb.SlaveRegisteredMessage{})

	d.id = &mesospb.FrameworkID{Value: proto.String(m.Info().GetId() + "-0000")}

	c.replay(t, m, a, d)
}

func TestReplayMasterFailoverOfDriver(t *testing.T) {
	m := startMaster(t, t.TempDir(), func(c *Config) {
		c.Core.AgentPingTimeout = 2 * time.Second
		c.Core.MaxAgentPingTimeouts = 2
	})
	readConversation(t, "driver-master-failover.json").replay(t, m, startAgent(t, m), startDriver(t, m, "scheduler-a424eb7d-90a2-43af-b14d-357ff2328e89"))
}

func firstTo(c *conversation, name string) string {
	for _, step := range c.Steps {
		if step.To != "" && step.Name == name {
			return step.BodyHex
		}
	}
	return ""
}
