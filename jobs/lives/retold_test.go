package lives_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/publish"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/figures"
)

// What a night publishes is told in other ways too: by a dry run before it, by verification after it, and of each id to whoever asks. None may
// tell it otherwise. Each takes as long as a night, so that some nights and lives are asked and not all.

func (w *world) isRehearsed(n int) bool { return n%21 == 9 }
func (w *world) isVerified(n int) bool  { return n%21 == 5 || n == w.nights-1 }
func (w *world) isExplained(n int) bool { return n == w.nights/2 || n == w.nights-1 }

// explained is how many lives there are to one of which every id is asked for, besides those kept in testdata last.
const explained, explainedKept = 16, 6

// traces are what a night leaves behind.
const traces = `SELECT concat_ws(' ', (SELECT count(*) FROM platform.credit_entries), (SELECT count(*) FROM reconciler.break_events), (SELECT count(*) FROM reconciler.refund_decisions),
	(SELECT count(*) FROM reconciler.notifications), (SELECT count(*) FROM reconciler.credit_backs), (SELECT count(*) FROM reconciler.journal_lines),
	(SELECT count(*) FROM reconciler.audit_changes), (SELECT count(*) FROM reconciler.publications))`

// rehearse makes a dry run of a night that is about to be run, and returns what it told.
func (w *world) rehearse(n int) string {
	w.t.Helper()
	ctx, date := context.Background(), firstNight.AddDays(n)
	if err := w.worker.RunNight(ctx, date, "sync-stripe"); err != nil { // a dry run asks nothing of Stripe
		w.fails(nil, n, "syncing before a dry run: %v", err)
	}
	var before, after string
	var told strings.Builder
	if err := w.db.Get(&before, traces); err != nil {
		w.t.Fatal(err)
	}
	if err := w.worker.Rehearse(ctx, &told, date); err != nil {
		w.fails(nil, n, "a dry run: %v", err)
	}
	if err := w.db.Get(&after, traces); err != nil {
		w.t.Fatal(err)
	}
	if before != after {
		w.fails(nil, n, "a dry run has left something: rows were %s and are %s", before, after)
	}
	if _, err := os.Stat(filepath.Join(w.folder, date.String())); err == nil {
		w.fails(nil, n, "a dry run has published the night")
	}
	return told.String()
}

// holdRehearsal holds what a dry run told before the night against what the night did, and another one against what it published.
func (w *world) holdRehearsal(n int, told string) {
	w.t.Helper()
	date := firstNight.AddDays(n)
	want := []string{fmt.Sprintf("Dry run of %s: nothing was changed.", date)}
	count, credits := 0, int64(0)
	for _, row := range w.table(n, "credit_backs.csv") {
		if row["decision"] != "credited" {
			continue
		}
		count++
		back, _ := strconv.ParseInt(row["credit_back"], 10, 64) // compared as a whole
		credits += back
		want = append(want, filled(row["job_id"], row["account_id"], row["failure_code"], row["credit_back"], row["clause"]))
	}
	if count > 20 {
		want = want[:1] // the rest is counted only
	}
	want = append(want, fmt.Sprintf("%d credit-backs of %d credits would be posted.", count, credits))
	approved, denied := 0, 0
	for _, row := range w.table(n, "refund_decisions.csv") {
		switch row["decision"] {
		case "approve":
			approved++
		case "deny":
			denied++
		}
	}
	want = append(want, fmt.Sprintf("%d refund requests would be approved, %d denied.", approved, denied))
	var events []struct {
		Event, Kind string
		Count       int
	}
	if err := w.db.Select(&events, `SELECT e.event, b.kind, count(*) AS count FROM reconciler.break_events e
		JOIN (SELECT DISTINCT break_id, kind FROM reconciler.breaks) b ON b.break_id = e.break_id WHERE e.business_date = $1 GROUP BY 1, 2`, date.String()); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		want = append(want, filled(e.Event, e.Kind, number(int64(e.Count))))
	}
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	var lines []string
	_, broken, _ := strings.Cut(told, "BREAKS OF THE NIGHT")
	for line := range strings.Lines(told) {
		lines = append(lines, words(line))
	}
	for _, line := range want {
		if !slices.Contains(lines, words(line)) {
			w.fails(nil, n, "the dry run before it did not tell: %s", line)
		}
	}
	for line := range strings.Lines(broken) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] != "KIND" && !slices.Contains(want, words(line)) {
			w.fails(nil, n, "the dry run before it told: %s", words(line))
		}
	}
	var again strings.Builder
	if err := w.worker.Rehearse(context.Background(), &again, date); err != nil {
		w.fails(nil, n, "a dry run after it: %v", err)
	}
	for _, line := range []string{"0 credit-backs of 0 credits would be posted.", "0 refund requests would be approved, 0 denied.", "Its reports would be what is published."} {
		if !strings.Contains(again.String(), line+"\n") {
			w.fails(nil, n, "the dry run after it did not tell: %s\n%s", line, again.String())
		}
	}
	w.count.rehearsed++
}

