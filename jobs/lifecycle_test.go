package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/jobs/month"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/accounting"
	"github.com/hummingbytes/reconciler/reconcile/calendar"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reports/pages"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// smallBusiness is a simulated business with its database, its worker and its reports.
type smallBusiness struct {
	db     *testdb.DB
	sim    *simulation.Simulation
	worker *jobs.Worker
	folder string
}

// newSmallBusiness plays the first nights of a small business; none of them is run.
func newSmallBusiness(t *testing.T, nights int) *smallBusiness {
	t.Helper()
	return newBusiness(t, simulation.Options{Seed: 7, Start: reconcile.Date{Year: 2026, Month: 3, Day: 29}, Nights: nights, Accounts: 60, JobsPerNight: 150})
}

// newBusiness is a simulated business, from 2 March 2026 on unless it is told otherwise, on an empty database, and a worker that publishes to a folder.
func newBusiness(t *testing.T, o simulation.Options) *smallBusiness {
	t.Helper()
	d := newDatabase(t)
	b := &smallBusiness{db: d.DB, folder: t.TempDir()}
	policies, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	holidays, err := calendar.ByName("us-federal")
	if err != nil {
		t.Fatal(err)
	}
	if o.IsHoliday = holidays; o.Start.IsZero() {
		o.Start = reconcile.Date{Year: 2026, Month: 3, Day: 2}
	}
	if b.sim, err = simulation.New(o); err != nil {
		t.Fatal(err)
	}
	sink, err := storage.Open(b.folder)
	if err != nil {
		t.Fatal(err)
	}
	b.worker = &jobs.Worker{Store: d.store, Policies: policies, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel), Reports: sink, CodeVersion: "test"}
	return b
}

