// Package sim simulates agents: any number of them, in one process, that register
// with a master over real sockets and run tasks which exist on paper only. They work
// against any master, the original mesos-master too.
//
// Comes in: the address of a master, how many agents, what their tasks do. Goes out:
// the libprocess messages of an agent (src/slave/slave.cpp of the original), and counts.
// Nothing is executed, no sandbox exists, and no HTTP API is served.
//
// One Agent is plain data and decisions: messages and the time come in, messages to
// send come out. A host owns the agents of one address with one goroutine and one
// libprocess transport; they are its processes slave(1), slave(2), ...
package sim
