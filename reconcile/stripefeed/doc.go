// Package stripefeed reads Stripe and keeps the worker's own Stripe tables: a client that retries what may pass and names what
// won't, a pager that takes nothing on trust, and a sync that brings the tables up to an instant, or says that it could not.
//
// It reads, but for the one call that makes a refund, which needs a key of its own. It must never call a partial answer complete,
// never log a body (they are full of personal data) or a key, and never decide what is right or wrong: matching is done on the
// tables, elsewhere.
package stripefeed
