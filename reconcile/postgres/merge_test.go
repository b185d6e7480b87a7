package postgres_test

import (
	"context"
	"slices"
	"testing"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// A merge of breaks is one statement, whose branches all see what was there before it: each has to do its part and no other one's, and a merge of
// the same findings again has nothing to note.
func TestMergeOfBreaks(t *testing.T) {
	t.Parallel()
	type episode struct{ opened, closed, as string }
	cases := []struct {
		name   string
		before []episode // of the break, on account a, with the value 1
		found  string    // tonight's value; "": it isn't found
		other  bool      // found on account b
		event  string    // that is noted; "": none
		after  []episode
	}{
		{"new", nil, "1", false, "opened", []episode{{"05", "", ""}}},
		{"known and the same", []episode{{"04", "", ""}}, "1", false, "", []episode{{"04", "", ""}}},
		{"known and changed", []episode{{"04", "", ""}}, "2", false, "changed", []episode{{"04", "", ""}}},
		{"gone", []episode{{"04", "", ""}}, "", false, "cleared", []episode{{"04", "05", "cleared"}}},
		{"of a later night", []episode{{"06", "", ""}}, "", false, "", []episode{{"06", "", ""}}},
		{"found before a later night found it", []episode{{"06", "", ""}}, "1", false, "opened", []episode{{"05", "", ""}, {"06", "", ""}}},
		{"cleared by an earlier run of tonight, and found", []episode{{"04", "05", "cleared"}}, "2", false, "reopened", []episode{{"04", "", ""}}},
		{"cleared by an earlier run of tonight", []episode{{"04", "05", "cleared"}}, "", false, "", []episode{{"04", "05", "cleared"}}},
		{"cleared before, and found", []episode{{"02", "04", "cleared"}}, "1", false, "opened", []episode{{"02", "04", "cleared"}, {"05", "", ""}}},
		{"cleared by a later night, and found", []episode{{"02", "07", "cleared"}}, "1", false, "", []episode{{"02", "07", "cleared"}}},
		{"cleared by a later night, and gone", []episode{{"02", "07", "cleared"}}, "", false, "cleared", []episode{{"02", "05", "cleared"}}},
		{"resolved, and the same", []episode{{"02", "04", "resolved"}}, "1", false, "", []episode{{"02", "04", "resolved"}}},
		{"resolved, and changed", []episode{{"02", "04", "resolved"}}, "2", false, "opened", []episode{{"02", "04", "resolved"}, {"05", "", ""}}},
		{"resolved tonight, and the same", []episode{{"02", "05", "resolved"}}, "1", false, "", []episode{{"02", "05", "resolved"}}},
		{"an older episode open beneath", []episode{{"01", "", ""}, {"03", "04", "cleared"}}, "", false, "", []episode{{"01", "", ""}, {"03", "04", "cleared"}}},
		{"found on another account", []episode{{"04", "", ""}}, "1", true, "", []episode{{"04", "", ""}}},
		{"changed, and on another account", []episode{{"04", "", ""}}, "2", true, "changed", []episode{{"04", "", ""}}},
		{"resolved, and on another account", []episode{{"02", "04", "resolved"}}, "1", true, "", []episode{{"02", "04", "resolved"}}},
		{"resolved tonight, and on another account", []episode{{"02", "05", "resolved"}}, "1", true, "", []episode{{"02", "05", "resolved"}}},
		{"resolved, changed, and on another account", []episode{{"02", "04", "resolved"}}, "2", true, "opened", []episode{{"02", "04", "resolved"}}},
		{"resolved, cleared later, and on another account", []episode{{"01", "02", "resolved"}, {"03", "04", "cleared"}}, "1", true, "opened", []episode{{"01", "02", "resolved"}, {"03", "04", "cleared"}}},
	}
	db := testdb.New(t)
	store := open(t, db, postgres.Options{})
	const insertBreak = `INSERT INTO reconciler.breaks (account_id, break_id, opened_on, closed_on, closed_as, job, kind, severity, subject_type, subject_id, field)
		VALUES ('a', 'brk_' || left(md5('kind|' || $1 || '|field'), 20), ('2026-03-' || $2)::date, ('2026-03-' || nullif($3, ''))::date, nullif($4, ''), $5, 'kind', 'error', 'job', $1, 'field')`
	const insertEvent = `INSERT INTO reconciler.break_events (account_id, break_id, business_date, event_no, event, ours, actor, recorded_at)
		VALUES ('a', 'brk_' || left(md5('kind|' || $1 || '|field'), 20), ('2026-03-' || $2)::date, 1, 'opened', '1', 'test', now())`
	jobOf := func(other bool) string {
		if other {
			return "moving"
		}
		return "staying"
	}
	find := func(job string) {
		for _, c := range cases {
			if c.found == "" || jobOf(c.other) != job {
				continue
			}
			account := "a"
			if c.other {
				account = "b"
			}
			db.MustExec("INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours) VALUES ($1, '2026-03-05', $2, 'kind', $3, 'field', $4)", account, job, c.name, c.found)
		}
	}
	for _, c := range cases {
		for _, e := range c.before {
			db.MustExec(insertBreak, c.name, e.opened, e.closed, e.as, jobOf(c.other))
			db.MustExec(insertEvent, c.name, e.opened)
		}
	}
	db.MustExec(insertBreak, "another job's", "04", "", "", "another")
	type merged struct {
		Moved                                     bool
		Found, Opened, Reopened, Changed, Cleared int64
	}
	rules := postgres.Args{"date": "2026-03-05", "kinds": []string{"kind"}, "severities": []string{"error"}, "subject_types": []string{"job"},
		"by_ours": []bool{true}, "by_theirs": []bool{false}, "by_variance": []bool{false}}
	merge := func(job string, accountsKept bool) (m merged) {
		t.Helper()
		args := rules.And(postgres.Args{"job": job, "as_of": "2026-03-06T00:00:00Z", "accounts_kept": accountsKept})
		err := store.InTx(t.Context(), postgres.TxOptions{Snapshot: true}, func(ctx context.Context, tx *postgres.Tx) error {
			return tx.Get(ctx, &m, "breaks/merge", args)
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	want := map[string]merged{}
	for _, c := range cases {
		m := want[jobOf(c.other)]
		if c.found != "" {
			m.Found++
		}
		if n, ok := map[string]*int64{"opened": &m.Opened, "reopened": &m.Reopened, "changed": &m.Changed, "cleared": &m.Cleared}[c.event]; ok {
			*n++
		}
		want[jobOf(c.other)] = m
	}
	for round := range 2 {
		find("staying")
		if got := merge("staying", false); round == 0 && got != want["staying"] {
			t.Errorf("merged %+v, want %+v", got, want["staying"])
		} else if round == 1 && got != (merged{Found: want["staying"].Found}) {
			t.Errorf("merged %+v of the same findings again", got)
		}
		find("moving")
		if got := merge("moving", false); got != (merged{Moved: true}) {
			t.Errorf("merged %+v while findings are on other accounts than their breaks", got)
		}
		if _, err := store.Exec(t.Context(), "breaks/keep_account", rules.And(postgres.Args{"job": "moving"})); err != nil {
			t.Fatal(err)
		}
		if got := merge("moving", true); round == 0 && got != want["moving"] {
			t.Errorf("merged %+v, want %+v", got, want["moving"])
		}
	}
	for _, c := range cases {
		var after []episode
		rows, err := db.Query("SELECT to_char(opened_on, 'DD'), coalesce(to_char(closed_on, 'DD'), ''), coalesce(closed_as, '') FROM reconciler.breaks WHERE subject_id = $1 AND account_id = 'a' ORDER BY opened_on", c.name)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var e episode
			if err := rows.Scan(&e.opened, &e.closed, &e.as); err != nil {
				t.Fatal(err)
			}
			after = append(after, e)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(after, c.after) {
			t.Errorf("%s: the break is %v, want %v", c.name, after, c.after)
		}
		var events []string
		if err := db.Select(&events, `SELECT e.event FROM reconciler.break_events e WHERE e.break_id = 'brk_' || left(md5('kind|' || $1 || '|field'), 20) AND e.actor = 'reconciler'`, c.name); err != nil {
			t.Fatal(err)
		}
		if wanted := slices.DeleteFunc([]string{c.event}, func(e string) bool { return e == "" }); !slices.Equal(events, wanted) {
			t.Errorf("%s: noted are %v, want %v", c.name, events, wanted)
		}
	}
	var left int
	if err := db.Get(&left, "SELECT (SELECT count(*) FROM reconciler.findings) + (SELECT count(*) FROM reconciler.breaks WHERE job = 'another' AND closed_on IS NOT NULL)"); err != nil || left != 0 {
		t.Errorf("findings stay, or another job's breaks don't: %d, %v", left, err)
	}
}
