package launch

import (
	"math/rand/v2"
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
)

// foundPort is a host port with the resource of the offer that holds it.
type foundPort struct {
	port int
	from *mesospb.Resource
}

// findPorts chooses the host ports of an instance. hostPorts has an entry for every
// port of the app, nil where it takes none; ok is false when the offer lacks one.
// Original: tasks/PortsMatcher.scala.
func (p *Pool) findPorts(a *app.App, accepted []string, random *rand.Rand) (hostPorts []*int, taken []foundPort, ok bool) {
	var wanted []*int
	switch {
	case len(a.PortMappings()) > 0:
		wanted = a.HostPorts()
	case len(a.PortDefinitions) == 0:
		return nil, nil, true
	default:
		wanted = make([]*int, len(a.PortDefinitions))
		for i := range a.PortDefinitions {
			// Without requirePorts the numbers are service ports only.
			number := 0
			if a.RequirePorts {
				number = a.PortDefinitions[i].Port
			}
			wanted[i] = &number
		}
	}
	var fixed []int
	dynamic := 0
	for _, w := range wanted {
		switch {
		case w == nil:
		case *w == 0:
			dynamic++
		default:
			fixed = append(fixed, *w)
		}
	}
	next := p.randomPorts(dynamic, fixed, accepted, random)
	seen := map[int]bool{}
	for _, w := range wanted {
		if w == nil {
			hostPorts = append(hostPorts, nil)
			continue
		}
		var port foundPort
		if *w == 0 {
			if len(next) == 0 {
				return nil, nil, false
			}
			port, next = next[0], next[1:]
		} else {
			from := p.holder(uint64(*w), accepted)
			if from == nil {
				return nil, nil, false
			}
			port = foundPort{*w, from}
		}
		number := port.port
		hostPorts = append(hostPorts, &number)
		if !seen[number] {
			// One port may be asked for twice, for two protocols.
			taken = append(taken, port)
		}
		seen[number] = true
	}
	return hostPorts, taken, true
}

func (p *Pool) holder(port uint64, accepted []string) *mesospb.Resource {
	for _, r := range p.ports {
		if port >= r.begin && port <= r.end && slices.Contains(accepted, r.role) {
			return r.resource
		}
	}
	return nil
}

// randomPorts gives up to n consecutive ports from a random place: the ranges are
// strung together, and the end continues at the beginning. Tasks of different apps thus
// seldom get the same port one after the other, so that load balancers can keep up.
func (p *Pool) randomPorts(n int, without []int, accepted []string, random *rand.Rand) []foundPort {
	if n == 0 {
		return nil
	}
	total := uint64(0)
	for i := range p.ports {
		if slices.Contains(accepted, p.ports[i].role) {
			total += p.ports[i].end - p.ports[i].begin + 1
		}
	}
	if total == 0 {
		return nil
	}
	skip := random.Uint64N(total)
	var out []foundPort
	// Two rounds: from the place on, and from the beginning up to it.
	for left := total; left > 0; {
		for i := range p.ports {
			r := &p.ports[i]
			if !slices.Contains(accepted, r.role) {
				continue
			}
			size := r.end - r.begin + 1
			if skip >= size {
				skip -= size
				continue
			}
			for port := r.begin + skip; port <= r.end && left > 0; port++ {
				left--
				if slices.Contains(without, int(port)) {
					continue
				}
				if out = append(out, foundPort{int(port), r.resource}); len(out) == n {
					return out
				}
			}
			skip = 0
			if left == 0 {
				return out
			}
		}
	}
	return out
}
