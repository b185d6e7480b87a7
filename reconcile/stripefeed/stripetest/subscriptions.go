package stripetest

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

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
