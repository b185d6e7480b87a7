package sql_test

import (
	"errors"
	"iter"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// madeUp are values of the types that parameters have; they find nothing.
var madeUp = map[string]string{
	"text": "2026-03", "date": "2026-03-02", "timestamp with time zone": "2026-03-02 00:00:00Z", "bigint": "1", "integer": "1", "numeric": "1", "boolean": "true",
	"json": "[]", "jsonb": "[]", "text[]": "{2026-03-02}", "date[]": "{2026-03-02}", "boolean[]": "{true}", "bigint[]": "{1}", "numeric[]": "{1}", "timestamp with time zone[]": `{"2026-03-02 00:00:00Z"}`,
}

// trial sends a statement once, as the worker's transactions do, and takes it back.
type trial struct {
	tx    *sqlx.Tx
	text  string
	args  []any
	kinds []string // their types
}

// plannable says whether a statement has a plan: the others are commands, which have no parameters either.
func plannable(s sql.Statement) bool {
	body := strings.TrimSpace(s.Text[strings.Index(s.Text, "*/")+2:])
	return slices.Contains([]string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "(SELECT"}, strings.ToUpper(strings.Fields(body)[0]))
}

func newTrial(t *testing.T, db *sqlx.DB, s sql.Statement) trial {
	t.Helper()
	tx := db.MustBegin()
	t.Cleanup(func() { _ = tx.Rollback() })
	tx.MustExec(sql.Session, "")
	tx.MustExec("DEALLOCATE ALL") // what a trial before prepared outlives its transaction
	tx.MustExec("SET LOCAL plan_cache_mode = force_custom_plan")
	var kinds []string
	if plannable(s) {
		tx.MustExec("PREPARE statement AS " + s.Text)
		if err := tx.Select(&kinds, "SELECT unnest(parameter_types)::text FROM pg_prepared_statements WHERE name = 'statement'"); err != nil {
			t.Fatal(err)
		}
	}
	made := trial{tx: tx, text: s.Text, kinds: kinds}
	for i, kind := range kinds {
		value, known := madeUp[kind]
		if s.Params[i] == "zone" {
			value = "UTC"
		}
		if !known {
			t.Fatalf("%s: nothing is made up for a parameter of type %s", s.Name, kind)
		}
		made.args = append(made.args, value)
	}
	return made
}

var parameter = regexp.MustCompile(`\$(\d+)`)
var comment = regexp.MustCompile(`--[^\n]*`)

// plan is how the statement is run. Its values stand in its text: Citus explains no statement with parameters that writes what it selects.
func (t trial) plan() (lines []string, err error) {
	text := parameter.ReplaceAllStringFunc(t.text, func(use string) string {
		n, _ := strconv.Atoi(use[1:])
		return pq.QuoteLiteral(t.args[n-1].(string)) + "::" + t.kinds[n-1]
	})
	err = t.tx.Select(&lines, "EXPLAIN (COSTS off) "+text)
	return lines, err
}

func (t trial) run(before string) error {
	rows, err := t.tx.Query(before+t.text, t.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func distributed(t *testing.T) *testdb.DB {
	t.Helper()
	db := testdb.New(t)
	if !db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a distributed database")
	}
	return db
}

// Every statement that plain PostgreSQL takes is taken distributed, by the roles that send it, also as the cursor that pages are read from. Those for
// ids that are there twice are not sent there: a night with such ids is refused.
func TestStatementsRunDistributed(t *testing.T) {
	nodes, one := map[string]*sqlx.DB{}, map[string]*sqlx.DB{}
	for db, as := range map[*testdb.DB]map[string]*sqlx.DB{distributed(t): nodes, testdb.NewOnOneServer(t): one} {
		as[sql.AppRole], as[sql.ApproverRole] = db.As(sql.AppRole), db.As(sql.ApproverRole)
	}
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		s := catalog.Statement(name)
		t.Run(name, func(t *testing.T) {
			role := sql.AppRole // of whom nodes ask for rights that one server does not
			if name == "refunds/approve" {
				role = sql.ApproverRole
			}
			for _, before := range []string{"", "DECLARE page NO SCROLL CURSOR FOR "} {
				var refused, refusedToo *pq.Error
				if err := newTrial(t, one[role], s).run(before); errors.As(err, &refusedToo) && before != "" {
					continue // nothing to page through
				}
				if err := newTrial(t, nodes[role], s).run(before); errors.As(err, &refused) && (refusedToo == nil || refused.Code != refusedToo.Code) {
					t.Errorf("%s%v %s", before, refused, refused.Detail)
				}
			}
		})
	}
}

// outsideNights are topics and statements that no step of a night runs: what people ask, and what is asked of a database beforehand.
var outsideNights = []string{"audit/unrecorded_credit_backs", "bench", "breaks/list", "check", "desk", "dry_run", "explain", "metrics", "month", "morning", "periods", "policy_test", "time_zone", "verify"}

