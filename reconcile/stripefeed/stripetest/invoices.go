package stripetest

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Invoice is a bill, usually of a subscription. Amounts are minor units of Currency.
type Invoice struct {
	Object
	Customer, Subscription string
	Number                 string
	BillingReason          string
	Currency               string
	Lines                  []InvoiceLine
	Total                  int64 // sum of the lines and of the tax that is not in them, less discounts; may be negative
	Discount               int64
	AmountDue, AmountPaid  int64
	StartingBalance        int64  // of the customer, before this invoice: negative is credit, which pays a part of it
	PaidOutOfBand          bool   // somebody noted that it was paid elsewhere: no charge
	Status                 string // "draft", "open", "paid", "void" or "uncollectible"
	Charge, PaymentIntent  string
	PeriodStart, PeriodEnd time.Time
	FinalizedAt            time.Time // zero for a draft
	PaidAt, ClosedAt       time.Time
	Metadata               map[string]string

	livemode bool
	deleted  bool
	email    string
	lines    []record // newest first last, so that a page shows them in their order
}

// InvoiceLine is one position of an invoice.
type InvoiceLine struct {
	Object
	Amount                 int64 // negative for credit; before discounts, and without exclusive tax
	ExclusiveTax           int64 // added to Amount on the invoice
	InclusiveTax           int64 // of Amount
	Description            string
	Proration              bool
	PeriodStart, PeriodEnd time.Time
	Metadata               map[string]string

	invoice  *Invoice
	price    Price
	itemID   string // subscription item
	position int64
}

// InvoiceParams describe an invoice.
type InvoiceParams struct {
	Customer     string // default the subscription's
	Subscription string
	// BillingReason defaults to subscription_create for a subscription's first invoice, subscription_cycle for the
	// following ones and manual without a subscription.
	BillingReason string
	Currency      string        // default the subscription's
	Lines         []InvoiceLine // default one line of the subscription's price for its present period
	Metadata      map[string]string
	Discount      int64 // off the lines, for the whole invoice
	// StartingBalance of the customer: negative is credit, of which the invoice takes what it needs, positive a debt that it asks for too.
	StartingBalance int64
	Draft           bool // nothing is due until FinalizeInvoice, and DeleteInvoice may take it away
}

// CreateInvoice makes an open invoice. One that has nothing to pay is paid at once.
func (s *Stripe) CreateInvoice(p InvoiceParams) (Invoice, error) {
	return change(s, "create an invoice", func(b *books, now time.Time) (Invoice, error) {
		sub := get[Subscription](b.subscriptions, p.Subscription)
		if sub == nil && p.Subscription != "" {
			return Invoice{}, fmt.Errorf("no subscription %s", p.Subscription)
		}
		inv := &Invoice{PeriodStart: now, PeriodEnd: now}
		if sub != nil {
			inv.PeriodStart, inv.PeriodEnd = sub.CurrentPeriodStart, sub.CurrentPeriodEnd
			setDefault(&p.Customer, sub.Customer)
			setDefault(&p.Currency, sub.Price.Currency)
			if len(p.Lines) == 0 {
				p.Lines = []InvoiceLine{{Amount: sub.Price.UnitAmount, Description: "1 × " + sub.Price.Nickname}}
			}
			if sub.LatestInvoice == "" {
				setDefault(&p.BillingReason, "subscription_create")
			}
			setDefault(&p.BillingReason, "subscription_cycle")
		}
		setDefault(&p.BillingReason, "manual")
		customer := get[Customer](b.customers, p.Customer)
		if customer == nil {
			return Invoice{}, fmt.Errorf("no customer %q", p.Customer)
		}
		if err := checkCurrency(p.Currency); err != nil {
			return Invoice{}, err
		}
		inv.Object = b.object("in", now)
		inv.Customer, inv.Subscription, inv.Currency = p.Customer, p.Subscription, p.Currency
		inv.BillingReason, inv.Metadata, inv.livemode, inv.email = p.BillingReason, maps.Clone(p.Metadata), b.livemode, customer.Email
		inv.Number = fmt.Sprintf("HB-%06d", len(b.invoices.rows)+1)
		b.addLines(inv, sub, p.Lines, now)
		inv.StartingBalance, inv.Discount = p.StartingBalance, p.Discount
		inv.Total -= p.Discount
		inv.Status, inv.AmountDue = "open", max(inv.Total+inv.StartingBalance, 0)
		switch {
		case p.Draft:
			inv.Status = "draft"
		case inv.AmountDue == 0:
			inv.Status, inv.PaidAt = "paid", now
		}
		inv.FinalizedAt = now
		if p.Draft {
			inv.FinalizedAt = time.Time{}
		}
		if sub != nil {
			sub.LatestInvoice = inv.ID
		}
		b.invoices.add(inv)
		return *inv, nil
	})
}

