package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

// Trap is a state of a platform's database that makes planners choose badly.
type Trap struct {
	Name string
	// set are settings of the database, which the worker's own have to prevail over.
	set []string
	// lay are statements that change the platform's tables, or put views before them.
	Lay []string
	// schema is where the worker finds the platform; "": where it is.
	schema string
}

// Traps are what is measured against the plain night, whose server has the usual work_mem of 4 MB.
func Traps() []Trap {
	return []Trap{
		{Name: "no statistics: a bulk load a moment ago", Lay: reloaded("")},
		{Name: "stale statistics: analyzed at a thousandth", Lay: reloaded("ANALYZE platform.%[1]s")},
		{Name: "work_mem of the database 64 kB", set: []string{"work_mem = '64kB'", "hash_mem_multiplier = 1"}},
		{Name: "plan_cache_mode of the database force_generic_plan", set: []string{"plan_cache_mode = force_generic_plan"}},
		{Name: "jit of the database on, at any cost", set: []string{"jit = on", "jit_above_cost = 0", "jit_inline_above_cost = 0", "jit_optimize_above_cost = 0"}},
		{Name: "views", schema: "seen", Lay: views("kind")},
		{Name: "views that compute a column: lower(kind)", schema: "seen", Lay: views("lower(kind) AS kind")},
		{Name: "the same, with partial indexes on what it computes", schema: "seen", Lay: append(views("lower(kind) AS kind"),
			"CREATE INDEX ON platform.credit_entries (created_at) WHERE lower(kind) <> 'usage'", "CREATE INDEX ON platform.credit_entries (account_id) WHERE lower(kind) <> 'usage'")},
		{Name: "8 partitions by hash of id", Lay: partitioned("HASH (id)", eighths())},
		{Name: "26 partitions by month of created_at", Lay: partitioned("RANGE (created_at)", months(26))},
	}
}

// rebuild makes an empty table like one of the platform's, with the same indexes, and puts the old one into schema former. A unique index that
// a partitioned table can't have as a whole is made on each partition instead.
const rebuild = `CREATE SCHEMA former;
CREATE FUNCTION former.rebuild(relation text, options text, partitions text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    definition text;
    part text;
BEGIN
    EXECUTE format('ALTER TABLE platform.%I SET SCHEMA former', relation);
    EXECUTE format('CREATE TABLE platform.%1$I (LIKE former.%1$I) %2$s', relation, options);
    FOREACH part IN ARRAY partitions LOOP
        EXECUTE format(part, relation);
    END LOOP;
    FOR definition IN SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ('former.' || relation)::regclass LOOP
        BEGIN
            EXECUTE regexp_replace(definition, 'INDEX \S+ ON \S+', 'INDEX ON platform.' || relation);
        EXCEPTION WHEN feature_not_supported THEN
            FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = ('platform.' || relation)::regclass LOOP
                EXECUTE regexp_replace(definition, 'INDEX \S+ ON \S+', 'INDEX ON ' || part);
            END LOOP;
        END;
    END LOOP;
END $$`

