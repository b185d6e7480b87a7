// Package decide has the policy decide about what a night has found: failed jobs, refund windows and refund requests.
package decide
