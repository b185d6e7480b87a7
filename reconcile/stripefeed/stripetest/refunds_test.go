package stripetest_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
)

func TestRefundRules(t *testing.T) {
	s, _ := newStripe(t)
	base := listen(t, s)
	charge := func(edit func(*stripetest.ChargeParams)) stripetest.Charge {
		p := stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}
		if edit != nil {
			edit(&p)
		}
		return must[stripetest.Charge](t)(s.CreateCharge(p))
	}
	dispute := func(inquiry bool, then func(id string) (stripetest.Dispute, error)) string {
		c := charge(nil)
		d := must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: c.ID, Inquiry: inquiry}))
		if then != nil {
			must[stripetest.Dispute](t)(then(d.ID))
		}
		return c.ID
	}
	refunded, partly, canceled := charge(nil), charge(nil), charge(func(p *stripetest.ChargeParams) { p.Authorize = true })
	must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: refunded.ID}))
	must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: partly.ID, Amount: 400}))
	must[stripetest.Charge](t)(s.CancelAuthorization(canceled.ID))
	captured := func() string {
		c := charge(func(p *stripetest.ChargeParams) { p.Authorize = true })
		return must[stripetest.Charge](t)(s.Capture(c.ID, 600)).ID
	}
	refundedAndDisputed := func() string {
		c := charge(nil)
		must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: c.ID}))
		must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: c.ID}))
		return c.ID
	}
	held := func() string { return charge(func(p *stripetest.ChargeParams) { p.Authorize = true }).ID }
	unpaid := must[stripetest.PaymentIntent](t)(s.CreatePaymentIntent(stripetest.ChargeParams{Amount: 5, Currency: "usd"}))
	pending := charge(func(p *stripetest.ChargeParams) { p.Method = stripetest.USBankAccount })
	failed := charge(func(p *stripetest.ChargeParams) { p.Decline = "card_declined" })
	win := func(id string) (stripetest.Dispute, error) { return s.WinDispute(id, true) }

	tests := map[string]struct {
		form        url.Values
		status      int
		code, param string
	}{
		"whole":                         {url.Values{"charge": {charge(nil).ID}}, 200, "", ""},
		"all but a unit":                {url.Values{"charge": {charge(nil).ID}, "amount": {"999"}}, 200, "", ""},
		"exactly all":                   {url.Values{"charge": {charge(nil).ID}, "amount": {"1000"}}, 200, "", ""},
		"a unit too many":               {url.Values{"charge": {charge(nil).ID}, "amount": {"1001"}}, 400, "", "amount"},
		"more than Stripe ever refunds": {url.Values{"charge": {charge(nil).ID}, "amount": {"100000000"}}, 400, "amount_too_large", "amount"},
		"the most that it looks at":     {url.Values{"charge": {charge(nil).ID}, "amount": {"99999999"}}, 400, "", "amount"},
		"refunded, then disputed":       {url.Values{"charge": {refundedAndDisputed()}}, 400, "charge_already_refunded", ""},
		"nothing":                       {url.Values{"charge": {charge(nil).ID}, "amount": {"0"}}, 400, "parameter_invalid_integer", "amount"},
		"negative":                      {url.Values{"charge": {charge(nil).ID}, "amount": {"-1"}}, 400, "parameter_invalid_integer", "amount"},
		"fraction":                      {url.Values{"charge": {charge(nil).ID}, "amount": {"9.5"}}, 400, "parameter_invalid_integer", "amount"},
		"rest of a part":                {url.Values{"charge": {partly.ID}, "amount": {"601"}}, 400, "", "amount"},
		"refunded already":              {url.Values{"charge": {refunded.ID}}, 400, "charge_already_refunded", ""},
		"refunded already, with amount": {url.Values{"charge": {refunded.ID}, "amount": {"1"}}, 400, "charge_already_refunded", ""},
		"canceled authorisation":        {url.Values{"charge": {canceled.ID}}, 400, "charge_already_refunded", ""},
		"more than captured":            {url.Values{"charge": {captured()}, "amount": {"601"}}, 400, "", "amount"},
		"what was captured":             {url.Values{"charge": {captured()}, "amount": {"600"}}, 200, "", ""},
		"a hold":                        {url.Values{"charge": {held()}}, 200, "", ""},
		"part of a hold":                {url.Values{"charge": {held()}, "amount": {"999"}}, 400, "", "amount"},
		"pending":                       {url.Values{"charge": {pending.ID}}, 400, "charge_not_refundable", ""},
		"failed":                        {url.Values{"charge": {failed.ID}}, 400, "charge_not_refundable", ""},
		"chargeback":                    {url.Values{"charge": {dispute(false, nil)}}, 400, "charge_disputed", ""},
		"chargeback under review":       {url.Values{"charge": {dispute(false, s.SubmitEvidence)}}, 400, "charge_disputed", ""},
		"chargeback lost":               {url.Values{"charge": {dispute(false, s.LoseDispute)}}, 400, "charge_disputed", ""},
		"chargeback won":                {url.Values{"charge": {dispute(false, win)}}, 200, "", ""},
		"inquiry":                       {url.Values{"charge": {dispute(true, nil)}}, 200, "", ""},
		"inquiry closed":                {url.Values{"charge": {dispute(true, s.CloseInquiry)}}, 200, "", ""},
		"inquiry escalated":             {url.Values{"charge": {dispute(true, s.EscalateDispute)}}, 400, "charge_disputed", ""},
		"by payment intent":             {url.Values{"payment_intent": {charge(nil).PaymentIntent}}, 200, "", ""},
		"unpaid payment intent":         {url.Values{"payment_intent": {unpaid.ID}}, 400, "payment_intent_unexpected_state", "payment_intent"},
		"no such payment intent":        {url.Values{"payment_intent": {"pi_none"}}, 404, "resource_missing", "payment_intent"},
		"no such charge":                {url.Values{"charge": {"ch_none"}}, 404, "resource_missing", "charge"},
		"both":                          {url.Values{"charge": {refunded.ID}, "payment_intent": {refunded.PaymentIntent}}, 400, "parameters_exclusive", ""},
		"neither":                       {url.Values{"amount": {"1"}}, 400, "parameter_missing", ""},
		"reason":                        {url.Values{"charge": {charge(nil).ID}, "reason": {"requested_by_customer"}}, 200, "", ""},
		"unknown reason":                {url.Values{"charge": {charge(nil).ID}, "reason": {"regret"}}, 400, "", "reason"},
		"unknown parameter":             {url.Values{"charge": {charge(nil).ID}, "colour": {"red"}}, 400, "parameter_unknown", "colour"},
		"metadata value too long":       {url.Values{"charge": {charge(nil).ID}, "metadata[a]": {strings.Repeat("x", 501)}}, 400, "", "metadata"},
		"metadata longest value":        {url.Values{"charge": {charge(nil).ID}, "metadata[a]": {strings.Repeat("x", 500)}}, 200, "", ""},
		"metadata key too long":         {url.Values{"charge": {charge(nil).ID}, "metadata[" + strings.Repeat("k", 41) + "]": {"x"}}, 400, "", "metadata"},
		"expanded":                      {url.Values{"charge": {charge(nil).ID}, "expand[]": {"charge"}}, 200, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := len(s.Refunds())
			got := post(t, s, base, "", test.form)
			if got.status != test.status {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			if made := len(s.Refunds()) - before; (made == 1) != (test.status == 200) {
				t.Errorf("%d refunds made", made)
			}
			if test.status == 200 {
				return
			}
			problem := got.problem(t)
			if fmt.Sprint(problem["code"]) != fmt.Sprint(orNil(test.code)) || fmt.Sprint(problem["param"]) != fmt.Sprint(orNil(test.param)) {
				t.Errorf("%v", problem)
			}
		})
	}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func TestARefundKeepsTheFeeAndItsMetadata(t *testing.T) {
	s, _ := newStripe(t)
	base := listen(t, s)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 10_000, Currency: "usd"}))
	taken, _ := s.BalanceTransaction(charge.BalanceTransaction)
	if taken.Fee != 320 || taken.Net != 9_680 {
		t.Fatalf("charge took %d, left %d", taken.Fee, taken.Net)
	}
	post(t, s, base, "", url.Values{"charge": {charge.ID}, "amount": {"9680"}, "metadata[refund_intent]": {"i1"}, "metadata[empty]": {""}})
	refund := s.Refunds()[0]
	moved, _ := s.BalanceTransaction(refund.BalanceTransaction)
	if moved.Amount != -9_680 || moved.Fee != 0 || moved.ReportingCategory != "refund" || moved.Type != "refund" || moved.Source != refund.ID {
		t.Errorf("%+v", moved)
	}
	if len(refund.Metadata) != 1 || refund.Metadata["refund_intent"] != "i1" {
		t.Errorf("metadata %v", refund.Metadata)
	}
	if now, _ := s.Charge(charge.ID); now.AmountRefunded != 9_680 || now.Refunded {
		t.Errorf("%+v", now)
	}
	if got := s.Balances(); got[0].Available+got[0].Pending != 0 {
		t.Errorf("balance %+v: paid, fee and refund should leave nothing", got)
	}
}