func (b *books) addLines(inv *Invoice, sub *Subscription, lines []InvoiceLine, now time.Time) {
	inv.Lines = make([]InvoiceLine, len(lines))
	inv.lines = make([]record, len(lines))
	for i, line := range lines {
		line.Object = b.object("il", now)
		line.invoice, line.Metadata = inv, maps.Clone(line.Metadata)
		line.position = int64(len(lines) - i)
		line.price = Price{Nickname: "item", UnitAmount: line.Amount, Currency: inv.Currency}.complete()
		if sub != nil {
			line.price, line.itemID = sub.Price, sub.item
		}
		setDefault(&line.PeriodStart, inv.PeriodStart)
		setDefault(&line.PeriodEnd, inv.PeriodEnd)
		inv.Total += line.Amount + line.ExclusiveTax
		inv.Lines[i] = line
		inv.lines[len(lines)-1-i] = &inv.Lines[i]
	}
}

// PayInvoice takes an open invoice's money, or that of one that was given up as uncollectible, through a payment intent and a charge. Of the
// parameters, amount, currency and customer come from the invoice.
func (s *Stripe) PayInvoice(id string, p ChargeParams) (Charge, error) {
	return change(s, "pay invoice "+id, func(b *books, now time.Time) (Charge, error) {
		inv := get[Invoice](b.invoices, id)
		if inv == nil {
			return Charge{}, errors.New("there is none")
		}
		if !inv.isPayable() {
			return Charge{}, fmt.Errorf("it is %s", inv.Status)
		}
		p.Amount, p.Currency, p.Customer, p.Direct, p.Authorize = inv.AmountDue, inv.Currency, inv.Customer, false, false
		p, err := b.checkCharge(p)
		if err != nil {
			return Charge{}, err
		}
		intent := get[PaymentIntent](b.intents, inv.PaymentIntent)
		if intent == nil {
			intent = b.newIntent(p, inv.ID, now)
			inv.PaymentIntent = intent.ID
		}
		if status := intent.status(b); status != "requires_payment_method" {
			return Charge{}, fmt.Errorf("its payment intent is %s", status)
		}
		c := b.attempt(p, intent, inv.ID, now)
		inv.Charge = c.ID
		b.settleInvoice(c, now)
		return *c, nil
	})
}

// PayInvoiceOutOfBand notes that such an invoice was paid elsewhere; no money moves at Stripe.
func (s *Stripe) PayInvoiceOutOfBand(id string) (Invoice, error) {
	return change(s, "pay out of band invoice "+id, func(b *books, now time.Time) (Invoice, error) {
		inv := get[Invoice](b.invoices, id)
		if inv == nil {
			return Invoice{}, errors.New("there is none")
		}
		if !inv.isPayable() {
			return *inv, fmt.Errorf("it is %s", inv.Status)
		}
		inv.Status, inv.PaidOutOfBand, inv.AmountPaid, inv.PaidAt = "paid", true, inv.AmountDue, now
		return *inv, nil
	})
}

