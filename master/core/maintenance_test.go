package core

import (
	"net/http"
	"testing"
	"time"

	"stoa/internal/mesos/allocatorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

func machineNo(n int) *mesospb.MachineID {
	return &mesospb.MachineID{Hostname: agentInfo(n, small).Hostname, Ip: proto.String(ipOf(n))}
}

func host(hostname string) *mesospb.MachineID { return &mesospb.MachineID{Hostname: &hostname} }

func window(start time.Time, machines ...*mesospb.MachineID) *maintenancepb.Window {
	return &maintenancepb.Window{MachineIds: machines, Unavailability: &mesospb.Unavailability{
		Start: &mesospb.TimeInfo{Nanoseconds: proto.Int64(start.UnixNano())},
	}}
}

func (w *world) schedule(windows ...*maintenancepb.Window) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event {
		return UpdateMaintenance{Request: id, Schedule: &maintenancepb.Schedule{Windows: windows}}
	})
}

func (w *world) down(machines ...*mesospb.MachineID) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event { return StartMaintenance{Request: id, Machines: machines} })
}

func (w *world) up(machines ...*mesospb.MachineID) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event { return StopMaintenance{Request: id, Machines: machines} })
}

func (w *world) takeInverseOffers(s StreamID) []*mesospb.InverseOffer {
	var out []*mesospb.InverseOffer
	for _, e := range w.takeEvents(s) {
		out = append(out, e.GetInverseOffers().GetInverseOffers()...)
	}
	return out
}

func (w *world) answerInverse(framework string, accept bool, refuse float64, ids ...string) {
	w.t.Helper()
	var list []*mesospb.OfferID
	for _, id := range ids {
		list = append(list, &mesospb.OfferID{Value: &id})
	}
	filters := &mesospb.Filters{RefuseSeconds: &refuse}
	call := &schedulerpb.Call{Type: schedulerpb.Call_DECLINE_INVERSE_OFFERS.Enum(), DeclineInverseOffers: &schedulerpb.Call_DeclineInverseOffers{InverseOfferIds: list, Filters: filters}}
	if accept {
		call = &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT_INVERSE_OFFERS.Enum(), AcceptInverseOffers: &schedulerpb.Call_AcceptInverseOffers{InverseOfferIds: list, Filters: filters}}
	}
	if a := w.call(framework, call); a.Status != http.StatusAccepted {
		w.t.Fatalf("answer %v", a)
	}
}

func TestScheduleRefused(t *testing.T) {
	w := newWorld(t)
	with := func(change func(*maintenancepb.Window)) *maintenancepb.Window {
		one := window(w.now, host("m1"))
		change(one)
		return one
	}
	for _, one := range []struct {
		window *maintenancepb.Window
		text   string
	}{
		{with(func(w *maintenancepb.Window) { w.MachineIds = nil }), "List of machines in the maintenance window is empty"},
		{with(func(w *maintenancepb.Window) {
			w.Unavailability.Duration = &mesospb.DurationInfo{Nanoseconds: proto.Int64(-5)}
		}), "Unavailability 'duration' is negative"},
		{window(w.now, &mesospb.MachineID{}), "Both 'hostname' and 'ip' for a machine are empty"},
		{window(w.now, &mesospb.MachineID{Hostname: proto.String("m1"), Ip: proto.String("notip")}), "Failed to parse IPv4: notip"},
		{window(w.now, &mesospb.MachineID{Ip: proto.String("::1")}), "Failed to parse IPv4: ::1"},
		{window(w.now, host("m1"), host("M1")), `Machine '{"hostname":"M1"}' appears more than once in the schedule`},
	} {
		w.mustAnswer(w.schedule(one.window), http.StatusBadRequest, one.text)
	}
	if w.shelf.maintenance != nil {
		t.Error("something was written")
	}
}

