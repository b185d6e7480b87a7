package explain

import (
	"context"
	"database/sql"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// WhoPaid is what is known of who paid charges: at Stripe, and on the platform by the charge's purchase or else by what else that customer of
// Stripe's, or that e-mail address, belongs to. Without rows: none of them is a charge.
func WhoPaid(ctx context.Context, store *postgres.Store, charges []string) (Section, error) {
	section := Section{Key: "customers", Title: "Who paid", Empty: "no charge is known", Columns: []Column{{"charge_id", "Charge"}, {"created_at", "On"}, {"amount", "Amount"}, {"method", "By"},
		{"email", "E-mail at Stripe"}, {"payment_intent_id", "Payment intent"}, {"invoice_id", "Invoice"}, {"customer_id", "Customer at Stripe"}, {"metadata", "Metadata"}, {"accounts", "Accounts"},
		{"account_emails", "Their e-mail"}}}
	type customer struct {
		ID, Method, Currency, Amount, Email, Metadata, Accounts string
		CreatedAt                                               *time.Time
		PaymentIntentID                                         string
		InvoiceID                                               string
		CustomerID                                              string
		AccountEmails                                           string
	}
	var err error
	section.Rows, err = rows(ctx, store, "explain/customers", postgres.Args{"ids": charges}, func(c customer) []Cell {
		return []Cell{text(c.ID), instant(c.CreatedAt), amount(sql.NullString{String: c.Amount, Valid: true}, c.Currency), words(c.Method), text(c.Email), text(c.PaymentIntentID), text(c.InvoiceID),
			text(c.CustomerID), text(c.Metadata), text(c.Accounts), text(c.AccountEmails)}
	})
	return section, err
}
