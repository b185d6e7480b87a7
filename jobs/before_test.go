package jobs_test

import (
	"context"
	"errors"
	"fmt"
	rand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
)

// lateBusiness is a business from before a night, and the entries of three of its accounts that arrive later: of one that the crowd knows, of one that
// has a purchase without its grant by then, and of one without anything.
func lateBusiness(s stage, night int) (business, late platform) {
	dayBefore, yearBefore := s.night(night-1).Begin.Add(12*time.Hour), s.night(night-365).Begin.Add(time.Hour)
	business = crowd(s, 500, 30)
	p := purchase{ID: "bought", AccountID: ref("buyer"), Kind: ref("credits"), Credits: ref[int64](50), AmountMinor: ref[int64](5000), Currency: ref("usd"),
		Status: ref("completed"), CreatedAt: &dayBefore, CompletedAt: &dayBefore}
	for _, id := range []string{"buyer", "elder"} {
		business.Accounts = append(business.Accounts, account{ID: id, Email: ref(id + "@x.test"), Status: ref("active"), CreatedAt: &yearBefore})
	}
	business.Purchases = append(business.Purchases, p)
	late.Entries = []entry{grantOf(p),
		{ID: "l1", AccountID: ref(casePrefix(0) + "acct-0"), Kind: ref("promo"), Credits: ref[int64](7), CreatedAt: &dayBefore},
		{ID: "l2", AccountID: ref(casePrefix(0) + "acct-0"), Kind: ref("adjustment"), Credits: ref[int64](-3), CreatedAt: &yearBefore},
		{ID: "l3", AccountID: ref("elder"), Kind: ref("promo"), Credits: ref[int64](40), CreatedAt: &yearBefore},
		{ID: "l4", AccountID: ref("elder"), Kind: ref("adjustment"), Credits: ref[int64](-5), CreatedAt: &dayBefore}}
	return business, late
}

