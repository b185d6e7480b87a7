package simulation

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// relations of the platform with their columns, in the order in which rows are handed to the writer.
var relations = map[string][]string{
	"accounts":             {"id", "email", "status", "created_at"},
	"purchases":            {"id", "account_id", "kind", "credits", "amount_minor", "currency", "status", "stripe_payment_intent_id", "stripe_charge_id", "stripe_invoice_id", "created_at", "completed_at"},
	"jobs":                 {"id", "account_id", "kind", "model", "status", "failure_code", "credit_cost", "created_at", "finished_at"},
	"credit_entries":       {"id", "account_id", "kind", "credits", "purchase_id", "job_id", "idempotency_key", "memo", "created_at"},
	"refund_requests":      {"id", "account_id", "kind", "account_email", "purchase_id", "job_id", "invoice_id", "stated_date", "stated_amount_minor", "stated_currency", "reason", "status", "requested_at", "decided_at"},
	"subscriptions":        {"id", "account_id", "stripe_subscription_id", "plan", "status", "current_period_start", "current_period_end", "cancel_requested_at", "access_ends_at"},
	"subscription_changes": {"id", "account_id", "subscription_id", "kind", "from_plan", "to_plan", "requested_at", "effective_at", "stripe_invoice_id"},
}

// writeOrder is the order in which relations are written; nothing depends on it, but the same run should do the same thing.
var writeOrder = []string{"accounts", "purchases", "jobs", "credit_entries", "refund_requests", "subscriptions", "subscription_changes"}

// chunk is how many rows of a relation are held in memory before they are copied into the database.
const chunk = 4096

// writer collects new rows and changes of old ones, and writes them in bulk within one transaction.
type writer struct {
	ctx     context.Context
	tx      *sql.Tx
	rows    map[string][][]any
	changes []change
	failure error
}

// change is an update of one row: columns of the relation by id.
type change struct {
	statement string
	args      []any
}

func newWriter(ctx context.Context, tx *sql.Tx) *writer {
	return &writer{ctx: ctx, tx: tx, rows: make(map[string][][]any)}
}

func (w *writer) insert(relation string, values ...any) {
	if w.failure != nil {
		return
	}
	w.rows[relation] = append(w.rows[relation], values)
	if len(w.rows[relation]) >= chunk {
		w.copyRows(relation)
	}
}

// update is for the few rows that change after the night that made them.
func (w *writer) update(statement string, args ...any) {
	w.changes = append(w.changes, change{statement, args})
}

func (w *writer) copyRows(relation string) {
	rows := w.rows[relation]
	if len(rows) == 0 || w.failure != nil {
		return
	}
	w.rows[relation] = rows[:0]
	statement, err := w.tx.PrepareContext(w.ctx, fmt.Sprintf("COPY platform.%s (%s) FROM STDIN", relation, strings.Join(relations[relation], ", ")))
	if err != nil {
		w.failure = fmt.Errorf("copy into %s: %w", relation, err)
		return
	}
	defer statement.Close()
	for _, row := range rows {
		if _, err := statement.ExecContext(w.ctx, row...); err != nil {
			w.failure = fmt.Errorf("copy %v into %s: %w", row[0], relation, err)
			return
		}
	}
	if _, err := statement.ExecContext(w.ctx); err != nil {
		w.failure = fmt.Errorf("copy into %s: %w", relation, err)
	}
}

// flush writes everything that is still held: first the rows, then the changes of them.
func (w *writer) flush() error {
	for _, relation := range writeOrder {
		w.copyRows(relation)
	}
	for _, c := range w.changes {
		if w.failure != nil {
			break
		}
		if _, err := w.tx.ExecContext(w.ctx, c.statement, c.args...); err != nil {
			w.failure = fmt.Errorf("%s: %w", c.statement, err)
		}
	}
	w.changes = nil
	return w.failure
}

// orNull stores the empty string as null.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// instantOrNull stores the zero time as null.
func instantOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