// CloseInvoice gives an open invoice up: "void" or "uncollectible". One that is uncollectible can still be voided.
func (s *Stripe) CloseInvoice(id, status string) (Invoice, error) {
	return change(s, "close invoice "+id, func(b *books, now time.Time) (Invoice, error) {
		inv := get[Invoice](b.invoices, id)
		if inv == nil {
			return Invoice{}, errors.New("there is none")
		}
		if !inv.isPayable() || inv.Status == status || (status != "void" && status != "uncollectible") {
			return *inv, fmt.Errorf("it is %s, and cannot become %s", inv.Status, status)
		}
		inv.Status, inv.ClosedAt = status, now
		return *inv, nil
	})
}

// FinalizeInvoice opens a draft. One that has nothing to pay is paid at once.
func (s *Stripe) FinalizeInvoice(id string) (Invoice, error) {
	return s.onDraft("finalize invoice", id, func(inv *Invoice, now time.Time) {
		inv.Status, inv.FinalizedAt = "open", now
		if inv.AmountDue == 0 {
			inv.Status, inv.PaidAt = "paid", now
		}
	})
}

// DeleteInvoice deletes a draft: lists and lookups know it no longer.
func (s *Stripe) DeleteInvoice(id string) (Invoice, error) {
	return s.onDraft("delete invoice", id, func(inv *Invoice, _ time.Time) { inv.deleted = true })
}

func (s *Stripe) onDraft(what, id string, step func(inv *Invoice, now time.Time)) (Invoice, error) {
	return change(s, what+" "+id, func(b *books, now time.Time) (Invoice, error) {
		inv := get[Invoice](b.invoices, id)
		switch {
		case inv == nil:
			return Invoice{}, errors.New("there is none")
		case inv.Status != "draft" || inv.deleted:
			return *inv, fmt.Errorf("it is %s, deleted=%t", inv.Status, inv.deleted)
		}
		step(inv, now)
		return *inv, nil
	})
}

// isPayable is whether somebody may still pay it.
func (inv *Invoice) isPayable() bool { return inv.Status == "open" || inv.Status == "uncollectible" }

// settleInvoice marks the invoice of a charge that has succeeded as paid.
func (b *books) settleInvoice(c *Charge, now time.Time) {
	if inv := get[Invoice](b.invoices, c.Invoice); inv != nil && inv.isPayable() && c.Status == "succeeded" {
		inv.Status, inv.AmountPaid, inv.PaidAt = "paid", inv.AmountDue, now
	}
}

func (inv *Invoice) field(name string, _ time.Time) string {
	switch name {
	case "customer":
		return inv.Customer
	case "subscription":
		return inv.Subscription
	case "status":
		return inv.Status
	case "collection_method":
		return "charge_automatically"
	}
	return ""
}

// embeddedLines is how many lines an invoice carries; the rest is under /v1/invoices/{id}/lines.
const embeddedLines = 10

