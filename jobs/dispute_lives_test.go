package jobs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reports"
)

// lives is a platform and its Stripe account whose nights are reported, journal and all.
type lives struct{ *booksOfAMonth }

func newLives(t *testing.T) lives { return lives{newBooks(t)} }

// bought is a purchase of so much at five in the morning of the present day, on an account that is suspended: disputes need no action.
func (l lives) bought(amount int64, currency string, edit func(*stripetest.ChargeParams)) purchased {
	l.t.Helper()
	l.until(5)
	p, charge := l.pay(amount, currency, edit)
	l.store(p, "completed", charge.PaymentIntent, charge.ID, "")
	l.exec("UPDATE platform.accounts SET status = 'suspended' WHERE id = $1", p.account)
	return p
}

// nights runs the nights up to so many, each with what happens on its day.
func (l lives) nights(through int, days map[int]func()) {
	l.t.Helper()
	for n := range through + 1 {
		l.until(9)
		if happens := days[n]; happens != nil {
			happens()
		}
		l.report()
	}
}

// open are the breaks that the newest report has as open, by kind, subject and variance.
func (l lives) open() []string {
	l.t.Helper()
	var all []string
	for _, row := range l.table(l.booksOfAMonth.nights[len(l.booksOfAMonth.nights)-1], "breaks.csv") {
		if row["status"] == "open" {
			all = append(all, row["kind"]+" "+row["subject_id"]+" "+row["variance"])
		}
	}
	slices.Sort(all)
	return all
}

// balances are what the journal's accounts between us and Stripe hold at the end of the newest night, by account and currency; and what income
// and expenses came to over all nights.
func (l lives) balances() map[string]int64 {
	l.t.Helper()
	all := map[string]int64{}
	rows, err := l.db.Query(`SELECT role, currency, sum(amount_minor)::bigint FROM reconciler.journal_lines
		WHERE role IN ('purchase_clearing', 'refund_clearing', 'disputes_receivable', 'stripe_suspense', 'dispute_losses', 'exchange_differences', 'processing_fees')
		GROUP BY 1, 2 HAVING sum(amount_minor) <> 0`)
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var role, currency string
		var amount int64
		if err := rows.Scan(&role, &currency, &amount); err != nil {
			l.t.Fatal(err)
		}
		all[role+" "+currency] = amount
	}
	return all
}