// reloaded fills tables anew and leaves them without statistics, but for what looks at them when a thousandth of their rows are in: the oldest.
func reloaded(look string) []string {
	statements := []string{rebuild}
	for _, relation := range []string{"accounts", "purchases", "jobs", "credit_entries"} {
		statements = append(statements, fmt.Sprintf(`SELECT former.rebuild('%s', 'WITH (autovacuum_enabled = false)', '{}')`, relation),
			fmt.Sprintf(`INSERT INTO platform.%[1]s SELECT * FROM former.%[1]s ORDER BY created_at, id LIMIT (SELECT count(*) / 1000 FROM former.%[1]s)`, relation))
		if look != "" {
			statements = append(statements, fmt.Sprintf(look, relation))
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO platform.%[1]s SELECT * FROM former.%[1]s ORDER BY created_at, id OFFSET (SELECT count(*) / 1000 FROM former.%[1]s)`, relation))
	}
	return append(statements, "DROP SCHEMA former CASCADE")
}

// partitioned takes jobs and ledger apart. Of the statistics there are those that autovacuum keeps: of the partitions, not of the whole.
func partitioned(by string, partitions []string) []string {
	statements := []string{rebuild}
	for _, relation := range []string{"jobs", "credit_entries"} {
		statements = append(statements, fmt.Sprintf(`SELECT former.rebuild('%s', 'PARTITION BY %s', ARRAY[$$%s$$])`, relation, by, strings.Join(partitions, "$$, $$")),
			fmt.Sprintf(`INSERT INTO platform.%[1]s SELECT * FROM former.%[1]s`, relation))
		for i := range partitions {
			statements = append(statements, fmt.Sprintf("VACUUM ANALYZE platform.%s_%d", relation, i))
		}
	}
	return append(statements, "DROP SCHEMA former CASCADE")
}

func eighths() (partitions []string) {
	for i := range 8 {
		partitions = append(partitions, fmt.Sprintf("CREATE TABLE platform.%%1$s_%d PARTITION OF platform.%%1$s FOR VALUES WITH (MODULUS 8, REMAINDER %[1]d)", i))
	}
	return partitions
}

// months end with the one of the measured night.
func months(n int) (partitions []string) {
	first := benchNight.Begin.AddDate(0, 0, 1-benchNight.Date.Day)
	for i := range n {
		begin := first.AddDate(0, i-n+1, 0)
		partitions = append(partitions, fmt.Sprintf("CREATE TABLE platform.%%1$s_%d PARTITION OF platform.%%1$s FOR VALUES FROM ('%s') TO ('%s')",
			i, begin.Format("2006-01-02 MST"), begin.AddDate(0, 1, 0).Format("2006-01-02 MST")))
	}
	return partitions
}

// views are put before all tables, with column kind as given. One that is computed can't be written through the view alone.
func views(kind string) []string {
	statements := []string{"CREATE SCHEMA seen"}
	for _, relation := range sql.SourceRelations {
		var columns []string
		for _, column := range relation.Columns {
			if column.Name == "kind" {
				column.Name = kind
			}
			columns = append(columns, column.Name)
		}
		statements = append(statements, fmt.Sprintf("CREATE VIEW seen.%[1]s AS SELECT %[2]s FROM platform.%[1]s", relation.Name, strings.Join(columns, ", ")))
	}
	if kind == "kind" {
		return statements
	}
	return append(statements,
		`CREATE FUNCTION seen.post() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO platform.credit_entries SELECT new.*; RETURN new; END $$`,
		`CREATE TRIGGER post INSTEAD OF INSERT ON seen.credit_entries FOR EACH ROW EXECUTE FUNCTION seen.post()`)
}

// traps measures the same night with each trap and without, in turns, on copies of one database.
func (l *lab) traps(ctx context.Context, r *benchReport) error {
	b, err := l.prepared(ctx, "plain", l.jobs/10, 0, 0)
	if err != nil {
		return err
	}
	if err := b.close(); err != nil {
		return err
	}
	var plain []float64
	for i, t := range Traps() {
		name := fmt.Sprintf("trap%d", i)
		if err := l.lay(ctx, t, name); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		var with, without []trapped
		for run := range l.runs {
			l.say("%s: run %d of %d", t.Name, run+1, l.runs)
			usual, err := l.copied(ctx, Trap{}, "plain")
			if err != nil {
				return err
			}
			caught, err := l.copied(ctx, t, name)
			if err == nil {
				err = sameLines(usual.outcome, caught.outcome)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			without, with = append(without, usual), append(with, caught)
		}
		r.atMost(t.Name, 0, "times", ratios(took(with), took(without)), dearer(with[0], without[0]))
		plain = append(plain, took(without)...)
		if err := l.forget(ctx, name); err != nil {
			return err
		}
	}
	r.atMost("the plain night that these are compared with", 0, "s", plain, fmt.Sprintf("%d jobs; the outcome was the same each time", l.jobs/10))
	return l.forget(ctx, "plain")
}

// trapped is what came of one night.
type trapped struct {
	took       time.Duration
	statements map[string]time.Duration
	outcome    []string
}

func took(nights []trapped) (all []float64) {
	for _, night := range nights {
		all = append(all, seconds(night.took))
	}
	return all
}

// dearer names the statements that took so much longer that it shows.
func dearer(with, without trapped) string {
	more := map[string]time.Duration{}
	for statement, took := range with.statements {
		if grown := took - without.statements[statement]; grown > without.took/10 {
			more[statement] = grown
		}
	}
	var names []string
	for _, statement := range slices.SortedFunc(maps.Keys(more), func(a, b string) int { return cmp.Compare(more[b], more[a]) }) {
		names = append(names, fmt.Sprintf("%s %.2f s", statement, seconds(with.statements[statement])))
	}
	return strings.Join(names[:min(len(names), 3)], ", ")
}

// lay makes a copy of the plain database with the trap in it.
func (l *lab) lay(ctx context.Context, t Trap, name string) error {
	b, err := l.newBed(ctx, name, "plain")
	if err != nil {
		return err
	}
	for _, statement := range t.Lay {
		if _, err := b.admin.ExecContext(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", statement, err), b.close())
		}
	}
	// Relations that were made anew need their rights anew, and those behind views keep theirs.
	for _, schema := range []string{sql.DefaultSourceSchema, cmp.Or(t.schema, sql.DefaultSourceSchema)} {
		if _, err := b.admin.ExecContext(ctx, "SET reconciler.source_schema = "+pq.QuoteLiteral(schema)+";"+sql.Roles); err != nil {
			return errors.Join(fmt.Errorf("rights on %s: %w", schema, err), b.close())
		}
	}
	return b.close()
}

// copied does the night on a copy of a database, and returns what came of it. Settings of a database aren't copied with it.
func (l *lab) copied(ctx context.Context, t Trap, from string) (night trapped, err error) {
	b, err := l.newBed(ctx, "run", from)
	if err != nil {
		return night, err
	}
	defer func() { err = errors.Join(err, b.drop(ctx)) }()
	for _, setting := range t.set {
		if _, err := b.admin.ExecContext(ctx, "ALTER DATABASE run SET "+setting); err != nil {
			return night, err
		}
	}
	if err := b.reopen(t.schema); err != nil {
		return night, err
	}
	if night.took, err = b.run(ctx, benchNight.Date); err != nil {
		return night, err
	}
	night.statements = b.statements
	return night, b.worker.Store.Select(ctx, &night.outcome, "bench/outcome", postgres.Args{"date": benchNight.Date, "end": benchNight.End})
}

// sameLines says where two outcomes differ.
func sameLines(want, got []string) error {
	for _, line := range want {
		if !slices.Contains(got, line) {
			return fmt.Errorf("%w: without the trap, but not with it: %s", night.ErrIntegrity, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			return fmt.Errorf("%w: with the trap, but not without it: %s", night.ErrIntegrity, line)
		}
	}
	return nil
}
