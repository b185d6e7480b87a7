package stripetest_test

import (
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

func subscribed(t *testing.T) (*stripetest.Stripe, *clock, stripetest.Subscription) {
	t.Helper()
	s, clock := newStripe(t)
	customer := must[stripetest.Customer](t)(s.CreateCustomer("ann@example.com", nil))
	return s, clock, must[stripetest.Subscription](t)(s.CreateSubscription(stripetest.SubscriptionParams{
		Customer: customer.ID, Price: stripetest.Price{Nickname: "pro", UnitAmount: 4_900, Currency: "usd"},
	}))
}

func TestAnInvoiceIsPaidWhenItsMoneyHasArrived(t *testing.T) {
	s, clock, sub := subscribed(t)
	byCard := must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	byDebit := must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	if byCard.Status != "open" || byCard.AmountDue != 4_900 || byCard.BillingReason != "subscription_create" || byDebit.BillingReason != "subscription_cycle" {
		t.Errorf("%+v %+v", byCard, byDebit)
	}
	declined := must[stripetest.Charge](t)(s.PayInvoice(byCard.ID, stripetest.ChargeParams{Decline: "card_declined"}))
	if now, _ := s.Invoice(byCard.ID); now.Status != "open" || now.Charge != declined.ID {
		t.Errorf("after a declined card: %+v", now)
	}
	paid := must[stripetest.Charge](t)(s.PayInvoice(byCard.ID, stripetest.ChargeParams{}))
	now, _ := s.Invoice(byCard.ID)
	if now.Status != "paid" || now.AmountPaid != 4_900 || now.Charge != paid.ID || now.PaymentIntent != declined.PaymentIntent || paid.Invoice != byCard.ID {
		t.Errorf("after the card: %+v", now)
	}
	debit := must[stripetest.Charge](t)(s.PayInvoice(byDebit.ID, stripetest.ChargeParams{Method: stripetest.SEPADebit}))
	if now, _ := s.Invoice(byDebit.ID); now.Status != "open" || now.AmountPaid != 0 {
		t.Errorf("while the debit is pending: %+v", now)
	}
	if _, err := s.PayInvoice(byDebit.ID, stripetest.ChargeParams{}); err == nil {
		t.Error("an invoice was paid while a debit for it was pending")
	}
	clock.advance(5 * day)
	must[stripetest.Charge](t)(s.SettleCharge(debit.ID))
	if now, _ := s.Invoice(byDebit.ID); now.Status != "paid" || now.AmountPaid != 4_900 || !now.PaidAt.Equal(clock.Now()) {
		t.Errorf("after the debit: %+v", now)
	}
	if _, err := s.PayInvoice(byCard.ID, stripetest.ChargeParams{}); err == nil {
		t.Error("an invoice was paid twice")
	}
	if _, err := s.CloseInvoice(byCard.ID, "void"); err == nil {
		t.Error("a paid invoice was voided")
	}
}

func TestNegativeProrationsLeaveNothingToPay(t *testing.T) {
	s, _, sub := subscribed(t)
	invoice := must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{
		Subscription: sub.ID, BillingReason: "subscription_update",
		Lines: []stripetest.InvoiceLine{{Amount: -2_450, Proration: true}, {Amount: 1_000, Proration: true}},
	}))
	if invoice.Status != "paid" || invoice.Total != -1_450 || invoice.AmountDue != 0 || invoice.Charge != "" {
		t.Errorf("%+v", invoice)
	}
}

func TestSubscriptionPeriods(t *testing.T) {
	s, _, sub := subscribed(t)
	start := sub.CurrentPeriodStart
	renewed := must[stripetest.Subscription](t)(s.RenewSubscription(sub.ID))
	if !renewed.CurrentPeriodStart.Equal(start.AddDate(0, 1, 0)) || !renewed.CurrentPeriodEnd.Equal(start.AddDate(0, 2, 0)) {
		t.Errorf("%+v", renewed)
	}
	must[stripetest.Subscription](t)(s.CancelSubscription(sub.ID, true))
	ended := must[stripetest.Subscription](t)(s.RenewSubscription(sub.ID))
	if ended.Status != "canceled" || !ended.EndedAt.Equal(renewed.CurrentPeriodEnd) || !ended.CurrentPeriodEnd.Equal(renewed.CurrentPeriodEnd) {
		t.Errorf("%+v", ended)
	}
	if _, err := s.RenewSubscription(sub.ID); err == nil {
		t.Error("a canceled subscription was renewed")
	}
	edited := must[stripetest.Subscription](t)(s.UpdateSubscription(sub.ID, func(sub *stripetest.Subscription) {
		sub.ID, sub.Price, sub.CurrentPeriodEnd = "sub_other", stripetest.Price{Nickname: "basic", Currency: "usd", Interval: "week"}, start.Add(time.Hour)
	}))
	if edited.ID != sub.ID || edited.Price.ID != "price_basic" || !edited.CurrentPeriodEnd.Equal(start.Add(time.Hour)) {
		t.Errorf("%+v", edited)
	}
}

func TestAnInvoiceTakesFromTheCustomersBalance(t *testing.T) {
	s, _ := newStripe(t)
	customer := must[stripetest.Customer](t)(s.CreateCustomer("ann@example.com", nil))
	for _, p := range []struct{ starting, due, ending int64 }{{-500, 1_500, 0}, {-2_500, 0, -500}, {300, 2_300, 0}} {
		invoice := must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: "usd",
			Lines: []stripetest.InvoiceLine{{Amount: 2_000, Description: "2,000 credits"}}, StartingBalance: p.starting}))
		if invoice.AmountDue != p.due || (invoice.Status == "paid") != (p.due == 0) {
			t.Errorf("%+v", invoice)
		}
		document := fetch(t, s, listen(t, s), "/v1/invoices/"+invoice.ID).decode(t)
		if document["starting_balance"] != float64(p.starting) || document["ending_balance"] != float64(p.ending) || document["total"] != 2_000.0 {
			t.Errorf("%v", document)
		}
		if p.due > 0 {
			if charge := must[stripetest.Charge](t)(s.PayInvoice(invoice.ID, stripetest.ChargeParams{})); charge.Amount != p.due {
				t.Errorf("%+v", charge)
			}
		}
	}
}

func TestAnInvoicePaidOutOfBandHasNoCharge(t *testing.T) {
	s, _ := newStripe(t)
	customer := must[stripetest.Customer](t)(s.CreateCustomer("ann@example.com", nil))
	invoice := must[stripetest.Invoice](t)(s.CreateInvoice(stripetest.InvoiceParams{Customer: customer.ID, Currency: "usd",
		Lines: []stripetest.InvoiceLine{{Amount: 2_000}}}))
	invoice = must[stripetest.Invoice](t)(s.PayInvoiceOutOfBand(invoice.ID))
	document := fetch(t, s, listen(t, s), "/v1/invoices/"+invoice.ID).decode(t)
	if document["paid_out_of_band"] != true || document["status"] != "paid" || document["charge"] != nil || len(s.Charges()) != 0 {
		t.Errorf("%v", document)
	}
	if _, err := s.PayInvoice(invoice.ID, stripetest.ChargeParams{}); err == nil {
		t.Error("it was paid twice")
	}
}
