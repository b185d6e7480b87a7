package sql_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// What Citus refuses or can't route, whichever statement it is in.
var unportable = map[string]*regexp.Regexp{
	"a volatile function": regexp.MustCompile(`(?i)\b(now|random|clock_timestamp|statement_timestamp|nextval|gen_random_uuid|uuid_generate_v4)\s*\(|\bcurrent_(timestamp|date|time)\b`),
	"a skipped lock":      regexp.MustCompile(`(?i)\bskip\s+locked\b`),
	"an advisory lock":    regexp.MustCompile(`(?i)\bpg_(try_)?advisory_`),
	"a temporary table":   regexp.MustCompile(`(?i)\bcreate\s+temp`),
	"an offset":           regexp.MustCompile(`(?i)\boffset\s+[^0\s]`),
}

// Statements that break a rule for a reason: what they touch is not distributed.
var exempt = map[string]string{
	"audit/broken_changes": "FULL JOIN: of sums per link of the chain, on both sides of the aggregation",
	"audit/lock":           "advisory lock: taken through the coordinator, as the lock of a night is",
	"check/clock":          "clock: asks for it to compare the clocks, and reads no table",
	"check/replica":        "clock: says how far behind it a replica is, and reads no table",
	"stripe_match/cash":    "FULL JOIN: of sums per currency of Stripe's own books, which belong to no account",
}

var (
	fullJoin   = regexp.MustCompile(`(?is)\bfull\s+join\b`)
	insertInto = regexp.MustCompile(`(?is)\binsert\s+into\s+(?:reconciler\.)([a-z_]+)`)
	conflictOn = regexp.MustCompile(`(?is)\bon\s+conflict\s*\(([^)]*)\)\s*do`)
)

// Every statement, one by one: nothing that a database distributed by account_id would refuse.
func TestStatementsFitADistributedDatabase(t *testing.T) {
	db := testdb.New(t)
	hasAccount := map[string]bool{}
	var tables []string
	if err := db.Select(&tables, `SELECT table_name FROM information_schema.columns WHERE table_schema = 'reconciler' AND column_name = 'account_id'`); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		hasAccount[table] = true
	}
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			text := catalog.Statement(name).Text
			broken := 0
			defer func() {
				if exempt[name] != "" && broken == 0 {
					t.Error("is exempt, and needn't be")
				}
			}()
			fault := func(format string, args ...any) {
				broken++
				if exempt[name] == "" {
					t.Errorf(format, args...)
				}
			}
			for what, pattern := range unportable {
				if found := pattern.FindString(text); found != "" {
					fault("has %s: %s", what, found)
				}
			}
			for _, at := range fullJoin.FindAllStringIndex(text, -1) {
				if !strings.Contains(text[at[1]:], "account_id = ") {
					fault("has a FULL JOIN without account_id")
				}
			}
			inserts, conflicts := insertInto.FindAllStringSubmatch(text, -1), conflictOn.FindAllStringSubmatch(text, -1)
			if len(inserts) == 1 && len(conflicts) == 1 && hasAccount[inserts[0][1]] {
				columns := regexp.MustCompile(`[a-z_]+`).FindAllString(conflicts[0][1], -1)
				if !slices.Contains(columns, "account_id") {
					fault("resolves a conflict on %s without account_id: %v", inserts[0][1], columns)
				}
			}
		})
	}
}

// Every key of a table that belongs to accounts contains the account, so that the table can be distributed by it; and there is nothing
// in the schema that a distributed table can't have.
func TestKeysFitADistributedDatabase(t *testing.T) {
	db := testdb.New(t)
	var keys []struct {
		Table, Index string
		HasAccount   bool `db:"has_account"`
	}
	if err := db.Select(&keys, `
		SELECT c.relname AS "table", i.relname AS index,
		       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND a.attnum = ANY (x.indkey)) AS has_account
		FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
		WHERE c.relnamespace = 'reconciler'::regnamespace AND x.indisunique
		  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id' AND NOT a.attisdropped)
		ORDER BY 1, 2`); err != nil {
		t.Fatal(err)
	}
	if len(keys) == 0 {
		t.Fatal("no keys were found")
	}
	for _, key := range keys {
		if !key.HasAccount {
			t.Errorf("%s: the key %s lacks account_id", key.Table, key.Index)
		}
	}
	var triggers []string
	if err := db.Select(&triggers, `SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'reconciler'::regnamespace AND NOT t.tgisinternal`); err != nil {
		t.Fatal(err)
	}
	if len(triggers) > 0 {
		t.Errorf("triggers: %v", triggers)
	}
}
