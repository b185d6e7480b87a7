package check

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
	"github.com/lib/pq"
)

func (c *checkup) source(ctx context.Context, store *postgres.Store) {
	var names []string
	for _, relation := range sql.SourceRelations {
		names = append(names, relation.Name)
	}
	args := postgres.Args{"schema": store.SourceSchema(), "relations": names}
	var columns []struct {
		Relation, Column, Type string
		IsVirtual              bool
	}
	if err := store.Select(ctx, &columns, "check/columns", args); err != nil {
		c.failed("source", err)
		return
	}
	types, virtual := map[string]map[string]string{}, []string{}
	for _, column := range columns {
		if types[column.Relation] == nil {
			types[column.Relation] = map[string]string{}
		}
		types[column.Relation][column.Column] = column.Type
		if column.IsVirtual {
			virtual = append(virtual, column.Relation+"."+column.Column)
		}
	}
	for _, relation := range sql.SourceRelations {
		c.relation(store.SourceSchema(), relation, types[relation.Name])
	}
	c.rights(ctx, store, args)
	c.rowSecurity(ctx, store, args)
	c.collations(ctx, store, args)
	c.ledger(ctx, store)
	c.indexes(ctx, store, args, virtual)
	c.statistics(ctx, store, args)
}

func (c *checkup) relation(schema string, relation sql.SourceRelation, types map[string]string) {
	check := "source " + schema + "." + relation.Name
	if types == nil {
		c.add(check, Failed, "create the table, or a view with the contract's columns; set RECONCILER_SOURCE_SCHEMA if it is in another schema", "there is no such table or view")
		return
	}
	sound := true
	for _, column := range relation.Columns {
		found, ok := types[column.Name]
		switch {
		case !ok:
			sound = false
			c.add(check, Failed, fmt.Sprintf("add it, or select it in the view, as %s", column.Type), "column %s is missing", column.Name)
		case found != column.Type && !compatible(column, found):
			sound = false
			c.add(check, Failed, fmt.Sprintf("cast it in the view: %s::%s", column.Name, column.Type), "column %s is %s, not %s", column.Name, found, column.Type)
		}
	}
	if sound {
		c.add(check, OK, "", "all %d columns as they should be", len(relation.Columns))
	}
}

// compatible says whether a column of another type reads the same way without a cast. Of ids citext takes two for one that differ in case.
func compatible(column sql.SourceColumn, found string) bool {
	switch column.Type {
	case "text":
		return found == "character varying" || found == "citext" && strings.HasSuffix(column.Name, "email")
	case "bigint":
		return found == "integer" || found == "smallint"
	default:
		return false
	}
}

