package stripefeed

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// The objects as far as they are kept. stripe-go's own types would decode ten times as much, personal data included, of which
// this keeps an e-mail address alone, and an exchange rate into a float; nothing here is ever one.

// ref is a reference: null, an id, or an expanded object.
type ref string

func (r *ref) UnmarshalJSON(raw []byte) error {
	*r = ""
	switch {
	case bytes.Equal(raw, []byte("null")):
		return nil
	case len(raw) > 0 && raw[0] == '{':
		var expanded head
		err := json.Unmarshal(raw, &expanded)
		*r = ref(expanded.ID)
		return err
	}
	return json.Unmarshal(raw, (*string)(r))
}

type balanceTransaction struct {
	head
	Type              string       `json:"type"`
	ReportingCategory string       `json:"reporting_category"`
	Amount            *int64       `json:"amount"`
	Fee               *int64       `json:"fee"`
	Net               *int64       `json:"net"`
	FeeDetails        []*feeDetail `json:"fee_details"`
	Currency          string       `json:"currency"`
	Status            string       `json:"status"`
	Source            ref          `json:"source"`
	AvailableOn       int64        `json:"available_on"`

	payout string // the automatic payout that it was asked for by
}

type feeDetail struct {
	Amount int64  `json:"amount"`
	Type   string `json:"type"`
}

type charge struct {
	head
	PaymentIntent ref               `json:"payment_intent"`
	Invoice       ref               `json:"invoice"`
	Customer      ref               `json:"customer"`
	Metadata      map[string]string `json:"metadata"`
	Billing       struct {
		Email string `json:"email"`
	} `json:"billing_details"`
	ReceiptEmail string `json:"receipt_email"`
	Method       struct {
		Type string `json:"type"`
	} `json:"payment_method_details"`
	Amount                    *int64 `json:"amount"`
	AmountCaptured            int64  `json:"amount_captured"`
	Currency                  string `json:"currency"`
	Status                    string `json:"status"`
	Captured                  bool   `json:"captured"`
	FailureCode               string `json:"failure_code"`
	BalanceTransaction        ref    `json:"balance_transaction"`
	FailureBalanceTransaction ref    `json:"failure_balance_transaction"`
}

type refund struct {
	head
	Charge                    ref    `json:"charge"`
	PaymentIntent             ref    `json:"payment_intent"`
	Amount                    *int64 `json:"amount"`
	Currency                  string `json:"currency"`
	Status                    string `json:"status"`
	Reason                    string `json:"reason"`
	FailureReason             string `json:"failure_reason"`
	BalanceTransaction        ref    `json:"balance_transaction"`
	FailureBalanceTransaction ref    `json:"failure_balance_transaction"`
}

type dispute struct {
	head
	Charge          ref    `json:"charge"`
	PaymentIntent   ref    `json:"payment_intent"`
	Amount          *int64 `json:"amount"`
	Currency        string `json:"currency"`
	Status          string `json:"status"`
	Reason          string `json:"reason"`
	EvidenceDetails struct {
		DueBy int64 `json:"due_by"`
	} `json:"evidence_details"`
}

type payout struct {
	head
	Amount                    *int64 `json:"amount"`
	Currency                  string `json:"currency"`
	Status                    string `json:"status"`
	Automatic                 bool   `json:"automatic"`
	Method                    string `json:"method"`
	Type                      string `json:"type"`
	ReconciliationStatus      string `json:"reconciliation_status"`
	BalanceTransaction        ref    `json:"balance_transaction"`
	FailureBalanceTransaction ref    `json:"failure_balance_transaction"`
	FailureCode               string `json:"failure_code"`
	OriginalPayout            ref    `json:"original_payout"`
	ReversedBy                ref    `json:"reversed_by"`
	ArrivalDate               int64  `json:"arrival_date"`
}