func (b *smallBusiness) play(t *testing.T) {
	t.Helper()
	for _, night := range b.sim.Nights() {
		if err := b.sim.PlayNight(context.Background(), b.db.DB.DB, night.Date); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *smallBusiness) date(i int) reconcile.Date { return b.sim.Nights()[i].Date }

func (b *smallBusiness) run(t *testing.T, dates ...reconcile.Date) {
	t.Helper()
	for _, date := range dates {
		if err := b.worker.RunNight(context.Background(), date); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *smallBusiness) text(t *testing.T, query string, args ...any) string {
	t.Helper()
	var text string
	if err := b.db.Get(&text, query, args...); err != nil {
		t.Fatal(err)
	}
	return text
}

// Everything that the worker may have written, as one hash; clocks aside.
func (b *smallBusiness) books(t *testing.T) string {
	t.Helper()
	return b.text(t, `SELECT md5(concat_ws('|',
		(SELECT string_agg(e::text, ';' ORDER BY id) FROM platform.credit_entries e),
		(SELECT string_agg(c::text, ';' ORDER BY job_id, business_date) FROM reconciler.credit_backs c),
		(SELECT string_agg(c::text, ';' ORDER BY break_id, opened_on) FROM reconciler.breaks c),
		(SELECT string_agg(c::text, ';' ORDER BY break_id, business_date, event_no) FROM reconciler.break_events c),
		(SELECT string_agg(c::text, ';' ORDER BY purchase_id, business_date) FROM reconciler.refund_windows c),
		(SELECT string_agg(c::text, ';' ORDER BY request_id, business_date) FROM reconciler.refund_decisions c),
		(SELECT string_agg(c::text, ';' ORDER BY business_date, check_name, unit) FROM reconciler.control_totals c)))`)
}

func TestDryRunChangesNothingAndSaysWhatItWouldPost(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 2)
	b.play(t)
	before, files := b.books(t), snapshot(t, b.folder)
	var said bytes.Buffer
	rehearse := func() {
		t.Helper()
		if err := b.worker.Rehearse(t.Context(), &said, b.date(0)); err != nil {
			t.Fatal(err)
		}
	}
	rehearse()
	if after := b.books(t); after != before {
		t.Error("the dry run changed the books")
	}
	if runs := b.text(t, "SELECT count(*) FROM reconciler.runs"); runs != "0" {
		t.Errorf("the dry run left %s run rows", runs)
	}
	compareFiles(t, files, snapshot(t, b.folder))
	b.run(t, b.date(0))
	posted := b.text(t, "SELECT count(*) || ' credit-backs of ' || sum(credit_back) || ' credits would be posted' FROM reconciler.credit_backs WHERE decision = 'credited'")
	if !strings.Contains(said.String(), posted) || strings.HasPrefix(posted, "0 ") {
		t.Errorf("the dry run said\n%s\nand the run posted what would read: %s", &said, posted)
	}
	said.Reset()
	rehearse()
	if !strings.Contains(said.String(), "0 credit-backs of 0 credits would be posted") {
		t.Errorf("after the run, the dry run still says\n%s", &said)
	}
}

func compareFiles(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	for name := range want {
		if !bytes.Equal(want[name], got[name]) {
			t.Errorf("%s differs", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is one too many", name)
		}
	}
}

func TestASecondBackfillLeavesOutWhatIsDone(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 3)
	b.play(t)
	o := jobs.BackfillOptions{From: b.date(0), To: b.date(2)}
	if result, err := b.worker.Backfill(t.Context(), o); err != nil || result.Done != 3 {
		t.Fatalf("%d nights done: %v", result.Done, err)
	}
	if again, err := b.worker.Backfill(t.Context(), o); err != nil || again.Done != 0 || again.Skipped != 3 {
		t.Errorf("a second backfill did %d nights and left out %d: %v", again.Done, again.Skipped, err)
	}
}

// An upgrade changes neither figures nor what was published: a night verifies as before, and what is tampered with is found as before.
func TestVerifyOfWhatAnotherVersionWrote(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 2)
	b.play(t)
	b.run(t, b.date(0), b.date(1))
	b.worker.CodeVersion = "later"
	if faults := b.verify(t, b.date(1)); len(faults) > 0 {
		t.Errorf("nothing but the version has changed, and verification finds %v", faults)
	}
	page := filepath.Join(b.folder, b.date(1).String(), "summary.html")
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, append(content, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	if faults := b.verify(t, b.date(1)); len(faults) != 1 || faults[0].Where != "summary.html" {
		t.Errorf("the page was changed, and verification finds %v", faults)
	}
	if err := os.WriteFile(page, content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.statement("UPDATE platform.credit_entries SET credits = credits - 1 WHERE id = (SELECT min(id) FROM platform.credit_entries WHERE kind = 'usage' AND created_at >= $1::date AND created_at < $1::date + 1)",
		b.date(1))(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, fault := range b.verify(t, b.date(1)) {
		found = found || strings.Contains(fault.What, "debit_amount_mismatch")
		if strings.HasSuffix(fault.Where, ".html") {
			t.Errorf("%s: another version's page is compared by its looks", fault)
		}
	}
	if !found {
		t.Error("an entry was changed, and no fault names it")
	}
}

func TestVerifyNamesWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newSmallBusiness(t, 3)
	b.play(t)
	b.run(t, b.date(0), b.date(1), b.date(2))
	day := b.date(0)
	credited := b.text(t, "SELECT min(job_id) FROM reconciler.credit_backs WHERE decision = 'credited' AND business_date = $1", day)
	posted := b.text(t, "SELECT entry_id FROM reconciler.credit_backs WHERE decision = 'credited' AND job_id = $1", credited)
	credits, err := strconv.Atoi(b.text(t, "SELECT credit_back FROM reconciler.credit_backs WHERE entry_id = $1", posted))
	if err != nil {
		t.Fatal(err)
	}
	at := b.text(t, "SELECT created_at FROM platform.credit_entries WHERE id = $1", posted)
	later := b.text(t, "SELECT created_at + interval '1 second' FROM platform.credit_entries WHERE id = $1", posted)
	jobDebit := b.text(t, "SELECT min(id) FROM platform.credit_entries WHERE kind = 'usage' AND created_at >= $1::date AND created_at < $1::date + 1", day)
	breaks := filepath.Join(b.folder, day.String(), "breaks.csv")
	if faults := b.verify(t, day); len(faults) > 0 {
		t.Fatalf("nothing was touched, and verification finds %v", faults)
	}
	original, err := os.ReadFile(breaks)
	if err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(b.folder, day.String(), storage.ManifestName)
	noted, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	head, _, err := night.VerifyAudit(ctx, b.worker.Store)
	if err != nil || head.Link == 0 {
		t.Fatalf("the audit log ends at %v: %v", head, err)
	}
	for noted, want := range map[night.AuditHead]string{
		head: "",
		{Link: head.Link, Sha256: strings.Repeat("0", 64)}: "is not the one noted",
		{Link: head.Link + 1, Sha256: head.Sha256}:         "has lost link",
	} {
		faults, err := b.worker.Verify(ctx, day, noted)
		if err != nil || want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.Contains(faults[0].What, want)) {
			t.Errorf("with head %v noted: %v, %v, want %q", noted, faults, err, want)
		}
	}
	for _, tampering := range []struct {
		name       string
		do, undo   func() error
		wantsInOne string // text that a fault must have
	}{
		{"a published file", func() error { return os.WriteFile(breaks, append(original, '\n'), 0o644) },
			func() error { return os.WriteFile(breaks, original, 0o644) }, "breaks.csv"},
		{"a stored row", b.statement("UPDATE reconciler.credit_backs SET reason = 'as I please' WHERE decision = 'credited' AND job_id = $1", credited),
			b.statement("UPDATE reconciler.credit_backs SET reason = split_part(reason, '|', 1) WHERE job_id = $1", credited), credited},
		{"an entry", b.statement("UPDATE platform.credit_entries SET credits = credits - 1 WHERE id = $1", jobDebit),
			b.statement("UPDATE platform.credit_entries SET credits = credits + 1 WHERE id = $1", jobDebit), "debit_amount_mismatch"},
		{"the credits of a posted credit-back", b.statement("UPDATE platform.credit_entries SET credits = credits + 1 WHERE id = $1", posted),
			b.statement("UPDATE platform.credit_entries SET credits = credits - 1 WHERE id = $1", posted),
			fmt.Sprintf("credit_entries: entry %s: credits was posted as %q and is %q", posted, strconv.Itoa(credits), strconv.Itoa(credits+1))},
		{"the time of a posted credit-back", b.statement("UPDATE platform.credit_entries SET created_at = $2::timestamptz WHERE id = $1", posted, later),
			b.statement("UPDATE platform.credit_entries SET created_at = $2::timestamptz WHERE id = $1", posted, at),
			"credit_entries: entry " + posted + ": created_at was posted as "},
		{"a posted credit-back, deleted", b.statement("UPDATE platform.credit_entries SET id = 'x' || id WHERE id = $1", posted),
			b.statement("UPDATE platform.credit_entries SET id = $1 WHERE id = 'x' || $1", posted), "credit_entries: entry " + posted + " was posted and is gone"},
		{"a line of the journal", b.statement("UPDATE reconciler.journal_lines SET amount_minor = amount_minor + 1 WHERE business_date = $1 AND line_no = 1", day),
			b.statement("UPDATE reconciler.journal_lines SET amount_minor = amount_minor - 1 WHERE business_date = $1 AND line_no = 1", day), "reconciler.journal_lines: the stored rows"},
		{"a balance", b.statement("UPDATE reconciler.ledger_balances SET closing = closing + 1 WHERE business_date = $1", day),
			b.statement("UPDATE reconciler.ledger_balances SET closing = closing - 1 WHERE business_date = $1", day), "reconciler.ledger_balances: the stored rows"},
		{"the manifest, emptied", func() error { return os.Truncate(manifest, 0) }, func() error { return os.WriteFile(manifest, noted, 0o644) }, "published reports are damaged"},
		{"the manifest, gone", func() error { return os.Remove(manifest) }, func() error { return os.WriteFile(manifest, noted, 0o644) }, "manifest.json: put that back"},
		{"the whole night, gone", func() error { return os.Rename(filepath.Dir(manifest), filepath.Dir(manifest)+"-away") },
			func() error { return os.Rename(filepath.Dir(manifest)+"-away", filepath.Dir(manifest)) }, "reports: revision 1 was published, as "},
	} {
		if err := tampering.do(); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, fault := range b.verify(t, day) {
			found = found || strings.Contains(fault.Where+": "+fault.What, tampering.wantsInOne)
		}
		if !found {
			t.Errorf("%s was tampered with, and no fault names %s", tampering.name, tampering.wantsInOne)
		}
		if err := tampering.undo(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.worker.Verify(ctx, day.AddDays(100), night.AuditHead{}); !errors.Is(err, storage.ErrNotPublished) {
		t.Errorf("a night that was never published: %v", err)
	}
}

// TestRunNoticesPublishedFilesThatWereChanged: neither a rerun nor the night after takes a file that somebody changed for what was published.
func TestRunNoticesPublishedFilesThatWereChanged(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 3)
	b.play(t)
	b.run(t, b.date(0), b.date(1))
	for _, tampering := range []struct {
		file  string
		night int // that is run
		wants string
	}{
		{"breaks.csv", 1, "breaks.csv was changed after publication"},
		{storage.ManifestName, 1, "manifest.json was changed after publication"},
		{storage.ManifestName, 2, "the manifest of the night before, " + b.date(1).String() + ", was changed after publication"},
	} {
		file := filepath.Join(b.folder, b.date(1).String(), tampering.file)
		original, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Replace(original, []byte("2026"), []byte("2025"), 1)
		if bytes.Equal(changed, original) {
			t.Fatalf("%s has no year", tampering.file)
		}
		if err := os.WriteFile(file, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, b.folder)
		err = b.worker.RunNight(context.Background(), b.date(tampering.night))
		if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), tampering.wants) {
			t.Errorf("%s changed, night %s: %v", tampering.file, b.date(tampering.night), err)
		}
		after := snapshot(t, b.folder)
		// A night that was reported before and is broken now; the newest one is tried again by itself.
		if index := string(after[pages.IndexName]); tampering.night == 1 && (!strings.Contains(index, "class=\"banner") || !strings.Contains(index, b.date(1).String())) {
			t.Errorf("%s changed, night %s: the index doesn't say that the night needs a person", tampering.file, b.date(tampering.night))
		}
		delete(before, pages.IndexName)
		delete(after, pages.IndexName)
		compareFiles(t, before, after)
		if err := os.WriteFile(file, original, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.run(t, b.date(1), b.date(2))
}

func (b *smallBusiness) verify(t *testing.T, day reconcile.Date) []publish.Fault {
	t.Helper()
	faults, err := b.worker.Verify(context.Background(), day, night.AuditHead{})
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func (b *smallBusiness) statement(query string, args ...any) func() error {
	return func() error {
		_, err := b.db.Exec(query, args...)
		return err
	}
}

func TestClosedPeriodDoesNotChange(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newSmallBusiness(t, 4) // 29 March to 1 April
	b.play(t)
	b.run(t, b.date(0), b.date(1))
	at := time.Date(2026, 4, 2, 9, 0, 0, 0, time.UTC)
	office := &month.Office{Store: b.worker.Store, Reports: b.worker.Reports, Zone: time.UTC, Chart: accounting.DefaultChart(), CodeVersion: "test"}
	march := reconcile.Month{Year: 2026, Month: 3}
	all := []month.Acceptance{{What: month.All, Reason: "planted"}}
	_, err := office.Close(ctx, march, "Ana", all, at)
	if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "2026-03-31") {
		t.Errorf("closing a month with a night missing: %v", err)
	}
	b.run(t, b.date(2))
	if _, err := office.Close(ctx, march, "Ana", all, at); err != nil {
		t.Fatal(err)
	}
	if _, err := office.Close(ctx, march, "Ana", all, at); !errors.Is(err, month.ErrPeriod) {
		t.Errorf("closing it twice: %v", err)
	}
	b.run(t, b.date(2)) // the same as published: nothing to say
	before := snapshot(t, b.folder)
	if err := b.statement("UPDATE platform.jobs SET credit_cost = credit_cost + 5 WHERE id = (SELECT min(id) FROM platform.jobs WHERE status = 'succeeded' AND finished_at >= $1 AND finished_at < $1::date + 1)", b.date(2))(); err != nil {
		t.Fatal(err)
	}
	if err := b.worker.RunNight(ctx, b.date(2)); !errors.Is(err, night.ErrIntegrity) {
		t.Errorf("a closed night that would differ: %v", err)
	}
	after := snapshot(t, b.folder)
	name := "differences-" + b.date(2).String() + ".txt"
	if !bytes.Contains(after[name], []byte("debit_amount_mismatch")) {
		t.Errorf("%s does not name the new break:\n%s", name, after[name])
	}
	delete(after, name)
	compareFiles(t, before, after)
	if err := office.Reopen(ctx, march, "Ana", " ", at); !errors.Is(err, month.ErrPeriod) {
		t.Errorf("reopening without a reason: %v", err)
	}
	if err := office.Reopen(ctx, march, "Ana", "a cost was wrong", at); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.date(2))
	if revision := b.text(t, "SELECT max(revision) FROM reconciler.publications WHERE business_date = $1", b.date(2)); revision != "2" {
		t.Errorf("reopened and run again, the night is at revision %s, want 2", revision)
	}
}

func TestResolvedBreakStaysResolvedUntilItChanges(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newSmallBusiness(t, 4)
	b.play(t)
	b.run(t, b.date(0))
	id := b.text(t, "SELECT min(break_id) FROM reconciler.breaks WHERE kind = 'job_without_debit' AND closed_on IS NULL")
	job := b.text(t, "SELECT min(subject_id) FROM reconciler.breaks WHERE break_id = $1", id)
	resolution := jobs.Resolution{BreakID: id, Resolution: "accepted", Reason: "a gift to the customer", Actor: "Ana"}
	at := time.Date(2026, 3, 30, 9, 0, 0, 0, time.UTC)
	unknown := jobs.Resolution{BreakID: "brk_00000000000000000000", Resolution: "accepted", Reason: "x", Actor: "Ana"}
	if err := jobs.ResolveBreaks(ctx, b.worker.Store, at, []jobs.Resolution{resolution, unknown}); !errors.Is(err, jobs.ErrNotOpen) {
		t.Fatalf("resolving an unknown break: %v", err)
	}
	if err := jobs.ResolveBreaks(ctx, b.worker.Store, at, []jobs.Resolution{resolution}); err != nil {
		t.Fatalf("the first of two resolutions had been applied though the second failed: %v", err)
	}
	b.run(t, b.date(1), b.date(2))
	if status := b.status(t, id); status != "resolved 2026-03-30" {
		t.Errorf("two nights later the break is %s", status)
	}
	// The fault changes: half of the debit is booked.
	if err := b.statement(`INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, created_at)
		SELECT 'late_half', account_id, 'usage', -1, id, $2::timestamptz FROM platform.jobs WHERE id = $1`, job, b.sim.Nights()[3].Begin)(); err != nil {
		t.Fatal(err)
	}
	b.run(t, b.date(3))
	kinds := b.text(t, "SELECT coalesce(string_agg(DISTINCT kind, ','), '') FROM reconciler.breaks WHERE subject_id = $1 AND closed_on IS NULL", job)
	if kinds != "debit_amount_mismatch" {
		t.Errorf("after the fault changed, its open breaks are %q", kinds)
	}
}

// TestResolvedBreakStaysResolvedWhenItsAccountComesToBeKnown links a request to an account after a person has resolved the break of its overdue
// review: it is the same break still, and opens again, on the account, once what is wrong is something else.
func TestResolvedBreakStaysResolvedWhenItsAccountComesToBeKnown(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.play(t, s, platform{
		Accounts: customer(),
		Requests: []request{{ID: "r1", AccountEmail: ref("b@x.test"), Kind: ref("unused_credits"), Reason: ref("please"), Status: ref("pending"), RequestedAt: ref(utc("2026-02-20 12:00:00"))}},
	}, 0)
	var id string
	if err := w.db.Get(&id, "SELECT break_id FROM reconciler.breaks"); err != nil {
		t.Fatal(err)
	}
	resolution := jobs.Resolution{BreakID: id, Resolution: "accepted", Reason: "nobody knows who that is", Actor: "Ana"}
	if err := jobs.ResolveBreaks(context.Background(), w.Store, utc("2026-03-06 09:00:00"), []jobs.Resolution{resolution}); err != nil {
		t.Fatal(err)
	}
	w.again(t, s, 1)
	const decided = "decision    r1 account=acct-0 purchase= job= due=2026-03-03 needs_information currency= clauses=6\n"
	w.db.MustExec("UPDATE platform.refund_requests SET account_id = 'acct-0'")
	w.again(t, s, 2)
	compareLines(t, s.First.AddDays(2), wantLines("\n"+decided), w.published(t, s.First.AddDays(2)).lines(""))
	settled := w.state(t)
	w.again(t, s, 2)
	compareStates(t, "after rerunning the night", settled, w.state(t))
	w.db.MustExec("UPDATE platform.refund_requests SET requested_at = '2026-02-19 12:00:00Z'")
	w.again(t, s, 3)
	compareLines(t, s.First.AddDays(3), wantLines(`
break       review_overdue of r1 account=acct-0 open first=2026-03-08 last=2026-03-08 variance=4 business days
decision    r1 account=acct-0 purchase= job= due=2026-03-02 needs_information currency= clauses=6`), w.published(t, s.First.AddDays(3)).lines(""))
}

func (b *smallBusiness) status(t *testing.T, id string) string {
	t.Helper()
	return b.text(t, "SELECT coalesce(closed_as || ' ' || closed_on, 'open') FROM reconciler.breaks WHERE break_id = $1 ORDER BY opened_on DESC LIMIT 1", id)
}

func TestPolicyTestShowsWhatWouldHaveBeenDifferent(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newSmallBusiness(t, 4)
	b.play(t)
	b.run(t, b.date(0), b.date(1), b.date(2), b.date(3))
	before := b.books(t)
	same, changes := b.policyTest(t, ctx, b.worker.Policies)
	if same == 0 || len(changes) != 0 {
		t.Errorf("the policy in force would have changed %d of %d decisions: %v", len(changes), same, changes)
	}
	versions := b.worker.Policies.Versions()
	table, err := reconcile.NewFailureTable([]reconcile.FailureRule{{Name: "nothing", Class: reconcile.FailureUser, Reason: "everything else is the customer's", Codes: []string{"NO_SUCH_CODE"}}})
	if err != nil {
		t.Fatal(err)
	}
	versions[0].Failures, versions[0].RefundWindow = table, time.Hour
	harsh, err := reconcile.NewPolicies(versions)
	if err != nil {
		t.Fatal(err)
	}
	_, changes = b.policyTest(t, ctx, harsh)
	credited := b.text(t, "SELECT count(*) FROM reconciler.credit_backs WHERE decision = 'credited'")
	var lost, refunds int
	for _, change := range changes {
		switch {
		case change.What == "credit-back" && change.Amount < 0:
			lost++
		case change.What == "refund":
			refunds++
		}
	}
	if got := strings.TrimSpace(credited); got != strconv.Itoa(lost) || lost == 0 {
		t.Errorf("%d credit-backs would be lost, %s were made", lost, got)
	}
	if refunds == 0 {
		t.Error("a window of an hour would change no refund decision")
	}
	if b.books(t) != before {
		t.Error("trying a policy changed the books")
	}
}

func (b *smallBusiness) policyTest(t *testing.T, ctx context.Context, policies reconcile.Policies) (decided int, changes []jobs.PolicyChange) {
	t.Helper()
	decided, _, err := b.worker.TestPolicy(ctx, policies, b.date(0), b.date(len(b.sim.Nights())-1), func(c jobs.PolicyChange) error {
		changes = append(changes, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return decided, changes
}

func TestAnomalousCreditBacksTripAndPostNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b := newSmallBusiness(t, 2)
	b.play(t)
	for _, limited := range []struct {
		name     string
		settings night.Settings
	}{
		{"count", night.Settings{CreditBackMaxCount: 1}},
		{"credits", night.Settings{CreditBackMaxCredits: 1}},
	} {
		b.worker.Settings = limited.settings
		err := b.worker.RunNight(ctx, b.date(0), "credit-backs")
		if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "nothing was posted") {
			t.Errorf("cap of %s: %v", limited.name, err)
		}
		if posted := b.text(t, "SELECT count(*) FROM platform.credit_entries WHERE idempotency_key LIKE 'reconciler:%'"); posted != "0" {
			t.Errorf("cap of %s: %s entries were posted", limited.name, posted)
		}
	}
	// Seven quiet nights of one credit each, then this one.
	for i := range 7 {
		if err := b.statement(`INSERT INTO reconciler.runs (business_date, job, status, as_of, started_at) VALUES ($1::date, 'credit-backs', 'completed', $1::date + 1, $1::date)`, b.date(0).AddDays(-1-i))(); err != nil {
			t.Fatal(err)
		}
		if err := b.statement(`INSERT INTO reconciler.credit_backs (account_id, job_id, business_date, kind, status, failure_code, class, rule, policy_version, finished_at,
			debited, credited_before, credited_ever, credit_back, decision, clause, reason, entry_id, booked_at)
			VALUES ('a', $2, $1::date, 'image', 'failed', 'X', 'system', 'r', '1', $1::date, 1, 0, 0, 1, 'credited', '3.1', 'r', 'e' || $2, $1::date)`, b.date(0).AddDays(-1-i), "old"+strconv.Itoa(i))(); err != nil {
			t.Fatal(err)
		}
	}
	b.worker.Settings = night.Settings{CreditBackAnomalyMultiple: 10}
	if err := b.worker.RunNight(ctx, b.date(0), "credit-backs"); !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "median") {
		t.Errorf("anomaly: %v", err)
	}
	b.worker.Settings = night.Settings{}
	b.run(t, b.date(0))
	if posted := b.text(t, "SELECT count(*) FROM platform.credit_entries WHERE idempotency_key LIKE 'reconciler:%'"); posted == "0" {
		t.Error("without limits nothing was posted either")
	}
}

// A row that changed or vanished after its night, too old for the look-back, once went unnoticed: every night rolled the wrong closing forward.
func TestClosingIsHeldAgainstTheWholeLedger(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 3)
	b.play(t)
	b.run(t, b.date(0), b.date(1))
	if err := b.statement(`UPDATE platform.credit_entries SET created_at = '2025-12-20 12:00:00Z', credits = credits + 7
		WHERE id = (SELECT min(id) FROM platform.credit_entries WHERE kind = 'promo' OR kind = 'purchase')`)(); err != nil {
		t.Fatal(err)
	}
	err := b.worker.RunNight(context.Background(), b.date(2))
	if !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "closing equals the ledger") {
		t.Errorf("a ledger that is no longer what the nights have read: %v", err)
	}
}

