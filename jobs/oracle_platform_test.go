package jobs_test

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// The platform's tables in memory. A pointer is a column that can be null, by contract or because the row breaks it.
type platform struct {
	Accounts  []account
	Purchases []purchase
	Jobs      []job
	Entries   []entry
	Requests  []request
}

type account struct {
	ID        string
	Email     *string
	Status    *string
	CreatedAt *time.Time
}

type purchase struct {
	ID          string
	AccountID   *string
	Kind        *string
	Credits     *int64
	AmountMinor *int64
	Currency    *string
	Status      *string
	InvoiceID   *string
	CreatedAt   *time.Time
	CompletedAt *time.Time
	// Turn is the night, counted from 0, before which the row arrives in the table.
	Turn int
}

type job struct {
	ID          string
	AccountID   *string
	Kind        *string
	Model       *string
	Status      *string
	FailureCode *string
	CreditCost  *int64
	CreatedAt   *time.Time
	FinishedAt  *time.Time
	Turn        int
}

type entry struct {
	ID         string
	AccountID  *string
	Kind       *string
	Credits    *int64
	PurchaseID *string
	JobID      *string
	CreatedAt  *time.Time
	Turn       int
}

type request struct {
	ID                string
	AccountID         *string
	Kind              *string
	AccountEmail      *string
	PurchaseID        *string
	JobID             *string
	InvoiceID         *string
	StatedDate        *string
	StatedAmountMinor *int64
	StatedCurrency    *string
	Reason            *string
	Status            *string
	RequestedAt       *time.Time
	DecidedAt         *time.Time
	Turn              int
}

func ref[T any](value T) *T { return &value }

// deref is the value behind a pointer, and the zero value behind none.
func deref[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}

// String lists the rows, one a line, nulls left out: what a failing case is shown as.
func (p platform) String() string {
	var b strings.Builder
	list := func(relation string, rows any) {
		v := reflect.ValueOf(rows)
		for i := range v.Len() {
			fmt.Fprintf(&b, "  %-10s %s\n", relation, rowText(v.Index(i)))
		}
	}
	list("account", p.Accounts)
	list("purchase", p.Purchases)
	list("job", p.Jobs)
	list("entry", p.Entries)
	list("request", p.Requests)
	return b.String()
}

func rowText(row reflect.Value) string {
	var cells []string
	for i := range row.NumField() {
		name, field := row.Type().Field(i).Name, row.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				continue
			}
			field = field.Elem()
		}
		switch value := field.Interface().(type) {
		case time.Time:
			cells = append(cells, name+"="+value.UTC().Format("2006-01-02T15:04:05.999999Z"))
		case string:
			cells = append(cells, name+"="+value)
		default:
			if name != "Turn" || !field.IsZero() {
				cells = append(cells, fmt.Sprintf("%s=%v", name, value))
			}
		}
	}
	return strings.Join(cells, " ")
}

// prefixed is the platform with prefix before every id, so that many platforms can live side by side in one database.
func (p platform) prefixed(prefix string) platform {
	id := func(s *string) *string {
		if s == nil {
			return nil
		}
		return ref(prefix + *s)
	}
	var out platform
	for _, r := range p.Accounts {
		r.ID, r.Email = prefix+r.ID, id(r.Email)
		out.Accounts = append(out.Accounts, r)
	}
	for _, r := range p.Purchases {
		r.ID, r.AccountID, r.InvoiceID = prefix+r.ID, id(r.AccountID), id(r.InvoiceID)
		out.Purchases = append(out.Purchases, r)
	}
	for _, r := range p.Jobs {
		r.ID, r.AccountID = prefix+r.ID, id(r.AccountID)
		out.Jobs = append(out.Jobs, r)
	}
	for _, r := range p.Entries {
		r.ID, r.AccountID, r.PurchaseID, r.JobID = prefix+r.ID, id(r.AccountID), id(r.PurchaseID), id(r.JobID)
		out.Entries = append(out.Entries, r)
	}
	for _, r := range p.Requests {
		r.ID, r.AccountID = prefix+r.ID, id(r.AccountID)
		if r.AccountEmail != nil {
			written := strings.TrimSpace(*r.AccountEmail)
			r.AccountEmail = ref(strings.TrimSuffix(*r.AccountEmail, written) + prefix + written)
		}
		r.PurchaseID, r.JobID, r.InvoiceID = id(r.PurchaseID), id(r.JobID), id(r.InvoiceID)
		out.Requests = append(out.Requests, r)
	}
	return out
}