func (inv *Invoice) write(w *writer) {
	w.open()
	w.head("invoice", inv.Object)
	w.text("account_country", w.books.options.Country)
	w.text("account_name", w.books.options.AccountName)
	w.raw("account_tax_ids", "null")
	w.number("amount_due", inv.AmountDue)
	w.number("amount_paid", inv.AmountPaid)
	w.number("amount_remaining", inv.AmountDue-inv.AmountPaid)
	w.number("amount_shipping", 0)
	w.raw("application", "null")
	w.raw("application_fee_amount", "null")
	w.number("attempt_count", min(1, int64(len(inv.Charge))))
	w.boolean("attempted", inv.Charge != "" || inv.AmountDue == 0)
	w.boolean("auto_advance", false)
	w.raw("automatic_tax", `{"enabled":false,"liability":null,"status":null}`)
	w.text("billing_reason", inv.BillingReason)
	w.ref("charge", inv.Charge)
	w.text("collection_method", "charge_automatically")
	w.text("currency", inv.Currency)
	w.raw("custom_fields", "null")
	w.ref("customer", inv.Customer)
	w.raw("customer_address", "null")
	w.textOrNull("customer_email", inv.email)
	w.raw("customer_name", "null")
	w.raw("customer_phone", "null")
	w.raw("customer_shipping", "null")
	w.text("customer_tax_exempt", "none")
	w.raw("customer_tax_ids", "[]")
	w.raw("default_payment_method", "null")
	w.raw("default_source", "null")
	w.raw("default_tax_rates", "[]")
	w.raw("description", "null")
	w.raw("discount", "null")
	w.raw("discounts", "[]")
	w.raw("due_date", "null")
	w.number("effective_at", inv.Created.Unix())
	w.number("ending_balance", min(inv.Total+inv.StartingBalance, 0))
	w.raw("footer", "null")
	w.raw("from_invoice", "null")
	w.raw("hosted_invoice_url", "null")
	w.raw("invoice_pdf", "null")
	w.raw("issuer", `{"type":"self"}`)
	w.raw("last_finalization_error", "null")
	w.raw("latest_revision", "null")
	embedded := inv.lines[max(0, len(inv.lines)-embeddedLines):]
	rows := make([]record, 0, len(embedded))
	for i := len(embedded) - 1; i >= 0; i-- {
		rows = append(rows, embedded[i])
	}
	w.list("lines", inv.linesURL(), len(inv.lines) > embeddedLines, rows)
	w.boolean("livemode", inv.livemode)
	w.metadata(inv.Metadata)
	w.raw("next_payment_attempt", "null")
	w.text("number", inv.Number)
	w.raw("on_behalf_of", "null")
	w.boolean("paid", inv.Status == "paid")
	w.boolean("paid_out_of_band", inv.PaidOutOfBand)
	w.ref("payment_intent", inv.PaymentIntent)
	w.raw("payment_settings", `{"default_mandate":null,"payment_method_options":null,"payment_method_types":null}`)
	w.number("period_end", inv.PeriodEnd.Unix())
	w.number("period_start", inv.PeriodStart.Unix())
	w.number("post_payment_credit_notes_amount", 0)
	w.number("pre_payment_credit_notes_amount", 0)
	w.raw("quote", "null")
	w.raw("receipt_number", "null")
	w.raw("rendering", "null")
	w.raw("shipping_cost", "null")
	w.raw("shipping_details", "null")
	w.number("starting_balance", inv.StartingBalance)
	w.raw("statement_descriptor", "null")
	w.text("status", inv.Status)
	w.name("status_transitions")
	w.open()
	w.instant("finalized_at", inv.FinalizedAt)
	w.instant("marked_uncollectible_at", inv.closedAs("uncollectible"))
	w.instant("paid_at", inv.PaidAt)
	w.instant("voided_at", inv.closedAs("void"))
	w.close()
	w.ref("subscription", inv.Subscription)
	if inv.Subscription == "" {
		w.raw("subscription_details", `{"metadata":null}`)
	} else {
		w.raw("subscription_details", `{"metadata":{}}`)
	}
	exclusive, inclusive := inv.taxes()
	w.number("subtotal", inv.Total+inv.Discount-exclusive)
	w.number("subtotal_excluding_tax", inv.Total+inv.Discount-exclusive-inclusive)
	if exclusive+inclusive == 0 {
		w.raw("tax", "null")
	} else {
		w.number("tax", exclusive+inclusive)
	}
	w.raw("test_clock", "null")
	w.number("total", inv.Total)
	w.raw("total_discount_amounts", discounts(inv.Discount))
	w.number("total_excluding_tax", inv.Total-exclusive-inclusive)
	w.raw("total_tax_amounts", taxAmounts(exclusive, inclusive))
	w.raw("transfer_data", "null")
	w.number("webhooks_delivered_at", inv.Created.Unix())
	w.close()
}

// taxes adds up the lines' taxes.
func (inv *Invoice) taxes() (exclusive, inclusive int64) {
	for _, line := range inv.Lines {
		exclusive += line.ExclusiveTax
		inclusive += line.InclusiveTax
	}
	return exclusive, inclusive
}

