package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reports/figures"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/reports/terminal"
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

// nights runs the nights up to so many, each with what happens on its day; and then what happens on the day after.
func (l lives) nights(through int, days map[int]func()) {
	l.t.Helper()
	for n := range through + 1 {
		l.until(9)
		if happens := days[n]; happens != nil {
			happens()
		}
		l.report()
	}
	if happens := days[through+1]; happens != nil {
		happens()
	}
}

// alongside adds what happens on a day of one life to what happens on it in the lives beside it.
func alongside(days map[int]func(), day int, happens func()) {
	before := days[day]
	days[day] = func() {
		if before != nil {
			before()
		}
		happens()
	}
}

// open are the breaks that the newest report has as open, by kind, subject and variance.
func (l lives) open() []string { return l.openOf(func(map[string]string) bool { return true }) }

// openOf are those of them that are wanted.
func (l lives) openOf(wanted func(row map[string]string) bool) []string {
	l.t.Helper()
	var all []string
	for _, row := range l.table(l.booksOfAMonth.nights[len(l.booksOfAMonth.nights)-1], "breaks.csv") {
		if row["status"] == "open" && wanted(row) {
			all = append(all, row["kind"]+" "+row["subject_id"]+" "+row["variance"])
		}
	}
	slices.Sort(all)
	return all
}

// openAbout are those about a purchase's account, which has no other.
func (l lives) openAbout(p purchased) []string {
	return l.openOf(func(row map[string]string) bool { return row["account_id"] == p.account })
}

// byRole are the amounts of a query by role and currency.
func (l lives) byRole(query string, args ...any) map[string]int64 {
	l.t.Helper()
	all := map[string]int64{}
	rows, err := l.db.Query(query, args...)
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
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	return all
}

// balances are what the journal's accounts between us and Stripe hold at the end of the newest night, by account and currency; and what income
// and expenses came to over all nights.
func (l lives) balances() map[string]int64 {
	l.t.Helper()
	return l.byRole(`SELECT role, currency, sum(amount_minor)::bigint FROM reconciler.journal_lines
		WHERE role IN ('purchase_clearing', 'refund_clearing', 'disputes_receivable', 'stripe_suspense', 'dispute_losses', 'exchange_differences', 'processing_fees')
		GROUP BY 1, 2 HAVING sum(amount_minor) <> 0`)
}