func TestMachinesGoDownAndUp(t *testing.T) {
	w := newWorld(t)
	m1 := &mesospb.MachineID{Hostname: proto.String("m1"), Ip: proto.String("10.0.0.1")}
	m1Text := `{"hostname":"m1","ip":"10.0.0.1"}`
	if v := w.c.Snapshot(nil).Maintenance; len(v.Schedule.Windows)+len(v.Status.DrainingMachines) != 0 {
		t.Errorf("from the start: %v", v)
	}
	w.mustAnswer(w.down(m1), http.StatusBadRequest, "Machine '"+m1Text+"' is not part of a maintenance schedule")
	w.mustAnswer(w.schedule(window(w.now, m1, host("m2"))), http.StatusOK, "")
	w.mustAnswer(w.down(), http.StatusBadRequest, "List of machines is empty")
	w.mustAnswer(w.down(host("m1")), http.StatusBadRequest, `Machine '{"hostname":"m1"}' is not part of a maintenance schedule`)
	w.mustAnswer(w.down(host("m2"), host("m2")), http.StatusBadRequest, `Machine '{"hostname":"m2"}' appears more than once in the schedule`)
	w.mustAnswer(w.up(host("m2")), http.StatusBadRequest, `Machine '{"hostname":"m2"}' is not in DOWN mode and cannot be brought up`)
	w.mustAnswer(w.down(m1), http.StatusOK, "")
	w.mustAnswer(w.down(m1), http.StatusBadRequest, "Machine '"+m1Text+"' is not in DRAINING mode and cannot be brought down")
	v := w.c.Snapshot(nil).Maintenance
	if len(v.Status.DownMachines) != 1 || len(v.Status.DrainingMachines) != 1 || v.Status.DrainingMachines[0].GetId().GetHostname() != "m2" || len(v.Schedule.Windows[0].MachineIds) != 2 {
		t.Errorf("%v", v)
	}
	w.mustAnswer(w.schedule(), http.StatusBadRequest, "Machine '"+m1Text+"' is deactivated and cannot be removed from the schedule")
	// A machine that is down stays so in another window.
	w.mustAnswer(w.schedule(window(w.now.Add(time.Hour), m1), window(w.now, host("m3"))), http.StatusOK, "")

	w = w.failover()
	v = w.c.Snapshot(nil).Maintenance
	if len(v.Status.DownMachines) != 1 || len(v.Status.DrainingMachines) != 1 || len(v.Schedule.Windows) != 2 {
		t.Errorf("after a failover: %v", v)
	}
	w.mustAnswer(w.up(m1), http.StatusOK, "")
	w.mustAnswer(w.up(m1), http.StatusBadRequest, "Machine '"+m1Text+"' is not in DOWN mode and cannot be brought up")
	w.mustAnswer(w.up(host("m2")), http.StatusBadRequest, `Machine '{"hostname":"m2"}' is not part of a maintenance schedule`)
	if v = w.c.Snapshot(nil).Maintenance; len(v.Status.DownMachines) != 0 || len(v.Schedule.Windows) != 1 {
		t.Errorf("after it is up: %v", v)
	}
	w.mustAnswer(w.schedule(), http.StatusOK, "")
	if r := w.shelf.maintenance; len(r.GetMachines().GetMachines()) != 0 || r.Machines == nil || len(r.Schedules) != 1 {
		t.Errorf("the registry holds %v", r)
	}
}

func TestAgentOnAMachineThatGoesDown(t *testing.T) {
	w := newWorld(t)
	agent, other := w.addAgent(1, small), w.addAgent(2, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "t", 1)
	w.mustAnswer(w.down(machineNo(1)), http.StatusBadRequest, `Machine '{"hostname":"host1","ip":"10.0.0.1"}' is not in DRAINING mode and cannot be brought down`)
	w.schedule(window(w.now, machineNo(1)))
	w.takeEvents(1)
	w.mustAnswer(w.down(machineNo(1)), http.StatusOK, "")
	if m := first[*internalpb.ShutdownMessage](w, w.take(pidOf(1))); m.GetMessage() != "Operator initiated 'Machine DOWN'" {
		t.Errorf("told %q", m.GetMessage())
	}
	events := w.takeEvents(1)
	if s := events[0].GetUpdate().GetStatus(); s.GetState() != mesospb.TaskState_TASK_LOST || s.GetReason() != mesospb.TaskStatus_REASON_AGENT_REMOVED ||
		s.GetMessage() != "Agent host1 removed: Operator initiated 'Machine DOWN'" {
		t.Errorf("status %v", s)
	}
	if w.c.registered[agent] != nil || w.c.registered[other] == nil || w.shelf.agents[agent] != nil {
		t.Error("not only that agent is removed")
	}
	// Nobody gets in from there, whatever the id.
	refused := func() {
		t.Helper()
		for _, m := range []proto.Message{
			&internalpb.RegisterSlaveMessage{Slave: agentInfo(1, small), Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities},
			reregistration(1, agent, small, nil),
		} {
			w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: m})
			if got := first[*internalpb.ShutdownMessage](w, w.take(pidOf(1))); got.GetMessage() != "Machine is `DOWN`" {
				t.Errorf("told %q", got.GetMessage())
			}
		}
	}
	refused()
	w = w.failover()
	refused()
	w.mustAnswer(w.up(machineNo(1)), http.StatusOK, "")
	w.addAgent(1, small)
}