type invoice struct {
	head
	Subscription    ref    `json:"subscription"`
	Customer        ref    `json:"customer"`
	Charge          ref    `json:"charge"`
	PaymentIntent   ref    `json:"payment_intent"`
	BillingReason   string `json:"billing_reason"`
	Status          string `json:"status"`
	Currency        string `json:"currency"`
	Total           *int64 `json:"total"`
	AmountDue       int64  `json:"amount_due"`
	AmountPaid      int64  `json:"amount_paid"`
	StartingBalance int64  `json:"starting_balance"` // of the customer; below 0 is credit
	EndingBalance   *int64 `json:"ending_balance"`   // null until it is finalized
	PaidOutOfBand   bool   `json:"paid_out_of_band"`
	taxes
	PeriodStart       int64 `json:"period_start"`
	PeriodEnd         int64 `json:"period_end"`
	StatusTransitions struct {
		FinalizedAt int64 `json:"finalized_at"`
		PaidAt      int64 `json:"paid_at"`
		VoidedAt    int64 `json:"voided_at"`
	} `json:"status_transitions"`
	Lines *page[invoiceLine] `json:"lines"`
	// Parent is where API versions from 2025-03-31 on name the subscription.
	Parent *struct {
		Subscription *billedParty `json:"subscription_details"`
	} `json:"parent"`
}

// billedTo is the subscription that the invoice belongs to; "" for none.
func (i *invoice) billedTo() string {
	if i.Parent != nil && i.Parent.Subscription != nil {
		return string(i.Parent.Subscription.Subscription)
	}
	return string(i.Subscription)
}

type invoiceLine struct {
	head
	invoice      string
	Type         string `json:"type"`
	Amount       *int64 `json:"amount"`
	Currency     string `json:"currency"`
	Proration    bool   `json:"proration"`
	Subscription ref    `json:"subscription"`
	Period       struct {
		Start int64 `json:"start"`
		End   int64 `json:"end"`
	} `json:"period"`
	taxes
	// Parent is where API versions from 2025-03-31 on have what the line bills.
	Parent *lineParent `json:"parent"`
}

// lineParent names what a line bills, a subscription's price or an invoice item.
type lineParent struct {
	Type         string       `json:"type"`
	Subscription *billedParty `json:"subscription_item_details"`
	Item         *billedParty `json:"invoice_item_details"`
}

type billedParty struct {
	Proration    bool `json:"proration"`
	Subscription ref  `json:"subscription"`
}

// taxes are the taxes of an invoice or of one of its lines, in both shapes: API versions before 2025-03-31 have the first two of lists, later ones
// the others. total_.. are an invoice's.
type taxes struct {
	TaxAmounts      []*taxAmount `json:"tax_amounts"`
	TotalTaxAmounts []*taxAmount `json:"total_tax_amounts"`
	Taxes           []*taxAmount `json:"taxes"`
	TotalTaxes      []*taxAmount `json:"total_taxes"`
}

type taxAmount struct {
	Amount      *int64 `json:"amount"`
	Inclusive   bool   `json:"inclusive"`
	TaxBehavior string `json:"tax_behavior"` // "inclusive" or "exclusive"
}

// sum is all tax, and the part of it that the amounts have in them.
func (t taxes) sum(id string) (all, inclusive int64, err error) {
	for _, amount := range slices.Concat(t.TaxAmounts, t.TotalTaxAmounts, t.Taxes, t.TotalTaxes) {
		if amount == nil || amount.Amount == nil {
			return 0, 0, anomalyf("%s has a tax without an amount", id)
		}
		all += *amount.Amount
		if amount.Inclusive || amount.TaxBehavior == "inclusive" {
			inclusive += *amount.Amount
		}
	}
	return all, inclusive, nil
}

type subscription struct {
	head
	Customer           ref    `json:"customer"`
	Status             string `json:"status"`
	LatestInvoice      ref    `json:"latest_invoice"`
	CancelAtPeriodEnd  bool   `json:"cancel_at_period_end"`
	CurrentPeriodStart int64  `json:"current_period_start"`
	CurrentPeriodEnd   int64  `json:"current_period_end"`
	CancelAt           int64  `json:"cancel_at"`
	CanceledAt         int64  `json:"canceled_at"`
	EndedAt            int64  `json:"ended_at"`
}

type paymentIntent struct {
	head
	Amount         *int64 `json:"amount"`
	AmountReceived int64  `json:"amount_received"`
	Currency       string `json:"currency"`
	Status         string `json:"status"`
	LatestCharge   ref    `json:"latest_charge"`
	Invoice        ref    `json:"invoice"`
	Metadata       struct {
		PurchaseID string `json:"purchase_id"`
	} `json:"metadata"`
	CanceledAt int64 `json:"canceled_at"`
}

