// Package libprocess is the message transport between Mesos processes: masters,
// agents, v0 scheduler drivers and v0 executor drivers.
//
// Comes in: messages to send, processes ("actors") to spawn, links to watch, and a
// listener. Goes out: the same bytes the original libprocess writes (an HTTP/1.1
// POST per message, see encode.go), messages and exited events handed to actors,
// and every HTTP request that is not a message handed to Config.HTTP.
// It never looks into a message body and never retries: a message is sent at most
// once, and a failed connection is reported only to those who linked.
//
// # Connections
//
// One outgoing connection per remote address carries all messages to that address,
// in order, pipelined, without waiting for the 202 answers, which are read and thrown
// away. Replies never come back on it: the peer dials us. A connection made by Link
// stays until it fails; one made by Send alone is half-closed as soon as its queue is
// empty, as the original does.
//
// An incoming connection that stays silent is somebody's link to us. It is never
// closed for being idle, because the peer would take that for our death. Only a peer
// that began a request and does not go on with it is dropped.
//
// Messages and ordinary HTTP requests may follow one another on one incoming
// connection; answers keep the order of the requests. Requests are split here (head.go,
// body.go), because net/http loses the chunked bodies that libmesos before 0.22 sends
// with HTTP/1.0, and refuses requests that the original serves. Ordinary requests are
// then served by net/http itself through a connection that shows it one request at a
// time (incoming.go).
package libprocess
