package group

import (
	"fmt"
	"slices"

	"stoa/marathon/app"
	"stoa/marathon/id"
)

// PortRange is the range of service ports to choose from, both ends included
// (--local_port_min, --local_port_max).
type PortRange struct{ Min, Max int }

// PortsExhaustedError says that no service port is left (500). Its text excludes the upper
// end although the range includes it; that is the original's.
type PortsExhaustedError struct{ Range PortRange }

func (e *PortsExhaustedError) Error() string {
	return fmt.Sprintf("All ports in the range [%d-%d) are already in use", e.Range.Min, e.Range.Max)
}

// AssignServicePorts fills every service port 0 of apps that are new or changed
// (src/main/scala/mesosphere/marathon/core/group/impl/AssignDynamicServiceLogic.scala):
// first with the ports the app had before, then with the lowest that no app uses.
func AssignServicePorts(from, to *Root, ports PortRange) (*Root, error) {
	var changed []*app.App
	for a := range to.AllApps() {
		if from.App(a.ID) != a && slices.Contains(a.ServicePorts(), 0) {
			changed = append(changed, a)
		}
	}
	if len(changed) == 0 {
		return to, nil
	}
	used := map[int]bool{}
	for _, root := range [...]*Root{from, to} {
		for a := range root.AllApps() {
			for _, port := range a.ServicePorts() {
				used[port] = true
			}
		}
	}
	next := ports.Min
	assigned := map[id.Path]*app.App{}
	for _, a := range changed {
		own := reusable(from.App(a.ID), a, ports)
		take := func() (int, error) {
			if len(own) > 0 {
				port := own[0]
				own = own[1:]
				return port, nil
			}
			for next <= ports.Max && used[next] {
				next++
			}
			if next > ports.Max {
				return 0, &PortsExhaustedError{ports}
			}
			used[next] = true
			return next, nil
		}
		fresh, err := withServicePorts(a, take)
		if err != nil {
			return nil, err
		}
		assigned[a.ID] = fresh
	}
	return to.MapApps(id.Root, func(a *app.App) *app.App {
		if fresh, ok := assigned[a.ID]; ok {
			return fresh
		}
		return a
	}), nil
}

// reusable gives the ports of the old definition that lie in the range and that the new
// one does not name itself.
func reusable(old, now *app.App, ports PortRange) []int {
	if old == nil {
		return nil
	}
	named := now.ServicePorts()
	var own []int
	for _, port := range old.ServicePorts() {
		if port >= ports.Min && port <= ports.Max && port != 0 && !slices.Contains(named, port) && !slices.Contains(own, port) {
			own = append(own, port)
		}
	}
	return own
}

func withServicePorts(a *app.App, take func() (int, error)) (*app.App, error) {
	fresh := *a
	if len(a.PortMappings()) > 0 {
		container := *a.Container
		container.PortMappings = slices.Clone(container.PortMappings)
		for i := range container.PortMappings {
			if err := fill(&container.PortMappings[i].ServicePort, take); err != nil {
				return nil, err
			}
		}
		fresh.Container = &container
		return &fresh, nil
	}
	fresh.PortDefinitions = slices.Clone(a.PortDefinitions)
	for i := range fresh.PortDefinitions {
		if err := fill(&fresh.PortDefinitions[i].Port, take); err != nil {
			return nil, err
		}
	}
	return &fresh, nil
}

func fill(port *int, take func() (int, error)) error {
	if *port != 0 {
		return nil
	}
	chosen, err := take()
	*port = chosen
	return err
}
