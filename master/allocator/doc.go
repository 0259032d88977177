// Package allocator decides which framework is offered which resources: the
// original's hierarchical allocator (dominant resource fairness over a tree of
// roles with weights, then over the frameworks of a role).
//
// Comes in: frameworks and agents as they come, change and go, what they use,
// what they decline, and the time. Goes out, from [Allocator.Run], the new
// allocations. It does no I/O, knows no clock and starts nothing.
//
// It works by what changed: an event marks the agents whose free resources could
// now meet a framework's demand, and Run looks at those only. So resources are
// offered as soon as they and a demand meet, an idle cluster costs nothing, and
// one event among many agents costs what one agent costs.
package allocator