// summary is that of the newest report.
func (l lives) summary() (s figures.Summary) {
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
		nights int    // after so many nothing is open
		want   string // phase, status, withdrawn, returned, fees, clawback, reinstatement, tie-out
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
	again := func(amount int64) func(lives, purchased, *string) {
		return func(l lives, _ purchased, id *string) {
			ok[stripetest.Dispute](l.t)(l.stripe.WithdrawAgain(*id, amount))
		}
	}
	settledAs := func(amount int64) func(*stripetest.ChargeParams) {
		return func(c *stripetest.ChargeParams) {
			c.Settlement, c.Fees = stripetest.Settlement{Currency: "usd", Amount: amount}, []stripetest.Fee{}
		}
	}
	free := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} }
	noFee := stripetest.DisputeParams{Fee: -1}
	lived := map[string]life{
		"won after it was lost": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: lose, 5: back(stripetest.DisputeReturn{Status: "won"})}, 6,
			"won won 2000 2000 0 0 0 tied", map[string]int64{}},
		"lost after it was won": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: back(stripetest.DisputeReturn{Status: "won"}), 4: again(0)}, 6,
			"lost lost 2000 0 0 2000 2000 tied", map[string]int64{"dispute_losses usd": 2000}},
		"lost after it was won, at other rates": {10000, "eur", settledAs(10833), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 10900, Fee: -1}),
			2: back(stripetest.DisputeReturn{Amount: 10850, Status: "won"}), 4: again(10950)}, 6,
			"lost lost 11000 0 0 10000 11000 tied", map[string]int64{"dispute_losses usd": 10833, "exchange_differences usd": 167}},
		"lost after it was won, and won in the end": {2000, "jpy", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: back(stripetest.DisputeReturn{Status: "won"}), 3: again(0),
			5: back(stripetest.DisputeReturn{Status: "won"})}, 6, "won won 2000 2000 0 0 0 tied", map[string]int64{}},
		"lost after it was won, but for a part": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: back(stripetest.DisputeReturn{Status: "won"}), 3: again(0),
			5: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 6, "partly_won lost 2000 800 0 1200 1200 tied", map[string]int64{"dispute_losses usd": 1200}},
		"partly won": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 3: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 4,
			"partly_won lost 2000 800 0 1200 1200 tied", map[string]int64{"dispute_losses usd": 1200}},
		"lost, a part comes later": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 2: lose, 4: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 5,
			"partly_won lost 2000 800 0 1200 1200 tied", map[string]int64{"dispute_losses usd": 1200}},
		"without decimals": {2000, "jpy", free, map[int]func(lives, purchased, *string){1: dispute(noFee), 3: back(stripetest.DisputeReturn{Amount: 800, Status: "lost"})}, 4,
			"partly_won lost 2000 800 0 1200 1200 tied", map[string]int64{"dispute_losses jpy": 1200}},
		"won at other rates": {10000, "eur", settledAs(10833), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 10900, Fee: -1}), 4: back(stripetest.DisputeReturn{Amount: 10850, Status: "won"})}, 5,
			"won won 10900 10850 0 0 0 tied", map[string]int64{"exchange_differences usd": 50}},
		"won at other rates, three decimals": {10000, "kwd", settledAs(32500), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 32400, Fee: -1}), 4: back(stripetest.DisputeReturn{Amount: 32600, Status: "won"})}, 5,
			"won won 32400 32600 0 0 0 tied", map[string]int64{"exchange_differences usd": -200}},
		"lost at another rate": {10000, "eur", settledAs(10833), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 10900, Fee: -1}), 4: lose}, 5,
			"lost lost 10900 0 0 10000 10900 tied", map[string]int64{"dispute_losses usd": 10833, "exchange_differences usd": 67}},
		"the fee in a row of its own": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{FeeApart: true}), 3: back(stripetest.DisputeReturn{Status: "won"})}, 4,
			"won won 2000 2000 1500 0 1500 tied", map[string]int64{"processing_fees usd": 1500}},
		"won after it was lost, at other rates": {10000, "eur", settledAs(10833), map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Withdraw: 10900, Fee: -1}), 2: lose, 4: back(stripetest.DisputeReturn{Amount: 10850, Status: "won"})}, 5,
			"won won 10900 10850 0 0 0 tied", map[string]int64{"exchange_differences usd": 50}},
		"the fee in a row of its own, returned in another": {2000, "kwd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{FeeApart: true}), 3: back(stripetest.DisputeReturn{Fee: 1500, FeeApart: true, Status: "won"})}, 4,
			"won won 2000 2000 0 0 0 tied", map[string]int64{}},
		"the fee returned with the money": {2000, "jpy", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{}), 3: back(stripetest.DisputeReturn{Fee: 1500, Status: "won"})}, 4,
			"won won 2000 2000 0 0 0 tied", map[string]int64{}},
		"refunded first, and the refunded part returned": {2000, "usd", func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{{Amount: 88}} }, map[int]func(lives, purchased, *string){
			1: func(l lives, p purchased, _ *string) { l.giveBack(p) },
			2: dispute(noFee), 3: back(stripetest.DisputeReturn{Amount: 1912, Status: "lost"}),
		}, 5, "partly_won lost 2000 1912 0 2000 88 tied", map[string]int64{"dispute_losses usd": 88, "processing_fees usd": 88}},
		"an inquiry that came to nothing": {2000, "usd", free, map[int]func(lives, purchased, *string){1: dispute(stripetest.DisputeParams{Inquiry: true}), 3: func(l lives, _ purchased, id *string) {
			ok[stripetest.Dispute](l.t)(l.stripe.CloseInquiry(*id))
		}}, 4, "closed warning_closed 0 0 0 0 0 tied", map[string]int64{}},
	}
	l := newLives(t)
	days, books, last := map[int]func(){}, map[string]int64{}, 0
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc, id := lived[name], ""
		p := l.bought(tc.amount, tc.currency, tc.charge)
		for day, happens := range tc.days {
			alongside(days, day, func() { happens(l, p, &id) })
		}
		ofDispute := map[string]int64{}
		for account, amount := range tc.books {
			books[account] += amount
			if !strings.HasPrefix(account, "processing_fees ") {
				ofDispute[account] = amount
			}
		}
		last = max(last, tc.nights)
		alongside(days, tc.nights+1, func() {
			row := l.disputeRow(id)
			got := strings.Join([]string{row["phase"], row["status"], row["withdrawn_minor"], row["returned_minor"], row["fees_minor"], row["clawback_minor"], row["reinstatement_minor"], row["tie_out"]}, " ")
			if got != tc.want {
				t.Errorf("%s: got %s, want %s", name, got, tc.want)
			}
			if open := l.openAbout(p); len(open) > 0 {
				t.Errorf("%s: open: %v", name, open)
			}
			if diff := cmp.Diff(ofDispute, l.byRole(`SELECT role, currency, sum(amount_minor)::bigint FROM reconciler.journal_lines
				WHERE role IN ('dispute_losses', 'exchange_differences') AND source = $1 GROUP BY 1, 2 HAVING sum(amount_minor) <> 0`, id)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		})
	}
	l.nights(last, days)
	if open := l.open(); len(open) > 0 {
		t.Errorf("open: %v", open)
	}
	if diff := cmp.Diff(books, l.balances()); diff != "" {
		t.Error(diff)
	}
	for ago := range last + 1 { // what came of a dispute later was not known then
		date := l.date().AddDays(-1 - ago)
		if faults := ok[[]publish.Fault](t)(l.worker.Verify(context.Background(), date, night.AuditHead{})); len(faults) > 0 {
			t.Errorf("%s: %v", date, faults)
		}
	}
}

