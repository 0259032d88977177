package core

import (
	"net/http"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/mesospb"
)

// maintenance is the schedule and the machines in it, as far as they are durable.
type maintenance struct {
	record *internalpb.Registry
	// machines are those of the record.
	machines map[machineKey]*mesospb.MachineInfo
	// seen are machines that had an agent or were scheduled since this master started:
	// they are answered differently from those nobody has heard of.
	seen *recent[machineKey]
	view *MaintenanceView // nil when it must be made again
}

// machineDown is what agents are told that register from a machine that is down.
const machineDown = "Machine is `DOWN`"

// MaintenanceView is what readers see of maintenance. It never changes.
type MaintenanceView struct {
	// Schedule is never nil, but may be empty.
	Schedule *maintenancepb.Schedule
	// Status has the machines that are down, and those that are to go down with the
	// answers of frameworks to inverse offers.
	Status *maintenancepb.ClusterStatus
}

func newMaintenance() maintenance {
	return maintenance{seen: newRecent[machineKey](DefaultMaxRemovedAgents)}
}

// set takes over a record that is durable.
func (m *maintenance) set(record *internalpb.Registry) {
	m.record = record
	m.machines = make(map[machineKey]*mesospb.MachineInfo, len(record.GetMachines().GetMachines()))
	for _, one := range record.GetMachines().GetMachines() {
		key := keyOf(one.GetInfo().GetId())
		m.machines[key] = one.GetInfo()
		m.seen.add(key)
	}
	m.view = nil
}

// scheduled returns the name under which a machine is in the schedule, or nil.
func (m *maintenance) scheduled(key machineKey) *mesospb.MachineID {
	if m.machines[key] == nil {
		return nil
	}
	for _, s := range m.record.GetSchedules() {
		for _, w := range s.GetWindows() {
			for _, id := range w.GetMachineIds() {
				if keyOf(id) == key {
					return id
				}
			}
		}
	}
	return nil
}

// down says whether a machine is down, so that no agent may register from there.
func (m *maintenance) down(key machineKey) bool {
	return m.machines[key].GetMode() == mesospb.MachineInfo_DOWN
}

// unavailability is when a machine is to go down, nil for never.
func (m *maintenance) unavailability(key machineKey) *mesospb.Unavailability {
	return m.machines[key].GetUnavailability()
}

// recoverMaintenance takes over what the registry held.
func (c *Core) recoverMaintenance(record *internalpb.Registry) {
	if record != nil {
		c.ledger.follow([]Change{PutMaintenance{record}})
	}
	c.maintenance.set(record)
}

// updateMaintenance replaces the schedule.
func (c *Core) updateMaintenance(e UpdateMaintenance) {
	if err := validSchedule(e.Schedule, c.maintenance.record); err != nil {
		c.answer(e.Request, http.StatusBadRequest, err.Error())
		return
	}
	record := withSchedule(c.ledger.maintenance, e.Schedule)
	c.store(func() {
		c.log.Info("maintenance schedule replaced", "windows", len(e.Schedule.GetWindows()))
		before := c.maintenance.machines
		c.maintenance.set(record)
		c.rev++
		for _, a := range c.agentsOn(before, c.maintenance.machines) {
			c.updateUnavailability(a)
		}
		c.answer(e.Request, http.StatusOK, "")
	}, PutMaintenance{record})
}

// agentsOn are the registered agents on machines of any of the sets, by their ids.
func (c *Core) agentsOn(sets ...map[machineKey]*mesospb.MachineInfo) []*Agent {
	on := make(map[string]*Agent)
	for id, a := range c.registered {
		for _, machines := range sets {
			if machines[machineOf(a)] != nil {
				on[id] = a
			}
		}
	}
	list := make([]*Agent, 0, len(on))
	for _, id := range sortedKeys(on) {
		list = append(list, on[id])
	}
	return list
}

// updateUnavailability tells the allocator when an agent is to go down. Offers are
// taken back first, so that frameworks hear of it with the next ones.
func (c *Core) updateUnavailability(a *Agent) {
	for _, id := range sortedKeys(a.Offers) {
		c.rescind(a.Offers[id])
	}
	c.rescindInverseOffers(a)
	c.alloc.SetUnavailability(a.ID, c.maintenance.unavailability(machineOf(a)))
	c.touch(nil, a)
}

