package core

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// machineKey is what makes a machine: the host name, whatever its case, and the
// address. A field that is left out is not the same as an empty one.
type machineKey struct {
	hostname, ip       string
	hasHostname, hasIP bool
}

func keyOf(id *mesospb.MachineID) machineKey {
	return machineKey{
		hostname: strings.ToLower(id.GetHostname()), hasHostname: id.Hostname != nil,
		ip: id.GetIp(), hasIP: id.Ip != nil,
	}
}

// machineOf is the machine an agent runs on: its host name, and the address from which
// it talks to this master.
func machineOf(a *Agent) machineKey { return machineAt(a.Hostname(), a.IP) }

func machineAt(hostname, ip string) machineKey {
	return machineKey{hostname: strings.ToLower(hostname), hasHostname: true, ip: ip, hasIP: true}
}

// machineJSON is a machine in the texts of maintenance errors.
func machineJSON(id *mesospb.MachineID) string {
	return string(mesosjson.AppendSorted(nil, id, mesosjson.V1))
}

// machineText is a machine in the text of a drain that is refused.
func machineText(id *mesospb.MachineID) string {
	switch {
	case id.Hostname != nil && id.Ip != nil:
		return id.GetHostname() + " (" + id.GetIp() + ")"
	case id.Hostname != nil:
		return id.GetHostname()
	}
	return "(" + id.GetIp() + ")"
}

func validMachine(id *mesospb.MachineID) error {
	if id.GetHostname() == "" && id.GetIp() == "" {
		return errors.New("Both 'hostname' and 'ip' for a machine are empty")
	}
	if ip := id.GetIp(); ip != "" {
		if a, err := netip.ParseAddr(ip); err != nil || !a.Is4() {
			return fmt.Errorf("Failed to parse IPv4: %s", ip)
		}
	}
	return nil
}

// validMachines checks the machines of a START_MAINTENANCE or STOP_MAINTENANCE by
// themselves (src/master/maintenance.cpp).
func validMachines(list []*mesospb.MachineID) error {
	if len(list) == 0 {
		return errors.New("List of machines is empty")
	}
	seen := make(map[machineKey]bool, len(list))
	for _, id := range list {
		if err := validMachine(id); err != nil {
			return err
		}
		if seen[keyOf(id)] {
			return errors.New("Machine '" + machineJSON(id) + "' appears more than once in the schedule")
		}
		seen[keyOf(id)] = true
	}
	return nil
}

// validSchedule checks a schedule that is to replace the one of machines: those that
// are down must stay in it.
func validSchedule(s *maintenancepb.Schedule, record *internalpb.Registry) error {
	scheduled := make(map[machineKey]bool)
	for _, w := range s.GetWindows() {
		if len(w.GetMachineIds()) == 0 {
			return errors.New("List of machines in the maintenance window is empty")
		}
		if w.GetUnavailability().GetDuration().GetNanoseconds() < 0 {
			return errors.New("Unavailability 'duration' is negative")
		}
		for _, id := range w.GetMachineIds() {
			if err := validMachine(id); err != nil {
				return err
			}
			if scheduled[keyOf(id)] {
				return errors.New("Machine '" + machineJSON(id) + "' appears more than once in the schedule")
			}
			scheduled[keyOf(id)] = true
		}
	}
	for _, m := range record.GetMachines().GetMachines() {
		if m.GetInfo().GetMode() == mesospb.MachineInfo_DOWN && !scheduled[keyOf(m.GetInfo().GetId())] {
			return errors.New("Machine '" + machineJSON(m.GetInfo().GetId()) + "' is deactivated and cannot be removed from the schedule")
		}
	}
	return nil
}

// The records below hold the machines and schedules of the registry and nothing else.
// They are never changed, a new one takes the place of the old one.

// withSchedule is a record with another schedule. Machines that are new in it are
// draining; those it leaves out are forgotten.
func withSchedule(old *internalpb.Registry, s *maintenancepb.Schedule) *internalpb.Registry {
	modes := make(map[machineKey]*mesospb.MachineInfo)
	for _, m := range old.GetMachines().GetMachines() {
		modes[keyOf(m.GetInfo().GetId())] = m.GetInfo()
	}
	record := &internalpb.Registry{
		Machines:  &internalpb.Registry_Machines{},
		Schedules: []*maintenancepb.Schedule{s},
	}
	for _, w := range s.GetWindows() {
		for _, id := range w.GetMachineIds() {
			info := &mesospb.MachineInfo{Id: id, Mode: mesospb.MachineInfo_DRAINING.Enum(), Unavailability: w.Unavailability}
			if known := modes[keyOf(id)]; known != nil {
				info.Id, info.Mode = known.Id, known.Mode
			}
			record.Machines.Machines = append(record.Machines.Machines, &internalpb.Registry_Machine{Info: info})
		}
	}
	return record
}

// withDown is a record in which machines are down.
func withDown(old *internalpb.Registry, machines map[machineKey]bool) *internalpb.Registry {
	record := proto.Clone(old).(*internalpb.Registry)
	for _, m := range record.GetMachines().GetMachines() {
		if machines[keyOf(m.GetInfo().GetId())] {
			m.Info.Mode = mesospb.MachineInfo_DOWN.Enum()
		}
	}
	return record
}

// withUp is a record without machines, which are up then. Windows and schedules that
// have nothing left go, too.
func withUp(old *internalpb.Registry, machines map[machineKey]bool) *internalpb.Registry {
	record := &internalpb.Registry{Machines: &internalpb.Registry_Machines{}}
	for _, m := range old.GetMachines().GetMachines() {
		if !machines[keyOf(m.GetInfo().GetId())] {
			record.Machines.Machines = append(record.Machines.Machines, m)
		}
	}
	for _, s := range old.GetSchedules() {
		left := &maintenancepb.Schedule{}
		for _, w := range s.GetWindows() {
			window := &maintenancepb.Window{Unavailability: w.Unavailability}
			for _, id := range w.GetMachineIds() {
				if !machines[keyOf(id)] {
					window.MachineIds = append(window.MachineIds, id)
				}
			}
			if len(window.MachineIds) > 0 {
				left.Windows = append(left.Windows, window)
			}
		}
		if len(left.Windows) > 0 {
			record.Schedules = append(record.Schedules, left)
		}
	}
	return record
}