// taxAmounts renders taxes, one of each behavior at most.
func taxAmounts(exclusive, inclusive int64) string {
	var list []string
	for _, tax := range []struct {
		amount    int64
		inclusive bool
	}{{exclusive, false}, {inclusive, true}} {
		if tax.amount != 0 {
			list = append(list, fmt.Sprintf(`{"amount":%d,"inclusive":%t,"tax_rate":"txr_1","taxability_reason":"standard_rated","taxable_amount":null}`, tax.amount, tax.inclusive))
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

func discounts(amount int64) string {
	if amount == 0 {
		return "[]"
	}
	return fmt.Sprintf(`[{"amount":%d,"discount":"di_1"}]`, amount)
}

func (inv *Invoice) linesURL() string { return "/v1/invoices/" + inv.ID + "/lines" }

func (inv *Invoice) closedAs(status string) time.Time {
	if inv.Status == status {
		return inv.ClosedAt
	}
	return time.Time{}
}

// sequence orders lines by their position: a page shows the first line first.
func (l *InvoiceLine) sequence() int64 { return l.position }

func (l *InvoiceLine) field(string, time.Time) string { return "" }

func (l *InvoiceLine) write(w *writer) {
	inv := l.invoice
	w.open()
	w.text("id", l.ID)
	w.text("object", "line_item")
	w.number("amount", l.Amount)
	w.number("amount_excluding_tax", l.Amount-l.InclusiveTax)
	w.text("currency", inv.Currency)
	w.textOrNull("description", l.Description)
	w.raw("discount_amounts", "[]")
	w.boolean("discountable", !l.Proration)
	w.raw("discounts", "[]")
	w.text("invoice", inv.ID)
	kind := "invoiceitem"
	if inv.Subscription != "" && !l.Proration {
		kind = "subscription"
	} else {
		w.text("invoice_item", "ii_"+l.ID[3:])
	}
	w.boolean("livemode", inv.livemode)
	w.metadata(l.Metadata)
	w.name("period")
	w.open()
	w.number("end", l.PeriodEnd.Unix())
	w.number("start", l.PeriodStart.Unix())
	w.close()
	l.price.write(w, inv.Created, inv.livemode)
	w.boolean("proration", l.Proration)
	w.raw("proration_details", `{"credited_items":null}`)
	w.number("quantity", 1)
	w.ref("subscription", inv.Subscription)
	if l.itemID != "" {
		w.text("subscription_item", l.itemID)
	}
	w.raw("tax_amounts", taxAmounts(l.ExclusiveTax, l.InclusiveTax))
	w.raw("tax_rates", "[]")
	w.text("type", kind)
	w.raw("unit_amount_excluding_tax", fmt.Sprintf("%q", fmt.Sprint(l.Amount)))
	w.close()
}

// Subscription is a customer's plan.
type Subscription struct {
	Object
	Customer                             string
	Price                                Price
	Status                               string
	CancelAtPeriodEnd                    bool
	CanceledAt, EndedAt, CancelAt        time.Time
	CurrentPeriodStart, CurrentPeriodEnd time.Time
	LatestInvoice                        string
	Metadata                             map[string]string

	livemode bool
	item     string
}

// Price is what a plan costs per interval, in minor units of Currency.
type Price struct {
	ID         string // default price_<nickname>
	Product    string // default prod_<nickname>
	Nickname   string // the plan's name
	UnitAmount int64
	Currency   string
	Interval   string // "day", "week", "month" (default) or "year"
}

// SubscriptionParams describe a subscription that starts now.
type SubscriptionParams struct {
	Customer string
	Price    Price
	Status   string // default "active"
	Metadata map[string]string
}

// CreateSubscription starts a subscription. Its invoices are made with CreateInvoice.
func (s *Stripe) CreateSubscription(p SubscriptionParams) (Subscription, error) {
	return change(s, "create a subscription", func(b *books, now time.Time) (Subscription, error) {
		if b.customers.byID[p.Customer] == nil {
			return Subscription{}, fmt.Errorf("no customer %q", p.Customer)
		}
		if err := checkCurrency(p.Price.Currency); err != nil {
			return Subscription{}, err
		}
		setDefault(&p.Status, "active")
		sub := &Subscription{
			Object: b.object("sub", now), Customer: p.Customer, Price: p.Price.complete(), Status: p.Status, Metadata: maps.Clone(p.Metadata),
			CurrentPeriodStart: now, livemode: b.livemode, item: b.mint.id("si"),
		}
		sub.CurrentPeriodEnd = sub.Price.after(now)
		b.subscriptions.add(sub)
		return *sub, nil
	})
}

func (p Price) complete() Price {
	setDefault(&p.Nickname, "standard")
	setDefault(&p.ID, "price_"+p.Nickname)
	setDefault(&p.Product, "prod_"+p.Nickname)
	setDefault(&p.Interval, "month")
	return p
}

func (p Price) after(start time.Time) time.Time {
	switch p.Interval {
	case "day":
		return start.AddDate(0, 0, 1)
	case "week":
		return start.AddDate(0, 0, 7)
	case "year":
		return start.AddDate(1, 0, 0)
	}
	return start.AddDate(0, 1, 0)
}

// UpdateSubscription changes what the edit changes of: price, status, cancellation, period, metadata.
func (s *Stripe) UpdateSubscription(id string, edit func(*Subscription)) (Subscription, error) {
	return change(s, "update subscription "+id, func(b *books, now time.Time) (Subscription, error) {
		sub := get[Subscription](b.subscriptions, id)
		if sub == nil {
			return Subscription{}, errors.New("there is none")
		}
		edited := *sub
		edited.Metadata = maps.Clone(sub.Metadata)
		edit(&edited)
		edited.Object, edited.Customer, edited.Price = sub.Object, sub.Customer, edited.Price.complete()
		*sub = edited
		return *sub, nil
	})
}

// RenewSubscription moves on to the next period; a subscription to be cancelled at its end is cancelled instead.
func (s *Stripe) RenewSubscription(id string) (Subscription, error) {
	return change(s, "renew subscription "+id, func(b *books, now time.Time) (Subscription, error) {
		sub := get[Subscription](b.subscriptions, id)
		if sub == nil {
			return Subscription{}, errors.New("there is none")
		}
		if sub.Status == "canceled" {
			return *sub, errors.New("it is canceled")
		}
		if sub.CancelAtPeriodEnd {
			sub.Status, sub.EndedAt = "canceled", sub.CurrentPeriodEnd
			return *sub, nil
		}
		sub.CurrentPeriodStart, sub.CurrentPeriodEnd = sub.CurrentPeriodEnd, sub.Price.after(sub.CurrentPeriodEnd)
		return *sub, nil
	})
}

// CancelSubscription cancels at the end of the period, or at once.
func (s *Stripe) CancelSubscription(id string, atPeriodEnd bool) (Subscription, error) {
	now := s.now()
	return s.UpdateSubscription(id, func(sub *Subscription) {
		sub.CanceledAt = now
		if atPeriodEnd {
			sub.CancelAtPeriodEnd, sub.CancelAt = true, sub.CurrentPeriodEnd
			return
		}
		sub.Status, sub.EndedAt = "canceled", now
	})
}

func (sub *Subscription) field(name string, _ time.Time) string {
	switch name {
	case "customer":
		return sub.Customer
	case "status":
		return sub.Status
	case "collection_method":
		return "charge_automatically"
	case "price":
		return sub.Price.ID
	case "current_period_start":
		return strconv.FormatInt(sub.CurrentPeriodStart.Unix(), 10)
	case "current_period_end":
		return strconv.FormatInt(sub.CurrentPeriodEnd.Unix(), 10)
	}
	return ""
}

func (sub *Subscription) write(w *writer) {
	w.open()
	w.head("subscription", sub.Object)
	w.raw("application", "null")
	w.raw("application_fee_percent", "null")
	w.raw("automatic_tax", `{"enabled":false,"liability":null}`)
	w.number("billing_cycle_anchor", sub.Created.Unix())
	w.raw("billing_cycle_anchor_config", "null")
	w.raw("billing_thresholds", "null")
	w.instant("cancel_at", sub.CancelAt)
	w.boolean("cancel_at_period_end", sub.CancelAtPeriodEnd)
	w.instant("canceled_at", sub.CanceledAt)
	if sub.CanceledAt.IsZero() {
		w.raw("cancellation_details", `{"comment":null,"feedback":null,"reason":null}`)
	} else {
		w.raw("cancellation_details", `{"comment":null,"feedback":null,"reason":"cancellation_requested"}`)
	}
	w.text("collection_method", "charge_automatically")
	w.text("currency", sub.Price.Currency)
	w.number("current_period_end", sub.CurrentPeriodEnd.Unix())
	w.number("current_period_start", sub.CurrentPeriodStart.Unix())
	w.ref("customer", sub.Customer)
	w.raw("days_until_due", "null")
	w.raw("default_payment_method", "null")
	w.raw("default_source", "null")
	w.raw("default_tax_rates", "[]")
	w.raw("description", "null")
	w.raw("discount", "null")
	w.instant("ended_at", sub.EndedAt)
	w.list("items", "/v1/subscription_items?subscription="+sub.ID, false, []record{(*subscriptionItem)(sub)})
	w.ref("latest_invoice", sub.LatestInvoice)
	w.boolean("livemode", sub.livemode)
	w.metadata(sub.Metadata)
	w.raw("next_pending_invoice_item_invoice", "null")
	w.raw("on_behalf_of", "null")
	w.raw("pause_collection", "null")
	w.raw("payment_settings", `{"payment_method_options":null,"payment_method_types":null,"save_default_payment_method":"off"}`)
	w.raw("pending_invoice_item_interval", "null")
	w.raw("pending_setup_intent", "null")
	w.raw("pending_update", "null")
	w.raw("schedule", "null")
	w.number("start_date", sub.Created.Unix())
	w.text("status", sub.Status)
	w.raw("test_clock", "null")
	w.raw("transfer_data", "null")
	w.raw("trial_end", "null")
	w.raw("trial_settings", `{"end_behavior":{"missing_payment_method":"create_invoice"}}`)
	w.raw("trial_start", "null")
	w.close()
}

// subscriptionItem renders the one item of a subscription.
type subscriptionItem Subscription

func (i *subscriptionItem) key() string                    { return i.item }
func (i *subscriptionItem) field(string, time.Time) string { return "" }

func (i *subscriptionItem) write(w *writer) {
	w.open()
	w.head("subscription_item", Object{ID: i.item, Created: i.Created})
	w.raw("billing_thresholds", "null")
	w.metadata(nil)
	i.Price.write(w, i.Created, i.livemode)
	w.number("quantity", 1)
	w.text("subscription", i.ID)
	w.raw("tax_rates", "[]")
	w.close()
}

func (p Price) write(w *writer, created time.Time, livemode bool) {
	w.name("price")
	w.open()
	w.head("price", Object{ID: p.ID, Created: created})
	w.boolean("active", true)
	w.text("billing_scheme", "per_unit")
	w.text("currency", p.Currency)
	w.raw("custom_unit_amount", "null")
	w.boolean("livemode", livemode)
	w.raw("lookup_key", "null")
	w.metadata(nil)
	w.textOrNull("nickname", p.Nickname)
	w.text("product", p.Product)
	w.raw("recurring", `{"aggregate_usage":null,"interval":"`+p.Interval+`","interval_count":1,"usage_type":"licensed"}`)
	w.text("tax_behavior", "unspecified")
	w.raw("tiers_mode", "null")
	w.raw("transform_quantity", "null")
	w.text("type", "recurring")
	w.number("unit_amount", p.UnitAmount)
	w.text("unit_amount_decimal", strconv.FormatInt(p.UnitAmount, 10))
	w.close()
}
