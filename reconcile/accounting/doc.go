// Package accounting is the part of the core that keeps books: the accounts, what is posted when something happens, and what clears a payment. Like
// package reconcile it decides from what it is handed, and imports nothing else but the standard library.
package accounting
