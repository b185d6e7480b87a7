// Package jobs runs nights: their steps in order, one night or all that are due, backfills, schedules, rehearsals, verification, periods and the
// replay of a policy. What a step does is in the packages below, in the order of the night: source reads, match compares, decide decides, books
// closes and publish tells; refunds moves money. None of them holds a rule of the policy, which is package reconcile's, and none reads the wall
// clock into a decision: everything is decided as of the night's end, and persisted in one transaction that may be repeated.
package jobs
