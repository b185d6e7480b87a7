// Package reconcile is the pure heart of the worker: the domain's types, the refund policy, the rules of matching, and the
// decisions. It imports the standard library only and must never read a clock, touch a network, a file or a database, or log:
// whatever it needs is handed in, so that the same facts always give the same decision.
package reconcile