// While a dispute is open it alone is spoken of. Once it has ended, policy and amount of the refunds are asked again, of what was due less what the
// customer's bank has kept; a refund that failed, or that nobody has made, is settled by a bank that has kept as much as was due, and by no less.
func TestRefundsAreAskedAgainOnceTheirDisputeHasEnded(t *testing.T) {
	t.Parallel()
	free := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} }
	euros := func(c *stripetest.ChargeParams) {
		c.Settlement, c.Fees = stripetest.Settlement{Currency: "usd", Amount: 10833}, []stripetest.Fee{}
	}
	type doing = func(l lives, p purchased)
	takes := func(l lives, p purchased) { l.entry(p, "refund", -p.credits) }
	refund := func(amount int64) doing {
		return func(l lives, p purchased) { takes(l, p); l.refund(p, amount) }
	}
	failing := func(l lives, p purchased) {
		takes(l, p)
		ok[stripetest.Refund](l.t)(l.stripe.FailRefund(l.refund(p, p.amount).ID, "expired_or_canceled_card"))
	}
	win := func(l lives, d stripetest.Dispute) { ok[stripetest.Dispute](l.t)(l.stripe.WinDispute(d.ID, false)) }
	lose := func(l lives, d stripetest.Dispute) { ok[stripetest.Dispute](l.t)(l.stripe.LoseDispute(d.ID)) }
	both, mismatch, against, failed, missing := "disputed_and_refunded", "refund_amount_mismatch", "refund_against_policy", "refund_failed", "refund_missing_at_stripe"
	lived := map[string]struct {
		currency          string
		charge            func(*stripetest.ChargeParams)
		refunds           doing
		refunded          int // days after the purchase
		disputed          stripetest.DisputeParams
		ends              func(lives, stripetest.Dispute)
		before, open, end []string
	}{
		"too little, and the bank keeps less than the rest": {"usd", free, refund(300), 1, stripetest.DisputeParams{Amount: 1000}, lose, []string{mismatch + " 9700"}, []string{both + " 0"}, []string{mismatch + " 8700"}},
		"too little, and the bank keeps the rest":           {"jpy", free, refund(300), 1, stripetest.DisputeParams{Amount: 9700}, lose, []string{mismatch + " 9700"}, []string{both + " 0"}, nil},
		"too little, and the bank keeps it at another rate": {"eur", euros, refund(300), 1, stripetest.DisputeParams{Amount: 9700, Withdraw: 10900}, lose, []string{mismatch + " 9700"}, []string{both + " 0"}, nil},
		"too little, and the dispute is won":                {"kwd", free, refund(300), 1, stripetest.DisputeParams{Amount: 1000}, win, []string{mismatch + " 9700"}, []string{both + " 0"}, []string{mismatch + " 9700"}},
		"what ought never to have gone, and the bank keeps": {"usd", free, refund(500), 9, stripetest.DisputeParams{Amount: 1000}, lose, []string{against + " -500"}, []string{both + " 0"}, []string{against + " -500"}},
		"what ought never to have gone, and we win":         {"jpy", free, refund(500), 9, stripetest.DisputeParams{Amount: 1000}, win, []string{against + " -500"}, []string{both + " 0"}, []string{against + " -500"}},
		"it fails, and the bank keeps all":                  {"usd", free, failing, 1, stripetest.DisputeParams{}, lose, []string{failed + " 10000"}, []string{failed + " 10000"}, nil},
		"it fails, and the bank keeps all, at another rate": {"eur", euros, failing, 1, stripetest.DisputeParams{Withdraw: 10900}, lose, []string{failed + " 10000"}, []string{failed + " 10000"}, nil},
		"it fails, and the bank keeps a part":               {"kwd", free, failing, 1, stripetest.DisputeParams{Amount: 1000}, lose, []string{failed + " 10000"}, []string{failed + " 10000"}, []string{failed + " 9000"}},
		"nobody made it, and the bank keeps all":            {"usd", free, takes, 1, stripetest.DisputeParams{}, lose, []string{missing + " 1000"}, nil, nil},
		"nobody made it, and the bank keeps a part":         {"jpy", free, takes, 1, stripetest.DisputeParams{Amount: 1000}, lose, []string{missing + " 1000"}, nil, []string{missing + " 1000"}},
		"nobody made it, and the dispute is won":            {"kwd", free, takes, 1, stripetest.DisputeParams{}, win, []string{missing + " 1000"}, nil, []string{missing + " 1000"}},
	}
	l := newLives(t)
	days, last := map[int]func(){}, 0
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p := l.bought(10_000, tc.currency, tc.charge)
		said := func(when string, want []string) {
			var all []string
			for _, open := range l.openAbout(p) {
				kind, rest, _ := strings.Cut(open, " ")
				_, variance, _ := strings.Cut(rest, " ")
				all = append(all, kind+" "+variance)
			}
			if !slices.Equal(all, want) {
				t.Errorf("%s: %s: %q, want %q", name, when, all, want)
			}
		}
		alongside(days, tc.refunded, func() { tc.refunds(l, p) })
		var d stripetest.Dispute
		alongside(days, tc.refunded+3, func() {
			said("before the dispute", tc.before)
			tc.disputed.Charge, tc.disputed.Fee = p.charge, -1
			d = ok[stripetest.Dispute](t)(l.stripe.OpenDispute(tc.disputed))
		})
		alongside(days, tc.refunded+5, func() {
			said("while it is open", tc.open)
			tc.ends(l, d)
		})
		last = max(last, tc.refunded+7)
		alongside(days, tc.refunded+8, func() { said("at its end", tc.end) })
	}
	l.nights(last, days)
}

