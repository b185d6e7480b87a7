package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// TxOptions hold for one transaction.
type TxOptions struct {
	ReadOnly         bool           // also repeatable read: one snapshot for everything that is read
	Snapshot         bool           // repeatable read for a transaction that writes
	StatementTimeout time.Duration  // 0: the store's
	WorkMem          string         // "" : the server's
	Settings         map[string]any // further settings, by name
}

// Setting is the same with further settings.
func (o TxOptions) Setting(further map[string]any) TxOptions {
	o.Settings = maps.Clone(o.Settings)
	maps.Copy(o.Settings, further)
	return o
}

// Tx is a running transaction.
type Tx struct {
	*runner
	tx       *sqlx.Tx
	fewInAll bool // rows for any statement to look at
}

// With is the same transaction for statements that may take these parameters too.
func (tx *Tx) With(given Args) *Tx {
	with := *tx
	with.runner = tx.store.With(given).on(tx.handle)
	return &with
}

type txKey struct{}

// InTx runs fn in one transaction: committed when fn returns nil, rolled back otherwise, also on panic. Nesting is refused:
// a transaction within a transaction would commit less or more than it says. The rollback does not depend on ctx.
//
// With Snapshot, fn may be called again: when another transaction has changed the same row since the snapshot was taken, nothing of the
// first call stays.
func (s *Store) InTx(ctx context.Context, o TxOptions, fn func(ctx context.Context, tx *Tx) error) (err error) {
	if ctx.Value(txKey{}) != nil {
		return errors.New("postgres: transaction within a transaction")
	}
	if s.rehearsal != nil {
		return s.inSavepoint(ctx, o, fn)
	}
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := s.inTxOnce(ctx, o, fn)
		if !o.Snapshot || attempt == attempts || !overtaken(err) {
			return err
		}
	}
}

func (s *Store) inTxOnce(ctx context.Context, o TxOptions, fn func(ctx context.Context, tx *Tx) error) (err error) {
	options := &sql.TxOptions{ReadOnly: o.ReadOnly, Isolation: sql.LevelReadCommitted}
	if o.ReadOnly || o.Snapshot {
		options.Isolation = sql.LevelRepeatableRead
	}
	if err := s.intercept(ctx, "begin", false); err != nil {
		return wrap("begin", err)
	}
	session := s.kept.Load()
	tx, err := s.db.BeginTxx(context.WithValue(ctx, sessionKey{}, session), options)
	if err != nil {
		return wrap("begin", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// database/sql rolls back by itself when ctx ends; ErrTxDone then says it has.
		if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) && err == nil {
			err = wrap("rollback", rollbackErr)
		}
	}()
	if err := s.setLocal(ctx, tx, o, session); err != nil {
		return err
	}
	if err := fn(context.WithValue(ctx, txKey{}, true), &Tx{runner: s.on(tx), tx: tx, fewInAll: session.fewInAll()}); err != nil {
		return err
	}
	if err := s.intercept(ctx, "commit", false); err != nil {
		return wrap("commit", err)
	}
	if err := tx.Commit(); err != nil {
		return wrap("commit", err)
	}
	committed = true
	return wrap("commit", s.intercept(ctx, "commit", true))
}

// idleLimit ends a transaction whose worker has stopped talking to the server: a process that is paused must not hold locks and old rows.
const idleLimit = 15 * time.Minute

// ordinarily are the settings of a transaction that asks for no others.
var ordinarily = map[string]any{
	"lock_timeout":                        (5 * time.Second).Milliseconds(),
	"idle_in_transaction_session_timeout": idleLimit.Milliseconds(),
	"plan_cache_mode":                     "force_custom_plan", // statements are made to be planned with their values, also where they are kept prepared; see KeepSessions
	"cursor_tuple_fraction":               1,                   // InPages reads to the end
	"jit_above_cost":                      -1,                  // compiling takes longer than what is compiled, readings of whole nights aside
}

// setLocal gives a transaction its settings, in one statement, but for those that its session has already.
func (s *Store) setLocal(ctx context.Context, tx *sqlx.Tx, o TxOptions, session *keptSession) error {
	settings := map[string]any{}
	if session == nil {
		maps.Copy(settings, ordinarily)
		if s.timeout > 0 {
			settings["statement_timeout"] = s.timeout.Milliseconds()
		}
	}
	if o.StatementTimeout > 0 {
		settings["statement_timeout"] = o.StatementTimeout.Milliseconds()
	}
	if o.WorkMem != "" {
		settings["work_mem"] = o.WorkMem
	}
	maps.Copy(settings, o.Settings)
	if session != nil {
		maps.DeleteFunc(settings, func(name string, value any) bool { return session.settings[name] == value })
	}
	if len(settings) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, setConfig(settings, true))
	return wrap("set up the transaction", err)
}

// setConfig is the statement that makes settings, for a transaction or for the session.
func setConfig(settings map[string]any, local bool) string {
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		calls = append(calls, fmt.Sprintf("pg_catalog.set_config(%s, %s, %t)", pq.QuoteLiteral(name), pq.QuoteLiteral(fmt.Sprint(settings[name])), local))
	}
	return "SELECT " + strings.Join(calls, ", ")
}