func TestAgentThatRegistersWhileItsMachineGoesDown(t *testing.T) {
	w := newWorld(t)
	w.schedule(window(w.now, machineNo(1)))
	w.holdWrites = true
	w.down(machineNo(1))
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.RegisterSlaveMessage{
		Slave: agentInfo(1, small), Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities,
	}})
	w.release()
	first[*internalpb.ShutdownMessage](w, w.take(pidOf(1)))
	if len(w.c.registered) != 0 || len(w.shelf.agents) != 0 {
		t.Errorf("%d agents", len(w.c.registered))
	}
}

func TestUnavailabilityAndInverseOffers(t *testing.T) {
	w := newWorld(t)
	agent, free := w.addAgent(1, small), w.addAgent(2, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "t", 1)
	w.advance(time.Second, pidOf(1), pidOf(2))
	w.takeEvents(1)
	offers := len(w.c.registered[agent].Offers)
	other := len(w.c.registered[free].Offers)
	if offers == 0 || other == 0 {
		t.Fatalf("%d and %d offers", offers, other)
	}

	start := w.now.Add(time.Hour)
	w.mustAnswer(w.schedule(window(start, machineNo(1))), http.StatusOK, "")
	var rescinded int
	var inverse []*mesospb.InverseOffer
	var again []*mesospb.Offer
	collect := func() {
		for _, e := range w.takeEvents(1) {
			if e.Rescind != nil {
				rescinded++
			}
			inverse = append(inverse, e.GetInverseOffers().GetInverseOffers()...)
			again = append(again, e.GetOffers().GetOffers()...)
		}
	}
	collect()
	w.advance(time.Second, pidOf(1), pidOf(2))
	collect()
	if rescinded != offers || len(w.c.registered[free].Offers) != other {
		t.Errorf("%d of %d offers rescinded", rescinded, offers)
	}
	if len(again) != 1 || again[0].GetUnavailability().GetStart().GetNanoseconds() != start.UnixNano() {
		t.Errorf("offered again: %v", again)
	}
	if len(inverse) != 1 {
		t.Fatalf("inverse offers: %v", inverse)
	}
	o := inverse[0]
	if o.GetAgentId().GetValue() != agent || o.GetFrameworkId().GetValue() != f || o.GetUnavailability().GetStart().GetNanoseconds() != start.UnixNano() ||
		len(o.Resources) != 0 || o.GetUrl().GetPath() != "/slave(1)" || o.GetUrl().GetAddress().GetIp() != ipOf(1) || o.GetUrl().GetScheme() != "http" {
		t.Errorf("inverse offer: %v", o)
	}
	v := w.c.Snapshot(nil)
	if got := v.Framework(f).InverseOffers; len(got) != 1 || got[0] != o {
		t.Errorf("shown: %v", got)
	}
	if d := v.Maintenance.Status.DrainingMachines; len(d) != 1 || len(d[0].Statuses) != 0 {
		t.Errorf("status: %v", d)
	}

	// It is asked once until it answers, and again some time after it did.
	w.advance(time.Minute, pidOf(1), pidOf(2))
	if got := w.takeInverseOffers(1); len(got) != 0 {
		t.Errorf("asked again: %v", got)
	}
	w.answerInverse(f, true, 30, "no such", o.GetId().GetValue(), o.GetId().GetValue())
	status := func() *allocatorpb.InverseOfferStatus {
		t.Helper()
		d := w.c.Snapshot(nil).Maintenance.Status.DrainingMachines
		if len(d) != 1 || len(d[0].Statuses) != 1 {
			t.Fatalf("status: %v", d)
		}
		return d[0].Statuses[0]
	}
	if s := status(); s.GetStatus() != allocatorpb.InverseOfferStatus_ACCEPT || s.GetFrameworkId().GetValue() != f || s.GetTimestamp().GetNanoseconds() != w.now.UnixNano() {
		t.Errorf("status: %v", s)
	}
	w.advance(25*time.Second, pidOf(1), pidOf(2))
	if got := w.takeInverseOffers(1); len(got) != 0 {
		t.Errorf("asked too early: %v", got)
	}
	w.advance(10*time.Second, pidOf(1), pidOf(2))
	inverse = w.takeInverseOffers(1)
	if len(inverse) != 1 {
		t.Fatalf("asked again: %v", inverse)
	}
	w.answerInverse(f, false, 5, inverse[0].GetId().GetValue())
	if s := status(); s.GetStatus() != allocatorpb.InverseOfferStatus_DECLINE {
		t.Errorf("status: %v", s)
	}
	w.advance(10*time.Second, pidOf(1), pidOf(2))
	inverse = w.takeInverseOffers(1)
	if len(inverse) != 1 {
		t.Fatalf("asked again: %v", inverse)
	}

	// The schedule is dropped: the question is taken back.
	w.mustAnswer(w.schedule(), http.StatusOK, "")
	var gone []string
	for _, e := range w.takeEvents(1) {
		if e.RescindInverseOffer != nil {
			gone = append(gone, e.GetRescindInverseOffer().GetInverseOfferId().GetValue())
		}
	}
	if len(gone) != 1 || gone[0] != inverse[0].GetId().GetValue() {
		t.Errorf("taken back: %v", gone)
	}
	w.advance(time.Minute, pidOf(1), pidOf(2))
	for _, e := range w.takeEvents(1) {
		for _, o := range e.GetOffers().GetOffers() {
			if o.Unavailability != nil {
				t.Errorf("offer with unavailability: %v", o)
			}
		}
		if e.InverseOffers != nil {
			t.Errorf("asked: %v", e)
		}
	}
}

