package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lib/pq"

	queries "github.com/hummingbytes/reconciler/sql"
)

// KeepSessions makes connections keep what they have told the server: every statement that they are given a second time stays prepared, parsed and
// rewritten once and not once a night, and the settings of an ordinary transaction, with the given ones among them, are those of the session.
// Only for who has made sure that a connection is a session of the server (see SharesSessions).
//
// Where there are so few rows for any of them to look at that planning a statement takes longer than running it, whatever its values, it is prepared at
// once and planned once, and again when the server has new statistics of its tables; otherwise with its values each time.
func (s *Store) KeepSessions(settings map[string]any, fewInAll bool) {
	all := maps.Clone(ordinarily)
	maps.Copy(all, settings)
	if fewInAll {
		all["plan_cache_mode"] = "force_generic_plan"
	}
	if before := s.kept.Load(); before == nil || !maps.Equal(before.settings, all) {
		s.kept.Store(&keptSession{all, fewInAll})
	}
}

// keptSession is how sessions of a store are that are kept.
type keptSession struct {
	settings map[string]any
	few      bool // rows there are in all: plans are kept
}

func (k *keptSession) fewInAll() bool { return k != nil && k.few }

// preparing is a connector whose connections begin with the worker's own settings, and can keep statements prepared.
type preparing struct {
	driver.Connector
	kept           *atomic.Pointer[keptSession] // nil in it: nothing is kept
	onCluster      *atomic.Bool
	several        bool          // hosts to choose from
	statementLimit time.Duration // 0: the server's
}

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, &connectError{err, p.several}
	}
	session := conn.(pqConn)
	limit := ""
	if p.statementLimit > 0 {
		limit = fmt.Sprint(p.statementLimit.Milliseconds())
	}
	said, err := firstRow(session.QueryContext(ctx, queries.Session, []driver.NamedValue{{Ordinal: 1, Value: limit}}))
	if errors.Is(err, driver.ErrBadConn) {
		err = fmt.Errorf("%w: ended by the server, or by a pooler that has no connection left to lend", err)
	}
	if err != nil {
		return nil, &connectError{errors.Join(fmt.Errorf("set the session up: %w", err), session.Close()), p.several}
	}
	p.onCluster.Store(said[0].(bool))
	made := &preparingConn{pqConn: session, kept: p.kept, seen: map[string]keptStatement{}}
	pq.SetNoticeHandler(conn, func(notice *pq.Error) {
		made.isUnheard = made.isUnheard || strings.HasPrefix(notice.Message, unheardOf)
	})
	return made, nil
}

// firstRow is that of what a connection has been asked.
func firstRow(rows driver.Rows, err error) ([]driver.Value, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	values := make([]driver.Value, len(rows.Columns()))
	return values, rows.Next(values)
}

// pqConn is what a connection of lib/pq can do.
type pqConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type keptStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type preparingConn struct {
	pqConn
	kept    *atomic.Pointer[keptSession]
	settled *keptSession             // what settings the session has; nil: its own
	seen    map[string]keptStatement // by their texts, of which there are only so many; nil: was run once, and is not prepared yet
	// isUnheard: Citus has said that a node has not heard of a commit.
	isUnheard bool
}

type sessionKey struct{}

// BeginTx begins a transaction, in a session that has the settings that it is to be kept with.
func (c *preparingConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if wanted, _ := ctx.Value(sessionKey{}).(*keptSession); wanted != nil && c.settled != wanted {
		if _, err := c.pqConn.ExecContext(ctx, setConfig(wanted.settings, false), nil); err != nil {
			return nil, err
		}
		c.settled = wanted
	}
	tx, err := c.pqConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return heardTx{tx, c}, nil
}

// prepared is the prepared statement of a text; nil while the text itself is to be run. One without parameters is no dearer as text, but where
// plans are kept; what isn't a named statement may not be one that can be prepared.
func (c *preparingConn) prepared(ctx context.Context, text string, args []driver.NamedValue) (keptStatement, error) {
	kept := c.kept.Load()
	if kept == nil || len(args) == 0 && (!kept.few || !strings.HasPrefix(text, "/* ")) {
		return nil, nil
	}
	statement, again := c.seen[text]
	if statement != nil || !again && !kept.few {
		c.seen[text] = statement
		return statement, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	statement = prepared.(keptStatement)
	c.seen[text] = statement
	return statement, nil
}

// QueryContext runs a statement that returns rows.
func (c *preparingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	statement, err := c.prepared(ctx, text, args)
	if err != nil {
		return nil, err
	}
	if statement == nil {
		return c.pqConn.QueryContext(ctx, text, args)
	}
	rows, err := statement.QueryContext(ctx, args)
	return rows, c.forgetOutdated(text, err)
}

// ExecContext runs a statement that returns none.
func (c *preparingConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	statement, err := c.prepared(ctx, text, args)
	if err != nil {
		return nil, err
	}
	var result driver.Result
	if statement == nil {
		result, err = c.pqConn.ExecContext(ctx, text, args)
	} else {
		result, err = statement.ExecContext(ctx, args)
		err = c.forgetOutdated(text, err)
	}
	if err != nil {
		return nil, err
	}
	return result, c.heard(ctx)
}

// forgetOutdated has a statement prepared anew the next time when the server says that the prepared one won't do any more.
func (c *preparingConn) forgetOutdated(text string, err error) error {
	if outdated(err) {
		delete(c.seen, text)
	}
	return err
}

// outdated says whether a prepared statement no longer fits: a relation that it reads has other columns than when it was prepared. Only the server's routine
// tells that from what it can't do at all, in every language.
func outdated(err error) bool {
	var pqErr *pq.Error
	return errors.As(err, &pqErr) && pqErr.Code == "0A000" && pqErr.Routine == "RevalidateCachedQuery"
}
