package allocator

import (
	"maps"
	"slices"
	"time"

	"stoa/internal/mesos/allocatorpb"
	"stoa/internal/mesos/mesospb"
)

// InverseOffer asks a framework to give back what it holds on an agent that is to go
// down for maintenance.
type InverseOffer struct {
	Framework, Agent string
	Unavailability   *mesospb.Unavailability
}

// maintenance is what is known of an agent that is to go down.
type maintenance struct {
	unavailability *mesospb.Unavailability
	asked          map[string]*question // by framework
}

// question is an inverse offer, or what became of the last one.
type question struct {
	open   bool // not answered yet
	answer *allocatorpb.InverseOfferStatus
	// patience is until when the framework is not to be asked again.
	patience *deadline
}

// SetUnavailability says when an agent is to go down; nil says that it is not. What
// frameworks answered before is forgotten.
func (a *Allocator) SetUnavailability(agent string, u *mesospb.Unavailability) {
	ag := a.agents[agent]
	if ag == nil {
		return
	}
	a.endMaintenance(ag)
	if u != nil {
		ag.maintenance = &maintenance{unavailability: u, asked: make(map[string]*question)}
		a.inverse.put(ag)
	}
	a.mark(ag)
}

func (a *Allocator) endMaintenance(ag *agent) {
	if ag.maintenance == nil {
		return
	}
	for id, q := range ag.maintenance.asked {
		a.deadlines.stop(q.patience)
		if f := a.frameworks[id]; f != nil {
			delete(f.asked, ag)
		}
	}
	ag.maintenance = nil
	a.inverse.drop(ag)
}

// InverseOffers returns the inverse offers that are to be made now: for each framework
// that holds something on an agent with an unavailability and has not been asked yet, or
// answered some time ago. It is to be called after Run.
func (a *Allocator) InverseOffers() []InverseOffer {
	if a.pause.paused() {
		return nil
	}
	var made []InverseOffer
	for _, ag := range a.inverse.take() {
		m := ag.maintenance
		for _, id := range slices.Sorted(maps.Keys(ag.held)) {
			f, q := a.frameworks[id], m.asked[id]
			if f == nil || !f.active || q != nil && (q.open || q.patience != nil) {
				continue
			}
			if q == nil {
				q = &question{}
				m.asked[id] = q
				if f.asked == nil {
					f.asked = make(map[*agent]struct{})
				}
				f.asked[ag] = struct{}{}
			}
			q.open = true
			made = append(made, InverseOffer{Framework: id, Agent: ag.id, Unavailability: m.unavailability})
		}
	}
	return made
}

// AnswerInverseOffer ends an inverse offer. A status is the framework's answer, which
// is remembered; nil says that the inverse offer was taken back. The framework is not
// asked again for wait, at least one allocation interval.
func (a *Allocator) AnswerInverseOffer(now time.Time, framework, agent string, status *allocatorpb.InverseOfferStatus, wait time.Duration) {
	ag := a.agents[agent]
	if ag == nil || ag.maintenance == nil {
		return
	}
	q := ag.maintenance.asked[framework]
	if q == nil {
		return
	}
	if q.open {
		q.open = false
		if status != nil {
			q.answer = status
		}
	}
	until := now.Add(max(wait, a.cfg.Interval))
	if q.patience != nil {
		if !q.patience.at.Before(until) {
			return
		}
		a.deadlines.stop(q.patience)
	}
	q.patience = a.deadlines.set(until, func() {
		q.patience = nil
		a.inverse.put(ag)
	})
}

// InverseOfferAnswers returns, for an agent with an unavailability, the frameworks'
// last answers in the order of their ids.
func (a *Allocator) InverseOfferAnswers(agent string) []*allocatorpb.InverseOfferStatus {
	ag := a.agents[agent]
	if ag == nil || ag.maintenance == nil {
		return nil
	}
	var answers []*allocatorpb.InverseOfferStatus
	for _, id := range slices.Sorted(maps.Keys(ag.maintenance.asked)) {
		if answer := ag.maintenance.asked[id].answer; answer != nil {
			answers = append(answers, answer)
		}
	}
	return answers
}

// askAgain ends the patience with the frameworks of an agent.
func (a *Allocator) askAgain(ag *agent) {
	if ag.maintenance == nil {
		return
	}
	for _, q := range ag.maintenance.asked {
		a.deadlines.stop(q.patience)
		q.patience = nil
	}
	a.inverse.put(ag)
}

// askFrameworkAgain ends the patience with a framework.
func (a *Allocator) askFrameworkAgain(f *framework) {
	for ag := range f.asked {
		q := ag.maintenance.asked[f.id]
		a.deadlines.stop(q.patience)
		q.patience = nil
		a.inverse.put(ag)
	}
	for _, m := range f.members {
		for id := range m.held {
			if ag := a.agents[id]; ag.maintenance != nil {
				a.inverse.put(ag)
			}
		}
	}
}

// forgetAsked forgets a framework in the maintenance of all agents.
func (a *Allocator) forgetAsked(f *framework) {
	for ag := range f.asked {
		a.deadlines.stop(ag.maintenance.asked[f.id].patience)
		delete(ag.maintenance.asked, f.id)
	}
	f.asked = nil
}