// stored is a row that can be put into a table.
type stored interface {
	base() *head
	// store adds the row to the columns of its table, or says what it lacks. Money that isn't there is not 0.
	store(c columns) error
}

// columns are the arrays that a statement unnests, by parameter name.
type columns postgres.Args

// put adds a row's value to a column.
func put[T any](c columns, name string, value T) {
	values, _ := c[name].([]T)
	c[name] = append(values, value)
}

// texts are the values of a column.
func (c columns) texts(name string) []string {
	values, _ := c[name].([]string)
	return notNil(values)
}

// notNil makes an empty array of what would be a null.
func notNil(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}

// money refuses a row without an amount or a currency.
func (h *head) money(currency string, amounts ...*int64) error {
	for _, amount := range amounts {
		if amount == nil {
			return anomalyf("%s has no amount", h.ID)
		}
	}
	if len(currency) != 3 {
		return anomalyf("%s has no currency", h.ID)
	}
	return nil
}

func (t *balanceTransaction) store(c columns) error {
	if err := t.money(t.Currency, t.Amount, t.Fee, t.Net); err != nil {
		return err
	}
	if *t.Amount-*t.Fee != *t.Net {
		return anomalyf("%s: amount %d less fee %d is not net %d", t.ID, *t.Amount, *t.Fee, *t.Net)
	}
	tax, others, err := t.feesByType()
	if err != nil {
		return err
	}
	put(c, "id", t.ID)
	put(c, "type", t.Type)
	put(c, "reporting_category", t.ReportingCategory)
	put(c, "amount_minor", *t.Amount)
	put(c, "fee_minor", *t.Fee)
	put(c, "fee_tax_minor", tax)
	put(c, "other_fees", others)
	put(c, "net_minor", *t.Net)
	put(c, "currency", t.Currency)
	put(c, "status", t.Status)
	put(c, "source_id", string(t.Source))
	put(c, "created_at", t.Created)
	put(c, "available_on", t.AvailableOn)
	put(c, "payout_id", t.payout)
	return nil
}

// feesByType is what of the fee is tax, and, as a JSON object of amounts by type ("" where there is nothing else), what is neither tax nor
// Stripe's own fee. Amounts that come to 0 are left out.
func (t *balanceTransaction) feesByType() (tax int64, others string, err error) {
	byType := map[string]int64{}
	for _, detail := range t.FeeDetails {
		switch {
		case detail == nil || detail.Type == "stripe_fee":
		case detail.Type == "tax":
			tax += detail.Amount
		default:
			byType[detail.Type] += detail.Amount
		}
	}
	maps.DeleteFunc(byType, func(_ string, amount int64) bool { return amount == 0 })
	if len(byType) == 0 {
		return tax, "", nil
	}
	encoded, err := json.Marshal(byType)
	if err != nil {
		return 0, "", fmt.Errorf("fees of %s: %w", t.ID, err)
	}
	return tax, string(encoded), nil
}

// metadata is all of the charge's metadata as a JSON object.
func (x *charge) metadata() (string, error) {
	kept := map[string]string{}
	for key, value := range x.Metadata {
		kept[storable(key)] = storable(value)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "", anomalyf("%s: metadata: %v", x.ID, err)
	}
	return string(text), nil
}

// storable is text that people wrote without the one character that PostgreSQL stores in no text.
func storable(text string) string { return strings.ReplaceAll(text, "\x00", "") }

func (x *charge) store(c columns) error {
	if err := x.money(x.Currency, x.Amount); err != nil {
		return err
	}
	put(c, "id", x.ID)
	put(c, "payment_intent_id", string(x.PaymentIntent))
	put(c, "invoice_id", string(x.Invoice))
	put(c, "customer_id", string(x.Customer))
	metadata, err := x.metadata()
	if err != nil {
		return err
	}
	put(c, "metadata_purchase_id", x.Metadata["purchase_id"])
	put(c, "email", storable(cmp.Or(x.Billing.Email, x.ReceiptEmail)))
	put(c, "metadata", metadata)
	put(c, "method", x.Method.Type)
	put(c, "amount_minor", *x.Amount)
	put(c, "captured_minor", x.AmountCaptured)
	put(c, "currency", x.Currency)
	put(c, "status", x.Status)
	put(c, "captured", x.Captured)
	put(c, "failure_code", x.FailureCode)
	put(c, "balance_transaction_id", string(x.BalanceTransaction))
	put(c, "failure_balance_transaction_id", string(x.FailureBalanceTransaction))
	put(c, "created_at", x.Created)
	return nil
}

