// Package accounting is the part of the core that keeps books: the accounts, what is posted when something happens, when money is earned, and what
// clears. Like package reconcile it decides from what it is handed, and imports nothing else but the standard library.
package accounting
