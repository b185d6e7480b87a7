// Package refunds pays back what was decided: somebody plans, somebody else approves, and an executor with a lease moves each refund at most once.
package refunds
