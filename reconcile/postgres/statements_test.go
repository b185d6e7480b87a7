package postgres_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// Every statement must fit the migrated schema, and the rights of whoever runs it: PREPARE parses it and resolves every name and type, but
// only its execution asks for rights, and EXPLAIN as its beginning.
func TestEveryStatementPrepares(t *testing.T) {
	db := testdb.NewOnOneServer(t) // Citus explains no statement with parameters that writes what it selects; TestStatementsRunDistributed runs them all
	worker, approver := db.As(sql.AppRole), db.As(sql.ApproverRole)
	var all []string
	for _, relation := range sql.SourceRelations {
		all = append(all, relation.Name)
	}
	for source, ambiguous := range map[string][]string{"unique ids": nil, "ambiguous ids": all} {
		catalog, err := sql.NewCatalog(sql.DefaultSourceSchema, ambiguous...)
		if err != nil {
			t.Fatal(err)
		}
		for name := range approving {
			catalog.Statement(name) // there is one
		}
		for _, name := range catalog.Names() {
			t.Run(source+"/"+name, func(t *testing.T) {
				statement := catalog.Statement(name)
				if approving[name] != onlyApprover {
					runsAs(t, worker, statement)
				}
				if approving[name] != "" {
					runsAs(t, approver, statement)
				}
			})
		}
	}
}

const (
	onlyApprover = "the approver alone"
	approverToo  = "the approver too"
)

// approving are the statements of `+"`refunds approve`, `list` and `show`"+`, which somebody does with the approver's role.
var approving = map[string]string{
	"refunds/approve": onlyApprover, "refunds/plan": approverToo, "refunds/items": approverToo, "refunds/plans": approverToo, "refunds/switch": approverToo,
	"audit/lock": approverToo, "audit/last_link": approverToo, "audit/add_changes": approverToo, "audit/seal": approverToo,
}

// runsAs begins to run a statement, and takes it back. Of statements that can't be explained, only COPY asks for rights as it is prepared;
// the others are run.
func runsAs(t *testing.T, role *sqlx.DB, statement sql.Statement) {
	t.Helper()
	tx, err := role.Beginx() // a COPY is only taken within one
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	prepared, err := tx.Prepare(statement.Text)
	if err != nil {
		t.Fatalf("%v\n%s", err, statement.Text)
	}
	if err := prepared.Close(); err != nil {
		t.Fatal(err)
	}
	switch body := strings.TrimSpace(statement.Text[strings.Index(statement.Text, "*/")+2:]); strings.ToUpper(strings.Fields(body)[0]) {
	case "COPY":
	case "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "(SELECT":
		values := strings.TrimSuffix(strings.Repeat("NULL, ", len(statement.Params)), ", ")
		if values != "" {
			values = "(" + values + ")"
		}
		tx.MustExec("PREPARE statement AS " + statement.Text)
		tx.MustExec("SAVEPOINT prepared")
		_, err = tx.Exec("EXPLAIN (COSTS off) EXECUTE statement" + values)
		tx.MustExec("ROLLBACK TO prepared; DEALLOCATE statement") // it belongs to the session, and outlives the transaction
	default:
		_, err = tx.Exec(statement.Text)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, statement.Text)
	}
}

// TestNoRowIsLookedUpByTheTimesThatAreSane: of tables that were never analyzed a planner expects few rows between any two times. It read the
// index of all times for every single entry that it looked up by its job: a hundred times the work, and more with every row.
func TestNoRowIsLookedUpByTheTimesThatAreSane(t *testing.T) {
	db := testdb.NewOnOneServer(t) // of a cluster each node plans its own part, and Citus shows no plan of a statement with parameters
	db.MustExec(`INSERT INTO platform.jobs SELECT 'job_' || n, 'acc', 'image', 'model', 'failed', '', 1, d, d
		FROM generate_series(1, 20000) n CROSS JOIN LATERAL (SELECT timestamptz '2026-03-02Z' + n * interval '1 s' AS d) d`)
	db.MustExec(`INSERT INTO platform.credit_entries SELECT 'ent_' || id, account_id, 'usage', -1, NULL, id, id, '', created_at FROM platform.jobs`)
	db.MustExec(`INSERT INTO platform.purchases SELECT id, account_id, 'credits', 1, 1, 'usd', 'completed', id, id, id, created_at, created_at FROM platform.jobs`)
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	explained := 0
	for _, name := range catalog.Names() {
		text := catalog.Statement(name).Text
		if !strings.Contains(text, "2199-12-31") {
			continue
		}
		tx := db.MustBegin()
		tx.MustExec("SET LOCAL plan_cache_mode = force_generic_plan")
		tx.MustExec("PREPARE statement AS " + text)
		var nulls string
		var plan testdb.PlanNode
		err := tx.Get(&nulls, "SELECT coalesce('(' || nullif(array_to_string(array_fill('NULL'::text, ARRAY[cardinality(parameter_types)]), ', '), '') || ')', '') FROM pg_prepared_statements WHERE name = 'statement'")
		if err == nil {
			plan, err = testdb.Explain(tx, "EXECUTE statement"+nulls)
		}
		tx.MustExec("DEALLOCATE statement")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		for node := range plan.Nodes() {
			if strings.Contains(node.IndexCond, "2000-01-01") && strings.Contains(node.IndexCond, "2199-12-31") {
				t.Errorf("%s: %s", name, node.IndexCond)
			}
		}
		explained++
	}
	if explained == 0 {
		t.Error("no statement has those times: this test looks for the wrong ones")
	}
}

// Who runs a statement is found by searching its name, which the code says as it is; and a name that no file bears would only show when it is run.
func TestStatementsAndTheirNamesInTheCode(t *testing.T) {
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	topics := map[string]bool{}
	for _, name := range catalog.Names() {
		topics[path.Dir(name)] = true
	}
	literal := regexp.MustCompile(`"([a-z_]+)/([a-z_0-9]+)"`)
	used := map[string]bool{}
	err = filepath.WalkDir("../..", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(source)) {
			if code, _, _ := strings.Cut(line, "//"); !strings.Contains(code, ".step(") && !strings.Contains(code, ".Step(") {
				for _, match := range literal.FindAllStringSubmatch(code, -1) {
					name := match[1] + "/" + match[2]
					if topics[match[1]] && !slices.Contains(catalog.Names(), name) {
						t.Errorf("%s: there is no statement %s", file, name)
					}
					used[name] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		if !used[name] {
			t.Errorf("nothing names the statement %s", name)
		}
	}
}

// The statements take every currency that the core knows the decimals of, and of ISO 4217 those that Stripe does not say how many decimals it would
// send them with: metals and codes for tests aside.
func TestCurrenciesOfTheStatements(t *testing.T) {
	fragment, err := os.ReadFile("../../sql/fragments/currencies.sql")
	if err != nil {
		t.Fatal(err)
	}
	unlisted := strings.Fields("bov btn che chw clf cou cup ern iqd irr kpw lyd mxv sdg ssp syp tmt ugx usn uyi uyw ved ves xdr xsu xua zwg zwl")
	var want []string
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			for c := 'a'; c <= 'z'; c++ {
				code := string([]rune{a, b, c})
				if _, known := reconcile.Exponent(code); known != slices.Contains(unlisted, code) {
					want = append(want, code)
				}
			}
		}
	}
	var codes []string
	for _, quoted := range regexp.MustCompile(`'[^']*'`).FindAllString(string(fragment), -1) {
		codes = append(codes, strings.Trim(quoted, "'"))
	}
	if !slices.Equal(codes, want) {
		t.Errorf("the fragment has %v, want %v", codes, want)
	}
}
