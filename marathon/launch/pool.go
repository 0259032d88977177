package launch

import (
	"math"
	"slices"

	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// Pool is what is left of an offer while instances take their parts.
type Pool struct {
	Offer *mesospb.Offer
	// Role is the role that the offer was made to.
	Role    string
	scalars []scalar
	ports   []portRange
	gpus    int64
}

// scalar is one scalar resource of the offer; left is in thousandths, the precision
// that Mesos calculates with.
type scalar struct {
	resource *mesospb.Resource
	role     string
	left     int64
}

type portRange struct {
	resource   *mesospb.Resource
	role       string
	begin, end uint64
}

// NewPool makes a whole offer available. Resources that no app may take by chance are
// left out: volumes, disks other than the agent's root, revocable and shared ones, and
// those that were reserved for an instance.
func NewPool(offer *mesospb.Offer) *Pool {
	p := &Pool{Offer: offer, Role: offerRole(offer)}
	for _, r := range offer.GetResources() {
		if r.GetName() == "gpus" {
			p.gpus += millis(r.GetScalar().GetValue())
		}
		if !takeable(r) {
			continue
		}
		role := roleOf(r)
		switch r.GetType() {
		case mesospb.Value_SCALAR:
			p.scalars = append(p.scalars, scalar{r, role, millis(r.GetScalar().GetValue())})
		case mesospb.Value_RANGES:
			if r.GetName() != "ports" {
				continue
			}
			for _, rg := range r.GetRanges().GetRange() {
				if rg.GetBegin() <= rg.GetEnd() && rg.GetEnd() <= math.MaxUint16 {
					p.ports = append(p.ports, portRange{r, role, rg.GetBegin(), rg.GetEnd()})
				}
			}
		}
	}
	return p
}

func offerRole(offer *mesospb.Offer) string {
	if role := offer.GetAllocationInfo().GetRole(); role != "" {
		return role
	}
	for _, r := range offer.GetResources() {
		if role := r.GetAllocationInfo().GetRole(); role != "" {
			return role
		}
	}
	return "*"
}

func takeable(r *mesospb.Resource) bool {
	if r.GetDisk().GetVolume() != nil || r.GetDisk().GetPersistence() != nil || r.GetDisk().GetSource() != nil {
		return false
	}
	if r.Revocable != nil || r.Shared != nil || r.ProviderId != nil {
		return false
	}
	for _, label := range reservationLabels(r) {
		// Reservations that Marathon made for one instance carry these.
		if k := label.GetKey(); k == "marathon_task_id" || k == "marathon_framework_id" {
			return false
		}
	}
	return true
}

// roleOf is the role a resource is reserved for, * when it is for anyone. Agents and
// masters write it in two ways, before and after reservation refinement.
func roleOf(r *mesospb.Resource) string {
	if n := len(r.GetReservations()); n > 0 {
		return r.GetReservations()[n-1].GetRole()
	}
	if role := r.GetRole(); role != "" {
		return role
	}
	return "*"
}

func reservationLabels(r *mesospb.Resource) []*mesospb.Label {
	labels := r.GetReservation().GetLabels().GetLabels()
	for _, reservation := range r.GetReservations() {
		labels = append(slices.Clip(labels), reservation.GetLabels().GetLabels()...)
	}
	return labels
}

func millis(v float64) int64 { return int64(math.Round(v * 1000)) }

// offers says that any resource of the accepted roles is in the offer at all.
func (p *Pool) offers(accepted []string) bool {
	for _, r := range p.Offer.GetResources() {
		if takeable(r) && slices.Contains(accepted, roleOf(r)) {
			return true
		}
	}
	return false
}

// available sums up what is left of a scalar.
func (p *Pool) available(name string, accepted []string) int64 {
	var sum int64
	for i := range p.scalars {
		if p.scalars[i].resource.GetName() == name && slices.Contains(accepted, p.scalars[i].role) {
			sum += p.scalars[i].left
		}
	}
	return sum
}

// take removes an amount, over several entries if need be, and gives what was taken in
// the words of the offer. Call it only when available covers the amount.
func (p *Pool) take(name string, amount int64, accepted []string) []*mesospb.Resource {
	var taken []*mesospb.Resource
	for i := range p.scalars {
		s := &p.scalars[i]
		if amount <= 0 {
			break
		}
		if s.left <= 0 || s.resource.GetName() != name || !slices.Contains(accepted, s.role) {
			continue
		}
		part := min(amount, s.left)
		s.left -= part
		amount -= part
		r := proto.Clone(s.resource).(*mesospb.Resource)
		r.Scalar = &mesospb.Value_Scalar{Value: proto.Float64(float64(part) / 1000)}
		taken = append(taken, r)
	}
	return taken
}

// takePorts removes the ports and describes them, in their order, as few resources as
// that allows: entries of the offer are not mixed.
func (p *Pool) takePorts(ports []foundPort) []*mesospb.Resource {
	var taken []*mesospb.Resource
	for i := 0; i < len(ports); {
		entry := ports[i].from
		r := proto.Clone(entry).(*mesospb.Resource)
		r.Ranges = &mesospb.Value_Ranges{}
		for ; i < len(ports) && ports[i].from == entry; i++ {
			n := uint64(ports[i].port)
			ranges := r.Ranges.Range
			if last := len(ranges) - 1; last >= 0 && ranges[last].GetEnd()+1 == n {
				ranges[last].End = proto.Uint64(n)
			} else {
				r.Ranges.Range = append(ranges, &mesospb.Value_Range{Begin: proto.Uint64(n), End: proto.Uint64(n)})
			}
			p.removePort(n)
		}
		taken = append(taken, r)
	}
	return taken
}

func (p *Pool) removePort(n uint64) {
	for i := range p.ports {
		r := p.ports[i]
		if n < r.begin || n > r.end {
			continue
		}
		var rest []portRange
		if r.begin < n {
			rest = append(rest, portRange{r.resource, r.role, r.begin, n - 1})
		}
		if n < r.end {
			rest = append(rest, portRange{r.resource, r.role, n + 1, r.end})
		}
		p.ports = slices.Replace(p.ports, i, i+1, rest...)
		return
	}
}