// verify has a night verified: nothing is otherwise than it was published.
func (w *world) verify(n int) {
	for _, f := range w.verified(n) {
		w.fails(w.whose(f.What), n, "verified %s: %s", f.Where, f.What)
	}
}

// verifyAgain has a night verified after others: of what the platform has not changed in place since, nothing is otherwise.
func (w *world) verifyAgain(n int) {
	for _, f := range w.verified(n) {
		if l := w.whose(f.What); l != nil && !l.rewritten {
			w.fails(l, n, "verified in the end, %s: %s", f.Where, f.What)
		}
	}
}

func (w *world) verified(n int) []publish.Fault {
	w.count.verified++
	faults, err := w.worker.Verify(context.Background(), firstNight.AddDays(n), night.AuditHead{})
	if err != nil {
		w.fails(nil, n, "verifying: %v", err)
	}
	return faults
}

var idPattern = regexp.MustCompile(`\b[a-z]+_[A-Za-z0-9]+\b`)

// whose is the life that a text names something of.
func (w *world) whose(text string) *life {
	for _, id := range idPattern.FindAllString(text, -1) {
		if l, _ := w.label(id); l != nil {
			return l
		}
	}
	return nil
}

// explain asks for every id of some lives, right after a night.
func (w *world) explain(n int) {
	ids := map[*life][]string{}
	for id, thing := range w.byID {
		if thing.life != nil && (thing.life.number%explained == n%explained || thing.life.number < w.kept && thing.life.number >= w.kept-explainedKept) {
			ids[thing.life] = append(ids[thing.life], id)
		}
	}
	for _, l := range w.lives {
		if len(ids[l]) == 0 {
			continue
		}
		l.explainAccount(n)
		slices.Sort(ids[l])
		for _, id := range ids[l] {
			l.explainID(n, id)
		}
	}
}

// asked is what is told of an id: the rows of each section, by the columns' keys.
func (l *life) asked(n int, id string) map[string][]map[string]string {
	l.w.count.explained++
	told, err := explain.Tell(l.w.t.Context(), l.w.worker.Store, l.w.clock(), id)
	if err != nil {
		_, label := l.w.label(id)
		l.w.fails(l, n, "asked for %s: %v", label, err)
		return nil
	}
	sections := map[string][]map[string]string{}
	for _, section := range told.Sections {
		for _, cells := range section.Rows {
			row := map[string]string{}
			for i, cell := range cells {
				switch value := cell.Value.(type) {
				case string:
					row[section.Columns[i].Key] = value
				case figures.Amount:
					row[section.Columns[i].Key] = string(value.Value)
				}
			}
			sections[section.Key] = append(sections[section.Key], row)
		}
	}
	return sections
}