// What is not proven is not posted: while the night's rows can't be counted again, a failed job is credited back by nobody. Once they can, it is.
func TestNothingIsCreditedBackWhileTheCountFails(t *testing.T) {
	t.Parallel()
	b := newSmallBusiness(t, 1)
	b.play(t)
	broken, failures := errors.New("no space left"), 0
	b.worker.Store.Intercept = func(_ context.Context, statement string, done bool) error {
		if statement == "match_jobs/scanned" && !done && failures > 0 {
			failures--
			return broken
		}
		return nil
	}
	credited := func() string {
		return b.text(t, "SELECT (SELECT count(*) FROM reconciler.credit_backs) || ' ' || (SELECT count(*) FROM platform.credit_entries WHERE kind = 'credit_back')")
	}
	none := credited()
	failures = 2
	if err := b.worker.RunNight(t.Context(), b.date(0)); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if got := credited(); got != none {
		t.Errorf("with rows that nobody could count, records and entries went from %s to %s", none, got)
	}
	failures = 1 // of match-jobs alone
	if err := b.worker.RunNight(t.Context(), b.date(0)); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if got := credited(); got == none {
		t.Error("with rows that were counted, nothing was credited back")
	}
}

// TestStoryIsOfTheRelationThatIsMeant explains ids of a platform that counts the rows of each relation: a purchase, a job and a request have the same
// one. A break's story is that of its subject, and what leads to a purchase doesn't lead to the breaks of the job of that number.
func TestStoryIsOfTheRelationThatIsMeant(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.play(t, s, platform{
		Accounts: customer(), Purchases: []purchase{bought("17", 10, "2026-03-05 12:00:00"), bought("5", 10, "2026-03-05 12:00:00")},
		Entries:  []entry{{ID: "17", AccountID: ref(someone), Kind: ref("purchase"), Credits: ref[int64](10), PurchaseID: ref("5"), CreatedAt: ref(utc("2026-03-05 12:00:00"))}},
		Jobs:     []job{ran("17", "succeeded", "", 5, "2026-03-05 13:00:00"), ran("5", "succeeded", "", 5, "2026-03-05 13:00:00")},
		Requests: []request{asked("5", "17", "2026-03-05 14:00:00"), asked("17", "5", "2026-03-05 14:00:00")},
	}, 0)
	breakOf := func(kind, subject string) string {
		var id string
		if err := w.db.Get(&id, "SELECT break_id FROM reconciler.breaks WHERE kind = $1 AND subject_id = $2", kind, subject); err != nil {
			t.Fatal(err)
		}
		return id
	}
	ofJob, ofPurchase, ofOtherJob := breakOf("job_without_debit", "17"), breakOf("purchase_without_grant", "17"), breakOf("job_without_debit", "5")
	for _, test := range []struct {
		id               string
		tells, leavesOut []string
	}{
		{ofJob, []string{ofJob, "platform.jobs 17"}, []string{ofPurchase, "platform.purchases", "platform.refund_requests", "platform.credit_entries"}},
		{ofPurchase, []string{ofPurchase, "platform.purchases 17", "platform.refund_requests 5"}, []string{ofJob, ofOtherJob, "platform.jobs"}},
		{"17", []string{ofJob, ofPurchase, "platform.jobs 17", "platform.purchases 17", "platform.purchases 5", "platform.refund_requests 17"}, []string{ofOtherJob, "platform.jobs 5"}},
	} {
		told := w.story(t, test.id)
		for _, want := range test.tells {
			if !strings.Contains(told, want) {
				t.Errorf("explain %s does not tell of %s:\n%s", test.id, want, told)
			}
		}
		for _, other := range test.leavesOut {
			if strings.Contains(told, other) {
				t.Errorf("explain %s tells of %s:\n%s", test.id, other, told)
			}
		}
	}
}