// Refunds that fail after weeks are breaks from the night on that they failed in, and gone once the credits are back. Two fail in the last second
// of a night, two in the first of the next. A dispute that was lost may be won after weeks, too.
func TestARefundFailsAfterWeeks(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	bought := []purchased{l.bought(2000, "usd", nil), l.bought(2000, "jpy", nil), l.bought(2000, "kwd", nil), l.bought(2000, "eur", func(c *stripetest.ChargeParams) {
		c.Settlement = stripetest.Settlement{Currency: "usd", Amount: 2167}
	})}
	disputed := l.bought(3000, "usd", func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} })
	refunds := map[string]stripetest.Refund{}
	var dispute string
	l.nights(34, map[int]func(){
		1: func() {
			for _, p := range bought {
				refunds[p.id] = l.giveBack(p)
			}
			dispute = ok[stripetest.Dispute](t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: disputed.charge, Fee: -1})).ID
		},
		2: func() { ok[stripetest.Dispute](t)(l.stripe.LoseDispute(dispute)) },
		34: func() {
			if lost := l.balances()["dispute_losses usd"]; lost != 3000 {
				t.Errorf("%d of 3000 are lost", lost)
			}
			ok[stripetest.Dispute](t)(l.stripe.ReturnDispute(dispute, stripetest.DisputeReturn{Status: "won"}))
		},
	})
	row := l.disputeRow(dispute)
	if got := strings.Join([]string{row["phase"], row["withdrawn_minor"], row["returned_minor"], row["tie_out"]}, " "); got != "won 3000 3000 tied" || l.balances()["dispute_losses usd"] != 0 {
		t.Errorf("won weeks after it was lost: %s, %v", got, l.balances())
	}
	if open := l.open(); len(open) != 0 {
		t.Errorf("before: %v", open)
	}
	midnight := reconcile.NightOf(l.date(), time.UTC).End
	var want []string
	for i, p := range bought {
		l.now.Store(midnight.Add(time.Duration(i/2-1) * time.Second).Unix())
		ok[stripetest.Refund](t)(l.stripe.FailRefund(refunds[p.id].ID, "lost_or_stolen_card"))
		want = append(want, fmt.Sprintf("refund_failed %s %d", refunds[p.id].ID, refunds[p.id].Amount))
	}
	l.now.Store(midnight.Add(-time.Second).Unix())
	for _, failed := range [][]string{want[:2], want} {
		l.report()
		if diff := cmp.Diff(sorted(failed), l.open()); diff != "" {
			t.Error(diff)
		}
	}
	l.until(9)
	for _, p := range bought {
		l.entry(p, "refund_reversal", p.credits)
	}
	l.report()
	l.cleared()
}

