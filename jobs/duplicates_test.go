package jobs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

// throughViews makes the worker read the platform through views in a schema of their own, each as the given query has it, with %s for the table.
func (w *worker) throughViews(t testing.TB, query string) *worker {
	t.Helper()
	w.db.MustExec("CREATE SCHEMA seen")
	for _, relation := range sql.SourceRelations {
		w.db.MustExec("CREATE VIEW seen." + relation.Name + " AS " + strings.ReplaceAll(query, "%s", "platform."+relation.Name))
	}
	w.db.MustExec(`CREATE FUNCTION seen.add_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
		INSERT INTO platform.credit_entries SELECT new.*; RETURN new; END $$`)
	w.db.MustExec(`CREATE TRIGGER add_entry INSTEAD OF INSERT ON seen.credit_entries FOR EACH ROW EXECUTE FUNCTION seen.add_entry()`)
	w.db.GrantSource("seen")
	store, err := postgres.Open(postgres.Options{URL: w.db.URL, SourceSchema: "seen"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w.Store = store
	return w
}

// lines of a night's tables that are about what the rows are, and not about how many there are of each.
func (p published) apartFromSurplus() []string {
	lines := append(p.lines(""), p.rollForward("credits")...)
	lines = append(lines, p.money()...)
	for _, r := range p["control_totals.csv"] {
		if !strings.Contains(r["check"], "rows beyond the first") {
			lines = append(lines, fmt.Sprint("control ", r))
		}
	}
	var kept []string
	for _, line := range lines {
		if !strings.HasPrefix(line, "reject ") {
			kept = append(kept, line)
		}
	}
	return kept
}

// TestEveryRowTwiceCountsOnce: a view that shows every row twice, as a careless join or UNION ALL does, makes the worker say what the tables
// behind it do, and name the ids.
func TestEveryRowTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	s := testStage
	p := crowd(s, 900, 8)
	plain, double := newWorker(t), newWorker(t).throughViews(t, "SELECT * FROM %s UNION ALL SELECT * FROM %s")
	for _, matching := range []night.Matching{night.MatchFast, night.MatchExact} {
		plain.matching, double.matching = matching, matching
		plain.reset(t, s.Zone)
		double.reset(t, s.Zone)
		surplus, nights := 0, s.Nights
		if matching == night.MatchExact { // which is what the fast one comes to
			nights = 2
		}
		for i := range nights {
			for _, w := range []*worker{plain, double} {
				p.turn(i).load(t, w.db.DB)
				if err := w.night(s.night(i)); w == double && w.db.Distributed() {
					refusedForIDs(t, err)
					return
				} else if err != nil {
					t.Fatal(err)
				}
			}
			want, got := plain.published(t, s.night(i).Date), double.published(t, s.night(i).Date)
			compareLines(t, s.night(i).Date, want.apartFromSurplus(), got.apartFromSurplus())
			for _, r := range got["rejects.csv"] {
				if r["field"] == "id" && r["problem"] == "is not unique: 2 rows" {
					surplus++
				}
			}
		}
		if nights == s.Nights && surplus < p.size() {
			t.Errorf("%d surplus rows are named, of a platform of %d rows", surplus, p.size())
		}
		before := double.published(t, s.night(0).Date)
		if err := double.night(s.night(0)); err != nil {
			t.Fatal(err)
		}
		compareLines(t, s.night(0).Date, before.apartFromSurplus(), double.published(t, s.night(0).Date).apartFromSurplus())
	}
}

// TestSecondRowOfAnIDIsNotCreditedAgain: another row of a job that was credited back, purchase or request arrives on a later night.
func TestSecondRowOfAnIDIsNotCreditedAgain(t *testing.T) {
	t.Parallel()
	s := stage{First: date("2026-03-05"), Nights: 3, Zone: time.UTC}
	w := newWorker(t)
	for _, relation := range sql.SourceRelations { // tables whose ids nothing keeps unique
		w.db.MustExec("ALTER TABLE platform." + relation.Name + " DROP CONSTRAINT " + relation.Name + "_pkey")
	}
	for i, want := range []string{`
credit-back j1 account=acct-0 system debited=5 before=0 back=5 credited clause=3.1
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`, `
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
reject      acct-0 of accounts
reject      j1 of jobs
reject      p1 of purchases
reject      r1 of refund_requests
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`, `
decision    r1 account=acct-0 purchase=p1 job= due=2026-03-16 waiting currency=usd clauses=2.2
reject      acct-0 of accounts
reject      p1 of purchases
reject      r1 of refund_requests
window      p1 account=acct-0 requested used=0 of 10 paid=1000 usd completed=2026-03-05T12:00:00Z expires=2026-03-12T12:00:00Z`} {
		at := s.night(i).Date.String() + " 12:00:00"
		row := platform{Accounts: customer(), Purchases: []purchase{bought("p1", 10, at)}, Jobs: []job{ran("j1", "failed", "NODE_FAIL", 5, at)},
			Requests: []request{asked("r1", "p1", at)}}
		switch i {
		case 0:
			row.Entries = []entry{entered("o1", "promo", 5, "", "2026-03-05 00:00:00"), entered("d1", "usage", -5, "j1", at), grantOf(row.Purchases[0])}
			row.load(t, w.db.DB)
		case 1: // the same ids once more, later
			row.load(t, w.db.DB)
		}
		for range 2 { // and a rerun
			if err := w.night(s.night(i)); i > 0 && w.db.Distributed() {
				refusedForIDs(t, err)
				return
			} else if err != nil {
				t.Fatal(err)
			}
			compareLines(t, s.night(i).Date, wantLines(want), w.published(t, s.night(i).Date).lines(""))
		}
	}
}

// refusedForIDs is how a night ends on a cluster, whose nodes can't leave rows out, where an id is there twice.
func refusedForIDs(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "are there twice") {
		t.Errorf("got %v", err)
	}
}
