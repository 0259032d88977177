package peer

import (
	"reflect"
	"testing"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/driverpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/core"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

func driverEventOf(t *testing.T, m proto.Message) core.Event {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	from, err := libprocess.Parse("scheduler(1)@127.0.0.1:4000")
	if err != nil {
		t.Fatal(err)
	}
	event, err := decode(libprocess.Message{From: from, Name: string(m.ProtoReflect().Descriptor().FullName()), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// Each message from before there were calls is the call that replaced it.
func TestOldMessagesAreCalls(t *testing.T) {
	framework, agent := &mesospb.FrameworkID{Value: proto.String("f")}, &mesospb.AgentID{Value: proto.String("s")}
	task, executor, offer := &mesospb.TaskID{Value: proto.String("t")}, &mesospb.ExecutorID{Value: proto.String("e")}, &mesospb.OfferID{Value: proto.String("o")}
	info := &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n")}
	known := &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Id: framework}
	launch := &mesospb.TaskInfo{Name: proto.String("t"), TaskId: task, AgentId: agent}
	for _, c := range []struct {
		message proto.Message
		want    string
		force   bool
		refusal string
	}{
		{&internalpb.RegisterFrameworkMessage{Framework: info}, `type:SUBSCRIBE subscribe:{framework_info:{user:"u" name:"n"}}`, false, ""},
		{&internalpb.RegisterFrameworkMessage{Framework: known}, `framework_id:{value:"f"} type:SUBSCRIBE subscribe:{framework_info:{user:"u" name:"n" id:{value:"f"}}}`, false, "Registering with 'id' already set"},
		{&internalpb.ReregisterFrameworkMessage{Framework: known, Failover: proto.Bool(true)}, `framework_id:{value:"f"} type:SUBSCRIBE subscribe:{framework_info:{user:"u" name:"n" id:{value:"f"}}}`, true, ""},
		{&internalpb.ReregisterFrameworkMessage{Framework: info, Failover: proto.Bool(false)}, `type:SUBSCRIBE subscribe:{framework_info:{user:"u" name:"n"}}`, false, "Re-registering without an 'id'"},
		{&internalpb.UnregisterFrameworkMessage{FrameworkId: framework}, `framework_id:{value:"f"} type:TEARDOWN`, false, ""},
		{&internalpb.ResourceRequestMessage{FrameworkId: framework, Requests: []*mesospb.Request{{AgentId: agent}}}, `framework_id:{value:"f"} type:REQUEST request:{requests:{agent_id:{value:"s"}}}`, false, ""},
		{&internalpb.LaunchTasksMessage{FrameworkId: framework, OfferIds: []*mesospb.OfferID{offer}, Filters: &mesospb.Filters{}, Tasks: []*mesospb.TaskInfo{launch}},
			`framework_id:{value:"f"} type:ACCEPT accept:{offer_ids:{value:"o"} operations:{type:LAUNCH launch:{task_infos:{name:"t" task_id:{value:"t"} agent_id:{value:"s"}}}} filters:{}}`, false, ""},
		{&internalpb.LaunchTasksMessage{FrameworkId: framework, OfferIds: []*mesospb.OfferID{offer}, Filters: &mesospb.Filters{RefuseSeconds: proto.Float64(1)}},
			`framework_id:{value:"f"} type:DECLINE decline:{offer_ids:{value:"o"} filters:{refuse_seconds:1}}`, false, ""},
		{&internalpb.ReviveOffersMessage{FrameworkId: framework, Roles: []string{"a"}}, `framework_id:{value:"f"} type:REVIVE revive:{roles:"a"}`, false, ""},
		{&internalpb.KillTaskMessage{FrameworkId: framework, TaskId: task, KillPolicy: &mesospb.KillPolicy{}}, `framework_id:{value:"f"} type:KILL kill:{task_id:{value:"t"}}`, false, ""},
		{&internalpb.StatusUpdateAcknowledgementMessage{FrameworkId: framework, SlaveId: agent, TaskId: task, Uuid: []byte("u")},
			`framework_id:{value:"f"} type:ACKNOWLEDGE acknowledge:{agent_id:{value:"s"} task_id:{value:"t"} uuid:"u"}`, false, ""},
		{&internalpb.FrameworkToExecutorMessage{FrameworkId: framework, SlaveId: agent, ExecutorId: executor, Data: []byte("d")},
			`framework_id:{value:"f"} type:MESSAGE message:{agent_id:{value:"s"} executor_id:{value:"e"} data:"d"}`, false, ""},
		{&internalpb.ReconcileTasksMessage{FrameworkId: framework, Statuses: []*mesospb.TaskStatus{{TaskId: task, AgentId: agent, State: mesospb.TaskState_TASK_LOST.Enum()}}},
			`framework_id:{value:"f"} type:RECONCILE reconcile:{tasks:{task_id:{value:"t"} agent_id:{value:"s"}}}`, false, ""},
		{&internalpb.ReconcileTasksMessage{FrameworkId: framework}, `framework_id:{value:"f"} type:RECONCILE reconcile:{}`, false, ""},
	} {
		want := new(schedulerpb.Call)
		if err := prototext.Unmarshal([]byte(c.want), want); err != nil {
			t.Fatal(err)
		}
		e := driverEventOf(t, c.message).(core.DriverCall)
		if !proto.Equal(e.Call, want) || !e.Old || e.Force != c.force || e.Refusal != c.refusal || e.PID != "scheduler(1)@127.0.0.1:4000" {
			t.Errorf("%T: %+v, want %s", c.message, e, c.want)
		}
	}
	if e := driverEventOf(t, &internalpb.DeactivateFrameworkMessage{FrameworkId: framework}); e != (core.DriverDeactivate{PID: "scheduler(1)@127.0.0.1:4000", Framework: "f"}) {
		t.Errorf("deactivation: %+v", e)
	}
}

// Drivers number the fields of a subscription in another way; everything else of a call
// keeps its bytes.
func TestCallsOfDrivers(t *testing.T) {
	call := new(driverpb.Call)
	fields := call.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if fields.Get(i).Message() != nil {
			call.ProtoReflect().Mutable(fields.Get(i))
		}
	}
	call.Type = schedulerpb.Call_SUBSCRIBE.Enum()
	call.FrameworkId = &mesospb.FrameworkID{Value: proto.String("f")}
	call.Subscribe = &driverpb.Call_Subscribe{
		FrameworkInfo: &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n")}, Force: proto.Bool(true),
		SuppressedRoles: []string{"a"}, OfferConstraints: &schedulerpb.OfferConstraints{},
	}
	e := callOf("x", call)
	if !e.Force || e.Old || e.Call.Subscribe.SuppressedRoles[0] != "a" || e.Call.Subscribe.OfferConstraints == nil || e.Call.Subscribe.FrameworkInfo.GetName() != "n" {
		t.Errorf("subscription: %+v", e)
	}
	from, to := call.ProtoReflect(), e.Call.ProtoReflect()
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.Name() == "subscribe" {
			continue
		}
		same := to.Descriptor().Fields().ByNumber(field.Number())
		if same == nil || same.Name() != field.Name() || !to.Has(same) || !reflect.DeepEqual(from.Get(field).Interface(), to.Get(same).Interface()) {
			t.Errorf("%s is lost", field.Name())
		}
	}
	if n := to.Descriptor().Fields().Len(); n != fields.Len() {
		t.Errorf("a call of drivers has %d fields, one of the scheduler API %d", fields.Len(), n)
	}
}