// A refund that is pending is awaited, with its age, and a break once it is older than the setting; it clears when it succeeds, and is another break
// when it fails.
func TestAPendingRefundIsAwaitedAndThenStuck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		currencies []string
		after      time.Duration // the setting
		stuck      int           // the first night on which it is a break
	}{
		"ordinarily":      {[]string{"usd", "kwd"}, 0, 11},
		"sooner if asked": {[]string{"jpy"}, 5 * 24 * time.Hour, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLives(t)
			l.worker.Settings.RefundStuckAfter = tc.after
			var bought []purchased
			for _, currency := range tc.currencies {
				bought = append(bought, l.bought(2000, currency, nil))
			}
			l.nights(0, nil)
			l.until(9)
			var ids, stuck []string
			amounts := map[string]int64{}
			for _, p := range bought {
				l.entry(p, "refund", -p.credits)
				refund := ok[stripetest.Refund](t)(l.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: l.refundable(p), Unfunded: true}))
				ids, stuck = append(ids, refund.ID), append(stuck, fmt.Sprintf("refund_stuck %s %d", refund.ID, refund.Amount))
				amounts[refund.ID] = refund.Amount
			}
			for n := 1; n <= tc.stuck+1; n++ {
				l.report()
				awaited, open := sorted(ids), []string(nil)
				if n >= tc.stuck {
					awaited, open = nil, sorted(stuck)
				}
				if diff := cmp.Diff(open, l.open()); diff != "" {
					t.Errorf("night %d: %s", n, diff)
				}
				pending := fmt.Sprintf("%%pending for %d days%%", n-1)
				if n == 2 {
					pending = "%pending for 1 day%"
				}
				if diff := cmp.Diff(awaited, l.texts(`SELECT subject_id FROM reconciler.stripe_checks
					WHERE control = 'refunds_stood' AND outcome = 'awaiting' AND business_date = $1 AND detail LIKE $2 ORDER BY 1`, l.booksOfAMonth.nights[n].Date, pending)); diff != "" {
					t.Errorf("night %d: %s", n, diff)
				}
				var shown []string
				for _, a := range l.summary().Awaiting {
					for _, item := range a.Oldest {
						if a.Check == "refunds that stood" && item.Days == int64(n-1) && item.Amount.Value == numbers.Int(amounts[item.SubjectID]) {
							shown = append(shown, item.SubjectID)
						}
					}
				}
				if diff := cmp.Diff(awaited, sorted(shown), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("night %d: the summary: %s", n, diff)
				}
			}
			l.until(9)
			ok[stripetest.Refund](t)(l.stripe.SucceedRefund(ids[0]))
			var left []string
			for _, id := range ids[1:] {
				ok[stripetest.Refund](t)(l.stripe.FailRefund(id, "insufficient_funds"))
				left = append(left, fmt.Sprintf("refund_failed %s %d", id, amounts[id]))
			}
			l.report()
			if diff := cmp.Diff(left, l.open()); diff != "" {
				t.Errorf("left: %s", diff)
			}
		})
	}
}

// The day that a pending refund was made on is that of the nights' zone.
func TestAStuckRefundIsPendingSinceADayOfTheNightsZone(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	var err error
	if l.worker.Settings.Zone, err = time.LoadLocation("America/New_York"); err != nil {
		t.Fatal(err)
	}
	l.worker.Settings.RefundStuckAfter = 24 * time.Hour
	p := l.bought(2000, "usd", nil)
	l.advance(22 * time.Hour) // 3:00 of the next day in UTC, and 22:00 of its own there
	l.entry(p, "refund", -p.credits)
	refund := ok[stripetest.Refund](t)(l.stripe.CreateRefund(stripetest.RefundParams{Charge: p.charge, Amount: l.refundable(p), Unfunded: true}))
	made := reconcile.DateOf(l.clock().In(l.worker.Settings.Zone))
	for n := range 3 {
		night := reconcile.NightOf(made.AddDays(n), l.worker.Settings.Zone)
		l.now.Store(night.End.Unix() + 20*60)
		if err := l.worker.RunNight(context.Background(), night.Date); err != nil {
			t.Fatal(err)
		}
	}
	if details := l.texts("SELECT DISTINCT e.detail FROM reconciler.breaks b JOIN reconciler.break_events e ON e.break_id = b.break_id WHERE b.kind = 'refund_stuck' AND b.subject_id = $1", refund.ID); !slices.Equal(details, []string{"purchase " + p.id + ", pending since " + made.String()}) {
		t.Errorf("%q", details)
	}
}

