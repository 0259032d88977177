// Package clients drives the stoa binary with client libraries of others, as their
// frameworks do: mesos-go's v0 driver (libprocess) and executor, and its v1 scheduler
// (HTTP). It has a module of its own, so that what these libraries need never enters the
// product.
package clients