// lateItems are the late items but for the worker's own, as entry, its date and the night it is booked on.
func (w *worker) lateItems(t testing.TB) []string {
	t.Helper()
	var items []string
	err := w.db.Select(&items, `SELECT entry_id || ' of ' || entry_date || ' on ' || booked_on FROM reconciler.late_items
		WHERE entry_id NOT IN (SELECT entry_id FROM reconciler.credit_backs WHERE entry_id IS NOT NULL) ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func bookedLate(s stage, first, night int) (items []string) {
	_, late := lateBusiness(s, first)
	for _, e := range late.Entries {
		items = append(items, fmt.Sprintf("%s of %s on %s", e.ID, e.CreatedAt.Format("2006-01-02"), s.night(night).Date))
	}
	slices.Sort(items)
	return items
}

// rolled are the roll-forwards of nights.
func (w *worker) rolled(t testing.TB, s stage, nights ...int) (rolled []string) {
	t.Helper()
	for _, night := range nights {
		var rows []string
		if err := w.db.Select(&rows, "SELECT f::text FROM reconciler.roll_forward f WHERE business_date = $1 ORDER BY 1", s.night(night).Date.String()); err != nil {
			t.Fatal(err)
		}
		rolled = append(rolled, rows...)
	}
	return rolled
}

// ties fails unless all control totals tie and what is published of the nights is what they are worked out to today.
func (w *worker) ties(t testing.TB, s stage, nights ...int) {
	t.Helper()
	var untied int
	if err := w.db.Get(&untied, "SELECT count(*) FROM reconciler.control_totals WHERE difference <> 0"); err != nil || untied != 0 {
		t.Errorf("%d totals don't tie, %v", untied, err)
	}
	for _, no := range nights {
		faults, err := w.Verify(context.Background(), s.night(no).Date, night.AuditHead{})
		if err != nil || len(faults) > 0 {
			t.Errorf("night %d: %v, %v", no, faults, err)
		}
	}
}

// The newest closing is compared with the whole ledger: entries from before the first night that arrived after it were in no night's books, and
// no later night ever tied.
func TestBugEntriesFromBeforeTheFirstNightLeftAllNightsUntied(t *testing.T) {
	for name, matching := range map[string]night.Matching{"fast": night.MatchFast, "exact": night.MatchExact} {
		t.Run(name, func(t *testing.T) {
			w, s := newWorker(t), testStage
			w.matching = matching
			business, late := lateBusiness(s, 0)
			w.play(t, s, business, 0, 1, 2)
			late.load(t, w.db.DB)
			w.again(t, s, 3)
			compareLines(t, s.night(3).Date, bookedLate(s, 0, 3), w.lateItems(t))
			var listed []string
			for _, b := range w.published(t, s.night(3).Date)["breaks.csv"] {
				if b["kind"] == "late_item" && strings.Contains(b["detail"], "before the first night; booked on "+s.night(3).Date.String()) {
					listed = append(listed, b["subject_id"])
				}
			}
			if slices.Sort(listed); !slices.Equal(listed, []string{"g-bought", "l1", "l2", "l3", "l4"}) {
				t.Errorf("listed as late: %v", listed)
			}
			var window int
			if err := w.db.Get(&window, "SELECT count(*) FROM reconciler.refund_windows WHERE purchase_id = 'bought' AND state = 'open' AND credits = 50 AND used_credits = 0 AND business_date = $1", s.night(3).Date.String()); err != nil || window != 1 {
				t.Errorf("%d open windows of the purchase, %v", window, err)
			}
			if matching == night.MatchExact { // from here on both go the same way
				w.ties(t, s, 2, 3)
				return
			}
			w.again(t, s, 4, 5)
			w.ties(t, s, 0, 1, 2, 3, 4, 5)
			settled := w.state(t)
			w.again(t, s, 5, 3, 2, 1, 0)
			compareStates(t, "after rerunning old nights", settled, w.state(t))
			w.again(t, s, 6)
			w.ties(t, s, 6)
		})
	}
}

// An earlier night that is run after the first one is not in whose books its late rows are: the night that is still open has them.
func TestBugNightBeforeTheFirstOneTookLateEntriesForItsOwn(t *testing.T) {
	w, s := newWorker(t), testStage
	business, late := lateBusiness(s, 2)
	w.play(t, s, business, 2, 3)
	before := w.rolled(t, s, 2, 3)
	late.load(t, w.db.DB) // some stamped in night 1
	w.again(t, s, 1)
	compareLines(t, s.night(1).Date, bookedLate(s, 2, 4), w.lateItems(t))
	w.again(t, s, 4)
	w.ties(t, s, 1, 4)
	_, again := lateBusiness(s, 1)
	for i := range again.Entries {
		again.Entries[i].ID += "-again"
	}
	again.load(t, w.db.DB)
	w.again(t, s, 0, 5)
	w.ties(t, s, 0, 5)
	if booked := len(w.lateItems(t)); booked != 10 {
		t.Errorf("%d entries are booked as late, want 10", booked)
	}
	w.again(t, s, 0, 1, 2, 3, 4, 5, 6) // what nights did not know of the breaks of those before them makes their next revision
	w.ties(t, s, 0, 1, 2, 3, 4, 5, 6)
	if after := w.rolled(t, s, 2, 3); !slices.Equal(after, before) {
		t.Errorf("what had been reported rolled %q, and now %q", before, after)
	}
}

// The night that opens the books reads what is before it anew for as long as it is the newest.
func TestFirstNightRunAgainReadsWhatIsBeforeIt(t *testing.T) {
	w, s := newWorker(t), testStage
	business, late := lateBusiness(s, 0)
	w.play(t, s, business, 0)
	late.load(t, w.db.DB)
	w.again(t, s, 0, 1, 2)
	if items := w.lateItems(t); len(items) > 0 {
		t.Errorf("booked as late: %v", items)
	}
	w.ties(t, s, 0, 1, 2)
}

// The first night run again after a later one: what is new before it belongs to the open night.
func TestBugFirstNightRunAgainTookLateEntriesForItsOpening(t *testing.T) {
	w, s := newWorker(t), testStage
	business, late := lateBusiness(s, 0)
	w.play(t, s, business, 0, 1)
	before := w.rolled(t, s, 0)
	late.load(t, w.db.DB)
	w.again(t, s, 0)
	if after := w.rolled(t, s, 0); !slices.Equal(after, before) {
		t.Errorf("the first night rolled %q, and now %q", before, after)
	}
	compareLines(t, s.night(0).Date, bookedLate(s, 0, 2), w.lateItems(t))
	w.again(t, s, 2, 3)
	w.ties(t, s, 0, 1, 2, 3)
}

// A night that was left out is in nobody's books either; nor is what a night noted that was stopped before it was reported.
func TestBugEntriesOfNightsThatWereLeftOutLeftAllLaterOnesUntied(t *testing.T) {
	w, s := newWorker(t), testStage
	business, late := lateBusiness(s, 3)
	w.play(t, s, business, 0, 1, 3)
	late.load(t, w.db.DB) // some stamped in night 2
	w.again(t, s, 4)
	compareLines(t, s.night(4).Date, bookedLate(s, 3, 4), w.lateItems(t))
	w.again(t, s, 2, 5)
	w.ties(t, s, 2, 5)
	w.again(t, s, 0, 1, 2, 3, 4, 5)
	w.ties(t, s, 0, 1, 2, 3, 4, 5)

	for _, step := range []string{"books/rolled", "reports/prepared"} {
		w.play(t, s, business, 0, 1)
		ctx, stop := context.WithCancel(context.Background())
		w.Step = func(name string) {
			if name == step {
				stop()
			}
		}
		if err := w.RunNight(ctx, s.night(3).Date); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		w.Step = nil
		late.load(t, w.db.DB)
		w.again(t, s, 2, 3, 4)
		w.ties(t, s, 3, 4)
	}
}

// A ledger too long for that is not gone through from its beginning before it doesn't tie; then the same night books what has arrived.
func TestLongLedgerThatDoesNotTieIsSearchedFromItsBeginning(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Settings.Sizes = night.Sizes{LookBackRows: 1, ShareRows: 1, LedgerRows: 1}
	s.First = date("2026-03-28")
	business, late := lateBusiness(s, 0)
	w.play(t, s, business, 0, 1)
	late.load(t, w.db.DB)
	w.again(t, s, 2)
	if items := w.lateItems(t); len(items) > 0 {
		t.Errorf("looked for at once: %v", items)
	}
	w.again(t, s, 3) // ends the month
	compareLines(t, s.night(3).Date, bookedLate(s, 0, 3), w.lateItems(t))
	w.again(t, s, 4)
	w.ties(t, s, 0, 1, 2, 3, 4)
}

// What was before the first night is looked at in its turn, which comes as rarely as there are ledgers that could be added up every night in it.
func TestLongBaselineHasItsTurn(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	business, late := lateBusiness(s, 0)
	baseline := int64(len(pick(business.Entries, func(e entry) bool { return e.CreatedAt.Before(s.night(0).Begin) })))
	w.Settings.Sizes = night.Sizes{ShareRows: 1, LedgerRows: baseline / 3}
	w.play(t, s, business, 0, 1)
	late.load(t, w.db.DB)
	w.again(t, s, 2)
	if items := w.lateItems(t); len(items) > 0 {
		t.Errorf("looked for before its turn: %v", items)
	}
	w.again(t, s, 3)
	compareLines(t, s.night(3).Date, bookedLate(s, 0, 3), w.lateItems(t))
	w.again(t, s, 4)
	w.ties(t, s, 0, 1, 2, 3, 4)
}

// Earlier versions noted nothing of what was before the first night. The error says what helps, and it does.
func TestUntiedLedgerNamesTheWayOut(t *testing.T) {
	w, s := newWorker(t), testStage
	business, late := lateBusiness(s, 0)
	w.play(t, s, business, 0, 1)
	w.db.MustExec("DELETE FROM reconciler.ledger_before")
	w.db.MustExec("DELETE FROM reconciler.account_entries_before")
	late.load(t, w.db.DB)
	for _, no := range []int{2, 3} {
		err := w.night(s.night(no))
		if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), `"closing equals the ledger" does not tie by`) ||
			!strings.Contains(err.Error(), "reconciler verify --date") || !strings.Contains(err.Error(), "created_at") {
			t.Fatalf("night %d ends with %v", no, err)
		}
	}
	for _, e := range late.Entries {
		w.db.MustExec("UPDATE platform.credit_entries SET created_at = $1 WHERE id = $2", s.night(4).Begin, e.ID)
	}
	w.again(t, s, 4, 5)
}

// A purchase from before the first night that arrives with its grant was in nobody's money.
func TestBugPurchaseFromBeforeTheFirstNightWasInNoBooks(t *testing.T) {
	w, s := newWorker(t), testStage
	p := platform{Purchases: []purchase{bought("p1", 50, "2026-03-04 12:00:00")}}
	p.Entries = grantsOf(p.Purchases)
	w.play(t, s, platform{Accounts: customer()}, 0, 1)
	p.load(t, w.db.DB)
	w.again(t, s, 2)
	var rolled []string
	if err := w.db.Select(&rolled, "SELECT measure || ' ' || opening || ' + ' || late_items || ' = ' || closing FROM reconciler.roll_forward WHERE business_date = $1 ORDER BY 1", s.night(2).Date.String()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"credits 0 + 50 = 50", "usd 0 + 1000 = 1000"}; !slices.Equal(rolled, want) {
		t.Errorf("rolled %q, want %q", rolled, want)
	}
	compareLines(t, s.night(2).Date, wantLines(`
break       late_item of g-p1 account=acct-0 open first=2026-03-07 last=2026-03-07 variance=50 credits
window      p1 account=acct-0 open used=0 of 50 paid=1000 usd completed=2026-03-04T12:00:00Z expires=2026-03-11T12:00:00Z`), w.published(t, s.night(2).Date).lines(""))
	w.again(t, s, 3, 2, 3)
	w.ties(t, s, 2, 3)
}

// Whatever nights are run, left out, run again and run too late, and whichever of them entries arrive for meanwhile: all totals tie, and each entry
// is in the books once.
func TestBooksTieWheneverEntriesTurnUp(t *testing.T) {
	w, s := newWorker(t), testStage
	seeds := uint64(2)
	if *longBusiness {
		seeds = 20
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		w.play(t, s, crowd(s, 300+int(seed), 4))
		var order []string
		newest, made := -1, 0
		for range 10 {
			night := newest + 1
			switch random.IntN(6) {
			case 0:
				night++
			case 1, 2:
				night = random.IntN(newest+4) - 2
			}
			newest = max(newest, night)
			var more platform
			for range random.IntN(4) {
				made++
				at := s.night(random.IntN(newest+4) - 3)
				if random.IntN(4) == 0 {
					at = s.night(-365)
				}
				e := entry{ID: fmt.Sprintf("more-%d", made), AccountID: ref(fmt.Sprintf("%sacct-%d", casePrefix(random.IntN(4)), random.IntN(3))), Kind: ref("promo"),
					Credits: ref(random.Int64N(9)), CreatedAt: ref(at.Begin.Add(time.Duration(random.IntN(23)) * time.Hour))}
				if random.IntN(2) == 0 {
					e.Kind, e.Credits = ref("adjustment"), ref(-*e.Credits)
				}
				more.Entries = append(more.Entries, e)
				order = append(order, fmt.Sprintf("%s of %s", e.ID, e.CreatedAt.Format(time.DateTime)))
			}
			more.load(t, w.db.DB)
			order = append(order, fmt.Sprintf("night %s", s.night(night).Date))
			if err := w.night(s.night(night)); err != nil {
				t.Fatalf("seed %d: %q: %v", seed, order, err)
			}
		}
		if err := w.night(s.night(newest + 1)); err != nil {
			t.Fatalf("seed %d: %q, and the next night: %v", seed, order, err)
		}
		w.ties(t, s, newest+1)
		if t.Failed() {
			t.Fatalf("seed %d: %q", seed, order)
		}
	}
}