// Why what a night's statements find on the nodes goes through the coordinator, and how much that is. A statement that is not named is read,
// worked out and written on the nodes, or reads what every node has a copy of.
const (
	totals     = "sums of each part of a table, or nothing: a few rows from each"
	exceptions = "exceptions and late rows, which name jobs, entries and purchases of any account: their ids go to the nodes, what is found is judged together"
	failed     = "failed jobs: their ids go to the nodes, as entries may name them on any account, and what those say of each goes where the job is"
	credited   = "credit-backs of the night: they become one link of the audit log, in one order"
	purchases  = "accounts that bought, were refunded or asked for it of late: what grows with purchases is on all nodes, and their entries are added up to it"
	lots       = "lots of the accounts that moved: some 200 bytes a purchase or grant, which the books value in one order and in several ways"
	everything = "every account, in the one night that has no night before it"
	first      = "at most as many rows of each part as the statement asks for"
)

var pulled = map[string]string{

	"books/clear": totals, "late/forget_before": totals, "books/ties": totals, "books/entries_by_kind": totals, "books/forget_later_positions": totals, "books/ledger_through": totals,
	"credit_backs/nightly_totals": totals, "credit_backs/totals": totals, "late/before_changed": totals, "late/changed_nights": totals,
	"late/forget_totals": totals, "late/note_before": totals, "late/note_reread": totals, "late/record_totals": totals,
	"late/noted": totals, "late/rows_now": totals, "reading/known": totals, "reading/some_moved": totals, "match_jobs/scanned": totals, "match_purchases/scanned": totals, "refunds/controls": totals,
	"reading/clear": totals, "rejects/counts": totals, "stripe_match/scanned_refunds": purchases,

	"credit_backs/credited_by_others": exceptions, "credit_backs/older_jobs": exceptions,
	"late/changed_accounts": exceptions, "late/changed_accounts_before": exceptions, "match_jobs/judge": exceptions,
	"match_jobs/rescan": exceptions, "match_jobs/unfinished": exceptions,
	"match_purchases/late_items": exceptions, "match_purchases/negative_balances": exceptions, "reading/examine": exceptions, "reading/oddities": exceptions,
	"reading/scan": exceptions, "reading/set_aside": exceptions, "refund_requests/facts": exceptions,
	"refund_requests/purchases_then": exceptions, "refund_requests/refund_movements": exceptions, "refunds/due": exceptions,
	"stripe_match/judge_approved": exceptions, "stripe_match/judge_refunded_purchases": exceptions, "stripe_match/judge_refunds": exceptions, "stripe_match/denied_refunds": exceptions,
	"stripe_match/refund_candidates": exceptions, "stripe_match/refunded_purchase_candidates": exceptions,

	"credit_backs/record": failed,

	"audit/append_credit_backs": credited,

	"books/buying_accounts": purchases, "match_purchases/candidates": purchases, "match_purchases/judge": purchases,
	"refund_windows/look_at": purchases,

	"books/take_lots": lots, "refund_windows/facts": lots,

	"reading/all_accounts": everything,

	"duplicates/credit_entries": failed, "duplicates/jobs": failed, "duplicates/purchases": purchases,

	"books/ledger_is_due": first, "runs/standing": first, "refund_windows/next_accounts": first,
}

var (
	subplan    = regexp.MustCompile(`^( *)->  Distributed Subplan`)
	manyTasks  = regexp.MustCompile(`^ *Task Count: ([2-9]|\d\d)`)
	pullMethod = regexp.MustCompile(`INSERT/SELECT method: pull to coordinator`)
)

// isPulled says whether what several nodes have found goes through the coordinator before the statement goes on.
func isPulled(plan []string) bool {
	within := -1 // how far the subplan is indented that a line belongs to
	isInsert := slices.ContainsFunc(plan, pullMethod.MatchString)
	for _, line := range plan {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if indent <= within {
			within = -1
		}
		if match := subplan.FindStringSubmatch(line); match != nil && within < 0 {
			within = len(match[1])
		}
		if manyTasks.MatchString(line) && (within >= 0 || isInsert) {
			return true
		}
	}
	return false
}

func TestWhatIsPulledToTheCoordinator(t *testing.T) {
	nodes := distributed(t).DB
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		s := catalog.Statement(name)
		if !plannable(s) || slices.Contains(outsideNights, path.Dir(name)) || slices.Contains(outsideNights, name) {
			continue
		}
		try := newTrial(t, nodes, s)
		plan, err := try.plan()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if reason := pulled[name]; isPulled(plan) != (reason != "") {
			t.Errorf("%s: pulled to the coordinator: %t, listed: %q", name, isPulled(plan), reason)
		}
		if err := try.tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	insertion = regexp.MustCompile(`INSERT INTO ([a-z_]+\.[a-z_]+)(?: AS [a-z_]+| [a-z_]+)? \(([a-z_, \n]+)\)`)
	united    = regexp.MustCompile(`\b(UNION ALL|UNION|EXCEPT|INTERSECT)\b`)
)

