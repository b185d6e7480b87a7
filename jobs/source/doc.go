// Package source reads the platform's rows: it rejects those that break the contract or are there twice, books those that arrived late, and
// compares jobs with debits by account as it reads.
package source
