package stripetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest/openapi"
)

// TestMain parses the specification before anything is timed, and keeps net/http quiet about the faults that it meets.
func TestMain(m *testing.M) {
	_ = openapi.Validate("GET", "/v1/balance", http.StatusOK, []byte("{}")) // refused, of course
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// clock is a simulated clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const day = 24 * time.Hour

// must stops a test whose simulated business is impossible.
func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// newStripe is an empty double whose answers are compared with the specification.
func newStripe(t testing.TB, edit ...func(*stripetest.Options)) (*stripetest.Stripe, *clock) {
	t.Helper()
	clock := newClock()
	options := stripetest.Options{Clock: clock.Now, Seed: 1, ValidateResponses: openapi.Validate}
	for _, change := range edit {
		change(&options)
	}
	double := stripetest.New(options)
	t.Cleanup(func() {
		if err := double.InvalidResponses(); err != nil {
			t.Error(err)
		}
		if err := double.CheckBooks(); err != nil {
			t.Error(err)
		}
		if err := double.Close(); err != nil {
			t.Error(err)
		}
	})
	return double, clock
}

func listen(t testing.TB, double *stripetest.Stripe) string {
	t.Helper()
	return must[string](t)(double.Listen())
}

// answer is a response as a client sees it.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) decode(t testing.TB) map[string]any {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal([]byte(a.body), &document); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return document
}

func (a answer) problem(t testing.TB) map[string]any {
	t.Helper()
	problem, ok := a.decode(t)["error"].(map[string]any)
	if !ok {
		t.Fatalf("status %d is no error: %s", a.status, a.body)
	}
	return problem
}

