// Package night is what a night knows, and what every step of it uses: its settings, findings that become breaks, control totals, the audit log,
// run rows, and whose word a person's is.
package night
