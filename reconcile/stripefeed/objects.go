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
type columns struct {
	texts   map[string][]string
	numbers map[string][]int64
	flags   map[string][]bool
}

func newColumns() columns {
	return columns{texts: map[string][]string{}, numbers: map[string][]int64{}, flags: map[string][]bool{}}
}

func (c columns) text(name, value string)         { c.texts[name] = append(c.texts[name], value) }
func (c columns) number(name string, value int64) { c.numbers[name] = append(c.numbers[name], value) }
func (c columns) flag(name string, value bool)    { c.flags[name] = append(c.flags[name], value) }

func (c columns) args() postgres.Args {
	args := postgres.Args{}
	for name, values := range c.texts {
		args[name] = values
	}
	for name, values := range c.numbers {
		args[name] = values
	}
	for name, values := range c.flags {
		args[name] = values
	}
	return args
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
	c.text("id", t.ID)
	c.text("type", t.Type)
	c.text("reporting_category", t.ReportingCategory)
	c.number("amount_minor", *t.Amount)
	c.number("fee_minor", *t.Fee)
	c.number("fee_tax_minor", tax)
	c.text("other_fees", others)
	c.number("net_minor", *t.Net)
	c.text("currency", t.Currency)
	c.text("status", t.Status)
	c.text("source_id", string(t.Source))
	c.number("created_at", t.Created)
	c.number("available_on", t.AvailableOn)
	c.text("payout_id", t.payout)
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
	c.text("id", x.ID)
	c.text("payment_intent_id", string(x.PaymentIntent))
	c.text("invoice_id", string(x.Invoice))
	c.text("customer_id", string(x.Customer))
	metadata, err := x.metadata()
	if err != nil {
		return err
	}
	c.text("metadata_purchase_id", x.Metadata["purchase_id"])
	c.text("email", storable(cmp.Or(x.Billing.Email, x.ReceiptEmail)))
	c.text("metadata", metadata)
	c.text("method", x.Method.Type)
	c.number("amount_minor", *x.Amount)
	c.number("captured_minor", x.AmountCaptured)
	c.text("currency", x.Currency)
	c.text("status", x.Status)
	c.flag("captured", x.Captured)
	c.text("failure_code", x.FailureCode)
	c.text("balance_transaction_id", string(x.BalanceTransaction))
	c.text("failure_balance_transaction_id", string(x.FailureBalanceTransaction))
	c.number("created_at", x.Created)
	return nil
}

func (r *refund) store(c columns) error {
	if err := r.money(r.Currency, r.Amount); err != nil {
		return err
	}
	c.text("id", r.ID)
	c.text("charge_id", string(r.Charge))
	c.text("payment_intent_id", string(r.PaymentIntent))
	c.number("amount_minor", *r.Amount)
	c.text("currency", r.Currency)
	c.text("status", r.Status)
	c.text("reason", r.Reason)
	c.text("failure_reason", r.FailureReason)
	c.text("balance_transaction_id", string(r.BalanceTransaction))
	c.text("failure_balance_transaction_id", string(r.FailureBalanceTransaction))
	c.number("created_at", r.Created)
	return nil
}

func (d *dispute) store(c columns) error {
	if err := d.money(d.Currency, d.Amount); err != nil {
		return err
	}
	c.text("id", d.ID)
	c.text("charge_id", string(d.Charge))
	c.text("payment_intent_id", string(d.PaymentIntent))
	c.number("amount_minor", *d.Amount)
	c.text("currency", d.Currency)
	c.text("status", d.Status)
	c.text("reason", d.Reason)
	c.number("evidence_due_by", d.EvidenceDetails.DueBy)
	c.number("created_at", d.Created)
	return nil
}

func (p *payout) store(c columns) error {
	if err := p.money(p.Currency, p.Amount); err != nil {
		return err
	}
	c.text("id", p.ID)
	c.number("amount_minor", *p.Amount)
	c.text("currency", p.Currency)
	c.text("status", p.Status)
	c.flag("automatic", p.Automatic)
	c.text("method", p.Method)
	c.text("type", p.Type)
	c.text("reconciliation_status", p.ReconciliationStatus)
	c.text("balance_transaction_id", string(p.BalanceTransaction))
	c.text("failure_balance_transaction_id", string(p.FailureBalanceTransaction))
	c.text("failure_code", p.FailureCode)
	c.text("original_payout_id", string(p.OriginalPayout))
	c.text("reversed_by_id", string(p.ReversedBy))
	c.number("arrival_at", p.ArrivalDate)
	c.number("created_at", p.Created)
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
	c.number("tax_minor", tax)
	c.text("id", i.ID)
	c.text("subscription_id", i.billedTo())
	c.text("customer_id", string(i.Customer))
	c.text("charge_id", string(i.Charge))
	c.text("payment_intent_id", string(i.PaymentIntent))
	c.text("billing_reason", i.BillingReason)
	c.text("status", i.Status)
	c.text("currency", i.Currency)
	c.number("total_minor", *i.Total)
	c.number("due_minor", i.AmountDue)
	c.number("paid_minor", i.AmountPaid)
	c.number("from_balance_minor", i.fromBalance())
	c.flag("paid_out_of_band", i.PaidOutOfBand)
	c.number("period_start", i.PeriodStart)
	c.number("period_end", i.PeriodEnd)
	c.number("created_at", i.Created)
	c.number("finalized_at", i.StatusTransitions.FinalizedAt)
	c.number("paid_at", i.StatusTransitions.PaidAt)
	c.number("voided_at", i.StatusTransitions.VoidedAt)
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
	c.text("invoice_id", l.invoice)
	c.text("id", l.ID)
	c.text("type", kind)
	c.number("amount_minor", *l.Amount)
	c.number("tax_minor", tax)
	c.number("inclusive_tax_minor", inclusive)
	c.text("currency", l.Currency)
	c.flag("proration", billed.Proration)
	c.text("subscription_id", string(billed.Subscription))
	c.number("period_start", l.Period.Start)
	c.number("period_end", l.Period.End)
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
	c.text("id", s.ID)
	c.text("customer_id", string(s.Customer))
	c.text("status", s.Status)
	c.text("latest_invoice_id", string(s.LatestInvoice))
	c.flag("cancel_at_period_end", s.CancelAtPeriodEnd)
	c.number("current_period_start", s.CurrentPeriodStart)
	c.number("current_period_end", s.CurrentPeriodEnd)
	c.number("cancel_at", s.CancelAt)
	c.number("canceled_at", s.CanceledAt)
	c.number("ended_at", s.EndedAt)
	c.number("created_at", s.Created)
	return nil
}

func (p *paymentIntent) store(c columns) error {
	if err := p.money(p.Currency, p.Amount); err != nil {
		return err
	}
	c.text("id", p.ID)
	c.number("amount_minor", *p.Amount)
	c.number("received_minor", p.AmountReceived)
	c.text("currency", p.Currency)
	c.text("status", p.Status)
	c.text("latest_charge_id", string(p.LatestCharge))
	c.text("invoice_id", string(p.Invoice))
	c.text("metadata_purchase_id", p.Metadata.PurchaseID)
	c.number("canceled_at", p.CanceledAt)
	c.number("created_at", p.Created)
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
