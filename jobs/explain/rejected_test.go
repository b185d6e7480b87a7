package explain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/explain"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// Rows that break the contract are those that people ask for: whatever a column holds, such a row and its account are told.
func TestRowsThatBreakTheContractAreExplained(t *testing.T) {
	db := testdb.New(t)
	store, err := postgres.Open(postgres.Options{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	db.MustExec("INSERT INTO platform.accounts VALUES ('acct', 'a@x.test', 'active', '2026-01-01')")
	asked := []string{"acct", "a@x.test"}
	for _, relation := range sql.SourceRelations {
		for _, broken := range relation.Columns[1:] {
			values := []string{"NULL"}
			if broken.Name == "account_id" && db.Distributed() { // no distributed table takes a row without an account
				values = []string{"''"}
			}
			if broken.Type == "timestamp with time zone" || broken.Type == "date" {
				values = append(values, "'infinity'", "'-infinity'", "'10000-01-01'", "'0044-03-15 BC'")
			}
			for i, value := range values {
				id := fmt.Sprintf("%s-%s-%d", relation.Name, broken.Name, i)
				names, row := []string{"id", broken.Name}, []string{"'" + id + "'", value}
				if relation.Name != "accounts" && broken.Name != "account_id" {
					names, row = append(names, "account_id"), append(row, "'acct'")
				}
				db.MustExec("INSERT INTO platform." + relation.Name + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(row, ", ") + ")")
				if relation.Name != "subscription_changes" { // they are told with their subscription
					asked = append(asked, id)
				}
			}
		}
	}
	db.MustExec(`INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id) VALUES ('entry-of-a-job', 'acct', 'usage', 5, 'jobs-kind-0')`)
	db.MustExec(`INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem, cause)
		SELECT 'acct', d::date, r[1], r[2], 'created_at', 'null', 'is null', 'contract'
		FROM generate_series(timestamp '2026-03-05', '2026-03-07', '1 day') d,
		     (VALUES (ARRAY['jobs', 'jobs-kind-0']), (ARRAY['credit_entries', 'entry-of-a-job']), (ARRAY['accounts', 'accounts-email-0'])) x (r)`)
	db.MustExec("UPDATE platform.subscription_changes SET subscription_id = 'subscriptions-plan-0'")
	for _, id := range asked {
		if found, err := explain.Tell(t.Context(), store, time.Now(), id); err != nil || len(found.Sections) == 0 {
			t.Errorf("%s: %d sections, %v", id, len(found.Sections), err)
		}
	}
	for id, want := range map[string][]string{
		"jobs-kind-0":      {"entry-of-a-job is left out: created_at is null, up to the night of 2026-03-07", "jobs-kind-0 is left out: created_at is null, up to the night of 2026-03-07"},
		"accounts-email-0": {"accounts-email-0 is left out: created_at is null, up to the night of 2026-03-07"},
		"jobs-model-0":     nil,
	} {
		found, err := explain.Tell(t.Context(), store, time.Now(), id)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, section := range found.Sections {
			for _, row := range section.Rows {
				if section.Key == "story" && strings.Contains(row[1].Text, "left out") {
					told = append(told, row[1].Text)
				}
			}
		}
		if slices.Sort(told); !slices.Equal(told, want) {
			t.Errorf("%s: it is told %q, want %q", id, told, want)
		}
	}
}
