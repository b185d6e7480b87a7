package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/lib/pq"
)

// Busy says that somebody else is at work. It is an ErrUnavailable, worth another try later, but doesn't say that the database is away.
type Busy string

func (b Busy) Error() string { return string(b) }

// Unwrap makes it an ErrUnavailable.
func (b Busy) Unwrap() error { return ErrUnavailable }

// ErrLockHeld says that another worker has the lock.
const ErrLockHeld = Busy("another worker holds the lock")

// Lock is a session-level advisory lock on a connection of its own. It is gone when the connection is.
type Lock struct {
	name      string
	key       int64
	conn      *sql.Conn
	onCluster bool
}

// TryLock takes the named lock or returns ErrLockHeld at once.
func (s *Store) TryLock(ctx context.Context, name string) (*Lock, error) {
	lock, err := s.lockConnection(ctx, name)
	if err != nil {
		return nil, err
	}
	taken, err := lock.try(ctx)
	if err != nil {
		return nil, errors.Join(wrap("lock "+name, err), lock.conn.Close())
	}
	if !taken {
		return nil, errors.Join(fmt.Errorf("lock %s: %w%s", name, ErrLockHeld, lock.holder(ctx)), lock.conn.Close())
	}
	return lock.begun(ctx)
}

// AwaitLock is TryLock with patience: it waits in the row of those who asked before, and returns ErrLockHeld when that takes too long.
func (s *Store) AwaitLock(ctx context.Context, name string, patience time.Duration) (*Lock, error) {
	if patience <= 0 {
		return s.TryLock(ctx, name)
	}
	lock, err := s.lockConnection(ctx, name)
	if err != nil {
		return nil, err
	}
	taken, err := lock.try(ctx) // which passes nobody who waits
	if err != nil {
		return nil, errors.Join(wrap("lock "+name, err), lock.conn.Close())
	}
	if taken {
		return lock.begun(ctx)
	}
	err = lock.await(ctx, patience)
	var pqErr *pq.Error
	if errors.As(err, &pqErr) && pqErr.Code == "55P03" { // lock not available
		err = ErrLockHeld
	}
	switch {
	case errors.Is(err, ErrLockHeld):
		return nil, errors.Join(fmt.Errorf("lock %s: %w, and has not let go of it in %s%s", name, err, patience, lock.holder(ctx)), lock.conn.Close())
	case err != nil:
		return nil, errors.Join(wrap("lock "+name, err), lock.drop())
	}
	return lock.begun(ctx)
}

// try takes the lock if it is free, and nobody waits for it.
func (l *Lock) try(ctx context.Context) (taken bool, err error) {
	err = l.conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", l.key).Scan(&taken)
	return taken, err
}

// await waits for the lock in a transaction, whose limits go with it while the lock, the session's, stays.
func (l *Lock) await(ctx context.Context, patience time.Duration) (err error) {
	tx, err := l.conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // err says what went wrong
		}
	}()
	const limits = "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', '0', true)"
	if _, err := tx.ExecContext(ctx, limits, fmt.Sprint(patience.Milliseconds())); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_lock($1)", l.key); err != nil {
		return err
	}
	return tx.Commit()
}