// InPages reads the rows of a statement through fn, so many at a time and in their order, while fn is free to run other statements in the same
// transaction: worked out once, held by the server, and as of the moment at which the reading began, whatever fn writes. fn must not keep the page.
// Where there are few rows in all they are read at once, as a cursor's statement is planned each time.
func InPages[T any](ctx context.Context, tx *Tx, statement string, args Args, size int, fn func(page []T) error) error {
	if tx.fewInAll {
		var rows []T
		if err := tx.Select(ctx, &rows, statement, args); err != nil {
			return err
		}
		for page := range slices.Chunk(rows, size) {
			if err := fn(page); err != nil {
				return err
			}
		}
		return nil
	}
	text, values, err := tx.bind(statement, args)
	if err != nil {
		return err
	}
	cursor := pq.QuoteIdentifier("pages of " + statement)
	if err := tx.paging(ctx, statement, "DECLARE "+cursor+" NO SCROLL CURSOR FOR "+text, values...); err != nil {
		return err
	}
	var page []T
	for more := true; more; {
		page = page[:0]
		if err := tx.store.intercept(ctx, statement, false); err != nil {
			return wrap(statement, err)
		}
		if err := tx.tx.SelectContext(ctx, &page, fmt.Sprintf("FETCH %d FROM %s", size, cursor)); err != nil {
			return wrap(statement, err)
		}
		if err := tx.store.intercept(ctx, statement, true); err != nil {
			return wrap(statement, err)
		}
		more = len(page) == size
		if len(page) > 0 {
			if err := fn(page); err != nil {
				return err
			}
		}
	}
	return tx.paging(ctx, statement, "CLOSE "+cursor)
}

const mayMakeTemporaryTables = `SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')`

// ExecSpread is Exec for a statement that looks at many rows to insert few. PostgreSQL keeps an INSERT out of parallel workers, and takes what fills a
// table that it makes to them: so where there are many rows, what is read goes into a temporary table first. On a Citus cluster the INSERT is spread
// over the nodes as it is.
func (tx *Tx) ExecSpread(ctx context.Context, statement string, args Args) (changed int64, err error) {
	if tx.fewInAll || tx.store.OnCluster() {
		return tx.Exec(ctx, statement, args)
	}
	var spreads bool
	if err := tx.tx.GetContext(ctx, &spreads, mayMakeTemporaryTables); err != nil {
		return 0, wrap(statement, err)
	}
	if !spreads {
		return tx.Exec(ctx, statement, args)
	}
	_, values, err := tx.bind(statement, args)
	if err != nil {
		return 0, err
	}
	read, insert, err := tx.store.catalog.Statement(statement).Apart(spread)
	if err != nil {
		return 0, err
	}
	if err := tx.store.intercept(ctx, statement, false); err != nil {
		return 0, wrap(statement, err)
	}
	if _, err := tx.tx.ExecContext(ctx, read, values...); err != nil {
		return 0, wrap(statement, err)
	}
	result, err := tx.tx.ExecContext(ctx, insert)
	if err != nil {
		return 0, wrap(statement, err)
	}
	if _, err := tx.tx.ExecContext(ctx, "DROP TABLE pg_temp."+spread); err != nil {
		return 0, wrap(statement, err)
	}
	if changed, err = result.RowsAffected(); err != nil {
		return 0, wrap(statement, err)
	}
	return changed, wrap(statement, tx.store.intercept(ctx, statement, true))
}

// spread is the table that ExecSpread makes, for as long as it takes.
const spread = "spread"

func (tx *Tx) paging(ctx context.Context, statement, text string, values ...any) error {
	if err := tx.store.intercept(ctx, statement, false); err != nil {
		return wrap(statement, err)
	}
	if _, err := tx.tx.ExecContext(ctx, text, values...); err != nil {
		return wrap(statement, err)
	}
	return wrap(statement, tx.store.intercept(ctx, statement, true))
}

// Rehearse runs fn on a store whose every statement and transaction happens in one transaction that is rolled back at the end, whatever
// fn returns: a dry run that does the real work and leaves nothing behind. fn must not use the store from several goroutines.
func (s *Store) Rehearse(ctx context.Context, fn func(ctx context.Context, rehearsal *Store) error) (err error) {
	tx, err := s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return wrap("begin rehearsal", err)
	}
	defer func() {
		if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) && err == nil {
			err = wrap("roll back rehearsal", rollbackErr)
		}
	}()
	if _, err := tx.ExecContext(ctx, oneConnection); err != nil {
		return wrap("set up the rehearsal", err)
	}
	rehearsal := *s
	rehearsal.rehearsal = tx
	return fn(ctx, &rehearsal)
}

// oneConnection has a transaction on a Citus cluster use one connection to each node: what it has written over several, no later statement can read over one.
const oneConnection = `SELECT pg_catalog.set_config(s.name, s.value, true)
	FROM (VALUES ('citus.multi_shard_modify_mode', 'sequential'), ('citus.max_adaptive_executor_pool_size', '1')) AS s (name, value)
	WHERE pg_catalog.current_setting(s.name, true) IS NOT NULL`

// inSavepoint is InTx within a rehearsal.
func (s *Store) inSavepoint(ctx context.Context, o TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	if _, err := s.rehearsal.ExecContext(ctx, "SAVEPOINT step"); err != nil {
		return wrap("savepoint", err)
	}
	err := s.setLocal(ctx, s.rehearsal, o, nil)
	if err == nil {
		err = fn(context.WithValue(ctx, txKey{}, true), &Tx{runner: s.on(s.rehearsal), tx: s.rehearsal, fewInAll: s.kept.Load().fewInAll()})
	}
	end := "RELEASE SAVEPOINT step"
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT step"
	}
	if _, endErr := s.rehearsal.ExecContext(ctx, end); endErr != nil && err == nil {
		err = wrap("end savepoint", endErr)
	}
	return err
}