// An inverse offer ends with the agent, the framework's connection or the offer timeout.
func TestInverseOffersAreTakenBack(t *testing.T) {
	for name, end := range map[string]func(w *world, agent, f string){
		"agent disconnects":   func(w *world, agent, f string) { w.step(PeerExited{PID: pidOf(1)}) },
		"agent deactivated":   func(w *world, agent, f string) { w.deactivate(agent) },
		"agent gone":          func(w *world, agent, f string) { w.markGone(agent) },
		"agent unreachable":   func(w *world, agent, f string) { w.advance(2 * time.Minute) },
		"framework away":      func(w *world, agent, f string) { w.step(StreamClosed{Stream: 1}) },
		"framework torn down": func(w *world, agent, f string) { w.step(Teardown{Framework: f}) },
		"machine down":        func(w *world, agent, f string) { w.down(machineNo(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			agent := w.addAgent(1, small)
			f := w.subscribe(1, frameworkInfo())
			w.running(f, agent, "t", 1)
			w.schedule(window(w.now.Add(time.Hour), machineNo(1)))
			w.advance(time.Second, pidOf(1))
			if len(w.c.known[f].InverseOffers) != 1 || len(w.c.registered[agent].InverseOffers) != 1 {
				t.Fatal("no inverse offer")
			}
			old := w.c.known[f]
			end(w, agent, f)
			if len(old.InverseOffers) != 0 {
				t.Error("the framework still has it")
			}
			if a := w.c.registered[agent]; a != nil && len(a.InverseOffers) != 0 {
				t.Error("the agent still has it")
			}
		})
	}
	t.Run("timeout", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.OfferTimeout = 30 * time.Second })
		agent := w.addAgent(1, small)
		f := w.subscribe(1, frameworkInfo())
		w.running(f, agent, "t", 1)
		w.schedule(window(w.now.Add(time.Hour), machineNo(1)))
		w.advance(time.Second, pidOf(1))
		first := w.takeInverseOffers(1)
		w.advance(31*time.Second, pidOf(1))
		var taken string
		for _, e := range w.takeEvents(1) {
			if e.RescindInverseOffer != nil && taken == "" {
				taken = e.GetRescindInverseOffer().GetInverseOfferId().GetValue()
			}
		}
		if len(first) != 1 || taken != first[0].GetId().GetValue() {
			t.Errorf("asked %v, taken back %q", first, taken)
		}
	})
}
