package sql_test

import (
	"strings"
	"testing"

	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// Values at the boundaries of the contract, by type.
var boundaries = map[string][]string{
	"text":   {"NULL", "''", "'x'", "'usd'", "'xxx'"},
	"bigint": {"NULL", "-1", "0", "1"},
	"timestamp with time zone": {"NULL", "timestamptz '-infinity'", "timestamptz '1999-12-31 23:59:59.999999Z'", "timestamptz '2000-01-01 00:00:00Z'",
		"timestamptz '2026-03-05 12:00:00Z'", "timestamptz '2199-12-31 23:59:59Z'", "timestamptz '2200-01-01 00:00:00Z'",
		"timestamptz '9999-12-31 23:59:59Z'", "timestamptz '10000-01-01 00:00:00Z'", "timestamptz 'infinity'"},
	"date": {"NULL"},
}

// The words that columns of words may have, whatever the relation.
var words = map[string][]string{
	"kind": {"'credits'", "'subscription'", "'image'", "'video'", "'fine_tune'", "'usage'", "'purchase'", "'promo'", "'credit_back'", "'refund'",
		"'refund_reversal'", "'adjustment'", "'unused_credits'", "'failed_job'", "'upgrade'", "'downgrade'", "'cancel'", "'Image'"},
	"status": {"'active'", "'suspended'", "'closed'", "'pending'", "'completed'", "'failed'", "'queued'", "'running'", "'succeeded'", "'interrupted'",
		"'canceled'", "'approved'", "'denied'", "'withdrawn'", "'Active'"},
}

// What one condition takes for valid is what no check finds fault with: rows that are sound but for two columns, which have every two values.
func TestChecksAndTheConditionOfAValidRowAgree(t *testing.T) {
	db := testdb.New(t)
	for _, relation := range sql.SourceRelations {
		t.Run(relation.Name, func(t *testing.T) {
			valid, faults, err := sql.ContractOf(relation)
			if err != nil {
				t.Fatal(err)
			}
			var sides []string
			for i, one := range relation.Columns {
				for _, other := range relation.Columns[i+1:] {
					sides = append(sides, pairs(relation, one, other))
				}
			}
			var found struct{ Rows, Valid, Differ int }
			err = db.Get(&found, `SELECT count(*) AS rows, count(*) FILTER (WHERE valid) AS valid, count(*) FILTER (WHERE valid = broken) AS differ
				FROM (SELECT (`+valid+`) IS TRUE AS valid, (SELECT bool_or(f.bad IS TRUE) FROM (VALUES `+strings.ReplaceAll(faults, "x.", "e.")+`) AS f (field, value, problem, bad)) AS broken
				      FROM (`+strings.Join(sides, " UNION ALL ")+`) e) r`)
			if err != nil {
				t.Fatal(err)
			}
			if found.Differ != 0 || found.Valid < 10 || found.Rows-found.Valid < 10 {
				t.Errorf("of %d rows %d are valid; of %d the condition and the checks say different things", found.Rows, found.Valid, found.Differ)
			}
		})
	}
}

// No time of a row that counts is infinite: one can't be taken from another, and stops the night.
func TestInfinityIsNoTimeOfTheContract(t *testing.T) {
	db := testdb.New(t)
	for _, relation := range sql.SourceRelations {
		valid, _, err := sql.ContractOf(relation)
		if err != nil {
			t.Fatal(err)
		}
		for _, infinite := range relation.Columns {
			if infinite.Type != "timestamp with time zone" {
				continue
			}
			var columns []string
			for _, c := range relation.Columns {
				if c.Name == infinite.Name {
					columns = append(columns, "t.v AS "+c.Name)
				} else {
					columns = append(columns, sound(relation.Name, c)+"::"+c.Type+" AS "+c.Name)
				}
			}
			var taken []string
			err := db.Select(&taken, "SELECT v::text FROM (SELECT t.v, "+strings.Join(columns, ", ")+
				" FROM (VALUES (timestamptz '-infinity'), ('infinity'), ('2026-03-05 12:00:00Z')) t (v)) e WHERE "+valid)
			if err != nil {
				t.Fatal(err)
			}
			if len(taken) != 1 || !strings.HasPrefix(taken[0], "2026-03-05") {
				t.Errorf("%s.%s: of infinity and 5 March 2026 it takes %q", relation.Name, infinite.Name, taken)
			}
		}
	}
}

// pairs selects rows that have every two values of two columns, and sound ones in the others.
func pairs(relation sql.SourceRelation, one, other sql.SourceColumn) string {
	var columns []string
	for _, c := range relation.Columns {
		switch c.Name {
		case one.Name:
			columns = append(columns, "a.v AS "+c.Name)
		case other.Name:
			columns = append(columns, "b.v AS "+c.Name)
		default:
			columns = append(columns, sound(relation.Name, c)+"::"+c.Type+" AS "+c.Name)
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM " + values(one, "a") + " CROSS JOIN " + values(other, "b")
}

func values(c sql.SourceColumn, alias string) string {
	all := append(append([]string{}, boundaries[c.Type]...), words[c.Name]...)
	return "unnest(ARRAY[" + strings.Join(all, ", ") + "]::" + strings.TrimSpace(c.Type) + "[]) AS " + alias + " (v)"
}

func sound(relation string, c sql.SourceColumn) string {
	switch {
	case c.Nullable && c.Name != "finished_at" && c.Name != "completed_at":
		return "NULL"
	case c.Type == "bigint":
		return "0"
	case c.Type == "timestamp with time zone":
		return "'2026-03-05 12:00:00Z'"
	case c.Name == "currency":
		return "'usd'"
	case c.Name == "kind":
		return map[string]string{"purchases": "'credits'", "jobs": "'image'", "credit_entries": "'adjustment'", "refund_requests": "'failed_job'", "subscription_changes": "'cancel'"}[relation]
	case c.Name == "status":
		return map[string]string{"accounts": "'active'", "purchases": "'completed'", "jobs": "'failed'", "refund_requests": "'pending'", "subscriptions": "'active'"}[relation]
	}
	return "'x'"
}