// Refunds of a converted payment take back, in the end, exactly what it had brought.
func TestPartsOfAConvertedPaymentSumToTheWhole(t *testing.T) {
	s, _ := newStripe(t)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{
		Amount: 1_000, Currency: "eur", Settlement: stripetest.Settlement{Currency: "usd", Rate: "1.0837"}, Fees: []stripetest.Fee{},
	}))
	brought, _ := s.BalanceTransaction(charge.BalanceTransaction)
	if brought.Amount != 1_084 || brought.ExchangeRate != "1.0837" || brought.Currency != "usd" {
		t.Errorf("%+v", brought)
	}
	for range 9 { // each is 108.37, and nine times 108 is too little
		must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: charge.ID, Amount: 100}))
	}
	must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: charge.ID}))
	if got := s.Balances()[0]; got.Available+got.Pending != 0 {
		t.Errorf("left over: %+v", got)
	}
}

func TestSettlementHonoursDecimals(t *testing.T) {
	tests := map[string]struct {
		amount     int64
		currency   string
		settlement stripetest.Settlement
		want       int64
		wantRate   string
		impossible bool
	}{
		"two to two":       {amount: 9_900, currency: "eur", settlement: stripetest.Settlement{Currency: "usd", Rate: "1.0834"}, want: 10_726, wantRate: "1.0834"},
		"none to two":      {amount: 5_000, currency: "jpy", settlement: stripetest.Settlement{Currency: "usd", Rate: "0.006634"}, want: 3_317, wantRate: "0.006634"},
		"three to two":     {amount: 12_345, currency: "kwd", settlement: stripetest.Settlement{Currency: "usd", Rate: "3.25"}, want: 4_012, wantRate: "3.25"},
		"two to none":      {amount: 1_000, currency: "usd", settlement: stripetest.Settlement{Currency: "jpy", Rate: "150.05"}, want: 1_501, wantRate: "150.05"},
		"rate from amount": {amount: 5_000, currency: "jpy", settlement: stripetest.Settlement{Currency: "usd", Amount: 3_317}, want: 3_317, wantRate: "0.006634"},
		"nothing given":    {amount: 5_000, currency: "jpy", settlement: stripetest.Settlement{Currency: "usd"}, impossible: true},
		"fraction":         {amount: 5_000, currency: "jpy", settlement: stripetest.Settlement{Currency: "usd", Rate: "1/3"}, impossible: true},
		"bad rate":         {amount: 5_000, currency: "jpy", settlement: stripetest.Settlement{Currency: "usd", Rate: "cheap"}, impossible: true},
		"same currency":    {amount: 5_000, currency: "usd", settlement: stripetest.Settlement{Currency: "usd", Amount: 4_999}, impossible: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newStripe(t)
			charge, err := s.CreateCharge(stripetest.ChargeParams{Amount: test.amount, Currency: test.currency, Settlement: test.settlement})
			if (err != nil) != test.impossible {
				t.Fatalf("error %v", err)
			}
			got, _ := s.BalanceTransaction(charge.BalanceTransaction)
			if got.Amount != test.want || got.ExchangeRate != test.wantRate {
				t.Errorf("%d at %s, want %d at %s", got.Amount, got.ExchangeRate, test.want, test.wantRate)
			}
		})
	}
}