// Citus writes what a query of several branches selects into the columns in the order that the table has them, whatever the order that the
// statement names them in, and takes it for something else without a word where the types are the same. Where rows of several branches are one, it loses
// the columns that have the same value in all rows: INSERT has more target columns than expressions.
func TestUnionsAreInsertedInTheTablesOrder(t *testing.T) {
	db := testdb.New(t)
	looked := 0
	for name, text := range statements(t) {
		for _, at := range insertion.FindAllStringSubmatchIndex(text, -1) {
			table, named := text[at[2]:at[3]], strings.Fields(strings.ReplaceAll(text[at[4]:at[5]], ",", " "))
			branches := united.FindAllString(outermost(text[at[1]:]), -1)
			if len(branches) == 0 {
				continue
			}
			looked++
			if slices.ContainsFunc(branches, func(by string) bool { return by != "UNION ALL" }) {
				t.Errorf("%s inserts a %s of its branches; select from it", name, branches)
			}
			var columns []string
			if err := db.Select(&columns, "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attname = ANY ($2) ORDER BY attnum", table, pq.Array(named)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(columns, named) {
				t.Errorf("%s: %s has %v, the statement %v", name, table, columns, named)
			}
		}
	}
	if looked == 0 {
		t.Error("no such statement")
	}
}

var (
	change = regexp.MustCompile(`\b(INSERT INTO|UPDATE [a-z]+\.|DELETE FROM)`)
	verb   = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE)\b`)
)

// Citus does not run a statement at all that ends in an UPDATE or DELETE whose condition is false by its values alone, whatever else the statement changes,
// and says nothing; and where it is another part that can match no row, the coordinator sends what ends so to itself until it has no sessions left.
func TestStatementsThatChangeSeveralTablesEndInNoUpdateOrDelete(t *testing.T) {
	looked := 0
	for name, text := range statements(t) {
		if len(change.FindAllString(text, 2)) < 2 {
			continue
		}
		looked++
		if end := verb.FindString(outermost(text)); end != "SELECT" && end != "INSERT" {
			t.Errorf("%s changes several tables and ends in %s; make that a part of WITH, and end in SELECT", name, end)
		}
	}
	if looked == 0 {
		t.Error("no such statement")
	}
}

var existence = regexp.MustCompile(`(?:\bSELECT|,)\s+(?:NOT )?EXISTS \(\s*SELECT FROM`)

// Where a statement reads a distributed table, Citus works out by itself what else it says of other tables, and can't pass on that a row of no columns is
// there: a column definition list is required. Conditions are joins, and taken.
func TestWhatStatementsSayIsThereHasAColumn(t *testing.T) {
	var onNodes []string
	for schema, layout := range map[string][]sql.Placement{"reconciler": sql.Placements, sql.DefaultSourceSchema: sql.PlatformPlacements} {
		for _, p := range layout {
			if p.On == sql.Nodes {
				onNodes = append(onNodes, schema+"."+p.Table)
			}
		}
	}
	distributed := regexp.MustCompile(`\b(` + strings.Join(onNodes, "|") + `)\b`)
	looked := 0
	for name, text := range statements(t) {
		if !distributed.MatchString(text) {
			continue
		}
		looked++
		if found := existence.FindString(text); found != "" {
			t.Errorf("%s says whether something is there: %s; say SELECT 1 FROM", name, found)
		}
	}
	if looked == 0 {
		t.Error("no such statement")
	}
}

var caseOf = regexp.MustCompile(`\bCASE\s+(\S+)`)

// Where an INSERT is sent to the nodes with values in it that the coordinator has worked out, Citus makes CASE x WHEN 'a' to
// CASE x WHEN x = 'a': operator does not exist: text = boolean. CASE WHEN x = 'a' is taken everywhere.
func TestInsertedCasesSayWhatTheyCompare(t *testing.T) {
	looked := 0
	for name, text := range statements(t) {
		if !strings.Contains(text, "INSERT INTO") {
			continue
		}
		for _, found := range caseOf.FindAllStringSubmatch(text, -1) {
			looked++
			if found[1] != "WHEN" {
				t.Errorf("%s: CASE %s WHEN ..; say CASE WHEN %s = ..", name, found[1], found[1])
			}
		}
	}
	if looked == 0 {
		t.Error("no such statement")
	}
}

// statements are all that there are, without their comments, by their names.
func statements(t *testing.T) iter.Seq2[string, string] {
	t.Helper()
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(name, text string) bool) {
		for _, name := range catalog.Names() {
			if !yield(name, comment.ReplaceAllString(catalog.Statement(name).Text, "")) {
				return
			}
		}
	}
}

// outermost is a query without what it has in brackets, to its end.
func outermost(text string) string {
	var out strings.Builder
	depth := 0
	for _, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth < 0 {
			return out.String()
		}
		if depth == 0 {
			out.WriteRune(r)
		}
	}
	return out.String()
}