// explainAccount holds the page of the account against what has happened.
func (l *life) explainAccount(n int) {
	told := l.asked(n, l.account)
	if byMail := l.asked(n, l.email); told == nil || byMail == nil {
		return
	}
	hold := func(section string, want []string, columns ...string) {
		var got []string
		for _, row := range told[section] {
			values := make([]string, len(columns))
			for i, column := range columns {
				values[i] = row[column]
			}
			if _, label := l.w.label(values[0]); !strings.HasPrefix(label, "refund of ") { // of what was charged too much
				got = append(got, filled(values...))
			}
		}
		for _, line := range without(want, got) {
			l.w.fails(l, n, "the page's %s lack: %s of %q", section, line, got)
		}
		for _, line := range without(got, want) {
			l.w.fails(l, n, "the page's %s have: %s, want %q", section, line, want)
		}
	}
	status := "active"
	if l.suspended {
		status = "suspended"
	}
	hold("account", []string{filled(l.account, l.email, status, number(l.balance()))}, "id", "email", "status", "credits")
	var purchases, jobs, requests, refunds, disputes, breaks []string
	for _, p := range l.purchases {
		amount, _ := p.platforms()
		purchases = append(purchases, filled(p.id, p.status, number(p.credits), number(amount)))
	}
	hold("purchases", purchases, "id", "status", "credits", "amount")
	for _, j := range l.jobs {
		var debited, credited int64
		for _, e := range l.entries {
			switch {
			case e.job != j:
			case e.kind == "credit_back":
				credited += e.credits
			default:
				debited -= e.credits
			}
		}
		if j.status != "none" {
			jobs = append(jobs, filled(j.id, j.status, j.code, number(j.cost), number(debited), number(credited)))
		}
	}
	hold("jobs", jobs, "id", "status", "failure_code", "cost", "debited", "credited")
	for _, r := range l.requests {
		line := filled(r.id, r.status, "*", "*", "*", "*")
		if r.decision != "" {
			amount := "*"
			if r.decision == "approve" {
				amount = number(r.amount)
			}
			line = filled(r.id, r.status, r.decision, amount, firstNight.AddDays(r.decidedOn).String(), last(r.messages))
		}
		requests = append(requests, line)
	}
	hold("requests", requests, "id", "status", "decision", "refund", "decided_on", "told")
	for _, r := range l.refunds {
		refunds = append(refunds, filled(r.id, r.purchase.id, r.status, number(r.amount)))
	}
	hold("refunds", refunds, "id", "purchase_id", "status", "amount")
	for _, d := range l.disputes {
		if !d.at.Before(l.w.night(n).End) {
			continue // as the newest night saw them
		}
		disputes = append(disputes, filled(d.id, d.purchase.id, d.status, number(d.amount)))
	}
	hold("disputes", disputes, "id", "purchase_id", "status", "amount")
	for _, b := range l.w.open {
		if b.account == l.account {
			breaks = append(breaks, filled(b.id, b.kind, strings.Fields(b.line)[3]))
		}
	}
	hold("breaks", breaks, "id", "kind", "variance")
}

// explainID holds the story of an id against what has happened to it.
func (l *life) explainID(n int, id string) {
	told := l.asked(n, id)
	if told == nil || id == l.account {
		return
	}
	var story []string
	for _, row := range told["story"] {
		story = append(story, row["says"])
	}
	_, label := l.w.label(id)
	has := func(texts ...string) bool {
		return slices.ContainsFunc(story, func(says string) bool {
			return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(says, text) })
		})
	}
	must := func(texts ...string) {
		if !has(texts...) {
			l.w.fails(l, n, "the story of %s lacks: %q\n%s", label, texts, strings.Join(story, "\n"))
		}
	}
	mustNot := func(texts ...string) {
		if has(texts...) {
			l.w.fails(l, n, "the story of %s has: %q\n%s", label, texts, strings.Join(story, "\n"))
		}
	}
	for _, r := range l.requests {
		if r.id != id && r.purchase.id != id {
			continue
		}
		must("refund request " + r.id)
		decided := "refund request " + r.id + " decided: " // of a purchase that was asked about again each has its own
		switch r.decision {
		case "approve":
			must(decided + "approve, " + numbers.Int(r.amount).Text(r.purchase.currency))
			mustNot(decided + "deny")
			must("the customer is told of " + r.id)
		case "deny":
			must(decided + "deny")
			mustNot(decided + "approve")
			must("the customer is told of " + r.id)
		default:
			mustNot(decided + "approve")
			mustNot(decided + "deny")
		}
	}
	for _, r := range l.requests {
		const waits = "its money is not with the customer"
		switch live := l.live(r.purchase); {
		case r.id != id:
		case l.isDue(r):
			must(waits)
		case r.decision != "approve", live > 0 && live == r.amount && !slices.ContainsFunc(r.purchase.refunds, func(f *refund) bool { return f.status == "pending" }):
			mustNot(waits)
		}
	}
	for _, r := range l.refunds {
		if r.id == id || r.purchase.id == id || r.purchase.charge == id {
			must("refund "+r.id+": "+numbers.Int(r.amount).Text(r.purchase.currency), ", "+r.status)
		}
	}
	for _, d := range l.disputes {
		if d.id == id || d.purchase.id == id || d.purchase.charge == id {
			must("dispute "+d.id+" over "+numbers.Int(d.amount).Text(d.purchase.currency), "; now "+d.status)
		}
	}
	for _, j := range l.jobs {
		if j.id != id {
			continue
		}
		isOurs := false
		for _, e := range l.entries {
			if e.job == j && e.ours {
				isOurs = true
				must(fmt.Sprintf("decided: %d credits are credited back", e.credits))
			}
			if e.job == j {
				must(fmt.Sprintf("ledger: %d credits", max(e.credits, -e.credits)), "("+e.kind+")")
			}
		}
		if classOf(j) != "system" && !isOurs { // a job that runs again under its id may come to another class
			mustNot("credits are credited back")
		}
	}
	for _, b := range l.w.open {
		if b.subject == id {
			must("break " + b.id + " (" + b.kind)
		}
	}
}
