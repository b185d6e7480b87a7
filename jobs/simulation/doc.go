// Package simulation plays a small business that sells credits for fine-tuning models and generating images and videos: its accounts,
// purchases, jobs, ledger entries, subscriptions and refund requests, night by night, into the platform's reference schema. It is what the
// demonstration, the benchmarks and the tests run on.
//
// The same options give the same rows, byte for byte: chance comes from Options.Seed, time from the simulated nights, and nothing is read
// back from the database. Faults are planted at known places; Expected tells which breaks they must become, on which night, and when a
// repair must make them disappear. Everything else that is played is sound, so that a worker that reports anything else is wrong.
//
// With Options.Stripe everything is paid through a double of Stripe: charges and their fees, bank debits that settle days later, refunds,
// disputes, daily payouts, subscriptions. The worker is then pointed at StripeHandler, which answers as the double does but for the lies
// that are planted: a balance that is off, a payout broken down incompletely.
//
// Simulated customers don't count on credit-backs: they spend what they bought and were given, no more, whatever the worker returns to
// them in between.
//
// # Replaying a trace
//
// Instead of inventing jobs, a simulation can replay a CSV file of real requests (ReadTrace), one job a row:
//
//	gmt_create                    the job's created_at, UTC; rows need not be in order
//	groupId                       the account, one a group
//	predict_type                  TXT_2_IMG, IMG_2_IMG or INPAINTING: kind image, and the price's factor; empty is TXT_2_IMG
//	predict_status                SUCCEED: succeeded · FAILED: failed · PENDING: queued for ever · PROCESSING: running for ever
//	                              · empty: nobody knows what became of it, so it stays queued
//	exec_time_seconds             finished_at - created_at; empty is 0
//	num_images_per_prompt         the price; empty is 1
//	num_inference_steps           the price; empty is 30
//	checkpoint_model_version_id   the model; empty is "base"
//
// Columns are found by their names in the header; others are ignored. A job costs images * steps * factor / 100 credits, rounded up,
// with factor 10 for TXT_2_IMG, 12 for IMG_2_IMG and 15 for INPAINTING. Failure codes are assigned by a hash of the row's place, from
// the same list as in the invented business. Accounts buy credits whenever they would run out. Jobs that stay queued or running are real
// breaks of kind job_stuck after 48 hours: Expected lists them with Planted false.
//
// The package must never be used against a platform that is not simulated, and the worker never imports it.
package simulation