// A dispute whose money is not what its status calls for is a break once its time is up: what is missing may take as long as other money that is
// announced, a surplus a day. Until then it is awaited, and on the list of disputes however long ago it ended; the money clears it.
func TestADisputeWhoseMoneyIsWrongBecomesABreak(t *testing.T) {
	t.Parallel()
	lived := map[string]struct {
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
	}
	l := newLives(t)
	days, disputes := map[int]func(){}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(lived)) {
		tc := lived[name]
		p := l.bought(tc.amount, tc.currency, func(c *stripetest.ChargeParams) {
			c.Fees = []stripetest.Fee{}
			if tc.settled > 0 {
				c.Settlement = stripetest.Settlement{Currency: "usd", Amount: tc.settled}
			}
		})
		comesBack := func(amount int64) {
			ok[stripetest.Dispute](t)(l.stripe.ReturnDispute(disputes[name], stripetest.DisputeReturn{Amount: amount, Short: true, Status: "won"}))
		}
		alongside(days, 1, func() {
			disputes[name] = ok[stripetest.Dispute](t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge, Fee: -1})).ID
		})
		alongside(days, 2, func() { comesBack(tc.back) })
		if tc.rest > 0 {
			alongside(days, 15, func() { comesBack(tc.rest) })
		}
	}
	for night := range 18 {
		l.until(9)
		if happens := days[night]; happens != nil {
			happens()
		}
		l.report()
		var want, awaited []string
		for name, tc := range lived {
			if night >= tc.opens && (night < 15 || tc.rest == 0) {
				want = append(want, fmt.Sprintf("dispute_residual %s %d", disputes[name], tc.variance))
			}
			if tc.opens < 99 && night >= 2 && night < tc.opens {
				awaited = append(awaited, disputes[name])
			}
		}
		if diff := cmp.Diff(sorted(want), l.open(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("night %d: %s", night, diff)
		}
		if diff := cmp.Diff(sorted(awaited), l.texts(`SELECT subject_id FROM reconciler.stripe_checks
			WHERE control = 'dispute_money' AND outcome = 'awaiting' AND business_date = $1 ORDER BY 1`, l.booksOfAMonth.nights[night].Date), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("night %d: awaited: %s", night, diff)
		}
		told := slices.ContainsFunc(l.summary().Awaiting, func(a figures.AwaitingFigures) bool {
			return a.Check == "disputes and their money" && a.Objects == int64(len(awaited)) && slices.Contains(awaited, a.Oldest[0].SubjectID) && a.Oldest[0].Days == int64(night-2)
		})
		if told != (len(awaited) > 0) {
			t.Errorf("night %d: the summary tells of what is awaited: %t", night, told)
		}
	}
}

// explain tells how a dispute stands, with the money that really moved, and until when evidence is wanted.
func TestExplainSaysHowADisputeStands(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	type told struct {
		id, want string
	}
	var all []told
	dispute := func(amount int64, currency string, params stripetest.DisputeParams, end func(id string) (stripetest.Dispute, error), want string) {
		t.Helper()
		p := l.bought(amount, currency, func(c *stripetest.ChargeParams) {
			if currency == "eur" {
				c.Settlement = stripetest.Settlement{Currency: "usd", Amount: 10_833}
			}
		})
		params.Charge = p.charge
		d := ok[stripetest.Dispute](t)(l.stripe.OpenDispute(params))
		l.advance(time.Minute)
		if end != nil {
			ok[stripetest.Dispute](t)(end(d.ID))
		}
		all = append(all, told{d.ID, "dispute " + d.ID + " over " + want})
	}
	back := func(r stripetest.DisputeReturn) func(string) (stripetest.Dispute, error) {
		return func(id string) (stripetest.Dispute, error) { return l.stripe.ReturnDispute(id, r) }
	}
	lose := func(id string) (stripetest.Dispute, error) { return l.stripe.LoseDispute(id) }
	due := func() string { return l.clock().AddDate(0, 0, 7).Format("2006-01-02") }
	l.until(9)
	dispute(2000, "usd", stripetest.DisputeParams{}, back(stripetest.DisputeReturn{Status: "won"}),
		"20.00 USD: fraudulent; now won; withdrawn 20.00 USD, returned 20.00 USD, fees 15.00 USD")
	dispute(2000, "jpy", stripetest.DisputeParams{Fee: -1}, back(stripetest.DisputeReturn{Amount: 800, Status: "lost"}),
		"2,000 JPY: fraudulent; now lost, partly won; withdrawn 2,000 JPY, returned 800 JPY, fees 0 JPY")
	dispute(2000, "kwd", stripetest.DisputeParams{Fee: 500, FeeApart: true}, lose,
		"2.000 KWD: fraudulent; now lost; withdrawn 2.000 KWD, returned 0.000 KWD, fees 0.500 KWD")
	dispute(10_000, "eur", stripetest.DisputeParams{Withdraw: 10_900, Fee: -1}, back(stripetest.DisputeReturn{Amount: 10_850, Status: "won"}),
		"100.00 EUR: fraudulent; now won; withdrawn 109.00 USD, returned 108.50 USD, fees 0.00 USD")
	open := due()
	dispute(2000, "usd", stripetest.DisputeParams{}, nil,
		"20.00 USD: fraudulent; now needs_response; withdrawn 20.00 USD, returned 0.00 USD, fees 15.00 USD; evidence is due by "+open)
	dispute(2000, "usd", stripetest.DisputeParams{Inquiry: true}, nil, "20.00 USD: fraudulent; now warning_needs_response; evidence is due by "+open)
	dispute(2000, "usd", stripetest.DisputeParams{}, func(id string) (stripetest.Dispute, error) { return l.stripe.SubmitEvidence(id) },
		"20.00 USD: fraudulent; now under_review; withdrawn 20.00 USD, returned 0.00 USD, fees 15.00 USD")
	l.report()
	for _, d := range all {
		var lines []struct {
			At                   time.Time
			Source, Clause, Says string
		}
		var charge string
		if err := l.db.QueryRow("SELECT charge_id FROM reconciler.stripe_disputes WHERE id = $1", d.id).Scan(&charge); err != nil {
			t.Fatal(err)
		}
		if err := l.worker.Store.Select(context.Background(), &lines, "explain/charges", postgres.Args{"ids": []string{charge}}); err != nil {
			t.Fatal(err)
		}
		said := ""
		for _, line := range lines {
			if line.Source == "Stripe dispute "+d.id {
				said = terminal.WithAmounts(line.Says)
			}
		}
		// The hour that evidence is due at is the double's.
		if cut, _, isDue := strings.Cut(said, "; evidence is due by "); isDue {
			said = said[:len(cut)+len("; evidence is due by 2026-01-01")]
		}
		since := regexp.MustCompile(` since \d{4}-\d\d-\d\d \d\d:\d\d`)
		if without := since.ReplaceAllString(said, ""); without != d.want || without == said {
			t.Errorf("\n got %s\nwant %s, and since when", said, d.want)
		}
	}
}