// turn holds the rows that arrive before the given night, and the accounts before the first.
func (p platform) turn(night int) platform {
	var out platform
	if night == 0 {
		out.Accounts = p.Accounts
	}
	out.Purchases = pick(p.Purchases, func(r purchase) bool { return r.Turn == night })
	out.Jobs = pick(p.Jobs, func(r job) bool { return r.Turn == night })
	out.Entries = pick(p.Entries, func(r entry) bool { return r.Turn == night })
	out.Requests = pick(p.Requests, func(r request) bool { return r.Turn == night })
	return out
}

// isOf says whether an instant is in [Begin, End).
func isOf(n reconcile.Night, at time.Time) bool { return !at.Before(n.Begin) && at.Before(n.End) }

func pick[T any](rows []T, keep func(T) bool) []T {
	var kept []T
	for _, row := range rows {
		if keep(row) {
			kept = append(kept, row)
		}
	}
	return kept
}

func (p *platform) add(more platform) {
	p.Accounts = append(p.Accounts, more.Accounts...)
	p.Purchases = append(p.Purchases, more.Purchases...)
	p.Jobs = append(p.Jobs, more.Jobs...)
	p.Entries = append(p.Entries, more.Entries...)
	p.Requests = append(p.Requests, more.Requests...)
}

// load copies the rows into the platform's tables. No distributed table takes a row without an account: there it has an empty one, which breaks
// the contract as well.
func (p platform) load(t testing.TB, db *sqlx.DB) {
	t.Helper()
	of := func(account *string) any {
		if account == nil && os.Getenv(testdb.CitusVariable) != "" {
			return ""
		}
		return account
	}
	copyRows(t, db, "accounts", []string{"id", "email", "status", "created_at"}, len(p.Accounts), func(i int) []any {
		r := p.Accounts[i]
		return []any{r.ID, r.Email, r.Status, r.CreatedAt}
	})
	copyRows(t, db, "purchases", []string{"id", "account_id", "kind", "credits", "amount_minor", "currency", "status", "stripe_invoice_id",
		"created_at", "completed_at"}, len(p.Purchases), func(i int) []any {
		r := p.Purchases[i]
		return []any{r.ID, r.AccountID, r.Kind, r.Credits, r.AmountMinor, r.Currency, r.Status, r.InvoiceID, r.CreatedAt, r.CompletedAt}
	})
	copyRows(t, db, "jobs", []string{"id", "account_id", "kind", "model", "status", "failure_code", "credit_cost", "created_at", "finished_at"},
		len(p.Jobs), func(i int) []any {
			r := p.Jobs[i]
			return []any{r.ID, of(r.AccountID), r.Kind, r.Model, r.Status, r.FailureCode, r.CreditCost, r.CreatedAt, r.FinishedAt}
		})
	copyRows(t, db, "credit_entries", []string{"id", "account_id", "kind", "credits", "purchase_id", "job_id", "created_at"},
		len(p.Entries), func(i int) []any {
			r := p.Entries[i]
			return []any{r.ID, of(r.AccountID), r.Kind, r.Credits, r.PurchaseID, r.JobID, r.CreatedAt}
		})
	copyRows(t, db, "refund_requests", []string{"id", "account_id", "kind", "account_email", "purchase_id", "job_id", "invoice_id", "stated_date",
		"stated_amount_minor", "stated_currency", "reason", "status", "requested_at", "decided_at"}, len(p.Requests), func(i int) []any {
		r := p.Requests[i]
		return []any{r.ID, r.AccountID, r.Kind, r.AccountEmail, r.PurchaseID, r.JobID, r.InvoiceID, r.StatedDate,
			r.StatedAmountMinor, r.StatedCurrency, r.Reason, r.Status, r.RequestedAt, r.DecidedAt}
	})
}

func copyRows(t testing.TB, db *sqlx.DB, relation string, columns []string, count int, row func(i int) []any) {
	t.Helper()
	if count == 0 {
		return
	}
	failed := func(err error) { t.Fatalf("load %s: %v", relation, err) }
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		failed(err)
	}
	defer tx.Rollback()
	statement, err := tx.Prepare("COPY platform." + relation + " (" + strings.Join(columns, ", ") + ") FROM STDIN")
	if err != nil {
		failed(err)
	}
	for i := range count {
		cells := row(i)
		for c, cell := range cells {
			if v := reflect.ValueOf(cell); v.Kind() == reflect.Pointer {
				if v.IsNil() {
					cells[c] = nil
				} else {
					cells[c] = v.Elem().Interface()
				}
			}
		}
		if _, err := statement.Exec(cells...); err != nil {
			failed(fmt.Errorf("row %v: %w", cells, err))
		}
	}
	if _, err := statement.Exec(); err != nil {
		failed(err)
	}
	if err := tx.Commit(); err != nil {
		failed(err)
	}
}
