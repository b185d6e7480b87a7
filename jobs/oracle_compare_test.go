package jobs_test

import (
	"flag"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

var (
	oracleCases = flag.Int("oracle.cases", testdb.Cases(240, 120), "how many random platforms the worker is compared with the oracle on")
	oracleSeed  = flag.Int("oracle.seed", 1, "the seed of the first of them; the others follow it")
	oracleAll   = flag.Bool("oracle.all", false, "show every difference as it is found, uncut, instead of cutting the first one down")
	oracleBatch = flag.Int("oracle.batch", 60, "how many platforms share a database: their rows don't meet, and a night costs little more for many than for one")
)

// stages are where random platforms play: nights of a plain week, and nights whose clocks change, at midnight in Cairo.
func stages(t testing.TB) []stage {
	return []stage{
		testStage,
		{First: date("2026-03-06"), Nights: 4, Zone: zone(t, "America/New_York")},
		{First: date("2026-04-23"), Nights: 3, Zone: zone(t, "Africa/Cairo")},
		testStage,
		{First: date("2026-10-30"), Nights: 4, Zone: zone(t, "America/New_York")},
		{First: date("2026-10-29"), Nights: 3, Zone: zone(t, "Africa/Cairo")},
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestWorkerAgreesWithOracle holds the published reports of the worker against what the oracle expects of the same platforms, night by
// night. A platform on which they differ is cut down to the rows that it takes, and shown.
func TestWorkerAgreesWithOracle(t *testing.T) {
	t.Parallel()
	w := newWorker(t)
	rows, nights := 0, 0
	for first := 0; first < *oracleCases; first += *oracleBatch {
		s := stages(t)[first / *oracleBatch % len(stages(t))]
		generator := platforms(s)
		var cases []platform
		for i := range min(*oracleBatch, *oracleCases-first) {
			p := generator.Example(*oracleSeed + first + i)
			cases = append(cases, p)
			rows += p.size()
		}
		nights += s.Nights
		w.matching = []night.Matching{night.MatchFast, night.MatchExact}[first / *oracleBatch % 2]
		w.Settings.Sizes.PlannedRows = []int64{0, 0, 1}[first / *oracleBatch % 3] // the last: as nights of many rows are worked on
		failed := w.disagreements(t, s, cases)
		for i, problem := range failed {
			if *oracleAll {
				t.Errorf("seed %d: %s", *oracleSeed+first+i, problem)
				continue
			}
			seed := *oracleSeed + first + i
			if i < 0 {
				t.Errorf("platforms with seeds %d to %d together:\n%s", *oracleSeed+first, *oracleSeed+first+len(cases)-1, problem)
				continue
			}
			small, problem := w.shrink(t, s, cases[i], problem)
			t.Errorf("seed %d, %s from %s:\n%s\non this platform:\n%s", seed, s.Zone, s.First, problem, small)
			if t.Failed() && len(failed) > 3 {
				t.Fatalf("%d platforms of this batch differ; the first is above", len(failed))
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d platforms of %d rows in %d nights: no difference", *oracleCases, rows, nights)
}

// disagreements runs the platforms side by side and says what differs, by platform; what can't be told apart is under -1.
func (w *worker) disagreements(t testing.TB, s stage, cases []platform) map[int]string {
	t.Helper()
	w.reset(t, s.Zone)
	oracles := make([]*oracle, len(cases))
	for i := range cases {
		oracles[i] = newOracle(w.policies, usHolidays(t), s.Zone)
	}
	problems := map[int]string{}
	var closed map[string]string
	for turn := range s.Nights {
		n := s.night(turn)
		for i, p := range cases {
			p.turn(turn).prefixed(casePrefix(i)).load(t, w.db.DB)
		}
		if err := w.night(n); err != nil {
			problems[-1] = fmt.Sprintf("night %s: %v", n.Date, err)
			return problems
		}
		published := w.published(t, n.Date)
		var rolled rollRow
		controls, money := map[string]controlRow{}, map[string]moneyRow{}
		for i, p := range cases {
			want := oracles[i].night(n, p.turn(turn))
			rolled = rolled.plus(want.RollForward[0])
			for _, c := range want.Controls {
				controls[c.Check+c.Unit] = controls[c.Check+c.Unit].plus(c)
			}
			for _, m := range want.Money {
				money[m.Currency] = money[m.Currency].plus(m)
			}
			want.RollForward = nil
			if diff := diffLines(want.lines(), published.lines(casePrefix(i))); diff != "" && problems[i] == "" {
				problems[i] = fmt.Sprintf("night %s (-oracle +worker):\n%s", n.Date, diff)
			}
		}
		wantRoll := verdict{RollForward: []rollRow{rolled}}.lines()
		if diff := diffLines(wantRoll, published.rollForward("credits")); diff != "" && len(problems) == 0 {
			problems[-1] = fmt.Sprintf("night %s (-oracle +worker):\n%s", n.Date, diff)
		}
		if diff := diffLines(controlLines(controls), published.controls(controls)); diff != "" && len(problems) == 0 {
			problems[-1] = fmt.Sprintf("night %s (-oracle +worker):\n%s", n.Date, diff)
		}
		if diff := diffLines(moneyLines(money), published.money()); diff != "" && len(problems) == 0 {
			problems[-1] = fmt.Sprintf("night %s (-oracle +worker):\n%s", n.Date, diff)
		}
		for _, untied := range published.untied(closed) {
			problems[-1] += fmt.Sprintf("night %s: %s\n", n.Date, untied)
		}
		closed = published.closings()
		if len(problems) > 0 {
			return problems
		}
	}
	return problems
}

func casePrefix(i int) string { return fmt.Sprintf("c%03d.", i) }

func add(a, b *big.Int) *big.Int {
	if a == nil {
		return b
	}
	return new(big.Int).Add(a, b)
}

func (c controlRow) plus(other controlRow) controlRow {
	return controlRow{Check: other.Check, Unit: other.Unit, Scanned: add(c.Scanned, other.Scanned), Matched: add(c.Matched, other.Matched),
		Awaiting: add(c.Awaiting, other.Awaiting), Breaks: add(c.Breaks, other.Breaks)}
}

func controlLines(controls map[string]controlRow) []string {
	var lines []string
	for _, c := range controls {
		lines = append(lines, fmt.Sprintf("control     %s in %s scanned=%s matched=%s awaiting=%s breaks=%s", c.Check, c.Unit, c.Scanned, c.Matched, c.Awaiting, c.Breaks))
	}
	slices.Sort(lines)
	return lines
}

func (m moneyRow) plus(other moneyRow) moneyRow {
	return moneyRow{Currency: other.Currency, Opening: add(m.Opening, other.Opening), Purchases: add(m.Purchases, other.Purchases),
		LatePurchases: add(m.LatePurchases, other.LatePurchases), Left: add(m.Left, other.Left)}
}

func moneyLines(money map[string]moneyRow) []string {
	var lines []string
	for _, m := range money {
		lines = append(lines, fmt.Sprintf("money       %s opening=%s purchases=%s closing=%s lots=%s", m.Currency, m.Opening, m.Purchases, m.Left, m.Left))
	}
	slices.Sort(lines)
	return lines
}

func (r rollRow) plus(other rollRow) rollRow {
	return rollRow{Measure: other.Measure, Opening: add(r.Opening, other.Opening), Purchases: add(r.Purchases, other.Purchases),
		Promotions: add(r.Promotions, other.Promotions), Usage: add(r.Usage, other.Usage), CreditBacks: add(r.CreditBacks, other.CreditBacks),
		Refunds: add(r.Refunds, other.Refunds), Adjustments: add(r.Adjustments, other.Adjustments), Late: add(r.Late, other.Late),
		Closing: add(r.Closing, other.Closing), FromLots: add(r.FromLots, other.FromLots)}
}

// shrink leaves rows out, many at once and then one by one, as long as the platform alone still makes a difference.
func (w *worker) shrink(t testing.TB, s stage, p platform, problem string) (platform, string) {
	deadline := time.Now().Add(time.Minute)
	differs := func(p platform) (string, bool) {
		for _, found := range w.disagreements(t, s, []platform{p}) {
			return found, true
		}
		return "", false
	}
	found, alone := differs(p)
	if !alone {
		return p, problem + "\n(the platform alone makes no difference)"
	}
	problem = found
	for chunk := p.size() / 2; chunk > 0; chunk /= 2 {
		for from := 0; from < p.size() && time.Now().Before(deadline); {
			smaller := p.without(from, from+chunk)
			if found, still := differs(smaller); still {
				p, problem = smaller, found
				continue
			}
			from += chunk
		}
	}
	return p, problem
}

func (p platform) size() int {
	return len(p.Accounts) + len(p.Purchases) + len(p.Jobs) + len(p.Entries) + len(p.Requests)
}

// without leaves out the rows from one to another, counted through all tables.
func (p platform) without(from, to int) platform {
	at := 0
	out := func() bool { at++; return at-1 < from || at-1 >= to }
	return platform{
		Accounts:  pick(p.Accounts, func(account) bool { return out() }),
		Purchases: pick(p.Purchases, func(purchase) bool { return out() }),
		Jobs:      pick(p.Jobs, func(job) bool { return out() }),
		Entries:   pick(p.Entries, func(entry) bool { return out() }),
		Requests:  pick(p.Requests, func(request) bool { return out() }),
	}
}

// published are the tables of a night's reports, by file.
type published map[string][]map[string]string

// lines are those rows of the reports that are about ids with the prefix, worded as the oracle words them.
func (p published) lines(prefix string) []string {
	var lines []string
	add := func(key, format string, args ...any) {
		if !strings.Contains(key, prefix) {
			return
		}
		lines = append(lines, strings.ReplaceAll(fmt.Sprintf(format, args...), prefix, ""))
	}
	for _, r := range p["breaks.csv"] {
		add(r["subject_id"], "break       %s of %s account=%s %s first=%s last=%s variance=%s %s", r["kind"], r["subject_id"], r["account_id"], r["status"],
			r["first_seen"], r["last_seen"], r["variance"], r["unit"])
	}
	for _, r := range p["credit_backs.csv"] {
		add(r["job_id"], "credit-back %s account=%s %s debited=%s before=%s back=%s %s clause=%s", r["job_id"], r["account_id"], r["class"], r["debited"],
			r["credited_before"], r["credit_back"], r["decision"], r["clause"])
	}
	for _, r := range p["refund_windows.csv"] {
		add(r["purchase_id"], "window      %s account=%s %s used=%s of %s paid=%s %s completed=%s expires=%s", r["purchase_id"], r["account_id"], r["state"],
			r["used_credits"], r["credits"], r["amount_minor"], r["currency"], r["completed_at"], r["expires_at"])
	}
	for _, r := range p["refund_decisions.csv"] {
		add(r["request_id"], "decision    %s account=%s purchase=%s job=%s due=%s %s currency=%s clauses=%s", r["request_id"], r["account_id"], r["purchase_id"],
			r["job_id"], r["due_date"], r["decision"], r["currency"], r["clauses"])
	}
	for _, r := range p["rejects.csv"] {
		add(r["row_id"], "reject      %s of %s", r["row_id"], r["relation"])
	}
	slices.Sort(lines)
	return slices.Compact(lines) // a row can be rejected for more than one field
}

func (p published) rollForward(measure string) []string {
	var lines []string
	for _, r := range p["roll_forward.csv"] {
		if r["measure"] == measure {
			lines = append(lines, fmt.Sprintf("roll        %s opening=%s purchases=%s promotions=%s usage=%s credit_backs=%s refunds=%s adjustments=%s late=%s closing=%s lots=%s",
				r["measure"], r["opening"], r["purchases"], r["promotions"], r["usage"], r["credit_backs"], r["refunds"], r["adjustments"], r["late_items"], r["closing"],
				r["closing_from_lots"]))
		}
	}
	return lines
}

// controls are the published control totals of the given checks, worded as the oracle's.
func (p published) controls(checks map[string]controlRow) []string {
	var lines []string
	for _, r := range p["control_totals.csv"] {
		if _, known := checks[r["check"]+r["unit"]]; known {
			lines = append(lines, fmt.Sprintf("control     %s in %s scanned=%s matched=%s awaiting=%s breaks=%s", r["check"], r["unit"], r["scanned"], r["matched"],
				r["awaiting"], r["breaks"]))
		}
	}
	slices.Sort(lines)
	return lines
}

// money is the roll-forward in each currency, worded as the oracle's.
func (p published) money() []string {
	var lines []string
	for _, r := range p["roll_forward.csv"] {
		if r["measure"] != "credits" {
			lines = append(lines, fmt.Sprintf("money       %s opening=%s purchases=%s closing=%s lots=%s", r["measure"], r["opening"], r["purchases"], r["closing"],
				r["closing_from_lots"]))
		}
	}
	slices.Sort(lines)
	return lines
}

func (p published) closings() map[string]string {
	closed := map[string]string{}
	for _, r := range p["roll_forward.csv"] {
		closed[r["measure"]] = r["closing"]
	}
	return closed
}

// untied is what does not tie within the reports themselves: control totals, roll-forwards, and openings with the closings before them.
func (p published) untied(before map[string]string) []string {
	var problems []string
	if len(p["control_totals.csv"]) == 0 {
		problems = append(problems, "no control totals")
	}
	for _, r := range p["control_totals.csv"] {
		if r["difference"] != "0" {
			problems = append(problems, fmt.Sprintf("control total %s in %s does not tie: %v", r["check"], r["unit"], r))
		}
	}
	for _, r := range p["roll_forward.csv"] {
		if r["difference"] != "0" {
			problems = append(problems, fmt.Sprintf("roll-forward in %s does not tie: %v", r["measure"], r))
		}
		if was, ok := before[r["measure"]]; ok && was != r["opening"] {
			problems = append(problems, fmt.Sprintf("roll-forward in %s opens with %s after %s", r["measure"], r["opening"], was))
		}
	}
	return problems
}

func wantLines(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