// Open disputes whose evidence is due within 3 days of as-of, or was due before, are in the summary with their money and the first date; what is
// under review, or has ended, wants nothing any more.
func TestEvidenceThatIsDueIsInTheSummary(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	p, asked := l.bought(2000, "usd", nil), l.bought(3000, "jpy", nil)
	answered := l.bought(5000, "usd", nil)
	var last stripetest.Dispute
	for night := range 12 {
		l.until(9)
		switch night {
		case 0:
			last = ok[stripetest.Dispute](t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: p.charge}))
			ok[stripetest.Dispute](t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: asked.charge, Inquiry: true}))
			d := ok[stripetest.Dispute](t)(l.stripe.OpenDispute(stripetest.DisputeParams{Charge: answered.charge}))
			ok[stripetest.Dispute](t)(l.stripe.SubmitEvidence(d.ID))
		case 10:
			ok[stripetest.Dispute](t)(l.stripe.LoseDispute(last.ID))
		}
		l.report()
		got := l.summary().Disputes.EvidenceDue
		want := figures.EvidenceFigures{Days: 3, Money: []figures.Amount{}}
		jpy, usd := figures.Amount{Unit: "jpy", Value: "3000"}, figures.Amount{Unit: "usd", Value: "2000"}
		switch {
		case night >= 10: // only the inquiry
			want.Disputes, want.Past, want.Money = 1, 1, []figures.Amount{jpy}
		case night >= 4: // due on the 7th day at nine
			want.Disputes, want.Money = 2, []figures.Amount{jpy, usd}
			if night >= 7 {
				want.Past = 2
			}
		}
		if got.FirstDue.IsZero() != (want.Disputes == 0) {
			t.Errorf("night %d: first due %s", night, got.FirstDue)
		}
		got.FirstDue = tables.Moment{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("night %d: %s", night, diff)
		}
	}
}

