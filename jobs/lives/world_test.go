package lives_test

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	rand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/month"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/refunds"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	reconcilersql "github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testdb.Run(m))
}

// firstNight is a Monday; no federal holiday falls on a weekday between it and Memorial Day, 25 May 2026.
var firstNight = reconcile.Date{Year: 2026, Month: time.March, Day: 2}

// world is a database, an account at Stripe and a worker, in which lives are lived side by side.
type world struct {
	t      testing.TB
	zone   *time.Location
	begin  time.Time // of the first night
	nights int
	now    atomic.Int64
	stripe *stripetest.Stripe
	db     *testdb.DB
	worker *jobs.Worker
	// approver approves refund plans, under a role that may do nothing else.
	approver *jobs.Worker
	folder   string

	lives   []*life
	kept    int               // lives of testdata, which come first
	byID    map[string]*thing // of everything that reports may name
	pending []statement       // not written to the platform yet
	serial  int

	open   []openBreak // in the newest night
	closed []reconcile.Month

	transactions map[string][]stripetest.BalanceTransaction // by source, and what a partial capture gave back by its charge; those read so far
	read         int

	// plansFrom is the first day on which refunds are planned and executed.
	plansFrom int
	random    *rand.Rand
	count     counts
	faults    []fault
}

// counts are what a world has seen.
type counts struct{ lives, events, skipped, nights, rehearsed, verified, explained, advised, expected, refunds, decisions int }

func (c counts) String() string {
	return fmt.Sprintf("%d lives, %d events (and %d that were not possible), %d nights (%d rehearsed, %d verified), %d lines expected, %d decisions, %d refunds executed, %d times advice was followed, %d ids asked for",
		c.lives, c.events-c.skipped, c.skipped, c.nights, c.rehearsed, c.verified, c.expected, c.decisions, c.refunds, c.advised, c.explained)
}

// thing is what an id of a report stands for: whose it is, and what it is called in that life.
type thing struct {
	life  *life
	label string
}

// fault is what the worker got wrong of a life; nil: of the world.
type fault struct {
	life  *life
	night int
	text  string
}

// openBreak is a break as a night has reported it.
type openBreak struct {
	id, kind, line   string
	account, subject string // their ids
	life             *life
}

type statement struct {
	query string
	args  []any
}