// A hold of 2,000 of which 1,200 are taken: the API version of whoever captures decides what comes of the rest.
func TestPartialCapture(t *testing.T) {
	for _, p := range []struct {
		name               string
		params             []stripetest.CaptureParams
		captured, refunded int64
		transactions       string // category:amount/fee
	}{
		{"before 2025-03-31", []stripetest.CaptureParams{{Amount: 1_200}}, 1_200, 800, "charge:2000/88 partial_capture_reversal:-800/-23"},
		{"since 2025-03-31", []stripetest.CaptureParams{{Amount: 1_200, Basil: true}}, 1_200, 0, "charge:1200/65"},
		{"several", []stripetest.CaptureParams{{Amount: 1_200, More: true}, {}}, 2_000, 0, "charge:1200/65 charge:800/53"},
		{"several, the rest released", []stripetest.CaptureParams{{Amount: 1_200, More: true}, {Amount: 300}}, 1_500, 0, "charge:1200/65 charge:300/39"},
		{"fees of its own", []stripetest.CaptureParams{{Amount: 1_200, Fees: []stripetest.Fee{{Amount: 40}}}}, 1_200, 800, "charge:2000/88 partial_capture_reversal:-800/-48"},
	} {
		t.Run(p.name, func(t *testing.T) {
			s, _ := newStripe(t)
			charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", Authorize: true}))
			for i, params := range p.params {
				if charge.Captured {
					t.Errorf("captured before capture %d", i)
				}
				charge = must[stripetest.Charge](t)(s.CaptureWith(charge.ID, params))
			}
			var rows []string
			for _, row := range s.BalanceTransactions() {
				rows = append(rows, fmt.Sprintf("%s:%d/%d", row.ReportingCategory, row.Amount, row.Fee))
				if row.ReportingCategory == "charge" && row.Source != charge.ID {
					t.Errorf("%+v", row)
				}
			}
			if got := strings.Join(rows, " "); got != p.transactions {
				t.Errorf("%s, not %s", got, p.transactions)
			}
			if !charge.Captured || charge.AmountCaptured != p.captured || charge.AmountRefunded != p.refunded || charge.Refunded {
				t.Errorf("%+v", charge)
			}
			refund := must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: charge.ID}))
			if refund.Amount != p.captured {
				t.Errorf("refunded %d of %d captured", refund.Amount, p.captured)
			}
			if charge, _ := s.Charge(charge.ID); !charge.Refunded || charge.AmountRefunded != p.refunded+p.captured {
				t.Errorf("%+v", charge)
			}
			if _, err := s.CreateRefund(stripetest.RefundParams{Charge: charge.ID, Amount: 1}); err == nil {
				t.Error("more was refunded than was captured")
			}
		})
	}
}