// Nights of every such life come out the same whether they are done one by one or as a backfill; a dry run of them changes
// nothing and finds nothing to change afterwards, nor does a verification of each. What is awaited, stuck, residual, won late or in part, returned
// or failed is told by all of them alike.
func TestEveryWayToDoANightAgreesOnTheseLives(t *testing.T) {
	t.Parallel()
	l := newLives(t)
	free := func(c *stripetest.ChargeParams) { c.Fees = []stripetest.Fee{} }
	converted := func(c *stripetest.ChargeParams) {
		free(c)
		c.Settlement = stripetest.Settlement{Currency: "usd", Amount: 10_833}
	}
	debit := func(c *stripetest.ChargeParams) {
		free(c)
		c.Method = stripetest.USBankAccount
	}
	lostThenWon, partly, other, residual := l.bought(2000, "usd", free), l.bought(2000, "jpy", free), l.bought(10_000, "eur", converted), l.bought(3000, "usd", free)
	returned, pending, failing, refunded := l.bought(2000, "usd", debit), l.bought(4000, "kwd", nil), l.bought(2500, "usd", nil), l.bought(2000, "usd", nil)
	ok[stripetest.Charge](t)(l.stripe.SettleCharge(returned.charge))
	open := func(p purchased, params stripetest.DisputeParams) string {
		params.Charge = p.charge
		return ok[stripetest.Dispute](t)(l.stripe.OpenDispute(params)).ID
	}
	back := func(id string, r stripetest.DisputeReturn) {
		ok[stripetest.Dispute](t)(l.stripe.ReturnDispute(id, r))
	}
	var one, two, three, four string
	var refund stripetest.Refund
	happens := map[int]func(){
		1: func() {
			one, two = open(lostThenWon, stripetest.DisputeParams{Fee: -1}), open(partly, stripetest.DisputeParams{FeeApart: true})
			three, four = open(other, stripetest.DisputeParams{Withdraw: 10_900}), open(residual, stripetest.DisputeParams{})
			l.entry(pending, "refund", -pending.credits)
			ok[stripetest.Refund](t)(l.stripe.CreateRefund(stripetest.RefundParams{Charge: pending.charge, Amount: l.refundable(pending), Unfunded: true}))
			refund = l.giveBack(failing)
			l.giveBack(refunded)
		},
		2: func() {
			ok[stripetest.Dispute](t)(l.stripe.LoseDispute(one))
			back(two, stripetest.DisputeReturn{Amount: 800, Status: "lost"})
			back(three, stripetest.DisputeReturn{Amount: 10_850, Status: "won"})
			back(four, stripetest.DisputeReturn{Amount: -1, Short: true, Status: "won"})
		},
		4: func() { back(one, stripetest.DisputeReturn{Status: "won"}) },
		5: func() { ok[stripetest.Charge](t)(l.stripe.ReturnDebit(returned.charge, "insufficient_funds", 400)) },
		6: func() { ok[stripetest.Refund](t)(l.stripe.FailRefund(refund.ID, "lost_or_stolen_card")) },
		7: func() { open(refunded, stripetest.DisputeParams{}) },
	}
	const nights = 13
	var all []reconcile.Night
	for night := range nights {
		l.until(9)
		if do := happens[night]; do != nil {
			do()
		}
		all = append(all, reconcile.NightOf(l.date(), l.worker.Settings.Defaults().Zone))
		l.now.Store(all[night].End.Unix() + 20*60)
	}
	first, last := all[0].Date, all[nights-1].Date
	ctx := context.Background()
	rehearsed := func(from, to reconcile.Date) string {
		t.Helper()
		var said bytes.Buffer
		ok[jobs.BackfillResult](t)(l.worker.Backfill(ctx, jobs.BackfillOptions{From: from, To: to, DryRun: &said}))
		return said.String()
	}
	if said := rehearsed(first, all[3].Date); strings.Count(said, "No reports are published for it yet.") != 4 || len(snapshot(t, l.folder)) > 0 {
		t.Errorf("the dry run published, or said\n%s", said)
	}

	ok[jobs.BackfillResult](t)(l.worker.Backfill(ctx, jobs.BackfillOptions{From: first, To: last}))
	published := snapshot(t, l.folder)
	l.booksOfAMonth.nights = all
	var kinds []string
	for _, open := range l.open() {
		kinds = append(kinds, strings.Fields(open)[0])
	}
	want := []string{"charge_status_mismatch", "dispute_residual", "disputed_and_refunded", "refund_failed", "refund_stuck"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	if said := rehearsed(all[nights-4].Date, last); strings.Count(said, "Its reports would be what is published.") != 4 {
		t.Errorf("a dry run of what is done said\n%s", said)
	}
	for _, span := range all[1:8] { // in which something happens
		if faults := ok[[]publish.Fault](t)(l.worker.Verify(ctx, span.Date, night.AuditHead{})); len(faults) > 0 {
			t.Errorf("%s: %v", span.Date, faults)
		}
	}

	// Each night alone, in its order, over what the backfill left: nothing differs, and so no revision is made.
	for _, night := range append(slices.Clone(all[1:8]), all[nights-1]) {
		if err := l.worker.RunNight(ctx, night.Date); err != nil {
			t.Fatal(err)
		}
	}
	compareFiles(t, published, snapshot(t, l.folder))
}