// machinesIn checks that machines are in a mode; what is what the caller wants of them.
func (c *Core) machinesIn(mode mesospb.MachineInfo_Mode, list []*mesospb.MachineID, what string) (map[machineKey]bool, string) {
	if err := validMachines(list); err != nil {
		return nil, err.Error()
	}
	keys := make(map[machineKey]bool, len(list))
	for _, id := range list {
		key := keyOf(id)
		if c.maintenance.machines[key] == nil && !c.maintenance.seen.has(key) {
			return nil, "Machine '" + machineJSON(id) + "' is not part of a maintenance schedule"
		}
		if m := c.maintenance.machines[key]; m == nil || m.GetMode() != mode {
			return nil, "Machine '" + machineJSON(id) + "' is not in " + mode.String() + " mode and cannot be brought " + what
		}
		keys[key] = true
	}
	return keys, ""
}

// startMaintenance brings machines down.
func (c *Core) startMaintenance(e StartMaintenance) {
	machines, wrong := c.machinesIn(mesospb.MachineInfo_DRAINING, e.Machines, "down")
	if wrong != "" {
		c.answer(e.Request, http.StatusBadRequest, wrong)
		return
	}
	record := withDown(c.ledger.maintenance, machines)
	c.store(func() {
		c.maintenance.set(record)
		c.rev++
		for _, id := range sortedKeys(c.registered) {
			if a := c.registered[id]; machines[machineOf(a)] {
				c.evict(a)
			}
		}
		c.answer(e.Request, http.StatusOK, "")
	}, PutMaintenance{record})
}

// evict ends an agent whose machine is down. It is told so, and removed whatever it
// makes of that: frameworks must not wait for its tasks.
func (c *Core) evict(a *Agent) {
	c.shutdownAgent(a.PID, broughtDown)
	c.removeAgent(a, broughtDown)
}

// stopMaintenance brings machines up.
func (c *Core) stopMaintenance(e StopMaintenance) {
	machines, wrong := c.machinesIn(mesospb.MachineInfo_DOWN, e.Machines, "up")
	if wrong != "" {
		c.answer(e.Request, http.StatusBadRequest, wrong)
		return
	}
	record := withUp(c.ledger.maintenance, machines)
	c.store(func() {
		c.maintenance.set(record)
		c.rev++
		c.answer(e.Request, http.StatusOK, "")
	}, PutMaintenance{record})
}

// arrive notes the machine of an agent that is registered now, and when it is to go
// down.
func (c *Core) arrive(a *Agent) {
	key := machineOf(a)
	c.maintenance.seen.add(key)
	c.maintenance.view = nil
	if u := c.maintenance.unavailability(key); u != nil {
		c.alloc.SetUnavailability(a.ID, u)
	}
	if c.maintenance.down(key) {
		c.evict(a) // it went down while the agent's registration was written
	}
}

// maintenanceView is what readers see now.
func (c *Core) maintenanceView() *MaintenanceView {
	m := &c.maintenance
	if m.view != nil {
		return m.view
	}
	v := &MaintenanceView{Schedule: &maintenancepb.Schedule{}, Status: &maintenancepb.ClusterStatus{}}
	if list := m.record.GetSchedules(); len(list) > 0 {
		v.Schedule = list[0]
	}
	on := make(map[machineKey][]*Agent)
	for _, a := range c.agentsOn(m.machines) {
		on[machineOf(a)] = append(on[machineOf(a)], a)
	}
	for _, one := range m.record.GetMachines().GetMachines() {
		switch info := one.GetInfo(); info.GetMode() {
		case mesospb.MachineInfo_DRAINING:
			draining := &maintenancepb.ClusterStatus_DrainingMachine{Id: info.Id}
			for _, a := range on[keyOf(info.Id)] {
				draining.Statuses = append(draining.Statuses, c.alloc.InverseOfferAnswers(a.ID)...)
			}
			v.Status.DrainingMachines = append(v.Status.DrainingMachines, draining)
		case mesospb.MachineInfo_DOWN:
			v.Status.DownMachines = append(v.Status.DownMachines, info.Id)
		}
	}
	m.view = v
	return v
}
