// Package stripetest is a stateful double of Stripe that runs in process, for tests and for the demonstration.
//
// It speaks API version 2023-10-16 over HTTP as far as the worker reads and writes it: lists with cursors, single
// objects, expansion, refund creation with idempotency keys, restricted keys. Behind the endpoints is a simulated
// business: payments, refunds, disputes, payouts, fees, invoices and subscriptions, whose balance transactions
// always add up to the balance (CheckBooks proves it). A fault plan breaks any call in any of the ways in which
// networks, proxies and Stripe itself break calls.
//
// What it answers is compared with Stripe's official OpenAPI specification (package stripetest/openapi), so that it
// cannot drift away from the real API.
//
// It must never be reachable from production wiring: it forgets everything, moves no money and accepts well-known
// keys. It reads no wall clock for what it simulates; every timestamp comes from Options.Clock.
package stripetest