func (r *refund) store(c columns) error {
	if err := r.money(r.Currency, r.Amount); err != nil {
		return err
	}
	put(c, "id", r.ID)
	put(c, "charge_id", string(r.Charge))
	put(c, "payment_intent_id", string(r.PaymentIntent))
	put(c, "amount_minor", *r.Amount)
	put(c, "currency", r.Currency)
	put(c, "status", r.Status)
	put(c, "reason", r.Reason)
	put(c, "failure_reason", r.FailureReason)
	put(c, "balance_transaction_id", string(r.BalanceTransaction))
	put(c, "failure_balance_transaction_id", string(r.FailureBalanceTransaction))
	put(c, "created_at", r.Created)
	return nil
}

func (d *dispute) store(c columns) error {
	if err := d.money(d.Currency, d.Amount); err != nil {
		return err
	}
	put(c, "id", d.ID)
	put(c, "charge_id", string(d.Charge))
	put(c, "payment_intent_id", string(d.PaymentIntent))
	put(c, "amount_minor", *d.Amount)
	put(c, "currency", d.Currency)
	put(c, "status", d.Status)
	put(c, "reason", d.Reason)
	put(c, "evidence_due_by", d.EvidenceDetails.DueBy)
	put(c, "created_at", d.Created)
	return nil
}

func (p *payout) store(c columns) error {
	if err := p.money(p.Currency, p.Amount); err != nil {
		return err
	}
	put(c, "id", p.ID)
	put(c, "amount_minor", *p.Amount)
	put(c, "currency", p.Currency)
	put(c, "status", p.Status)
	put(c, "automatic", p.Automatic)
	put(c, "method", p.Method)
	put(c, "type", p.Type)
	put(c, "reconciliation_status", p.ReconciliationStatus)
	put(c, "balance_transaction_id", string(p.BalanceTransaction))
	put(c, "failure_balance_transaction_id", string(p.FailureBalanceTransaction))
	put(c, "failure_code", p.FailureCode)
	put(c, "original_payout_id", string(p.OriginalPayout))
	put(c, "reversed_by_id", string(p.ReversedBy))
	put(c, "arrival_at", p.ArrivalDate)
	put(c, "created_at", p.Created)
	return nil
}

func (i *invoice) store(c columns) error {
	if err := i.money(i.Currency, i.Total); err != nil {
		return err
	}
	tax, _, err := i.taxes.sum(i.ID)
	if err != nil {
		return err
	}
	put(c, "tax_minor", tax)
	put(c, "id", i.ID)
	put(c, "subscription_id", i.billedTo())
	put(c, "customer_id", string(i.Customer))
	put(c, "charge_id", string(i.Charge))
	put(c, "payment_intent_id", string(i.PaymentIntent))
	put(c, "billing_reason", i.BillingReason)
	put(c, "status", i.Status)
	put(c, "currency", i.Currency)
	put(c, "total_minor", *i.Total)
	put(c, "due_minor", i.AmountDue)
	put(c, "paid_minor", i.AmountPaid)
	put(c, "from_balance_minor", i.fromBalance())
	put(c, "paid_out_of_band", i.PaidOutOfBand)
	put(c, "period_start", i.PeriodStart)
	put(c, "period_end", i.PeriodEnd)
	put(c, "created_at", i.Created)
	put(c, "finalized_at", i.StatusTransitions.FinalizedAt)
	put(c, "paid_at", i.StatusTransitions.PaidAt)
	put(c, "voided_at", i.StatusTransitions.VoidedAt)
	return nil
}

// fromBalance is what the invoice took from the customer's balance; below 0: what it collected of a debt.
func (i *invoice) fromBalance() int64 {
	if i.EndingBalance == nil {
		return 0
	}
	return *i.EndingBalance - i.StartingBalance
}