func do(t testing.TB, request *http.Request) answer {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func fetch(t testing.TB, double *stripetest.Stripe, base, path string) answer {
	t.Helper()
	request, err := http.NewRequest("GET", base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+double.ReadKey())
	return do(t, request)
}

func post(t testing.TB, double *stripetest.Stripe, base, idempotencyKey string, form url.Values) answer {
	t.Helper()
	return do(t, refundRequest(t, double, base, idempotencyKey, form))
}

func refundRequest(t testing.TB, double *stripetest.Stripe, base, idempotencyKey string, form url.Values) *http.Request {
	t.Helper()
	request, err := http.NewRequest("POST", base+"/v1/refunds", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+double.RefundKey())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if idempotencyKey != "" {
		request.Header.Set("Idempotency-Key", idempotencyKey)
	}
	return request
}

// simulate runs a business that reaches every state that the double has, over three weeks.
func simulate(t testing.TB, s *stripetest.Stripe, clock *clock) {
	t.Helper()
	charge, refund, dispute := must[stripetest.Charge](t), must[stripetest.Refund](t), must[stripetest.Dispute](t)
	payout, invoice, movement := must[stripetest.Payout](t), must[stripetest.Invoice](t), must[stripetest.BalanceTransaction](t)
	daily := func() {
		clock.advance(day)
		must[[]stripetest.Payout](t)(s.RunAutomaticPayouts())
	}
	ann := must[stripetest.Customer](t)(s.CreateCustomer("ann@example.com", map[string]string{"account_id": "acc_1"}))
	must[stripetest.TopUp](t)(s.TopUp(100_000, "usd"))

	card := func(amount int64, edit func(*stripetest.ChargeParams)) stripetest.Charge {
		p := stripetest.ChargeParams{Amount: amount, Currency: "usd", Customer: ann.ID, Email: "ann@example.com", Metadata: map[string]string{"purchase_id": fmt.Sprint("pur_", amount)}}
		if edit != nil {
			edit(&p)
		}
		clock.advance(time.Minute)
		return charge(s.CreateCharge(p))
	}
	plain := card(10_000, nil)
	card(10_001, func(p *stripetest.ChargeParams) { p.Direct = true; p.Description = "Credits \"gold\" – 10 €\n" })
	card(10_002, func(p *stripetest.ChargeParams) { p.Decline = "card_declined" })
	late := card(10_003, func(p *stripetest.ChargeParams) { p.LateTransaction = true })
	card(10_004, func(p *stripetest.ChargeParams) { p.LateTransaction = true })
	card(9_900, func(p *stripetest.ChargeParams) {
		p.Currency, p.Settlement = "eur", stripetest.Settlement{Currency: "usd", Rate: "1.0834"}
	})
	yen := card(5_000, func(p *stripetest.ChargeParams) {
		p.Currency, p.Settlement = "jpy", stripetest.Settlement{Currency: "usd", Amount: 3_317}
	})
	dinar := card(12_345, func(p *stripetest.ChargeParams) { p.Currency = "kwd" })
	card(4_200, func(p *stripetest.ChargeParams) { p.Currency = "jpy" })
	card(7_000, func(p *stripetest.ChargeParams) { p.Currency = "eur"; p.Fees = []stripetest.Fee{} })
	card(8_000, func(p *stripetest.ChargeParams) {
		p.Fees = []stripetest.Fee{{Amount: 262, Description: "Stripe processing fees"}, {Amount: 50, Type: "tax", Description: "VAT"}}
	})
	held := card(6_000, func(p *stripetest.ChargeParams) { p.Authorize = true })
	card(6_001, func(p *stripetest.ChargeParams) { p.Authorize = true })
	canceled := card(6_002, func(p *stripetest.ChargeParams) { p.Authorize = true })
	sepa := func(p *stripetest.ChargeParams) { p.Method, p.Currency = stripetest.SEPADebit, "eur" }
	ach := func(p *stripetest.ChargeParams) { p.Method, p.EarlyTransaction = stripetest.USBankAccount, true }
	sepaPaid, sepaFailed := card(3_000, sepa), card(3_001, sepa)
	card(3_002, sepa)
	achPaid, achFailed := card(4_000, ach), card(4_001, ach)
	card(4_002, ach)
	daily()

	charge(s.SettleCharge(late.ID))
	charge(s.SettleCharge(sepaPaid.ID))
	charge(s.FailCharge(sepaFailed.ID, "insufficient_funds"))
	charge(s.SettleCharge(achPaid.ID))
	charge(s.FailCharge(achFailed.ID, "insufficient_funds"))
	charge(s.Capture(held.ID, 4_500))
	charge(s.CancelAuthorization(canceled.ID))
	hold := func(p *stripetest.ChargeParams) { p.Authorize, p.ApplicationFee = true, 12 }
	charge(s.CaptureWith(card(6_003, hold).ID, stripetest.CaptureParams{Amount: 4_000, Basil: true}))
	charge(s.ReleaseAuthorization(card(6_004, hold).ID))
	several := card(6_005, hold)
	charge(s.CaptureWith(several.ID, stripetest.CaptureParams{Amount: 4_000, More: true}))
	charge(s.CaptureWith(several.ID, stripetest.CaptureParams{}))
	charge(s.CaptureWith(card(6_006, hold).ID, stripetest.CaptureParams{Amount: 4_000, More: true}))
	unpaid := must[stripetest.PaymentIntent](t)(s.CreatePaymentIntent(stripetest.ChargeParams{Amount: 500, Currency: "usd"}))
	charge(s.Attempt(unpaid.ID, "expired_card"))
	charge(s.Attempt(unpaid.ID, ""))
	must[stripetest.PaymentIntent](t)(s.CreatePaymentIntent(stripetest.ChargeParams{Amount: 502, Currency: "usd"}))
	movement(s.BillFee(250, "usd", "Radar (2024-02-01 - 2024-02-29): Radar for Fraud Teams"))
	movement(s.BillTax(50, "usd", "VAT on fees"))
	movement(s.Adjust(stripetest.Adjustment{Amount: -700, Currency: "usd", Type: "reserve_transaction", ReportingCategory: "risk_reserved_funds"}))
	movement(s.Adjust(stripetest.Adjustment{Amount: 3, Currency: "eur", AvailableIn: 30 * day}))
	daily()

	refund(s.CreateRefund(stripetest.RefundParams{Charge: plain.ID, Amount: 4_000, Reason: "requested_by_customer", Metadata: map[string]string{"refund_intent": "1"}}))
	refund(s.CreateRefund(stripetest.RefundParams{Charge: plain.ID}))
	refund(s.CreateRefund(stripetest.RefundParams{Charge: yen.ID, Amount: 1_666}))
	refund(s.CreateRefund(stripetest.RefundParams{Charge: yen.ID, Amount: 1_667}))
	refund(s.CreateRefund(stripetest.RefundParams{Charge: yen.ID}))
	failed := refund(s.CreateRefund(stripetest.RefundParams{Charge: dinar.ID}))
	refund(s.FailRefund(failed.ID, "lost_or_stolen_card"))
	refund(s.CreateRefund(stripetest.RefundParams{Charge: sepaPaid.ID}))
	pending := refund(s.CreateRefund(stripetest.RefundParams{Charge: achPaid.ID, Amount: 1_000}))
	refund(s.SucceedRefund(pending.ID))
	unfunded := func() stripetest.Refund {
		return refund(s.CreateRefund(stripetest.RefundParams{Charge: card(2_500, nil).ID, Unfunded: true}))
	}
	unfunded()
	refund(s.SucceedRefund(unfunded().ID))
	refund(s.FailRefund(unfunded().ID, "insufficient_funds"))
	refund(s.CancelRefund(unfunded().ID))
	refund(s.CancelRefund(refund(s.CreateRefund(stripetest.RefundParams{Charge: card(2_501, nil).ID, Pending: true})).ID))
	returned := card(4_003, ach)
	charge(s.SettleCharge(returned.ID))
	charge(s.ReturnDebit(returned.ID, "insufficient_funds", 400))
	daily()

	disputed := func(edit func(*stripetest.DisputeParams), opts ...func(*stripetest.ChargeParams)) stripetest.Dispute {
		p := stripetest.DisputeParams{Charge: card(2_000, func(p *stripetest.ChargeParams) {
			for _, change := range opts {
				change(p)
			}
		}).ID}
		if edit != nil {
			edit(&p)
		}
		return dispute(s.OpenDispute(p))
	}
	inquiry := func(p *stripetest.DisputeParams) { p.Inquiry = true }
	disputed(nil)
	disputed(inquiry)
	dispute(s.CloseInquiry(disputed(inquiry).ID))
	dispute(s.SubmitEvidence(disputed(inquiry).ID))
	dispute(s.EscalateDispute(disputed(inquiry).ID))
	dispute(s.SubmitEvidence(disputed(nil).ID))
	dispute(s.LoseDispute(disputed(nil).ID))
	dispute(s.WinDispute(disputed(func(p *stripetest.DisputeParams) { p.Reason = "product_not_received" }).ID, true))
	partly := disputed(func(p *stripetest.DisputeParams) { p.Amount, p.Fee = 1_500, -1 })
	dispute(s.ReturnDispute(partly.ID, stripetest.DisputeReturn{Amount: 500}))
	dispute(s.WinDispute(partly.ID, false))
	disputed(nil, func(p *stripetest.ChargeParams) {
		p.Currency, p.Settlement = "eur", stripetest.Settlement{Currency: "usd", Rate: "1.1"}
	})
	dispute(s.OpenDispute(stripetest.DisputeParams{Charge: achPaid.ID}))
	apart := disputed(func(p *stripetest.DisputeParams) { p.FeeApart = true })
	dispute(s.ReturnDispute(apart.ID, stripetest.DisputeReturn{Fee: 1_500, FeeApart: true, Status: "won"}))
	dispute(s.ReturnDispute(disputed(nil).ID, stripetest.DisputeReturn{Amount: 800, Status: "lost"}))
	converted := disputed(func(p *stripetest.DisputeParams) { p.Withdraw = 2_300 }, func(p *stripetest.ChargeParams) {
		p.Currency, p.Settlement = "eur", stripetest.Settlement{Currency: "usd", Rate: "1.1"}
	})
	dispute(s.LoseDispute(converted.ID))
	dispute(s.ReturnDispute(converted.ID, stripetest.DisputeReturn{Amount: 2_250, Status: "won"}))
	daily()
	daily()
	daily()

	must[stripetest.TopUp](t)(s.TopUp(50_000, "usd"))
	manual := payout(s.CreatePayout(stripetest.PayoutParams{Amount: 500, Currency: "usd"}))
	payout(s.CancelPayout(manual.ID))
	payout(s.CreatePayout(stripetest.PayoutParams{Amount: 501, Currency: "usd"}))
	payout(s.CreatePayout(stripetest.PayoutParams{Amount: 1_000, Currency: "usd", Instant: true}))
	card(20_000, nil)
	daily()
	daily()
	daily()
	daily()
	payout(s.ReversePayout(s.Payouts()[0].ID))
	movement(s.BillFee(500_000, "kwd", "Radar"))
	if made := must[[]stripetest.Payout](t)(s.RunNegativePayouts()); len(made) == 0 {
		t.Error("no negative payout")
	}
	for _, p := range s.Payouts() {
		if p.Automatic && p.Currency == "eur" {
			payout(s.FailPayout(p.ID, "account_closed"))
			break
		}
	}

	plan := stripetest.Price{Nickname: "pro", UnitAmount: 4_900, Currency: "usd"}
	subscribe := func(edit func(*stripetest.SubscriptionParams)) stripetest.Subscription {
		p := stripetest.SubscriptionParams{Customer: ann.ID, Price: plan, Metadata: map[string]string{"account_id": "acc_1"}}
		if edit != nil {
			edit(&p)
		}
		return must[stripetest.Subscription](t)(s.CreateSubscription(p))
	}
	sub := subscribe(nil)
	first := invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	charge(s.PayInvoice(first.ID, stripetest.ChargeParams{Decline: "card_declined"}))
	charge(s.PayInvoice(first.ID, stripetest.ChargeParams{Metadata: map[string]string{"purchase_id": "pur_sub"}}))
	must[stripetest.Subscription](t)(s.RenewSubscription(sub.ID))
	debit := invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID}))
	debitCharge := charge(s.PayInvoice(debit.ID, stripetest.ChargeParams{Method: stripetest.USBankAccount}))
	invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID, BillingReason: "subscription_update", Lines: []stripetest.InvoiceLine{
		{Amount: -2_450, Description: "Unused time on pro", Proration: true},
		{Amount: 1_000, Description: "Remaining time on basic", Proration: true},
	}}))
	taxed := invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID, Discount: 500, Lines: []stripetest.InvoiceLine{
		{Amount: 3_000, ExclusiveTax: 500, Description: "1 × pro"}, {Amount: 1_100, InclusiveTax: 100, Description: "GPU hours"},
	}}))
	charge(s.PayInvoice(taxed.ID, stripetest.ChargeParams{}))
	invoice(s.CreateInvoice(stripetest.InvoiceParams{Customer: ann.ID, Currency: "eur", Lines: manyLines(25)}))
	balanced := invoice(s.CreateInvoice(stripetest.InvoiceParams{Customer: ann.ID, Currency: "usd", StartingBalance: -500, Lines: manyLines(20)}))
	charge(s.PayInvoice(balanced.ID, stripetest.ChargeParams{}))
	invoice(s.PayInvoiceOutOfBand(invoice(s.CreateInvoice(stripetest.InvoiceParams{Customer: ann.ID, Currency: "usd", Lines: manyLines(20)})).ID))
	invoice(s.CloseInvoice(invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID})).ID, "void"))
	invoice(s.CloseInvoice(invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID})).ID, "uncollectible"))
	draft := func() string {
		return invoice(s.CreateInvoice(stripetest.InvoiceParams{Subscription: sub.ID, Draft: true})).ID
	}
	draft()
	invoice(s.FinalizeInvoice(draft()))
	invoice(s.DeleteInvoice(draft()))
	leaving := subscribe(nil)
	must[stripetest.Subscription](t)(s.CancelSubscription(leaving.ID, true))
	must[stripetest.Subscription](t)(s.CancelSubscription(subscribe(nil).ID, false))
	ended := subscribe(nil)
	must[stripetest.Subscription](t)(s.CancelSubscription(ended.ID, true))
	must[stripetest.Subscription](t)(s.RenewSubscription(ended.ID))
	for _, status := range []string{"past_due", "trialing", "unpaid", "incomplete", "incomplete_expired", "paused"} {
		subscribe(func(p *stripetest.SubscriptionParams) { p.Status = status; p.Price.Interval = "year" })
	}
	daily()
	charge(s.SettleCharge(debitCharge.ID))
	daily()
	card(11_000, nil)
}

func manyLines(n int) []stripetest.InvoiceLine {
	lines := make([]stripetest.InvoiceLine, n)
	for i := range lines {
		lines[i] = stripetest.InvoiceLine{Amount: 100, Description: fmt.Sprint("GPU hour ", i)}
	}
	return lines
}
