// Package lives plays random legal lives and judges what the worker makes of them: it has only tests.
//
// A life is a short list of dated events around one customer: what Stripe does with a payment, what staff and the customer do on the platform, what
// becomes of jobs and their ledger entries, and of subscriptions, their invoices, access and changes of plan, be they written late. A month is closed soon
// after its end, and refunds may be made while an approved plan waits. Any list is legal, since an event that
// is not possible any more is skipped: the double of Stripe refuses it, or the platform has nothing that it could happen to. Many lives share a
// database, an account at Stripe and their nights.
//
// After each night a judge says what the worker has to report of every life. The judge is written from the refund policy and from what
// Stripe documents, in plain integer arithmetic over what has happened, and shares no rule with the worker. Advice that was followed has to
// clear its break and may open no other. Some nights are rehearsed before and after they are run, and verified then and in the end; of some lives
// every id is asked for. None of that may tell a night or a life otherwise. In the end all accounts that are passed through have to be empty, and the
// credits held, Stripe's balance and the bank what customers and the double of Stripe have.
//
// `go test ./jobs/lives` plays hundreds of lives, and prints counts with -v; `-long -timeout 3h` plays tens of thousands, in worlds side by side.
// A life that is judged wrong is shrunk to the events that it takes, and printed as it can be kept in testdata.
//
// The long form was lived last on 2026-11-30: thirteen worlds of 26,979 lives together, over 48 nights each (seeds 1 to 5 and 21 to 28), were right as
// a whole; 1, 21, 22, 27 and 28 were lived again for that, after what had been judged otherwise in them was mended.
//
// It must never be imported.
package lives