// summary is that of the newest report.
func (l lives) summary() (s reports.Summary) {
	l.t.Helper()
	content, err := os.ReadFile(filepath.Join(l.folder, l.booksOfAMonth.nights[len(l.booksOfAMonth.nights)-1].Date.String(), "summary.json"))
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// disputeRow is a dispute in the newest report that has it.
func (l lives) disputeRow(id string) map[string]string {
	l.t.Helper()
	for _, night := range slices.Backward(l.booksOfAMonth.nights) {
		for _, row := range l.table(night, "disputes.csv") {
			if row["dispute_id"] == id {
				return row
			}
		}
	}
	l.t.Fatalf("no report has dispute %s", id)
	return nil
}

// A dispute's life, and what its last row, the breaks and the journal say at its end.
func TestDisputeLives(t *testing.T) {
	t.Parallel()
	type life struct {
		amount   int64
		currency string
		charge   func(*stripetest.ChargeParams)
		// days happen from the day after the purchase on; they are told the purchase and the dispute's id.
		days   map[int]func(l lives, p purchased, dispute *string)
		nights int
		want   string // phase, status, withdrawn, returned, fees, clawback, reinstatement, tie-out
		breaks int
		books  map[string]int64
	}
	dispute := func(params stripetest.DisputeParams) func(lives, purchased, *string) {
		return func(l lives, p purchased, id *string) {
			params.Charge = p.charge
			*id = ok[stripetest.Dispute](l.t)(l.stripe.OpenDispute(params)).ID
		}
	}
	lose := func(l lives, _ purchased, id *string) { ok[stripetest.Dispute](l.t)(l.stripe.LoseDispute(*id)) }
	back := func(r stripetest.DisputeReturn) func(lives, purchased, *string) {
		return func(l lives, _ purchased, id *string) {
			ok[stripetest.Dispute](l.t)(l.stripe.ReturnDispute(*id, r))
		}
	}
	settledAs := func(amount int64) func(*stripetest.ChargeParams) {
		return func(c *stripetest.ChargeParams) {
			c.Settlement, c.Fees = stripetest.Settlement{Currency: "usd", Amount: amount}, []stripetest.Fee{}
		}
	}
	free := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} }
	noFee := stripetest.DisputeParams{Fee: -1}
	for name, tc := range map[string]life{
		"won after it was lost": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: lose, 5: back(stripetest.DisputeReturn{Status: "won"})}, 6,
			"won won 2000 2000 0 0 0 tied", 0, map[string]int64{}},
		"won weeks after it was lost": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: lose, 40: back(stripetest.DisputeReturn{Status: "won"})}, 41,
			"won won 2000 2000 0 0 0 tied", 0, map[string]int64{}},
		"partly won": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 3: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 4,
			"partly_won lost 2000 800 0 1200 1200 tied", 0, map[string]int64{"dispute_losses usd": 1200}},
		"lost, a part comes later": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: lose, 4: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 5,
			"partly_won lost 2000 800 0 1200 1200 tied", 0, map[string]int64{"dispute_losses usd": 1200}},
		"without decimals": {2000, "jpy", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 3: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 4,
			"partly_won lost 2000 800 0 1200 1200 tied", 0, map[string]int64{"dispute_losses jpy": 1200}},
		"won at other rates": {10000, "eur", settledAs(10833), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 10900, Fee: -1}), 4: back(stripetest.DisputeReturn{Amount: 10850, Status: "won"})}, 5,
			"won won 10900 10850 0 0 0 tied", 0, map[string]int64{"exchange_differences usd": 50}},
		"won at other rates, three decimals": {10000, "kwd", settledAs(32500), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 32400, Fee: -1}), 4: back(stripetest.DisputeReturn{Amount: 32600, Status: "won"})}, 5,
			"won won 32400 32600 0 0 0 tied", 0, map[string]int64{"exchange_differences usd": -200}},
		"lost at another rate": {10000, "eur", settledAs(10833), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 10900, Fee: -1}), 4: lose}, 5,
			"lost lost 10900 0 0 10000 10900 tied", 0, map[string]int64{"dispute_losses usd": 10833, "exchange_differences usd": 67}},
		"the fee in a row of its own": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{FeeApart: true}), 3: back(stripetest.DisputeReturn{Status: "won"})}, 4,
			"won won 2000 2000 1500 0 1500 tied", 0, map[string]int64{"processing_fees usd": 1500}},
		"the fee in a row of its own, returned in another": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{FeeApart: true}), 3: back(stripetest.DisputeReturn{Fee: 1500, FeeApart: true, Status: "won"})}, 4,
			"won won 2000 2000 0 0 0 tied", 0, map[string]int64{}},
		"the fee returned with the money": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{}), 3: back(stripetest.DisputeReturn{Fee: 1500, Status: "won"})}, 4,
			"won won 2000 2000 0 0 0 tied", 0, map[string]int64{}},
		"refunded first, and the refunded part returned": {2000, "usd", func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{{Amount: 88}} }, map[int]func(lives, purchased, *string){
			1: func(l lives, p purchased, _ *string) { l.giveBack(p) },
			2: dispute(noFee), 3: back(stripetest.DisputeReturn{Amount: 1912, Status: "lost"}),
		}, 5, "partly_won lost 2000 1912 0 2000 88 tied", 0, map[string]int64{"dispute_losses usd": 88, "processing_fees usd": 88}},
		"an inquiry that came to nothing": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Inquiry: true}), 3: func(l lives, _ purchased, id *string) {
			ok[stripetest.Dispute](l.t)(l.stripe.CloseInquiry(*id))
		}}, 4, "closed warning_closed 0 0 0 0 0 tied", 0, map[string]int64{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLives(t)
			var id string
			p := l.bought(tc.amount, tc.currency, tc.charge)
			days := map[int]func(){}
			for day, happens := range tc.days {
				days[day] = func() { happens(l, p, &id) }
			}
			l.nights(tc.nights, days)
			row := l.disputeRow(id)
			got := strings.Join([]string{row["phase"], row["status"], row["withdrawn_minor"], row["returned_minor"], row["fees_minor"], row["clawback_minor"], row["reinstatement_minor"], row["tie_out"]}, " ")
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if open := l.open(); len(open) != tc.breaks {
				t.Errorf("open: %v", open)
			}
			if diff := cmp.Diff(tc.books, l.balances()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A bank debit that succeeded comes back: the platform and Stripe disagree from that night on, and clearing is even; once its credits are taken
// and the purchase is corrected, nothing is open and nothing is left.
func TestAReturnedDebitIsAMismatchUntilThePurchaseIsCorrected(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	p := l.bought(2000, "usd", func(c *stripetest.ChargeParams) {
		c.Method, c.Fees = stripetest.USBankAccount, []stripetest.Fee{}
	})
	ok[stripetest.Charge](t)(l.stripe.SettleCharge(p.charge))
	l.nights(4, nil)
	if open := l.open(); len(open) != 0 {
		t.Errorf("before: %v", open)
	}
	l.until(9)
	ok[stripetest.Charge](t)(l.stripe.ReturnDebit(p.charge, "insufficient_funds", 400))
	l.report()
	if diff := cmp.Diff([]string{"charge_status_mismatch " + p.id + " 2000"}, l.open()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int64{"refund_clearing usd": 2000, "processing_fees usd": 400}, l.balances()); diff != "" {
		t.Error(diff)
	}
	l.until(9)
	l.entry(p, "refund", -p.credits)
	l.exec("UPDATE platform.purchases SET status = 'failed' WHERE id = $1", p.id)
	l.report()
	l.report()
	l.report()
	if open := l.open(); len(open) != 0 {
		t.Errorf("after: %v", open)
	}
	if diff := cmp.Diff(map[string]int64{"processing_fees usd": 400}, l.balances()); diff != "" {
		t.Error(diff)
	}
}

// A refund that fails after weeks is a break from the night on that it failed in, and gone once the credits are back.
func TestARefundFailsAfterWeeks(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	p := l.bought(2000, "usd", nil)
	var refund stripetest.Refund
	l.nights(34, map[int]func(){1: func() { refund = l.giveBack(p) }})
	if open := l.open(); len(open) != 0 {
		t.Errorf("before: %v", open)
	}
	l.until(9)
	ok[stripetest.Refund](t)(l.stripe.FailRefund(refund.ID, "lost_or_stolen_card"))
	l.report()
	if diff := cmp.Diff([]string{fmt.Sprintf("refund_failed %s %d", refund.ID, refund.Amount)}, l.open()); diff != "" {
		t.Error(diff)
	}
	l.until(9)
	l.entry(p, "refund_reversal", p.credits)
	l.report()
	if open := l.open(); len(open) != 0 {
		t.Errorf("after: %v", open)
	}
	if got := l.balances(); len(got) != 1 {
		t.Errorf("left: %v", slices.Sorted(maps.Keys(got)))
	}
}

// A refund that is pending is awaited, with its age, and a break once it is older than the setting; it clears when it succeeds.
func TestAPendingRefundIsAwaitedAndThenStuck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after time.Duration // the setting
		stuck int           // the first night on which it is a break
		ends  func(l lives, id string) (stripetest.Refund, error)
		left  []string
	}{
		"succeeds at last": {0, 11, func(l lives, id string) (stripetest.Refund, error) { return l.stripe.SucceedRefund(id) }, nil},
		"sooner if asked":  {5 * 24 * time.Hour, 6, func(l lives, id string) (stripetest.Refund, error) { return l.stripe.SucceedRefund(id) }, nil},
		"fails at last": {0, 11, func(l lives, id string) (stripetest.Refund, error) {
			return l.stripe.FailRefund(id, "insufficient_funds")
		},
			[]string{"refund_failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLives(t)
			l.worker.Settings.RefundStuckAfter = tc.after
			p := l.bought(2000, "usd", nil)
			l.nights(0, nil)
			l.until(9)
			l.entry(p, "refund", -p.credits)
			refund := ok[stripetest.Refund](t)(l.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: l.refundable(p), Unfunded: true}))
			for n := 1; n <= 12; n++ {
				l.report()
				var awaiting int
				var detail string
				if err := l.db.QueryRow(`SELECT count(*), coalesce(max(detail), '') FROM reconciler.stripe_checks
					WHERE check_name LIKE 'refunds that stood%' AND outcome = 'awaiting' AND subject_id = $1 AND business_date = $2`, refund.ID, l.booksOfAMonth.nights[n].Date).Scan(&awaiting, &detail); err != nil {
					t.Fatal(err)
				}
				var want []string
				if n >= tc.stuck {
					want = []string{fmt.Sprintf("refund_stuck %s %d", refund.ID, refund.Amount)}
				}
				if diff := cmp.Diff(want, l.open()); diff != "" || (awaiting == 1) != (n < tc.stuck) {
					t.Errorf("night %d: %d awaiting, %s", n, awaiting, diff)
				}
				shown := slices.ContainsFunc(l.summary().Awaiting, func(a reports.AwaitingFigures) bool {
					return a.Check == "refunds that stood" && a.Oldest[0].SubjectID == refund.ID && a.Oldest[0].Days == int64(n-1) && a.Oldest[0].Amount.Value == reports.Int(refund.Amount)
				})
				if shown != (n < tc.stuck) {
					t.Errorf("night %d: the summary shows it: %t", n, shown)
				}
				if n < tc.stuck && !strings.Contains(detail, fmt.Sprintf("pending for %d days", n-1)) {
					t.Errorf("night %d: %q", n, detail)
				}
			}
			l.until(9)
			ok[stripetest.Refund](t)(tc.ends(l, refund.ID))
			l.report()
			var kinds []string
			for _, open := range l.open() {
				kinds = append(kinds, strings.Fields(open)[0])
			}
			if !slices.Equal(kinds, tc.left) {
				t.Errorf("left: %v", kinds)
			}
		})
	}
}