func TestAPartialCaptureInAnotherCurrencyBringsItsShare(t *testing.T) {
	for _, basil := range []bool{false, true} {
		s, _ := newStripe(t)
		charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 3_000, Currency: "jpy", Authorize: true,
			Settlement: stripetest.Settlement{Currency: "kwd", Amount: 6_001}}))
		must[stripetest.Charge](t)(s.CaptureWith(charge.ID, stripetest.CaptureParams{Amount: 1_000, Basil: basil}))
		var brought int64
		for _, row := range s.BalanceTransactions() {
			brought += row.Amount
		}
		if brought != 2_000 { // 6,001 / 3
			t.Errorf("basil %t: %d", basil, brought)
		}
	}
}

func TestTheRestOfAHoldIsReleasedWithoutARefund(t *testing.T) {
	s, _ := newStripe(t)
	hold := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 500, Currency: "usd", Authorize: true}))
	hold = must[stripetest.Charge](t)(s.ReleaseAuthorization(hold.ID))
	if intent, _ := s.PaymentIntent(hold.PaymentIntent); hold.Captured || hold.Refunded || intent.CanceledAt.IsZero() || len(s.Refunds()) != 0 {
		t.Errorf("%+v %+v", hold, intent)
	}
	if _, err := s.Capture(hold.ID, 500); err == nil {
		t.Error("a released hold was captured")
	}
	if _, err := s.CreateRefund(stripetest.RefundParams{Charge: hold.ID}); err == nil {
		t.Error("a released hold was refunded")
	}
	some := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 500, Currency: "usd", Authorize: true}))
	must[stripetest.Charge](t)(s.CaptureWith(some.ID, stripetest.CaptureParams{Amount: 200, More: true}))
	if some = must[stripetest.Charge](t)(s.ReleaseAuthorization(some.ID)); !some.Captured || some.AmountCaptured != 200 {
		t.Errorf("%+v", some)
	}
}