func (c *checkup) rights(ctx context.Context, store *postgres.Store, args postgres.Args) {
	var rights []struct {
		Relation   string
		Usage      bool
		Select     bool `db:"can_select"`
		Insert     bool `db:"can_insert"`
		InsertSome bool `db:"can_insert_some"`
		Update     bool `db:"can_update"`
		Delete     bool `db:"can_delete"`
		Truncate   bool `db:"can_truncate"`
		Owner      bool `db:"is_owner"`
	}
	if err := store.Select(ctx, &rights, "check/rights", args); err != nil {
		c.failed("rights", err)
		return
	}
	if len(rights) == 0 {
		return // the relations are missing, which has been reported already
	}
	schema := pq.QuoteIdentifier(store.SourceSchema())
	before := len(c.lines)
	var surplus []string
	for _, r := range rights {
		name := schema + "." + pq.QuoteIdentifier(r.Relation)
		if !r.Usage || !r.Select {
			c.add("rights", Failed, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO …; GRANT SELECT ON %s TO …", schema, name), "can't read %s", r.Relation)
		}
		if r.Relation == "credit_entries" && !r.Insert {
			c.add("rights", Failed, fmt.Sprintf("GRANT INSERT ON %s TO …", name), "can't post credit-backs to %s", r.Relation)
		}
		may := []string{}
		for what, has := range map[string]bool{
			"UPDATE": r.Update, "DELETE": r.Delete, "TRUNCATE": r.Truncate, "INSERT": r.InsertSome && r.Relation != "credit_entries", "ownership": r.Owner,
		} {
			if has {
				may = append(may, what)
			}
		}
		if len(may) > 0 {
			slices.Sort(may)
			surplus = append(surplus, fmt.Sprintf("%s (%s)", r.Relation, strings.Join(may, ", ")))
		}
	}
	if len(surplus) > 0 {
		c.add("rights", Warning, "REVOKE what isn't SELECT, INSERT on credit_entries aside; sql/roles/roles.sql has the statements", "more than the worker needs on %s", strings.Join(surplus, ", "))
	}
	var beyond []struct{ May, Fix string }
	if err := store.Select(ctx, &beyond, "check/surplus", args); err != nil {
		c.failed("rights", err)
		return
	}
	for i, right := range beyond {
		if i == cli.MaxListed {
			c.add("rights", Warning, "use a role with just the rights of sql/roles/roles.sql", "%d more of this kind", len(beyond)-i)
			break
		}
		c.add("rights", Warning, right.Fix, "may %s", right.May)
	}
	var guarded bool
	if err := store.Get(ctx, &guarded, "check/ledger_guard", postgres.Args{"schema": store.SourceSchema()}); err != nil {
		c.add("rights", Failed, "see the message", "%v", err)
		return
	}
	if !guarded {
		c.add("rights", Warning, "run sql/platform/ledger_guard.sql as the owner of the ledger", "whoever has this role's password can post any entry, grants of credits included: nothing limits it to credit_back, refund and refund_reversal")
	}
	if len(c.lines) == before {
		c.add("rights", OK, "", "SELECT on the source, INSERT on credit_entries, nothing more")
	}
}

// rowSecurity finds policies that hide rows: a session of the worker makes an error of them, instead of totals that tie without those rows.
func (c *checkup) rowSecurity(ctx context.Context, store *postgres.Store, args postgres.Args) {
	const check = "row security"
	fix := fmt.Sprintf("let this role see every row: ALTER ROLE … BYPASSRLS, or a view in schema %s whose owner does", store.SourceSchema())
	var hidden []string
	if err := store.Select(ctx, &hidden, "check/row_security", args); err != nil {
		c.failed(check, err)
		return
	}
	if len(hidden) > 0 {
		c.add(check, Failed, fix, "row_security_active: policies hide rows of %s from this role", strings.Join(hidden, ", "))
		return
	}
	var none []int
	switch err := store.Select(ctx, &none, "check/readable", nil); {
	case postgres.HidesRows(err):
		c.add(check, Failed, fix, "row_security_active behind a view: %v", err)
	case errors.Is(err, postgres.ErrSetup): // a relation or right that is lacking has a line of its own
	case err != nil:
		c.failed(check, err)
	default:
		c.add(check, OK, "", "no policy hides a row from this role")
	}
}

// collations finds texts that can't be compared: a nondeterministic collation takes different ids for one and knows no patterns, and of columns
// with two collations of their own the server can't tell which to compare by. One beside the database's own does no harm.
func (c *checkup) collations(ctx context.Context, store *postgres.Store, args postgres.Args) {
	const check = "collations"
	var found []struct {
		Relation, Column, Collation string
		IsDeterministic             bool
	}
	if err := store.Select(ctx, &found, "check/collations", args); err != nil {
		c.failed(check, err)
		return
	}
	const fix = `ALTER TABLE … ALTER COLUMN %[1]s TYPE text COLLATE "default", or a view that selects it as %[1]s COLLATE "C" AS %[1]s, with an index of that collation`
	before := len(c.lines)
	first, where := "", ""
	for _, f := range found {
		i := slices.IndexFunc(sql.SourceRelations, func(r sql.SourceRelation) bool { return r.Name == f.Relation })
		if !slices.ContainsFunc(sql.SourceRelations[i].Columns, func(column sql.SourceColumn) bool { return column.Name == f.Column }) {
			continue // none of the worker's
		}
		name := f.Relation + "." + f.Column
		switch {
		case !f.IsDeterministic:
			c.add(check, Failed, fmt.Sprintf(fix, f.Column), "%s has the nondeterministic collation %s: it takes different texts for one", name, f.Collation)
		case first == "":
			first, where = f.Collation, name
		case first != f.Collation:
			c.add(check, Failed, fmt.Sprintf(fix, f.Column), "%s has collation %s, and %s has %s: the server can't tell by which to compare them", name, f.Collation, where, first)
		}
	}
	if len(c.lines) == before {
		c.add(check, OK, "", "texts can be compared")
	}
}

// ledger finds out whether entries can be posted, by having the server plan one.
func (c *checkup) ledger(ctx context.Context, store *postgres.Store) {
	const check = "ledger"
	var ledger struct {
		IsView         bool
		IsMaterialized bool
		Invokers       pq.StringArray
	}
	if err := store.Get(ctx, &ledger, "check/ledger", postgres.Args{"schema": store.SourceSchema()}); err != nil {
		if !errors.Is(err, dbsql.ErrNoRows) { // which has a line of its own
			c.failed(check, err)
		}
		return
	}
	var plan []string
	err := store.Select(ctx, &plan, "check/postable", nil)
	switch {
	case err == nil && len(ledger.Invokers) == 0:
		c.add(check, OK, "", "credit_entries takes the worker's entries")
	case err == nil:
		c.add(check, Warning, fmt.Sprintf("ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp", ledger.Invokers[0]),
			"%s, by which credit_entries takes entries, runs with the worker's rights, and it has none on the table behind the view", strings.Join(ledger.Invokers, ", "))
	case errors.Is(err, postgres.ErrSetup): // so has a right or a column that is lacking
	case errors.Is(err, postgres.ErrUnavailable):
		c.failed(check, err)
	case ledger.IsView:
		c.add(check, Failed, "an INSTEAD OF trigger that puts an entry where it belongs, and casts its ids where keys are numbers. To start from:\n"+ledgerView(store.SourceSchema()),
			"credit_entries is a view that can't take the worker's entries: %v", err)
	case ledger.IsMaterialized:
		c.add(check, Failed, "make it a view; a materialized one takes no entries", "credit_entries can't take the worker's entries: %v", err)
	default:
		c.add(check, Failed, "make credit_entries a table of the contract's columns, or a view of yours with an INSTEAD OF trigger", "credit_entries can't take the worker's entries: %v", err)
	}
}

// ledgerView is the example for a schema of that name.
func ledgerView(schema string) string {
	return strings.ReplaceAll(strings.TrimSpace(sql.LedgerView), "platform.", pq.QuoteIdentifier(schema)+".")
}

// indexes judges what the tables have; virtual are columns that can't have any.
func (c *checkup) indexes(ctx context.Context, store *postgres.Store, args postgres.Args, virtual []string) {
	var found []struct {
		Relation           string
		IsView             bool
		IsPartitioned      bool
		Indexes            pq.StringArray
		UniqueKey          bool
		UniqueID           bool
		UniqueKeyInParts   bool
		UniqueKeyByAccount bool
	}
	if err := store.Select(ctx, &found, "check/indexes", args); err != nil {
		c.failed("indexes", err)
		return
	}
	complete := len(found) > 0
	for _, f := range found {
		i := slices.IndexFunc(sql.SourceRelations, func(r sql.SourceRelation) bool { return r.Name == f.Relation })
		if f.IsView {
			complete = false
			c.add("indexes", Skipped, "", "%s is a view; every night searches it for duplicate ids; make sure the tables behind it are indexed by %s", f.Relation, indexColumns(sql.SourceRelations[i]))
			continue
		}
		table := pq.QuoteIdentifier(store.SourceSchema()) + "." + f.Relation
		if f.IsPartitioned {
			table = "each partition of " + table // the whole can't be indexed concurrently
		}
		for _, index := range sql.SourceRelations[i].Indexes {
			if !slices.Contains(f.Indexes, index.String()) {
				complete = false
				fix := fmt.Sprintf("CREATE INDEX CONCURRENTLY ON %s %s", table, index)
				if i := slices.IndexFunc(virtual, func(column string) bool { return mentions(index, strings.TrimPrefix(column, f.Relation+".")) }); i >= 0 {
					_, column, _ := strings.Cut(virtual[i], ".")
					fix = fmt.Sprintf("make %s a stored column first: a virtual one takes no index, no index can have it in its condition, and it has no statistics", column)
				}
				c.add("indexes", Warning, fix, "%s has none on %s: %s", f.Relation, index, index.Cost)
			}
		}
		if !f.UniqueID && c.isByAccount(f.Relation) {
			complete = false
			c.uniquePerAccount(f.Relation, table, f.UniqueKeyByAccount)
			continue
		}
		if !f.UniqueID {
			complete = false
			fix := fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (id)", table)
			if f.IsPartitioned {
				fix += "; only partitioning by hash of id makes it unique across the whole table"
			}
			c.add("indexes", Warning, fix, "nothing keeps %s.id unique: every night searches it for duplicate ids, and takes the first row of each", f.Relation)
		}
		if f.Relation == "credit_entries" && !f.UniqueKey {
			complete = false
			c.idempotencyKey(table, f.IsPartitioned, f.UniqueID, f.UniqueKeyInParts)
		}
	}
	if complete {
		c.add("indexes", OK, "", "all there")
	}
}

// mentions says whether an index has a column, as its key, in that, or in its condition.
func mentions(index sql.SourceIndex, column string) bool {
	return index.Column == column || strings.HasSuffix(index.Column, "("+column+")") || strings.HasPrefix(index.Where, "("+column+" ")
}

// idempotencyKey judges a ledger that doesn't keep its key unique as a whole, as a partitioned table can't. The worker makes the ids of its entries
// of the same as their keys, and a night that is run again books at the same instant.
func (c *checkup) idempotencyKey(table string, isPartitioned, uniqueID, uniqueInParts bool) {
	fix := fmt.Sprintf("CREATE UNIQUE INDEX CONCURRENTLY ON %s (idempotency_key)", table)
	switch {
	case isPartitioned && uniqueID:
		c.add("indexes", Warning, "nothing the worker needs; check that no other writer relies on the key",
			"credit_entries.idempotency_key is not unique across partitions: the ledger refuses the worker's entries a second time by their ids")
	case isPartitioned && uniqueInParts:
		c.add("indexes", Warning, "partition by hash of id to rule this out",
			"credit_entries.idempotency_key is unique within each partition only: the ledger itself would accept a credit-back a second time in another partition")
	default:
		c.add("indexes", Failed, fix, "credit_entries.idempotency_key is not unique: the ledger itself would accept a credit-back twice")
	}
}

// sampledRows of each relation are looked at, the newest: what breaks the contract now will in the next night.
const sampledRows = 10_000

// values samples what is in the columns. A view that passes a status or a sign of its own through has all columns as they should be, and every
// night would leave its rows out.
func (c *checkup) values(ctx context.Context, store *postgres.Store) {
	const check = "values"
	before := len(c.lines)
	for _, relation := range sql.SourceRelations {
		var found []struct {
			Field, Problem, Value string
			Rows                  int64
			AllRows               int64
			AllValues             int64
			Sampled               int64
		}
		err := store.Select(ctx, &found, relation.ValuesStatement, postgres.Args{"rows": sampledRows})
		if errors.Is(err, postgres.ErrSetup) {
			continue // a relation, column or right that is lacking has a line of its own
		}
		if err != nil {
			c.failed(check, err)
			return
		}
		for len(found) > 0 {
			first, shown := found[0], []string{}
			for len(found) > 0 && found[0].Field == first.Field && found[0].Problem == first.Problem {
				shown = append(shown, fmt.Sprintf("%q (%d)", found[0].Value, found[0].Rows))
				found = found[1:]
			}
			if more := first.AllValues - int64(len(shown)); more > 0 {
				shown = append(shown, fmt.Sprintf("%d more", more))
			}
			column := relation.Name + "." + first.Field
			c.add(check, Warning, fmt.Sprintf("every night leaves such rows out: have the platform give %s a value of the contract, or translate it in the view (CASE … WHEN … THEN … END)", column),
				"%d of the newest %d rows of %s: %s %s: %s", first.AllRows, first.Sampled, relation.Name, first.Field, first.Problem, strings.Join(shown, ", "))
		}
	}
	var twice []string
	switch err := store.Select(ctx, &twice, "check/key_duplicates", postgres.Args{"rows": sampledRows}); {
	case errors.Is(err, postgres.ErrSetup):
	case err != nil:
		c.failed(check, err)
		return
	case len(twice) > 0:
		c.add(check, Warning, "make it unique in the table that holds the ledger: it is what keeps an entry from being added twice", "several entries have the idempotency_key %q", twice[0])
	}
	if len(c.lines) == before {
		c.add(check, OK, "", "the newest rows of each relation keep the contract, as far as %d were looked at", sampledRows)
	}
}

func indexColumns(relation sql.SourceRelation) string {
	var columns []string
	for _, index := range relation.Indexes {
		columns = append(columns, index.String())
	}
	if columns == nil {
		return "nothing in particular"
	}
	return strings.Join(columns, ", ")
}

func (c *checkup) statistics(ctx context.Context, store *postgres.Store, args postgres.Args) {
	var stale []struct {
		Relation string
		Never    bool
		Changed  int64
	}
	if err := store.Select(ctx, &stale, "check/statistics", args); err != nil {
		c.failed("statistics", err)
		return
	}
	for _, table := range stale {
		fix := fmt.Sprintf("ANALYZE %s.%s, and see that autovacuum is on", pq.QuoteIdentifier(store.SourceSchema()), table.Relation)
		if table.Never {
			c.add("statistics", Warning, fix, "%s was never analyzed: plans of its queries are guesses", table.Relation)
		} else {
			c.add("statistics", Warning, fix, "%d rows of %s have changed since it was analyzed", table.Changed, table.Relation)
		}
	}
	if len(stale) == 0 {
		c.add("statistics", OK, "", "recent enough for the planner")
	}
}
