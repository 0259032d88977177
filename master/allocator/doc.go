// Package allocator decides which framework is offered which resources: the
// original's hierarchical allocator (dominant resource fairness, or lots, over a tree
// of roles with weights, then over the frameworks of a role; quotas; maintenance).
//
// Comes in: frameworks and agents as they come, change and go, what they use,
// what they decline, quotas, weights, and the time. Goes out, from [Allocator.Run], the
// new allocations, and from [Allocator.InverseOffers] what frameworks are asked to give
// back. It does no I/O, knows no clock and starts nothing.
//
// It works by what changed: an event marks the agents whose free resources could
// now meet a framework's demand, and Run looks at those only. So resources are
// offered as soon as they and a demand meet, an idle cluster costs nothing, and
// one event among many agents costs what one agent costs. An agent that changed is
// marked for everybody; all free agents are marked for one framework whose demand is
// new, and for nobody else: the others have had what they may have.
//
// Two things leave agents behind that no event of their own marks again. A quota may
// keep something of an agent from a role; such agents are withheld, with a note of how
// much room there was, and marked again, once in an allocation interval at most, when
// there is more. And a shared resource goes to one framework with each run: the agent is
// marked again an interval later.
//
// Where the original lets things wait for its next periodic run, here they come at once:
// recovered resources, filters that end, agents that are activated, quotas that change.
package allocator
