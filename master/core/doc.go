// Package core is the master's state and its decisions: agents, frameworks,
// offers, tasks, executors, operations and roles as plain data.
//
// Comes in: events (a message of an agent, a call of a scheduler, a finished
// registry write, a broken connection), each with the time at which it happened.
// Goes out: effects (a message to send, an event for a scheduler's stream, a
// registry change, the answer to a call). It does no I/O, starts no goroutine
// and never looks at a clock, so that a test can drive any history through it.
//
// One goroutine owns a Core. It feeds events with [Core.Step], then calls
// [Core.Flush] once per batch: Flush runs the allocator over what the batch
// changed and returns every effect since the last Flush, in order.
//
// # Sharing without locks
//
// Protobuf messages reachable from the model ([Agent.Info], [Task.Proto],
// [Framework.Info], [Offer.Proto], ...) are never changed once they are there; a
// change puts a new message in the place of the old one. So a reader that took a
// pointer inside the loop may go on reading it after the loop moved on, and the
// pointer's identity says whether anything it encoded before is still true.
package core
