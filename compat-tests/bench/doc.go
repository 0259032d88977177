// Package bench measures a master and a Marathon under load: simulated agents over
// real sockets on one side, schedulers and HTTP clients on the other.
//
// Comes in: how large the cluster is to be. Goes out: figures, as text. A figure also
// needs everything to be right: a count that does not converge is an error.
package bench