// drop closes the connection for good: nobody else may get it from the pool.
func (l *Lock) drop() error {
	err := l.conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// lockConnection is the connection of a lock that isn't taken yet.
func (s *Store) lockConnection(ctx context.Context, name string) (*Lock, error) {
	conn, err := s.db.DB.Conn(ctx)
	if err != nil {
		return nil, wrap("lock "+name, err)
	}
	return &Lock{name: name, key: lockKey(name), conn: conn, onCluster: s.OnCluster()}, nil
}

// StillHeld asks the server, on the lock's own connection, whether the lock is still ours: a lost connection has lost it.
func (l *Lock) StillHeld(ctx context.Context) error {
	var held bool
	const ours = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
		AND ((classid::bigint << 32) | objid::bigint) = $1 AND objsubid = 1)`
	if err := l.conn.QueryRowContext(ctx, ours, l.key).Scan(&held); err != nil {
		return wrap("lock "+l.name, err)
	}
	if !held {
		return fmt.Errorf("lock %s: %w: it was lost", l.name, ErrUnavailable)
	}
	return nil
}

// holder says whose session holds the lock, for a message; empty when it has let go meanwhile, or can't be seen.
func (l *Lock) holder(ctx context.Context) string {
	var session struct {
		pid                 int
		role, program, from string
	}
	const who = `SELECT a.pid, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), '?'), coalesce(host(a.client_addr), 'this machine or a socket')
		FROM pg_locks k JOIN pg_stat_activity a USING (pid)
		WHERE k.locktype = 'advisory' AND k.granted AND k.objsubid = 1 AND ((k.classid::bigint << 32) | k.objid::bigint) = $1
		  AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		LIMIT 1`
	if err := l.conn.QueryRowContext(ctx, who, l.key).Scan(&session.pid, &session.role, &session.program, &session.from); err != nil {
		return ""
	}
	return fmt.Sprintf(" (server process %d: %s, as %s, from %s)", session.pid, session.program, session.role, session.from)
}

// LockHeld says whether anybody holds the named lock.
func (s *Store) LockHeld(ctx context.Context, name string) (held bool, err error) {
	const granted = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
		AND ((classid::bigint << 32) | objid::bigint) = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
	return held, wrap("lock "+name, s.db.QueryRowContext(ctx, granted, lockKey(name)).Scan(&held))
}

// Wanted says whether somebody waits for the lock.
func (l *Lock) Wanted(ctx context.Context) (wanted bool, err error) {
	const waiting = `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 1
		AND ((classid::bigint << 32) | objid::bigint) = $1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`
	return wanted, wrap("lock "+l.name, l.conn.QueryRowContext(ctx, waiting, l.key).Scan(&wanted))
}

// Unlock gives the lock back. A connection that is already gone has given it back itself.
func (l *Lock) Unlock() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := l.conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", l.key)
	if closeErr := l.conn.Close(); err == nil {
		err = closeErr
	}
	if err != nil && !transient(err) && !errors.Is(err, sql.ErrConnDone) {
		return wrap("unlock "+l.name, err)
	}
	return nil
}

// SharesSessions says whether something between the worker and the server lends each transaction another server connection, as a pooler in
// transaction mode does, or each statement, as one in statement mode, which ends who begins a transaction. A session's lock is worth nothing then: it stays with
// a connection that is lent to others.
func (s *Store) SharesSessions(ctx context.Context) (shares bool, err error) {
	first, err := s.db.DB.Conn(ctx)
	if err != nil {
		return false, wrap("connect", err)
	}
	defer func() { err = errors.Join(err, first.Close()) }()
	const session = "SELECT pg_backend_pid()"
	var before, within, after int
	if err := first.QueryRowContext(ctx, session).Scan(&before); err != nil {
		return false, wrap("look for a pooler", err)
	}
	// A second client's transaction: the pooler lends it the connection that the first one has just given back.
	tx, err := s.db.BeginTx(ctx, nil)
	if errors.Is(err, driver.ErrBadConn) && first.QueryRowContext(ctx, session).Scan(&after) == nil {
		return true, nil // new connections are made and ended, while the one without a transaction lives
	}
	if err != nil {
		return false, wrap("look for a pooler", err)
	}
	defer func() { _ = tx.Rollback() }() // it has changed nothing
	if err := tx.QueryRowContext(ctx, session).Scan(&within); err != nil {
		return false, wrap("look for a pooler", err)
	}
	if err := first.QueryRowContext(ctx, session).Scan(&after); err != nil {
		return false, wrap("look for a pooler", err)
	}
	return before == within || before != after, nil
}

// Opens says how many connections can be had at once, up to as many as are wanted: a pooler may lend fewer than it takes clients, and have the others wait,
// which the driver does not give up when ctx ends.
func (s *Store) Opens(ctx context.Context, wanted int) (opened int, err error) {
	type attempt struct {
		conn *sql.Conn
		err  error
	}
	attempts := make(chan attempt, wanted)
	for range wanted {
		go func() {
			conn, err := s.db.DB.Conn(ctx)
			attempts <- attempt{conn, err}
		}()
	}
	for range wanted {
		select {
		case a := <-attempts:
			if a.err != nil {
				err = a.err
				continue
			}
			opened++
			defer func() { err = errors.Join(err, a.conn.Close()) }()
		case <-ctx.Done():
			return opened, wrap("connect", ctx.Err())
		}
	}
	return opened, wrap("connect", err)
}

func lockKey(name string) int64 {
	h := fnv.New64a()
	h.Write([]byte("reconciler/" + name))
	return int64(h.Sum64())
}
