package registry

import (
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// What operators decided is there after a restart, and in the document, which shows
// resources in their oldest form.
func TestDecisionsOfOperatorsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	r, write, closeIt := open(t, dir)
	document := func() string {
		t.Helper()
		d, err := r.Document(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(mesosjson.AppendSorted(nil, d, mesosjson.V0))
	}
	if got := document(); got != `{}` {
		t.Errorf("at first: %s", got)
	}
	drained := agent("S0", "a")
	drained.Info.Resources = []*mesospb.Resource{{
		Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(2)},
		Reservations: []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_STATIC.Enum(), Role: proto.String("ads")}},
	}}
	drained.Deactivated = proto.Bool(true)
	drained.DrainInfo = &mesospb.DrainInfo{State: mesospb.DrainState_DRAINED.Enum(), Config: &mesospb.DrainConfig{MarkGone: proto.Bool(false)}}
	id := &mesospb.MachineID{Hostname: proto.String("m")}
	when := &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: proto.Int64(5)}}
	maintained := &internalpb.Registry{
		Machines: &internalpb.Registry_Machines{Machines: []*internalpb.Registry_Machine{
			{Info: &mesospb.MachineInfo{Id: id, Mode: mesospb.MachineInfo_DOWN.Enum(), Unavailability: when}},
		}},
		Schedules: []*maintenancepb.Schedule{{Windows: []*maintenancepb.Window{{MachineIds: []*mesospb.MachineID{id}, Unavailability: when}}}},
	}
	if err := write(core.PutAgent{Agent: drained}, core.PutCapability{Name: "AGENT_DRAINING"}, core.PutMaintenance{Maintenance: maintained}); err != nil {
		t.Fatal(err)
	}
	closeIt()
	r, write, closeIt = open(t, dir)
	defer closeIt()
	got, err := r.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := core.Recovery{Agents: []*internalpb.Registry_Slave{drained}, Maintenance: maintained, Capabilities: []string{"AGENT_DRAINING"}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("registry (-want +got):\n%s", diff)
	}
	text := `{"machines":{"machines":[{"info":{"id":{"hostname":"m"},"mode":"DOWN","unavailability":{"start":{"nanoseconds":5}}}}]},` +
		`"minimum_capabilities":[{"capability":"AGENT_DRAINING"}],` +
		`"schedules":[{"windows":[{"machine_ids":[{"hostname":"m"}],"unavailability":{"start":{"nanoseconds":5}}}]}],` +
		`"slaves":{"slaves":[{"deactivated":true,"drain_info":{"config":{"mark_gone":false},"state":"DRAINED"},"info":{"checkpoint":false,"hostname":"a","id":{"value":"S0"},"port":5051,` +
		`"resources":[{"name":"cpus","role":"ads","scalar":{"value":2.0},"type":"SCALAR"}]}}]}}`
	if diff := cmp.Diff(text, document()); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	// An empty schedule is one, too.
	if err := write(core.DropAgent{ID: "S0"}, core.DropCapability{Name: "AGENT_DRAINING"}, core.PutMaintenance{Maintenance: &internalpb.Registry{
		Machines: &internalpb.Registry_Machines{}, Schedules: []*maintenancepb.Schedule{{}},
	}}); err != nil {
		t.Fatal(err)
	}
	if got := document(); got != `{"machines":{},"schedules":[{}]}` {
		t.Errorf("at last: %s", got)
	}
}
