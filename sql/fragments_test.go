package sql_test

import (
	gosql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// amounts are a set's triples of every boundary and of random values between them, up to the most.
func amounts(most int64) (triples [][3]int64) {
	edges := []int64{0, 1, 2, 3, 59, 1000, most - 1, most}
	for _, a := range edges {
		for _, b := range edges {
			for _, c := range edges {
				triples = append(triples, [3]int64{a, b, c})
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	upTo := func() int64 { return random.Int64N(max(1, most>>random.IntN(40))) }
	for range 2000 {
		triples = append(triples, [3]int64{upTo(), upTo(), upTo()})
	}
	return triples
}

// answers runs a fragment over rows, in their order, and hands on what each came to; null where it came to nothing.
func answers(t *testing.T, fragment, from string, rows []map[string]int64, check func(i int, answer gosql.NullString)) {
	t.Helper()
	text, err := sql.Fragment(fragment)
	if err != nil {
		t.Fatal(err)
	}
	given, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	found, err := testdb.New(t).Query(fmt.Sprintf(`SELECT (%s)::text FROM (SELECT ordinality, r.* FROM json_array_elements($1) WITH ORDINALITY o (row, ordinality)
		CROSS JOIN LATERAL json_to_record(o.row) AS r %s ORDER BY ordinality`, text, from), string(given))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	n := 0
	for ; found.Next(); n++ {
		var answer gosql.NullString
		if err := found.Scan(&answer); err != nil {
			t.Fatal(err)
		}
		check(n, answer)
	}
	if found.Err() != nil || n != len(rows) {
		t.Fatalf("%d of %d rows, %v", n, len(rows), found.Err())
	}
}

// A fee is converted by statements as reconcile converts it.
func TestAmountsAreConvertedAsTheCoreConvertsFees(t *testing.T) {
	var rows []map[string]int64
	for _, a := range amounts(math.MaxInt64) {
		if a[2] > 0 {
			rows = append(rows, map[string]int64{"minor": a[0], "is_worth": a[1], "all_minor": a[2]})
		}
	}
	overflows := 0
	answers(t, "converted", "(minor bigint, is_worth bigint, all_minor bigint)) x", rows, func(i int, answer gosql.NullString) {
		row := rows[i]
		want, err := reconcile.ConvertFee(row["minor"], row["is_worth"], row["all_minor"])
		if errors.Is(err, reconcile.ErrOverflow) {
			overflows++
			if len(answer.String) < len(fmt.Sprint(math.MaxInt64)) {
				t.Errorf("%v: %s, want more than 64 bits hold", row, answer.String)
			}
			return
		}
		if err != nil || answer.String != fmt.Sprint(want) {
			t.Errorf("%v: %s, want %d, %v", row, answer.String, want, err)
		}
	})
	if overflows == 0 || overflows == len(rows) {
		t.Errorf("%d of %d rows overflow", overflows, len(rows))
	}
}

// What a refund pays back is for statements what it is for reconcile, and unknown where it is unknown there.
func TestRefundableIsWhatTheCoreSays(t *testing.T) {
	var rows []map[string]int64
	for i, a := range amounts(3_000_000_000) {
		row := map[string]int64{"fee_minor": a[0], "captured_minor": a[1], "settled_minor": a[2], "surplus_minor": 0, "from_balance_minor": 0}
		switch i % 4 {
		case 1:
			row["surplus_minor"], row["from_balance_minor"] = a[1]/3, -a[0]/2
		case 2:
			row["fee_minor"], row["from_balance_minor"] = -a[0], a[2]
		case 3:
			row["settled_minor"] = -a[2]
		}
		rows = append(rows, row)
	}
	unknown := 0
	from := `(fee_minor bigint, captured_minor bigint, settled_minor bigint, surplus_minor bigint, from_balance_minor bigint)) m
		CROSS JOIN LATERAL (SELECT m.surplus_minor) r CROSS JOIN LATERAL (SELECT m.from_balance_minor) i`
	answers(t, "refundable", from, rows, func(i int, answer gosql.NullString) {
		row := rows[i]
		want, _, err := reconcile.Payment{
			CapturedMinor: row["captured_minor"], SettledMinor: row["settled_minor"], FeeMinor: row["fee_minor"], SurplusMinor: row["surplus_minor"],
			FromBalanceMinor: row["from_balance_minor"],
		}.Refundable()
		switch {
		case err != nil && answer.Valid, err == nil && answer.String != fmt.Sprint(want):
			t.Errorf("%v: %s, want %d, %v", row, answer.String, want, err)
		case err != nil:
			unknown++
		}
	})
	if unknown == 0 || unknown == len(rows) {
		t.Errorf("%d of %d rows are unknown", unknown, len(rows))
	}
}

// Amounts are whole numbers of any size: a statement that answers in floating point loses digits beyond 2^53, as sign() of a bigint does.
func TestNoStatementAnswersInFloatingPoint(t *testing.T) {
	db := testdb.NewOnOneServer(t)
	catalog, err := sql.NewCatalog(sql.DefaultSourceSchema)
	if err != nil {
		t.Fatal(err)
	}
	answering := 0
	for _, name := range catalog.Names() {
		one := newTrial(t, db.DB, catalog.Statement(name))
		rows, err := one.tx.Query(one.text, one.args...)
		if err != nil { // the values are made up; that statements run is for other tests
			t.Logf("%s: %v", name, err)
			_ = one.tx.Rollback()
			continue
		}
		columns, err := rows.ColumnTypes()
		if err != nil {
			t.Fatal(err)
		}
		for _, column := range columns {
			answering++
			figure := name + " " + column.Name()
			if figure == "metrics/night credits" || figure == "check/replica seconds_behind" { // for a gauge, and a delay
				continue
			}
			if kind := column.DatabaseTypeName(); kind == "FLOAT8" || kind == "FLOAT4" {
				t.Errorf("%s: %s is a %s", name, column.Name(), kind)
			}
		}
		_ = rows.Close()
		_ = one.tx.Rollback()
	}
	if answering == 0 {
		t.Error("no statement answered")
	}
}
