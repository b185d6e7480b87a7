package simulation

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
	"golang.org/x/sync/errgroup"

	"github.com/hummingbytes/reconciler/reconcile"
)

//go:embed bulk.sql
var bulkFile string

// bulkStatements are the parts of bulk.sql by name.
var bulkStatements = func() map[string]string {
	statements := make(map[string]string)
	for _, part := range strings.Split(bulkFile, "-- name: ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		statements[name] = text
	}
	return statements
}()

// BulkNight is a night of jobs and debits that the database makes up itself, by the million: for benchmarks. There is nothing else in
// it, and no time of day is busier than another.
type BulkNight struct {
	Night reconcile.Night
	Seed  int64
	Jobs  int64
	// Accounts that the jobs are spread over; FillAccounts makes them.
	Accounts int64
	// FailuresPerMillion jobs fail, three of five of them by our fault. FaultsPerMillion of the others have a wrong debit.
	FailuresPerMillion, FaultsPerMillion int64
	// RebuildIndexes drops the indexes of both tables before and builds them again after: faster from some 100,000 rows on.
	RebuildIndexes bool
}

func (b BulkNight) args() []any {
	return []any{strings.ReplaceAll(b.Night.Date.String(), "-", ""), b.Night.Begin, b.Night.End, b.Jobs, b.Accounts, b.Seed, b.FailuresPerMillion, b.FaultsPerMillion}
}

// FillAccounts makes as many accounts as bulk nights spread their jobs over, each with credits bought at an instant: enough for any
// number of nights.
func FillAccounts(ctx context.Context, db *sql.DB, accounts int64, at time.Time) error {
	for _, name := range []string{"accounts", "purchases", "grants"} {
		if _, err := db.ExecContext(ctx, bulkStatements[name], accounts, at); err != nil {
			return fmt.Errorf("fill %s: %w", name, err)
		}
	}
	return nil
}

// Fill writes the night into the platform's tables of db, jobs and debits at the same time, and analyzes both. It returns how many breaks
// of which kind the night holds: faults in debits only, so credit-backs come on top.
func (b BulkNight) Fill(ctx context.Context, db *sql.DB) (faults map[reconcile.BreakKind]int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("fill night %s: %w", b.Night.Date, err)
		}
	}()
	if b.RebuildIndexes {
		restore, err := dropIndexes(ctx, db, "jobs", "credit_entries")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, restore(context.WithoutCancel(ctx))) }()
	}
	faults = make(map[reconcile.BreakKind]int64)
	group, groupCtx := errgroup.WithContext(ctx)
	for _, name := range []string{"jobs", "entries"} {
		group.Go(func() error { return b.run(groupCtx, db, name) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	err = b.onConnection(ctx, db, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, "ANALYZE platform.jobs, platform.credit_entries"); err != nil {
			return err
		}
		rows, err := conn.QueryContext(ctx, bulkStatements["faults"], b.args()...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				kind  reconcile.BreakKind
				count int64
			)
			if err := rows.Scan(&kind, &count); err != nil {
				return err
			}
			faults[kind] = count
		}
		return rows.Err()
	})
	return faults, err
}

func (b BulkNight) run(ctx context.Context, db *sql.DB, name string) error {
	return b.onConnection(ctx, db, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, bulkStatements[name], b.args()...)
		return err
	})
}

// onConnection lends out a connection that knows the function of bulk.sql.
func (b BulkNight) onConnection(ctx context.Context, db *sql.DB, use func(conn *sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, bulkStatements["function"]); err != nil {
		return err
	}
	return use(conn)
}

// dropIndexes drops all indexes of tables of the platform, those of keys included, and returns how to build them again.
func dropIndexes(ctx context.Context, db *sql.DB, tables ...string) (restore func(context.Context) error, err error) {
	rows, err := db.QueryContext(ctx, `
		SELECT format('ALTER TABLE platform.%I DROP CONSTRAINT %I', t.relname, c.conname),
		       format('ALTER TABLE platform.%I ADD CONSTRAINT %I %s', t.relname, c.conname, pg_get_constraintdef(c.oid))
		FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
		WHERE t.relnamespace = 'platform'::regnamespace AND t.relname = ANY ($1) AND c.contype IN ('p', 'u')
		UNION ALL
		SELECT format('DROP INDEX platform.%I', i.relname), pg_get_indexdef(x.indexrelid)
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
		WHERE t.relnamespace = 'platform'::regnamespace AND t.relname = ANY ($1)
		  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid)`, pq.Array(tables))
	if err != nil {
		return nil, fmt.Errorf("list the indexes: %w", err)
	}
	defer rows.Close()
	var drops, builds []string
	for rows.Next() {
		var drop, build string
		if err := rows.Scan(&drop, &build); err != nil {
			return nil, fmt.Errorf("list the indexes: %w", err)
		}
		drops, builds = append(drops, drop), append(builds, build)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the indexes: %w", err)
	}
	if err := execAll(ctx, db, drops); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return execAll(ctx, db, builds) }, nil
}

func execAll(ctx context.Context, db *sql.DB, statements []string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
