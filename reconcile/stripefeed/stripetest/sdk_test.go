package stripetest_test

import (
	"errors"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
)

// sdk is stripe-go with backends of its own that point at the double.
func sdk(t testing.TB, base, key string) *client.API {
	t.Helper()
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(base), MaxNetworkRetries: stripe.Int64(0), EnableTelemetry: stripe.Bool(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})
	return client.New(key, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
}

// stripe-go, the client that the API version belongs to, reads everything and reads it right.
func TestStripeGoDecodesEveryEndpoint(t *testing.T) {
	s, clock := newStripe(t)
	simulate(t, s, clock)
	api := sdk(t, listen(t, s), s.ReadKey())
	equal := func(what, id string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s %s: stripe-go reads %v, want %v", id, what, got, want)
		}
	}
	count := func(what string, got, want int, err error) {
		t.Helper()
		if err != nil || got != want || want == 0 {
			t.Errorf("%s: read %d of %d, error %v", what, got, want, err)
		}
	}

	params := stripe.ListParams{Limit: stripe.Int64(20)}
	expanded := func(paths ...string) stripe.ListParams {
		list := params
		for _, path := range paths {
			list.AddExpand(path)
		}
		return list
	}

	n := 0
	charges := api.Charges.List(&stripe.ChargeListParams{ListParams: expanded("data.balance_transaction", "data.refunds")})
	for ; charges.Next(); n++ {
		got := charges.Charge()
		want, _ := s.Charge(got.ID)
		equal("amount", got.ID, got.Amount, want.Amount)
		equal("status", got.ID, string(got.Status), want.Status)
		equal("created", got.ID, got.Created, want.Created.Unix())
		equal("refunded", got.ID, got.AmountRefunded, want.AmountRefunded)
		equal("metadata", got.ID, got.Metadata["purchase_id"], want.Metadata["purchase_id"])
		if transaction, ok := s.BalanceTransaction(want.BalanceTransaction); ok {
			equal("fee", got.ID, got.BalanceTransaction.Fee, transaction.Fee)
			equal("net", got.ID, got.BalanceTransaction.Net, transaction.Net)
		} else if got.BalanceTransaction != nil {
			t.Errorf("%s has a balance transaction", got.ID)
		}
		var standing int64
		for _, refund := range got.Refunds.Data {
			if refund.Status != stripe.RefundStatusFailed && refund.Status != stripe.RefundStatusCanceled {
				standing += refund.Amount
			}
		}
		equal("standing refunds", got.ID, standing, want.AmountRefunded)
		one, err := api.Charges.Get(got.ID, nil)
		if err != nil || one.ID != got.ID || one.Livemode {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("charges", n, len(s.Charges()), charges.Err())

	n = 0
	transactions := api.BalanceTransactions.List(&stripe.BalanceTransactionListParams{ListParams: expanded("data.source")})
	for ; transactions.Next(); n++ {
		got := transactions.BalanceTransaction()
		want, _ := s.BalanceTransaction(got.ID)
		equal("net", got.ID, got.Net, want.Net)
		equal("category", got.ID, string(got.ReportingCategory), want.ReportingCategory)
		equal("type", got.ID, string(got.Type), want.Type)
		equal("fee lines", got.ID, len(got.FeeDetails), len(want.Fees))
		equal("available", got.ID, got.AvailableOn, want.AvailableOn.Unix())
		if want.Source != "" {
			equal("source", got.ID, got.Source.ID, want.Source)
		}
		if (got.ExchangeRate != 0) != (want.ExchangeRate != "") {
			t.Errorf("%s: exchange rate %v, want %q", got.ID, got.ExchangeRate, want.ExchangeRate)
		}
		if _, err := api.BalanceTransactions.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("balance transactions", n, len(s.BalanceTransactions()), transactions.Err())

	n = 0
	refunds := api.Refunds.List(&stripe.RefundListParams{ListParams: expanded("data.charge")})
	for ; refunds.Next(); n++ {
		got := refunds.Refund()
		want, _ := s.Refund(got.ID)
		equal("amount", got.ID, got.Amount, want.Amount)
		equal("status", got.ID, string(got.Status), want.Status)
		equal("charge", got.ID, got.Charge.ID, want.Charge)
		equal("failure", got.ID, string(got.FailureReason), want.FailureReason)
		if _, err := api.Refunds.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("refunds", n, len(s.Refunds()), refunds.Err())

	n = 0
	disputes := api.Disputes.List(&stripe.DisputeListParams{ListParams: params})
	for ; disputes.Next(); n++ {
		got := disputes.Dispute()
		want, _ := s.Dispute(got.ID)
		equal("status", got.ID, string(got.Status), want.Status)
		equal("transactions", got.ID, len(got.BalanceTransactions), len(want.BalanceTransactions))
		equal("charge", got.ID, got.Charge.ID, want.Charge)
		if _, err := api.Disputes.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("disputes", n, len(s.Disputes()), disputes.Err())

	n = 0
	payouts := api.Payouts.List(&stripe.PayoutListParams{ListParams: params})
	for ; payouts.Next(); n++ {
		got := payouts.Payout()
		want, _ := s.Payout(got.ID)
		equal("amount", got.ID, got.Amount, want.Amount)
		equal("automatic", got.ID, got.Automatic, want.Automatic)
		equal("transaction", got.ID, got.BalanceTransaction.ID, want.BalanceTransaction)
		equal("failure", got.ID, string(got.FailureCode), want.FailureCode)
		if _, err := api.Payouts.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("payouts", n, len(s.Payouts()), payouts.Err())

	n = 0
	invoices := api.Invoices.List(&stripe.InvoiceListParams{ListParams: params})
	for ; invoices.Next(); n++ {
		got := invoices.Invoice()
		want, _ := s.Invoice(got.ID)
		equal("total", got.ID, got.Total, want.Total)
		equal("status", got.ID, string(got.Status), want.Status)
		lines := 0
		iterator := api.Invoices.ListLines(&stripe.InvoiceListLinesParams{Invoice: stripe.String(got.ID), ListParams: params})
		for ; iterator.Next(); lines++ {
			equal("line", got.ID, iterator.InvoiceLineItem().ID, want.Lines[lines].ID)
			equal("line amount", got.ID, iterator.InvoiceLineItem().Amount, want.Lines[lines].Amount)
			equal("proration", got.ID, iterator.InvoiceLineItem().Proration, want.Lines[lines].Proration)
		}
		count("lines of "+got.ID, lines, len(want.Lines), iterator.Err())
		equal("embedded lines", got.ID, len(got.Lines.Data), min(10, len(want.Lines)))
		equal("more lines", got.ID, got.Lines.HasMore, len(want.Lines) > 10)
		if _, err := api.Invoices.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("invoices", n, len(s.Invoices()), invoices.Err())

	n = 0
	subscriptions := api.Subscriptions.List(&stripe.SubscriptionListParams{ListParams: params, Status: stripe.String("all")})
	for ; subscriptions.Next(); n++ {
		got := subscriptions.Subscription()
		want, _ := s.Subscription(got.ID)
		equal("status", got.ID, string(got.Status), want.Status)
		equal("period end", got.ID, got.CurrentPeriodEnd, want.CurrentPeriodEnd.Unix())
		equal("price", got.ID, got.Items.Data[0].Price.UnitAmount, want.Price.UnitAmount)
		if _, err := api.Subscriptions.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("subscriptions", n, len(s.Subscriptions()), subscriptions.Err())

	n = 0
	intents := api.PaymentIntents.List(&stripe.PaymentIntentListParams{ListParams: expanded("data.latest_charge")})
	for ; intents.Next(); n++ {
		got := intents.PaymentIntent()
		want, _ := s.PaymentIntent(got.ID)
		equal("amount", got.ID, got.Amount, want.Amount)
		if want.LatestCharge != "" {
			equal("charge", got.ID, got.LatestCharge.Amount, want.Amount)
		}
		if _, err := api.PaymentIntents.Get(got.ID, nil); err != nil {
			t.Errorf("get %s: %v", got.ID, err)
		}
	}
	count("payment intents", n, n, intents.Err())

	balance, err := api.Balance.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range s.Balances() {
		equal("available", want.Currency, balance.Available[i].Amount, want.Available)
		equal("pending", want.Currency, balance.Pending[i].Amount, want.Pending)
	}
	account, err := api.Accounts.Get()
	if err != nil || account.ID != s.AccountID() {
		t.Errorf("account: %v", err)
	}
}

func TestStripeGoRefunds(t *testing.T) {
	s, _ := newStripe(t)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	base := listen(t, s)
	params := &stripe.RefundParams{Charge: stripe.String(charge.ID), Amount: stripe.Int64(970)}
	params.AddMetadata("refund_intent", "i1")
	params.SetIdempotencyKey("key-1")
	api := sdk(t, base, s.RefundKey())
	refund, err := api.Refunds.New(params)
	if err != nil {
		t.Fatal(err)
	}
	if refund.Amount != 970 || refund.Status != stripe.RefundStatusSucceeded || refund.Metadata["refund_intent"] != "i1" {
		t.Errorf("refund %+v", refund)
	}
	again, err := api.Refunds.New(params)
	if err != nil || again.ID != refund.ID || again.LastResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replay: %v, %+v", err, again)
	}
	_, err = sdk(t, base, s.ReadKey()).Refunds.New(&stripe.RefundParams{Charge: stripe.String(charge.ID)})
	var problem *stripe.Error
	if !errors.As(err, &problem) || problem.HTTPStatusCode != 403 || problem.Type != stripe.ErrorTypeInvalidRequest {
		t.Errorf("refund with the read key: %v", err)
	}
	if got := len(s.Refunds()); got != 1 {
		t.Errorf("%d refunds", got)
	}
}
