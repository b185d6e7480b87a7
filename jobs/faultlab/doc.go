// Package faultlab is the fault laboratory of the worker: it has only tests. They run nights and refund plans against a real PostgreSQL and
// the stateful double of Stripe while everything breaks that can break: every database statement before and after it acted, every call to
// Stripe in every way that networks break calls, the process at every named step and at any moment, connections, leases and locks. After
// each fault the work is run again, and then two things must hold: the final state is that of a faultless run, and none of the invariants
// that money depends on has ever been violated.
//
// `go test ./jobs/faultlab` runs the short form; `-long` the long one, which tries every fault at every place and says how many it tried.
//
// It must never be imported.
package faultlab