// TestStoryOfWhatCameLateTellsWhenItWasBooked explains a purchase and a job of a night that had been reported without them.
func TestStoryOfWhatCameLateTellsWhenItWasBooked(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	w.play(t, s, platform{Accounts: customer()}, 0)
	late := []purchase{bought("p", 10, "2026-03-05 12:00:00"), bought("unused", 10, "2026-03-05 12:00:01")}
	platform{
		Purchases: late, Jobs: []job{ran("j", "succeeded", "", 5, "2026-03-05 13:00:00")},
		Entries: grantsOf(late, entry{ID: "d", AccountID: ref(someone), Kind: ref("usage"), Credits: ref[int64](-5), JobID: ref("j"), CreatedAt: ref(utc("2026-03-05 13:00:00"))}),
	}.load(t, w.db.DB)
	w.again(t, s, 1)
	for id, wants := range map[string][]string{
		"p":      {"refund_windows.csv of 2026-03-06: the refund window is used", "(late_item, info) opened: created_at ours 2026-03-06, theirs 2026-03-05, variance 10 credits"},
		"unused": {"refund_windows.csv of 2026-03-06: the refund window is open"},
		"j":      {"(late_item, info) opened: created_at ours 2026-03-06, theirs 2026-03-05, variance -5 credits"},
	} {
		for _, want := range wants {
			if told := w.story(t, id); !strings.Contains(told, want) {
				t.Errorf("explain %s does not tell of %s:\n%s", id, want, told)
			}
		}
	}
}