func TestApplicationFeesComeBesideStripesOwn(t *testing.T) {
	s, _ := newStripe(t)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", ApplicationFee: 100}))
	row, _ := s.BalanceTransaction(charge.BalanceTransaction)
	if row.Fee != 188 || len(row.Fees) != 2 || row.Fees[1].Type != "application_fee" || row.Fees[1].Amount != 100 {
		t.Errorf("%+v", row)
	}
}

func TestARefundThatFailsLaterReopensTheCharge(t *testing.T) {
	s, clock := newStripe(t)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 1_000, Currency: "usd"}))
	refund := must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: charge.ID}))
	clock.advance(5 * day)
	refund = must[stripetest.Refund](t)(s.FailRefund(refund.ID, "expired_or_canceled_card"))
	if refund.Status != "failed" || refund.FailureReason != "expired_or_canceled_card" {
		t.Errorf("%+v", refund)
	}
	if back, _ := s.BalanceTransaction(refund.FailureBalanceTransaction); back.Amount != 1_000 || back.ReportingCategory != "refund_failure" || back.Source != refund.ID {
		t.Errorf("%+v", back)
	}
	if charge, _ := s.Charge(charge.ID); charge.Refunded || charge.AmountRefunded != 0 {
		t.Errorf("%+v", charge)
	}
	if _, err := s.FailRefund(refund.ID, "again"); err == nil {
		t.Error("it failed twice")
	}
	must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: charge.ID}))
}

// A hold could once be refunded in part and then released as a whole, which gave more back than was held.
func TestAHoldIsGivenBackOnce(t *testing.T) {
	s, _ := newStripe(t)
	hold := func() string {
		return must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2, Currency: "usd", Authorize: true})).ID
	}
	id := hold()
	if _, err := s.CreateRefund(stripetest.RefundParams{Charge: id, Amount: 1}); err == nil {
		t.Error("a part of a hold was refunded")
	}
	must[stripetest.Charge](t)(s.CancelAuthorization(id))
	if _, err := s.CreateRefund(stripetest.RefundParams{Charge: id}); err == nil {
		t.Error("a released hold was refunded")
	}
	refunded := hold()
	must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: refunded}))
	if _, err := s.Capture(refunded, 2); err == nil {
		t.Error("a refunded hold was captured")
	}
	if moved := len(s.BalanceTransactions()); moved != 0 {
		t.Errorf("%d movements of the balance", moved)
	}
}

func TestBankDebits(t *testing.T) {
	s, clock := newStripe(t)
	debit := func(early bool) stripetest.Charge {
		return must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", Method: stripetest.USBankAccount, EarlyTransaction: early}))
	}
	paid, bounced, early := debit(false), debit(false), debit(true)
	if paid.Status != "pending" || paid.BalanceTransaction != "" || early.BalanceTransaction == "" || !strings.HasPrefix(paid.ID, "py_") {
		t.Errorf("%+v %+v", paid, early)
	}
	clock.advance(4 * day)
	paid = must[stripetest.Charge](t)(s.SettleCharge(paid.ID))
	must[stripetest.Charge](t)(s.FailCharge(bounced.ID, "insufficient_funds"))
	early = must[stripetest.Charge](t)(s.FailCharge(early.ID, "insufficient_funds"))
	settled, _ := s.BalanceTransaction(paid.BalanceTransaction)
	if settled.Created != clock.Now() || settled.Type != "payment" || settled.ReportingCategory != "charge" || settled.Fee != 16 {
		t.Errorf("%+v", settled)
	}
	reversed, _ := s.BalanceTransaction(early.FailureBalanceTransaction)
	if reversed.Net != -1_984 || reversed.ReportingCategory != "charge_failure" || reversed.Type != "payment_failure_refund" {
		t.Errorf("%+v", reversed)
	}
	if _, err := s.FailCharge(paid.ID, "late"); err == nil {
		t.Error("a settled charge failed")
	}
	if _, err := s.SettleCharge(paid.ID); err == nil {
		t.Error("a charge settled twice")
	}
	refund := must[stripetest.Refund](t)(s.CreateRefund(stripetest.RefundParams{Charge: paid.ID}))
	if refund.Status != "pending" || !strings.HasPrefix(refund.ID, "pyr_") {
		t.Errorf("%+v", refund)
	}
}