// A dispute whose money is not what its status calls for is a break once its time is up: what is missing may take as long as other money that is
// announced, a surplus a day. Until then it is awaited, and on the list of disputes however long ago it ended; the money clears it.
func TestADisputeWhoseMoneyIsWrongBecomesABreak(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		amount   int64
		currency string
		settled  int64 // in usd, 0: in its own currency
		back     int64 // what comes back as the dispute is won, on day 2
		opens    int   // the first night with the break
		variance int64
		rest     int64 // what comes later, on day 15; 0: nothing
	}{
		"won, a part missing":                     {2000, "usd", 0, 1500, 12, -500, 500},
		"won, a part missing, without decimals":   {2000, "jpy", 0, 1, 12, -1999, 1999},
		"won, a part missing, settled in another": {10000, "eur", 10833, 5000, 12, -5833, 5833},
		"won, a part missing for ever":            {2000, "kwd", 0, 1990, 12, -10, 0},
		"won, nothing back":                       {2000, "usd", 0, -1, 12, -2000, 2000},
		"won, and far too much came back":         {10000, "eur", 10833, 20000, 3, 9167, 0},
		"won at other rates, which is no break":   {10000, "eur", 10833, 10700, 99, 0, 0},
		"won, all of it back, which is no break":  {2000, "usd", 0, 2000, 99, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLives(t)
			p := l.bought(tc.amount, tc.currency, func(c *stripetest.ChargeParams) {
				c.Fees = []stripetest.Fee{}
				if tc.settled > 0 {
					c.Settlement = stripetest.Settlement{Currency: "usd", Amount: tc.settled}
				}
			})
			var id string
			days := map[int]func(){
				1: func() {
					id = ok[stripetest.Dispute](t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Fee: -1})).ID
				},
				2: func() {
					ok[stripetest.Dispute](t)(l.stripe.ReturnDispute(id, stripetest.DisputeReturn{Amount: tc.back, Short: true, Status: "won"}))
				},
				15: func() {
					if tc.rest > 0 {
						ok[stripetest.Dispute](t)(l.stripe.ReturnDispute(id, stripetest.DisputeReturn{Amount: tc.rest, Short: true, Status: "won"}))
					}
				},
			}
			for night := range 18 {
				l.until(9)
				if happens := days[night]; happens != nil {
					happens()
				}
				l.report()
				var want []string
				if night >= tc.opens && (night < 15 || tc.rest == 0) {
					want = []string{fmt.Sprintf("dispute_residual %s %d", id, tc.variance)}
				}
				if diff := cmp.Diff(want, l.open(), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("night %d: %s", night, diff)
				}
				awaited := slices.ContainsFunc(l.summary().Awaiting, func(a reports.AwaitingFigures) bool {
					return a.Check == "disputes and their money" && a.Objects == 1 && a.Oldest[0].SubjectID == id && a.Oldest[0].Days == int64(night-2)
				})
				if wants := tc.opens < 99 && night >= 2 && night < tc.opens; awaited != wants {
					t.Errorf("night %d: awaited %t, want %t", night, awaited, wants)
				}
			}
		})
	}
}