func newWorld(t testing.TB, zone *time.Location, nights int, seed uint64) *world {
	t.Helper()
	w := &world{t: t, zone: zone, nights: nights, begin: reconcile.NightOf(firstNight, zone).Begin, byID: map[string]*thing{},
		transactions: map[string][]stripetest.BalanceTransaction{}, plansFrom: 1, random: rand.New(rand.NewPCG(seed, 1))}
	if seed%2 == 0 {
		w.plansFrom = 16 // until then nobody pays what was approved, so that it becomes overdue
	}
	w.set(w.begin)
	w.stripe = stripetest.New(stripetest.Options{Clock: w.clock, Seed: seed})
	base, err := w.stripe.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.stripe.Close() })
	w.db = testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: w.db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	approver, err := postgres.Open(postgres.Options{URL: w.db.URLOf(reconcilersql.ApproverRole)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { approver.Close() })
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	client := func(key string) *stripefeed.Client {
		c, err := stripefeed.New(stripefeed.Options{Key: key, BaseURL: base, Log: zerolog.Nop(), EndpointPerSecond: 1e6, TotalPerSecond: 1e6, SyncLag: -1, BackoffBase: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if w.folder, err = os.MkdirTemp("/dev/shm", "lives"); err != nil {
		w.folder = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(w.folder) })
	sink, err := storage.OpenFolder(w.folder)
	if err != nil {
		t.Fatal(err)
	}
	w.worker = &jobs.Worker{Store: store, Policies: policies, Log: zerolog.Nop(), CodeVersion: "lives", Stripe: client(w.stripe.ReadKey()), Refunds: client(w.stripe.RefundKey()),
		Reports: sink, Clock: w.clock, Settings: night.Settings{Zone: zone, Refund: night.RefundSettings{RetryWait: time.Millisecond}}}
	w.approver = &jobs.Worker{Store: approver, Policies: policies, Log: zerolog.Nop(), Clock: w.clock, Settings: night.Settings{Zone: zone}}
	return w
}

func (w *world) clock() time.Time { return time.UnixMicro(w.now.Load()).UTC() }
func (w *world) set(at time.Time) { w.now.Store(at.UnixMicro()) }

func (w *world) night(n int) reconcile.Night {
	return reconcile.NightOf(firstNight.AddDays(n), w.zone)
}

// fails notes what is wrong with a life, or with the world.
func (w *world) fails(l *life, night int, format string, args ...any) {
	w.faults = append(w.faults, fault{l, night, fmt.Sprintf(format, args...)})
}

// name registers an id of a life under a label that is the same whatever ids there are.
func (w *world) name(l *life, id, label string) {
	if id != "" {
		w.byID[id] = &thing{l, label}
	}
}

func (w *world) id(kind string) string {
	w.serial++
	return fmt.Sprintf("%s_%06d", kind, w.serial)
}

// write has the platform's rows changed, at the latest when somebody may read them.
func (w *world) write(query string, args ...any) {
	w.pending = append(w.pending, statement{query, args})
}

func (w *world) flush() {
	w.t.Helper()
	tx, err := w.db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback()
	for _, s := range w.pending {
		if _, err := tx.Exec(s.query, s.args...); err != nil {
			w.t.Fatalf("%s %v: %v", s.query, s.args, err)
		}
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
	w.pending = nil
}

// add has a life lived in the world.
func (w *world) add(events []event) *life {
	l := &life{w: w, number: len(w.lives), events: inOrder(slices.Clone(events))}
	w.lives = append(w.lives, l)
	return l
}

// hours at which the day's routine is done, in the time after the begin of a night.
const (
	nightHour = 2 * time.Hour  // of the day after: the night is run
	planHour  = 9 * time.Hour  // refunds are planned, approved and executed
	paidHour  = 6 * time.Hour  // automatic payouts are made
	waitHour  = 13 * time.Hour // until then a plan may wait for its execution
	syncHour  = 14 * time.Hour // Stripe is read between nights, now and then

	quietNights = 5 // at the end of a world, in which no payout is made by hand or comes back
)

// live plays all lives to their end, with every night judged.
func (w *world) live() {
	w.t.Helper()
	w.count.lives = len(w.lives)
	type turn struct {
		l *life
		e event
	}
	var turns []turn
	for _, l := range w.lives {
		for _, e := range l.events {
			turns = append(turns, turn{l, e})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return int((a.e.at - b.e.at) / time.Second) })
	// playUntil plays what happens before an instant, and then it is that instant.
	playUntil := func(end time.Time) {
		for len(turns) > 0 && w.begin.Add(turns[0].e.at).Before(end) {
			w.set(w.begin.Add(turns[0].e.at))
			w.count.events++
			if !turns[0].l.play(turns[0].e) {
				w.count.skipped++
			}
			turns = turns[1:]
		}
		w.set(end)
	}
	for n := range w.nights {
		night := w.night(n)
		playUntil(night.Begin.Add(paidHour))
		w.payOut(n)
		playUntil(night.Begin.Add(planHour))
		if n == w.nights-2 {
			w.resolveAll()
		}
		if n >= w.plansFrom {
			w.flush()
			w.payRefunds(n-1, func() {
				if w.random.IntN(100) < 40 { // an approved plan waits, while customers and staff go on
					playUntil(night.Begin.Add(waitHour))
					w.flush()
				}
			})
		}
		if n > 0 && w.random.IntN(100) < *syncs { // as operators do between nights
			playUntil(night.Begin.Add(syncHour))
			w.flush()
			if err := w.worker.RunNight(context.Background(), firstNight.AddDays(n-1), "sync-stripe"); err != nil {
				w.fails(nil, n, "syncing by day: %v", err)
			}
		}
		playUntil(night.End)
		w.readTransactions()
		verdicts := make([]verdict, len(w.lives))
		for i, l := range w.lives {
			verdicts[i] = l.judge(n, night.End)
			w.count.expected += len(verdicts[i].want)
		}
		playUntil(night.End.Add(nightHour))
		for i, l := range w.lives {
			l.creditedMeanwhile(&verdicts[i], night.End)
		}
		w.flush()
		rehearsed := ""
		if w.isRehearsed(n) {
			rehearsed = w.rehearse(n)
		}
		w.run(n)
		w.compare(n, verdicts)
		w.adopt(n)
		if w.isRehearsed(n) {
			w.holdRehearsal(n, rehearsed)
		}
		w.closeMonth(n)
		if w.isVerified(n) {
			w.verify(n)
		}
		if w.isExplained(n) {
			w.explain(n)
		}
	}
	w.closeBooks()
	w.verifyMonths()
	w.run(w.nights - 1) // again: to the byte
	if again, _ := filepath.Glob(filepath.Join(w.folder, firstNight.AddDays(w.nights-1).String()+"?*")); len(again) > 0 {
		w.fails(nil, w.nights-1, "the last night, run again, became another revision")
	}
	for n := range w.nights { // though much has happened since
		if w.isVerified(n) && n < w.nights-1 {
			w.verifyAgain(n)
		}
	}
	if err := w.stripe.CheckBooks(); err != nil {
		w.fails(nil, w.nights-1, "the double's books: %v", err)
	}
}

// monthClosed is how many days after its end a month is closed, with whatever is still open in it.
const monthClosed = 2

func (w *world) office() *month.Office {
	return &month.Office{Store: w.worker.Store, Reports: w.worker.Reports, Zone: w.zone, Chart: accounting.DefaultChart(), CodeVersion: "lives"}
}

// closeMonth closes the month that has ended some nights before one, so that what comes for it later is the next month's.
func (w *world) closeMonth(n int) {
	w.t.Helper()
	of := reconcile.MonthOf(firstNight.AddDays(n - monthClosed))
	if n < monthClosed || of.Last() != firstNight.AddDays(n-monthClosed) {
		return
	}
	if _, err := w.office().Close(w.t.Context(), of, "Ana", []month.Acceptance{{What: month.All, Reason: "looked into"}}, w.clock()); err != nil {
		w.fails(nil, n, "closing %s: %v", of, err)
		return
	}
	w.closed = append(w.closed, of)
}

// verifyMonths has closed months verified, though much has happened since.
func (w *world) verifyMonths() {
	w.t.Helper()
	for _, of := range w.closed {
		faults, err := w.office().Verify(w.t.Context(), of)
		if err != nil {
			w.fails(nil, w.nights-1, "verifying %s: %v", of, err)
		}
		for _, f := range faults {
			w.fails(w.whose(f.What), w.nights-1, "verified %s, %s: %s", of, f.Where, f.What)
		}
	}
}

func (w *world) run(n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := w.worker.RunNight(ctx, firstNight.AddDays(n)); err != nil {
		w.fails(nil, n, "the night ended with: %v", err)
	}
	w.count.nights++
}

// readTransactions reads the balance transactions that there are by now.
func (w *world) readTransactions() {
	all := w.stripe.BalanceTransactions()
	for _, t := range all[w.read:] {
		source := t.Source
		if t.ReportingCategory == "partial_capture_reversal" { // of a refund that nobody made
			if r, ok := w.stripe.Refund(source); ok {
				source = r.Charge
			}
		}
		w.transactions[source] = append(w.transactions[source], t)
	}
	w.read = len(all)
}

// payOut makes the day's automatic payouts, and now and then others: instant ones, some that the bank sends back, debits of what is below 0.
func (w *world) payOut(n int) {
	if _, err := w.stripe.RunAutomaticPayouts(); err != nil {
		w.t.Fatal(err)
	}
	if n > w.nights-quietNights {
		return // what is on its way is to have arrived at the end
	}
	chance := func(percent int) bool { return w.random.IntN(100) < percent }
	refused := func(error) {} // what Stripe would refuse just doesn't happen
	if chance(15) {
		for _, balance := range w.stripe.Balances() {
			if amount := balance.Available / 3; amount > 100 {
				_, err := w.stripe.CreatePayout(stripetest.PayoutParams{Amount: amount, Currency: balance.Currency, Instant: chance(50)})
				refused(err)
			}
		}
	}
	if chance(20) {
		_, err := w.stripe.RunNegativePayouts()
		refused(err)
	}
	if payouts := w.stripe.Payouts(); len(payouts) > 0 {
		some := payouts[len(payouts)-1-w.random.IntN(min(len(payouts), 4))]
		switch {
		case chance(8):
			_, err := w.stripe.FailPayout(some.ID, "account_closed")
			refused(err)
		case chance(4):
			_, err := w.stripe.ReversePayout(some.ID)
			refused(err)
		case chance(8):
			_, err := w.stripe.CancelPayout(some.ID)
			refused(err)
		}
	}
}

// table reads a published table of a night.
func (w *world) table(n int, name string) []map[string]string {
	w.t.Helper()
	file, err := os.Open(filepath.Join(w.folder, firstNight.AddDays(n).String(), name))
	if err != nil {
		w.t.Fatal(err)
	}
	records, err := csv.NewReader(file).ReadAll()
	if err := errors.Join(err, file.Close()); err != nil {
		w.t.Fatal(err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, column := range records[0] {
			row[column] = tables.RestoreText(record[i])
		}
		rows = append(rows, row)
	}
	return rows
}

// label is what an id is called in its life.
func (w *world) label(id string) (*life, string) {
	if thing := w.byID[id]; thing != nil {
		return thing.life, thing.label
	}
	return nil, id
}

// compare holds what a night published against what was to be published of each life.
func (w *world) compare(n int, verdicts []verdict) {
	w.t.Helper()
	got := map[*life][]string{}
	why := map[string]string{}
	w.open = nil
	for _, row := range w.table(n, "breaks.csv") {
		if row["status"] != "open" {
			continue
		}
		l, label := w.label(row["subject_id"])
		if l == nil { // of what the worker made up itself
			l, _ = w.label(row["account_id"])
			label = row["subject_type"]
		}
		line := breakLine(row["kind"], label, row["variance"], row["unit"])
		got[l] = append(got[l], line)
		why[line] = fmt.Sprintf("%s of ours is %q, of theirs %q; %s", row["field"], row["ours"], row["theirs"], row["detail"])
		if l != nil {
			l.found(line, row["break_id"])
			w.open = append(w.open, openBreak{row["break_id"], row["kind"], line, row["account_id"], row["subject_id"], l})
		}
	}
	for _, row := range w.table(n, "refund_decisions.csv") {
		l, label := w.label(row["request_id"])
		got[l] = append(got[l], decisionLine(label, row["decision"], row["refund_minor"], row["currency"]))
		if l != nil {
			l.decided(n, row["request_id"], row["decision"], row["refund_minor"])
		}
		w.count.decisions++
	}
	for _, row := range w.table(n, "notifications.csv") {
		l, label := w.label(row["request_id"])
		got[l] = append(got[l], noticeLine(label, row["outcome"], row["amount_minor"]))
		if l != nil {
			l.told(n, row["request_id"], row["outcome"], row["message"])
		}
	}
	for _, row := range w.table(n, "credit_backs.csv") {
		l, label := w.label(row["job_id"])
		got[l] = append(got[l], creditBackLine(label, row["decision"], row["credit_back"]))
	}
	for _, row := range w.table(n, "disputes.csv") {
		l, label := w.label(row["dispute_id"])
		got[l] = append(got[l], disputeLine(label, row["status"], row["withdrawn_minor"], row["returned_minor"], row["fees_minor"], row["clawback_minor"], row["tie_out"]))
	}
	for _, row := range w.table(n, "control_totals.csv") {
		if row["difference"] != "0" {
			w.fails(nil, n, "control total %s %s differs by %s", row["check"], row["unit"], row["difference"])
		}
	}
	for _, row := range w.table(n, "rejects.csv") {
		w.fails(nil, n, "rejected: %v", row)
	}
	for _, row := range w.table(n, "refund_windows.csv") {
		l, label := w.label(row["purchase_id"])
		got[l] = append(got[l], windowLine(label, row["state"], row["used_credits"], row["refundable_minor"]))
	}
	for i, l := range w.lives {
		l.holdAdvice(n, got[l])
		v := verdicts[i]
		for _, line := range without(v.want, got[l]) {
			w.fails(l, n, "missing: %s", line)
		}
		for _, lines := range v.either {
			if slices.ContainsFunc(lines, l.isSettled) {
				continue
			}
			if found := len(lines) - len(without(lines, got[l])); found != 1 {
				w.fails(l, n, "missing: %s, or %d of the others", lines[0], found)
			}
		}
		for _, line := range without(got[l], slices.Concat(v.want, v.may, slices.Concat(v.either...))) {
			w.fails(l, n, "too much: %s %s", line, why[line])
		}
	}
	for _, line := range got[nil] {
		w.fails(nil, n, "too much: %s %s", line, why[line])
	}
}

// without are the lines of a that b doesn't have. A * in b stands for any value.
func without(a, b []string) []string {
	var left []string
	for _, line := range a {
		if !slices.ContainsFunc(b, func(other string) bool { return fits(line, other) }) {
			left = append(left, line)
		}
	}
	return left
}

func fits(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] && x[i] != "*" && y[i] != "*" {
			return false
		}
	}
	return true
}

// closeBooks holds the accounts that are only passed through against what is to be left in them once all lives have ended and everything that
// was wrong has been put right or resolved: nothing, in any currency.
func (w *world) closeBooks() {
	w.t.Helper()
	var rows []struct {
		Role, Currency string
		Closing        int64
	}
	err := w.db.Select(&rows, "SELECT role, currency, closing::bigint AS closing FROM reconciler.ledger_balances WHERE business_date = $1 AND closing <> 0", firstNight.AddDays(w.nights-1).String())
	if err != nil {
		w.t.Fatal(err)
	}
	owed, held := map[string]int64{}, map[string]int64{} // what is to be owed in the accounts whose rest has a reason, and what may still be refunded
	for _, l := range w.lives {
		owed["credits_held credits"] -= l.balance()
		for _, p := range l.purchases {
			if w.night(w.nights - 1).End.Before(p.completedAt.Add(window)) {
				held[p.currency] += p.amount
			}
		}
		for _, r := range l.requests {
			if r.decision != "deny" && r.status != "withdrawn" {
				held[r.purchase.currency] += r.purchase.amount
				for _, s := range r.purchase.misstated { // it may have been booked so
					held[s.currency] += s.amount
				}
			}
		}
	}
	least, most := w.deferred()
	for _, balance := range w.stripe.Balances() {
		owed["stripe_balance "+balance.Currency] += balance.Available + balance.Pending
	}
	for _, t := range w.stripe.BalanceTransactions() {
		if strings.HasPrefix(t.ReportingCategory, "payout") {
			owed["bank "+t.Currency] -= t.Amount
		}
	}
	for _, row := range rows {
		account := row.Role + " " + row.Currency
		switch accounting.AccountRole(row.Role) {
		case accounting.CreditsHeld, accounting.StripeBalance, accounting.Bank:
			owed[account] -= row.Closing
		case accounting.SubscriptionLiability:
			if -row.Closing < least[row.Currency] || -row.Closing > most[row.Currency] {
				w.fails(nil, w.nights-1, "in the end %s has %d, and %d to %d are deferred", account, row.Closing, least[row.Currency], most[row.Currency])
			}
			delete(least, row.Currency)
		case accounting.RefundLiability: // all windows have closed but late ones, and those that a request holds
			if -row.Closing > held[row.Currency] || row.Closing > 0 {
				w.fails(nil, w.nights-1, "in the end %s has %d, and at most %d may be refunded", account, row.Closing, held[row.Currency])
			}
		case accounting.PurchaseClearing, accounting.RefundClearing, accounting.PayoutsInTransit, accounting.DisputesReceivable, accounting.StripeSuspense:
			w.fails(nil, w.nights-1, "in the end %s has %d %s", row.Role, row.Closing, row.Currency)
		}
	}
	for currency, minor := range least {
		if minor > 0 {
			w.fails(nil, w.nights-1, "in the end nothing is deferred in %s, and %d should be", currency, minor)
		}
	}
	for account, rest := range owed {
		if rest != 0 {
			w.fails(nil, w.nights-1, "in the end %s is wrong by %d", account, rest)
		}
	}
	for _, item := range w.openItems() {
		l, label := w.label(item.ItemID)
		w.fails(l, w.nights-1, "%s is left open with %s of %d %s", item.Role, label, item.Amount, item.Currency)
	}
}

type openItem struct {
	Role, Currency string
	ItemID         string `db:"item_id"`
	Amount         int64
}

// openItems are what the last night's balances of purchase and refund clearing consist of, by the worker's own statement.
func (w *world) openItems() (items []openItem) {
	w.t.Helper()
	var categories, categoryRoles []string
	for _, category := range reconcile.ReportingCategories() {
		categories, categoryRoles = append(categories, category), append(categoryRoles, string(accounting.StripeRole(category)))
	}
	err := postgres.Each(w.t.Context(), w.worker.Store, "month/open_items", postgres.Args{
		"date": firstNight.AddDays(w.nights - 1), "as_of": w.night(w.nights - 1).End, "roles": []accounting.AccountRole{accounting.PurchaseClearing, accounting.RefundClearing},
		"categories": categories, "category_roles": categoryRoles, "cleared": accounting.EntryClearing, "activity": accounting.EntryStripe,
	}, func(row struct {
		openItem
		ItemType  string `db:"item_type"`
		AccountID string `db:"account_id"`
		OpenedOn  string `db:"opened_on"`
		Age       int    `db:"age_days"`
		Booked    int64
		Cleared   int64
		AtStripe  int64 `db:"at_stripe"`
		Objects   string
		BreakID   string `db:"break_id"`
		BreakKind string `db:"break_kind"`
		Disputed  string `db:"dispute_status"`
	}) error {
		items = append(items, row.openItem)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return items
}

// payRefunds plans what decisions through a night call for, has it approved, and executes it after a while.
func (w *world) payRefunds(n int, meanwhile func()) {
	w.t.Helper()
	ctx := context.Background()
	due := map[*request]bool{}
	for _, l := range w.lives {
		for _, r := range l.requests {
			due[r] = l.isDue(r)
		}
	}
	view, _, err := w.worker.RefundDesk().Plan(ctx, firstNight.AddDays(n), "Anna")
	switch {
	case errors.Is(err, refunds.ErrNothingDue):
	case err != nil:
		w.fails(nil, n, "planning refunds: %v", err)
		return
	default:
		if _, err := w.approver.RefundDesk().Approve(ctx, view.PlanID, "Ben", view.PlanSha256); err != nil {
			w.fails(nil, n, "approving refunds: %v", err)
			return
		}
		meanwhile()
		for range 5 { // refunds that others made in the meantime are stopped, and a few in a row stop all
			if _, err = w.worker.RefundDesk().Execute(ctx, view.PlanID, "Carol"); !errors.Is(err, night.ErrIntegrity) {
				break
			}
		}
		if err != nil {
			w.fails(nil, n, "executing refunds: %v", err)
		}
		made := len(w.stripe.Refunds())
		if _, err := w.worker.RefundDesk().Execute(ctx, view.PlanID, "Erin"); err != nil && !errors.Is(err, night.ErrIntegrity) || len(w.stripe.Refunds()) != made {
			w.fails(nil, n, "executing a plan again made %d refunds more, %v", len(w.stripe.Refunds())-made, err)
		}
	}
	for _, refund := range w.stripe.Refunds() {
		id, ours := refund.Metadata["reconciler_request"]
		if !ours || w.byID[refund.ID] != nil {
			continue
		}
		w.count.refunds++
		l, _ := w.label(id)
		if l == nil {
			w.fails(nil, n, "a refund of nobody's request: %+v", refund)
			continue
		}
		l.paid(n, refund)
	}
	for _, l := range w.lives {
		for _, r := range l.requests {
			if due[r] && l.isDue(r) {
				w.fails(l, n, "not paid: %s, %d %s", r.label, r.amount, r.purchase.currency)
			}
		}
	}
	w.adopt(n)
}