func TestDisputeMoney(t *testing.T) {
	s, clock := newStripe(t)
	charge := must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", Fees: []stripetest.Fee{}}))
	clock.advance(time.Hour)
	dispute := must[stripetest.Dispute](t)(s.OpenDispute(stripetest.DisputeParams{Charge: charge.ID, Inquiry: true}))
	balance := func() int64 { return s.Balances()[0].Available + s.Balances()[0].Pending }
	steps := []struct {
		what    string
		step    func() (stripetest.Dispute, error)
		status  string
		balance int64
	}{
		{"inquiry", func() (stripetest.Dispute, error) { return dispute, nil }, "warning_needs_response", 2_000},
		{"answered", func() (stripetest.Dispute, error) { return s.SubmitEvidence(dispute.ID) }, "warning_under_review", 2_000},
		{"escalated", func() (stripetest.Dispute, error) { return s.EscalateDispute(dispute.ID) }, "needs_response", -1_500},
		{"answered again", func() (stripetest.Dispute, error) { return s.SubmitEvidence(dispute.ID) }, "under_review", -1_500},
		{"partly reinstated", func() (stripetest.Dispute, error) {
			return s.ReturnDispute(dispute.ID, stripetest.DisputeReturn{Amount: 300})
		}, "under_review", -1_200},
		{"lost", func() (stripetest.Dispute, error) { return s.LoseDispute(dispute.ID) }, "lost", -1_200},
		{"won in the end", func() (stripetest.Dispute, error) { return s.WinDispute(dispute.ID, true) }, "won", 2_000},
	}
	for _, step := range steps {
		got := must[stripetest.Dispute](t)(step.step())
		if got.Status != step.status || balance() != step.balance {
			t.Errorf("%s: %s with %d, want %s with %d", step.what, got.Status, balance(), step.status, step.balance)
		}
	}
	if _, err := s.LoseDispute(dispute.ID); err == nil {
		t.Error("a won dispute was lost")
	}
}

func TestPayoutsFollowTheClock(t *testing.T) {
	s, clock := newStripe(t)
	base := listen(t, s)
	must[stripetest.Charge](t)(s.CreateCharge(stripetest.ChargeParams{Amount: 2_000, Currency: "usd", Fees: []stripetest.Fee{}}))
	run := func() []stripetest.Payout { return must[[]stripetest.Payout](t)(s.RunAutomaticPayouts()) }
	clock.advance(48*time.Hour - time.Second)
	if got := run(); len(got) != 0 {
		t.Errorf("paid out a second early: %+v", got)
	}
	clock.advance(time.Second)
	made := run()
	if len(made) != 1 || made[0].Amount != 2_000 || len(run()) != 0 {
		t.Fatalf("%+v", made)
	}
	status := func() any { return fetch(t, s, base, "/v1/payouts/"+made[0].ID).decode(t)["status"] }
	if status() != "in_transit" {
		t.Errorf("status %v", status())
	}
	clock.advance(2 * day)
	if status() != "paid" {
		t.Errorf("status %v", status())
	}
	must[stripetest.Payout](t)(s.FailPayout(made[0].ID, "account_closed"))
	if status() != "failed" || s.Balances()[0].Available != 2_000 {
		t.Errorf("status %v, balance %+v", status(), s.Balances())
	}
	if again := run(); len(again) != 1 || again[0].Amount != 2_000 {
		t.Errorf("the next payout after a failed one: %+v", again)
	}
}