// TestStoryTellsOfABreakThatOnlyAgesOnce explains a request that nobody answers, whose break has another figure every business day.
func TestStoryTellsOfABreakThatOnlyAgesOnce(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	overdue := asked("r", "", "2026-02-19 10:40:54")
	overdue.PurchaseID = nil
	w.play(t, s, platform{Accounts: customer(), Requests: []request{overdue}}, 0, 1, 2, 3, 4, 5, 6)
	told, opened, changed := w.story(t, "r"), 0, 0
	for line := range strings.Lines(told) {
		if strings.Contains(line, "review_overdue, warning) opened") {
			opened++
		}
		if strings.Contains(line, "review_overdue, warning) changed") {
			changed++
		}
	}
	if opened != 1 || changed != 1 || !strings.Contains(told, "breaks.csv of 2026-03-11: break") {
		t.Errorf("told %d times when it opened, %d times that it changed:\n%s", opened, changed, told)
	}
}

// story is what explain tells of an id, a line each: where it is recorded, and what.
func (w *worker) story(t *testing.T, id string) string {
	t.Helper()
	told, err := explain.Tell(context.Background(), w.Store, utc("2026-03-07 09:00:00"), id)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, section := range told.Sections {
		for _, row := range section.Rows {
			lines = append(lines, row[2].Text+": "+row[1].Text)
		}
	}
	return strings.Join(lines, "\n")
}
