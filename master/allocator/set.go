package allocator

// membership says in which sets an agent is.
type membership int

const (
	inFree membership = iota
	inWithheld
	inLater
	inInverse
	memberships
)

// agents is a set of agents that goes through them in an order that depends on its
// history only, so that a history can be repeated.
type agents struct {
	kind membership
	list []*agent
}

func (s *agents) put(ag *agent) {
	if ag.places[s.kind] == 0 {
		s.list = append(s.list, ag)
		ag.places[s.kind] = len(s.list)
	}
}

func (s *agents) drop(ag *agent) {
	at := ag.places[s.kind]
	if at == 0 {
		return
	}
	last := len(s.list) - 1
	moved := s.list[last]
	s.list[at-1] = moved
	moved.places[s.kind] = at
	s.list[last] = nil
	s.list = s.list[:last]
	ag.places[s.kind] = 0
}

func (s *agents) has(ag *agent) bool { return ag.places[s.kind] != 0 }

// take empties the set and returns what was in it.
func (s *agents) take() []*agent {
	list := s.list
	s.list = nil
	for _, ag := range list {
		ag.places[s.kind] = 0
	}
	return list
}
