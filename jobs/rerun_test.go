package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// perAttempt are the columns that say when and how often something was tried, and what that attempt did: a rerun may change nothing else.
var perAttempt = map[string][]string{
	"runs":         {"started_at", "finished_at", "attempt", "counts", "worker"},
	"publications": {"published_at"},
	// Which of two jobs that are done side by side comes first in the chain is chance, and the chain hashes the time.
	"audit_links":   {"at", "sha256", "previous_sha256", "link", "previous_link", "changes_sha256"},
	"audit_changes": {"link", "sha256"},
}

// state is everything that nights leave behind: each table of the worker and the ledger as text, and each published file.
func (w *worker) state(t testing.TB) map[string]string {
	t.Helper()
	left := map[string]string{}
	var tables []string
	// account_positions is a cache that may be emptied at any time; what nights say with and without it is compared all the same.
	err := w.db.Select(&tables, `SELECT tablename FROM pg_tables
		WHERE schemaname = 'reconciler' AND tablename NOT LIKE '%goose%' AND tablename <> 'account_positions' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	dump := func(schema, table string) {
		var rows []string
		if err := w.db.Select(&rows, fmt.Sprintf(`SELECT row FROM (SELECT (to_jsonb(x) - '{%s}'::text[])::text AS row FROM %s.%s x) r ORDER BY row COLLATE "C"`,
			strings.Join(perAttempt[table], ","), schema, table)); err != nil {
			t.Fatal(err)
		}
		left[schema+"."+table] = strings.Join(rows, "\n")
	}
	for _, table := range tables {
		dump("reconciler", table)
	}
	dump("platform", "credit_entries")
	err = filepath.WalkDir(w.folder, func(path string, file fs.DirEntry, err error) error {
		if err != nil || file.IsDir() {
			return err
		}
		name, err := filepath.Rel(w.folder, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		left[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// compareStates fails with what differs, a few lines of each table and file.
func compareStates(t testing.TB, when string, want, got map[string]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, known := want[name]; !known {
			names = append(names, name)
		}
	}
	for _, name := range names {
		_, wanted := want[name]
		_, there := got[name]
		switch {
		case !wanted:
			t.Errorf("%s: there is a %s now", when, name)
		case !there:
			t.Errorf("%s: there is no %s", when, name)
		case want[name] != got[name]:
			diff := strings.Split(diffLines(strings.Split(want[name], "\n"), strings.Split(got[name], "\n")), "\n")
			for i, line := range diff {
				diff[i] = line[:min(len(line), 600)]
			}
			t.Errorf("%s: %s differs:\n%s", when, name, strings.Join(diff[:min(len(diff), 8)], "\n"))
		}
	}
}

// crowd is a number of random platforms side by side whose rows are all there from the start.
func crowd(s stage, seed, count int) platform {
	var all platform
	for i := range count {
		p := platforms(s).Example(seed + i)
		for j := range p.Purchases {
			p.Purchases[j].Turn = 0
		}
		for j := range p.Jobs {
			p.Jobs[j].Turn = 0
		}
		for j := range p.Entries {
			p.Entries[j].Turn = 0
		}
		for j := range p.Requests {
			p.Requests[j].Turn = 0
		}
		all.add(p.prefixed(casePrefix(i)))
	}
	return all
}

// play runs nights of the stage, by number, on the platform alone.
func (w *worker) play(t testing.TB, s stage, p platform, nights ...int) {
	t.Helper()
	w.reset(t, s.Zone)
	p.load(t, w.db.DB)
	w.again(t, s, nights...)
}

func (w *worker) again(t testing.TB, s stage, nights ...int) {
	t.Helper()
	for _, i := range nights {
		if err := w.night(s.night(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRerunningAnyNightChangesNothing reruns every night after the last of them has run, and after each of them.
func TestRerunningAnyNightChangesNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 500, 40)
	w.play(t, s, p, 0, 1, 2, 3)
	clean := w.state(t)
	for i := range s.Nights {
		w.again(t, s, i)
		compareStates(t, fmt.Sprintf("after rerunning night %d of %d", i, s.Nights), clean, w.state(t))
		if t.Failed() {
			return
		}
	}
	w.play(t, s, p, 0, 0, 1, 0, 2, 1, 3, 2)
	compareStates(t, "after nights rerun in between", clean, w.state(t))
}

// TestRerunAfterLateEntries reruns nights whose ledger has grown since: the late entries count where they were booked, and the rest
// reads as it did.
func TestRerunAfterLateEntries(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	var late []entry
	p := crowd(s, 900, 30)
	p.Entries = slices.DeleteFunc(p.Entries, func(e entry) bool {
		isLate := len(late) < 40 && e.CreatedAt != nil && isOf(s.night(0), *e.CreatedAt)
		if isLate {
			late = append(late, e)
		}
		return isLate
	})
	w.play(t, s, p, 0, 1)
	(platform{Entries: late}).load(t, w.db.DB)
	w.again(t, s, 2, 3)
	before := w.state(t)
	var booked int
	if err := w.db.Get(&booked, "SELECT count(*) FROM reconciler.late_items WHERE booked_on = $1", s.night(2).Date.String()); err != nil {
		t.Fatal(err)
	}
	if valid := len(pick(late, keepsContractEntry)); booked != valid || valid == 0 {
		t.Errorf("%d entries were booked as late, %d were", booked, valid)
	}
	for _, i := range []int{3, 2, 1} {
		w.again(t, s, i)
		compareStates(t, fmt.Sprintf("after rerunning night %d", i), before, w.state(t))
		if t.Failed() {
			return
		}
	}
}

// TestRerunAfterLateRowsMakesOneMoreRevision reruns a night that has gained jobs, purchases and requests since: they are in its next
// revision, beside the first, which stays to the byte; and that is where it ends.
func TestRerunAfterLateRowsMakesOneMoreRevision(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 1300, 20)
	late := platform{
		Purchases: pick(p.Purchases, func(r purchase) bool {
			return keepsContractPurchase(r) && r.CompletedAt != nil && isOf(s.night(0), *r.CompletedAt)
		}),
		Jobs: pick(p.Jobs, func(r job) bool {
			return keepsContractJob(r) && r.FinishedAt != nil && isOf(s.night(0), *r.FinishedAt)
		}),
		Requests: pick(p.Requests, func(r request) bool { return keepsContractRequest(r) && isOf(s.night(0), *r.RequestedAt) }),
	}
	if len(late.Purchases) < 3 || len(late.Jobs) < 3 || len(late.Requests) < 3 {
		t.Fatal("the platforms are too tame")
	}
	early := platform{Accounts: p.Accounts, Entries: p.Entries,
		Purchases: pick(p.Purchases, func(r purchase) bool {
			return !slices.ContainsFunc(late.Purchases, func(l purchase) bool { return l.ID == r.ID })
		}),
		Jobs: pick(p.Jobs, func(r job) bool { return !slices.ContainsFunc(late.Jobs, func(l job) bool { return l.ID == r.ID }) }),
		Requests: pick(p.Requests, func(r request) bool {
			return !slices.ContainsFunc(late.Requests, func(l request) bool { return l.ID == r.ID })
		}),
	}
	w.play(t, s, early, 0, 1)
	first := w.state(t)
	late.load(t, w.db.DB)
	w.again(t, s, 0)
	second := w.state(t)
	night := s.night(0).Date.String()
	if first[night+"/manifest.json"] != second[night+".r1/manifest.json"] || first[night+"/credit_backs.csv"] != second[night+".r1/credit_backs.csv"] {
		t.Error("the first revision is not kept as it was")
	}
	if first[night+"/credit_backs.csv"] == second[night+"/credit_backs.csv"] {
		t.Error("the second revision does not have the late rows")
	}
	w.again(t, s, 0)
	compareStates(t, "after rerunning the night once more", second, w.state(t))
	w.again(t, s, 1, 2, 3)
	settled := w.state(t)
	w.again(t, s, 0, 1, 2, 3)
	compareStates(t, "after rerunning all nights", settled, w.state(t))
}

// TestRerunMissesNothingThatTurnedUpWithItsEntries reruns a night for which jobs and purchases have arrived since, with entries that a later night has
// booked: what is there is not called missing. What the night had said it still says, and what has no entry at all it says now.
func TestRerunMissesNothingThatTurnedUpWithItsEntries(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.play(t, s, platform{Accounts: customer(), Jobs: []job{ran("j-there", "succeeded", "", 3, "2026-03-05 10:00:00")},
		Entries: []entry{entered("e0", "promo", 100, "", "2026-03-01 00:00:00")}}, 0, 1)
	(platform{
		Jobs:      []job{ran("j-late", "succeeded", "", 5, "2026-03-05 11:00:00"), ran("j-bare", "succeeded", "", 7, "2026-03-05 12:00:00")},
		Purchases: []purchase{bought("p-late", 50, "2026-03-05 11:00:00"), bought("p-bare", 70, "2026-03-05 12:00:00")},
		Entries: []entry{entered("e1", "usage", -3, "j-there", "2026-03-05 10:00:00"), entered("e2", "usage", -5, "j-late", "2026-03-05 11:00:00"),
			entered("e3", "purchase", 50, "p-late", "2026-03-05 11:00:00")},
	}).load(t, w.db.DB)
	for _, nights := range [][]int{{0}, {2, 0}, {1, 0}} { // before a night has booked the late entries, and after
		w.again(t, s, nights...)
		var broken []string
		for _, b := range w.published(t, s.night(0).Date)["breaks.csv"] {
			broken = append(broken, b["kind"]+" "+b["subject_id"])
		}
		slices.Sort(broken)
		if want := []string{"job_without_debit j-bare", "job_without_debit j-there", "purchase_without_grant p-bare"}; !slices.Equal(broken, want) {
			t.Errorf("after nights %v the first one says %v, want %v", nights, broken, want)
		}
	}
}

// TestOneOfTwoWorkersGetsTheNight lets a second worker come while the first is at work.
func TestOneOfTwoWorkersGetsTheNight(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 500, 40)
	w.play(t, s, p, 0)
	clean := w.state(t)

	w.reset(t, s.Zone)
	p.load(t, w.db.DB)
	second := w.another(t)
	var steps []string
	w.Step = func(name string) {
		steps = append(steps, name)
		if err := second.night(s.night(0)); !errors.Is(err, postgres.ErrLockHeld) || !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("the second worker at %s: got %v, want the lock to be held", name, err)
		}
	}
	w.again(t, s, 0)
	w.Step = nil
	if len(steps) == 0 {
		t.Error("the worker told of no steps")
	}
	compareStates(t, "after a second worker had tried", clean, w.state(t))
}

// TestWorkersRacingForTheSameNights lets three workers do the same nights at once, each trying again while another has the night.
func TestWorkersRacingForTheSameNights(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 500, 40)
	w.play(t, s, p, 0, 1)
	clean := w.state(t)

	w.reset(t, s.Zone)
	p.load(t, w.db.DB)
	racers := []*worker{w.another(t), w.another(t), w.another(t)}
	for _, night := range []int{0, 1} {
		var wait sync.WaitGroup
		failures := make([]error, len(racers))
		for i, racer := range racers {
			wait.Go(func() {
				for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
					if failures[i] = racer.night(s.night(night)); !errors.Is(failures[i], postgres.ErrLockHeld) {
						return
					}
				}
			})
		}
		wait.Wait()
		if err := errors.Join(failures...); err != nil {
			t.Fatal(err)
		}
	}
	compareStates(t, "after the race", clean, w.state(t))
}

// another worker on the same database and reports, with connections of its own.
func (w *worker) another(t testing.TB) *worker {
	t.Helper()
	store, err := postgres.Open(postgres.Options{URL: w.db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	other := *w
	other.Worker = jobs.Worker{Store: store, Policies: w.policies, Settings: w.Settings, Log: w.Log, CodeVersion: w.CodeVersion, Reports: w.Reports}
	return &other
}

// TestNightsWithFewConnections: what is read and written side by side in a night must not wait for one another's connections.
func TestNightsWithFewConnections(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 700, 40)
	w.play(t, s, p, 0, 1)
	usual := w.state(t)
	w.reset(t, s.Zone)
	p.load(t, w.db.DB)
	store, err := postgres.Open(postgres.Options{URL: w.db.URL, MaxConnections: 4})
	if err != nil {
		t.Fatal(err)
	}
	few := *w
	few.Worker = jobs.Worker{Store: store, Policies: w.policies, Settings: w.Settings, Log: w.Log, CodeVersion: w.CodeVersion, Reports: w.Reports}
	few.again(t, s, 0, 1)
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	compareStates(t, "with 4 connections", usual, w.state(t))
}

// creditedByJob is what the worker gave back for each job, over all nights.
func (w *worker) creditedByJob(t testing.TB) []string {
	t.Helper()
	var credited []string
	err := w.db.Select(&credited, w.db.Gathered(`SELECT c.job_id || ' ' || sum(c.credit_back) FROM reconciler.credit_backs c
		JOIN platform.credit_entries e ON e.id = c.entry_id AND e.credits = c.credit_back AND e.job_id = c.job_id AND e.created_at = c.booked_at
		WHERE c.decision = 'credited' GROUP BY c.job_id ORDER BY c.job_id COLLATE "C"`))
	if err != nil {
		t.Fatal(err)
	}
	return credited
}

// TestNightsOutOfOrderCreditTheSame runs nights in several orders: each job is credited the same, and nights that have been reported
// stay as they are, because what is posted for an older night is a late item of the one that is still open.
func TestNightsOutOfOrderCreditTheSame(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 700, 60)
	w.play(t, s, p, 0, 1, 2, 3)
	want := w.creditedByJob(t)
	if len(want) < 8 {
		t.Fatalf("only %d jobs were credited back: the platforms are too tame", len(want))
	}
	orders := [][]int{{1, 3, 0, 2}, {3, 2, 1, 0}, {0, 2, 1, 3}, {2, 3, 0, 1}}
	if !*longBusiness {
		orders = orders[:1]
	}
	for _, order := range orders {
		w.play(t, s, p, order...)
		compareLines(t, s.First, want, w.creditedByJob(t))
		var early int
		err := w.db.Get(&early, `SELECT count(*) FROM reconciler.credit_backs c
			JOIN reconciler.late_items l ON l.account_id = c.account_id AND l.entry_id = c.entry_id
			WHERE l.entry_date <> c.business_date OR l.booked_at <> c.booked_at OR l.credits <> c.credit_back OR l.booked_on <= c.business_date`)
		if err != nil {
			t.Fatal(err)
		}
		if early > 0 {
			t.Errorf("order %v: %d late credit-backs don't carry both dates", order, early)
		}
		// Once more in order, and what nights did not know of those before them has become their second revision. That is where it ends.
		w.again(t, s, 0, 1, 2, 3)
		settled := w.state(t)
		compareLines(t, s.First, want, w.creditedByJob(t))
		w.again(t, s, 0, 1, 2, 3)
		compareStates(t, fmt.Sprintf("after order %v and all nights twice more", order), settled, w.state(t))
		if t.Failed() {
			return
		}
	}
}

// TestOutOfOrderNightRewritesNothing runs an older night after two later ones: their reports stay, to the byte.
func TestOutOfOrderNightRewritesNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 700, 40)
	w.play(t, s, p, 1, 2)
	reported := w.state(t)
	w.again(t, s, 0)
	after := w.state(t)
	for name, content := range reported {
		if !strings.Contains(name, "/") || strings.HasPrefix(name, "reconciler.") {
			continue
		}
		if after[name] != content {
			compareStates(t, "after the older night", map[string]string{name: content}, map[string]string{name: after[name]})
		}
	}
	w.again(t, s, 3)
	p3 := w.published(t, s.night(3).Date)
	for _, problem := range p3.untied(nil) {
		t.Error(problem)
	}
}

// TestEmptyNightAndEmptyDatabase: nothing happened, and there is nothing at all. Both are reported like any other night.
func TestEmptyNightAndEmptyDatabase(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	quiet := platform{Accounts: customer(), Purchases: []purchase{bought("p1", 10, "2026-01-01 12:00:00")}}
	quiet.Entries = grantsOf(quiet.Purchases)
	for name, p := range map[string]platform{"empty database": {}, "empty night": quiet} {
		t.Run(name, func(t *testing.T) {
			w.play(t, s, p, 0, 1)
			for _, i := range []int{0, 1} {
				published := w.published(t, s.night(i).Date)
				if lines := published.lines(""); len(lines) > 0 {
					t.Errorf("night %d says %q", i, lines)
				}
				for _, problem := range published.untied(nil) {
					t.Error(problem)
				}
			}
			clean := w.state(t)
			w.again(t, s, 1, 0)
			compareStates(t, "after rerunning both", clean, w.state(t))
		})
	}
}

// TestStoppedNightIsFinishedByTheNextRun stops the worker at every step that it tells of, at every other one in the short form, and runs the night
// again: it ends as if nothing had happened.
func TestStoppedNightIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 500, 15)
	var steps []string
	w.Step = func(name string) { steps = append(steps, name) }
	w.play(t, s, p, 0)
	w.Step = nil
	clean := w.state(t)
	slices.Sort(steps)
	for i, step := range slices.Compact(steps) {
		if i%2 == 1 && !*longBusiness {
			continue
		}
		w.reset(t, s.Zone)
		p.load(t, w.db.DB)
		ctx, stop := context.WithCancel(context.Background())
		w.Step = func(name string) {
			if name == step {
				stop()
			}
		}
		if err := w.RunNight(ctx, s.night(0).Date); !errors.Is(err, context.Canceled) && err != nil {
			t.Errorf("stopped at %s: %v", step, err)
		}
		stop()
		w.Step = nil
		w.again(t, s, 0)
		compareStates(t, "after a stop at "+step, clean, w.state(t))
		if t.Failed() {
			return
		}
	}
}

// TestANightThatASingleJobHasBegunIsNotNew cuts a single job off while it reads a night that nobody has begun before, and then runs the night: what
// was left of the reading is cleared.
func TestANightThatASingleJobHasBegunIsNotNew(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.Settings.Sizes.PlannedRows = 1 // so that each part of the reading is committed by itself
	p := crowd(s, 500, 15)
	runs := func(statement string) map[string]string {
		w.reset(t, s.Zone)
		p.load(t, w.db.DB)
		if statement != "" {
			w.Store.Intercept = func(_ context.Context, s string, _ bool) error {
				if s == statement {
					return errCut
				}
				return nil
			}
			if err := w.RunNight(t.Context(), s.night(0).Date, "match-jobs"); !errors.Is(err, errCut) {
				t.Fatalf("cut off at %s: %v", statement, err)
			}
			w.Store.Intercept = nil
		}
		w.again(t, s, 0)
		return w.state(t)
	}
	clean := runs("")
	for _, statement := range []string{"reading/ledger", "reading/agreement", "rejects/counts", "match_jobs/judge"} {
		compareStates(t, "cut off at "+statement, clean, runs(statement))
	}
}

var errCut = errors.New("cut off")

// TestSingleJobsInAnyOrderChangeNothing does single jobs of nights in any order, before their nights are run, between them and after: what the nights
// leave is what they leave without.
func TestSingleJobsInAnyOrderChangeNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 700, 12)
	books := func() map[string]string {
		left := w.state(t)
		for _, works := range []string{"account_jobs", "account_ledger", "account_moves", "candidates", "findings", "request_matches"} {
			delete(left, "reconciler."+works) // what a night works with until its books are closed, which a single job doesn't do
		}
		return left
	}
	w.play(t, s, p, 0, 1, 2, 3)
	clean := books()
	single := func(random *rand.Rand, through int) {
		t.Helper()
		for range 12 {
			night, job := s.night(random.IntN(through+1)), jobs.Names()[random.IntN(len(jobs.Names())-1)] // reports need all before
			if err := w.RunNight(context.Background(), night.Date, job); err != nil {
				t.Fatalf("%s of %s: %v", job, night.Date, err)
			}
		}
	}
	for seed := range uint64(1) {
		random := rand.New(rand.NewPCG(seed, 1))
		w.reset(t, s.Zone)
		p.load(t, w.db.DB)
		for i := range s.Nights {
			single(random, i)
			w.again(t, s, i)
		}
		compareStates(t, fmt.Sprintf("with single jobs done in between, seed %d", seed), clean, books())
		single(random, s.Nights-1)
		w.again(t, s, 0, 1, 2, 3)
		compareStates(t, fmt.Sprintf("with single jobs done after, seed %d", seed), clean, books())
	}
}

// A job that failed and was credited back may run again under its id before its night is run again: that night ties as before, what it was credited
// stays, and what it is debited since is decided in the night in which it ends.
func TestJobThatRunsAgainUnderItsID(t *testing.T) {
	t.Parallel()
	for ends, credited := range map[string]int{"succeeded": 10, "failed": 20} {
		t.Run(ends, func(t *testing.T) {
			t.Parallel()
			b := newPayments(t)
			p, charge := b.pay(2_000, "usd", nil)
			b.store(p, "completed", "", charge.ID, "")
			debit := func(id string) {
				b.exec("INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at) VALUES ($1, $2, 'usage', -10, 'job_again', $3)", id, p.account, b.clock())
			}
			b.exec(`INSERT INTO platform.jobs (id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at)
				VALUES ('job_again', $1, 'image', 'm', 'failed', 'node_lost', 10, $2, $2)`, p.account, b.clock())
			debit("first")
			first := b.night()
			b.exec("UPDATE platform.jobs SET status = $1, finished_at = $2 WHERE id = 'job_again'", ends, b.clock())
			debit("second")
			if err := b.run(first.Date); err != nil {
				t.Errorf("its first night, run again: %v", err)
			}
			second := b.night()
			for _, night := range []reconcile.Night{first, second} {
				if err := b.run(night.Date); err != nil {
					t.Errorf("run again: %v", err)
				}
				if faults := verified(t, b, night.Date); len(faults) > 0 {
					t.Errorf("%s: %v", night.Date, faults)
				}
			}
			if got := b.count("SELECT sum(credits) FROM platform.credit_entries WHERE kind = 'credit_back'"); got != credited {
				t.Errorf("credited back %d, want %d", got, credited)
			}
			if open := b.allOpen(); len(open) > 0 {
				t.Errorf("open: %q", open)
			}
		})
	}
}
