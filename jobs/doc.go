// Package jobs is the night: one file a job, each of which loads facts, has package reconcile or a set-based statement decide, and
// persists what was decided in one transaction that may be repeated. It must never hold a rule of the policy itself, and never read
// the wall clock into a decision: everything is decided as of the night's end.
package jobs