func (l *invoiceLine) store(c columns) error {
	if l.ID == "" {
		return anomalyf("a line of %s has no id", l.invoice)
	}
	if err := l.money(l.Currency, l.Amount); err != nil {
		return err
	}
	tax, inclusive, err := l.taxes.sum(l.ID)
	if err != nil {
		return err
	}
	kind, billed := l.bills()
	put(c, "invoice_id", l.invoice)
	put(c, "id", l.ID)
	put(c, "type", kind)
	put(c, "amount_minor", *l.Amount)
	put(c, "tax_minor", tax)
	put(c, "inclusive_tax_minor", inclusive)
	put(c, "currency", l.Currency)
	put(c, "proration", billed.Proration)
	put(c, "subscription_id", string(billed.Subscription))
	put(c, "period_start", l.Period.Start)
	put(c, "period_end", l.Period.End)
	return nil
}

// bills is the line's type, as API versions before 2025-03-31 name it, and what it bills.
func (l *invoiceLine) bills() (kind string, billed billedParty) {
	switch {
	case l.Parent == nil:
		return l.Type, billedParty{l.Proration, l.Subscription}
	case l.Parent.Subscription != nil:
		billed = *l.Parent.Subscription
		if billed.Proration {
			return "invoiceitem", billed
		}
		return "subscription", billed
	case l.Parent.Item != nil:
		return "invoiceitem", *l.Parent.Item
	}
	return "invoiceitem", billedParty{}
}

func (s *subscription) store(c columns) error {
	put(c, "id", s.ID)
	put(c, "customer_id", string(s.Customer))
	put(c, "status", s.Status)
	put(c, "latest_invoice_id", string(s.LatestInvoice))
	put(c, "cancel_at_period_end", s.CancelAtPeriodEnd)
	put(c, "current_period_start", s.CurrentPeriodStart)
	put(c, "current_period_end", s.CurrentPeriodEnd)
	put(c, "cancel_at", s.CancelAt)
	put(c, "canceled_at", s.CanceledAt)
	put(c, "ended_at", s.EndedAt)
	put(c, "created_at", s.Created)
	return nil
}

func (p *paymentIntent) store(c columns) error {
	if err := p.money(p.Currency, p.Amount); err != nil {
		return err
	}
	put(c, "id", p.ID)
	put(c, "amount_minor", *p.Amount)
	put(c, "received_minor", p.AmountReceived)
	put(c, "currency", p.Currency)
	put(c, "status", p.Status)
	put(c, "latest_charge_id", string(p.LatestCharge))
	put(c, "invoice_id", string(p.Invoice))
	put(c, "metadata_purchase_id", p.Metadata.PurchaseID)
	put(c, "canceled_at", p.CanceledAt)
	put(c, "created_at", p.Created)
	return nil
}

// balance is Stripe's Balance object: what there is, by currency, at the instant of the answer.
type balance struct {
	Object    string           `json:"object"`
	Livemode  *bool            `json:"livemode"`
	Available []*balanceAmount `json:"available"`
	Pending   []*balanceAmount `json:"pending"`
}

type balanceAmount struct {
	Amount   *int64 `json:"amount"`
	Currency string `json:"currency"`
}

// byCurrency adds up both sides; a currency that is on one side only has 0 on the other.
func (b *balance) byCurrency() (available, pending map[string]int64, err error) {
	available, pending = map[string]int64{}, map[string]int64{}
	for _, side := range []struct {
		from     []*balanceAmount
		to, also map[string]int64
	}{{b.Available, available, pending}, {b.Pending, pending, available}} {
		for _, amount := range side.from {
			if amount == nil || amount.Amount == nil || len(amount.Currency) != 3 {
				return nil, nil, anomalyf("the balance has an amount that is none")
			}
			side.to[amount.Currency] += *amount.Amount
			side.also[amount.Currency] += 0
		}
	}
	return available, pending, nil
}

type account struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
}

func (a *account) check() error {
	if a.ID == "" {
		return &garbled{200, "the answer is an empty object"}
	}
	if a.Object != "account" {
		return anomalyf("%s is a %q, not an account", a.ID, a.Object)
	}
	return nil
}

func (b *balance) check() error {
	if b.Object == "" {
		return &garbled{200, "the answer is an empty object"}
	}
	if b.Object != "balance" || b.Available == nil || b.Pending == nil {
		return fmt.Errorf("%w", anomalyf("it is not a balance"))
	}
	return nil
}
