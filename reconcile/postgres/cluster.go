package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// On a Citus cluster a commit counts once it is prepared on all nodes, and a node that its connection broke to just then hears of it later. What follows
// has every commit, and every lock, last until all have heard; on one server nothing of it is asked.

// OnCluster says whether the database is one of a Citus cluster, where statements have to be planned with their values, an INSERT is spread over the nodes as
// it is, and commits and locks wait for all nodes. It is known from the first connection on.
func (s *Store) OnCluster() bool { return s.onCluster.Load() }

// heardTx is a transaction whose commit ends once every node has heard of it.
type heardTx struct {
	driver.Tx
	conn *preparingConn
}

func (t heardTx) Commit() error {
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	return t.conn.heard(context.Background())
}

// unheardOf begins Citus's warning of a commit that counts, and that one node has not heard of, because the connection to it broke just then.
const unheardOf = "failed to commit transaction on "

// heard waits until every node has heard of a commit.
func (c *preparingConn) heard(ctx context.Context) error {
	if !c.isUnheard {
		return nil
	}
	c.isUnheard = false
	return awaitHeard(ctx, func(ctx context.Context, statement string) (unasked, unheard int64, err error) {
		counted, err := firstRow(c.pqConn.QueryContext(ctx, statement, nil))
		if err != nil {
			return 0, 0, err
		}
		return counted[0].(int64), counted[1].(int64), nil
	})
}

// unheard is on how many nodes of a Citus cluster, of those that could be asked, something that this role has prepared waits for the coordinator's word.
const unheard = `SELECT count(*) FILTER (WHERE NOT success), count(*) FILTER (WHERE success AND result <> '0')
	FROM pg_catalog.run_command_on_all_nodes('SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database() AND owner = current_user')`

// hearing is how long a node that is there may not have heard of a commit: Citus tells it within a minute, unless citus.recover_2pc_interval says otherwise.
const hearing = 2 * time.Minute

// awaitHeard waits until no node has anything prepared that it does not know the end of. Until then what has been written is not to be seen there, whoever reads.
func awaitHeard(ctx context.Context, ask func(ctx context.Context, statement string) (unasked, waiting int64, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, hearing)
	defer cancel()
	for {
		unasked, waiting, err := ask(ctx, unheard)
		switch {
		case err != nil:
			return fmt.Errorf("%w: a node has not heard of a commit: %w", ErrUnavailable, err)
		case unasked > 0:
			return fmt.Errorf("%w: %d nodes of the cluster are out of reach", ErrUnavailable, unasked)
		case waiting == 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %d nodes have not heard of a commit yet; Citus tells them every citus.recover_2pc_interval", ErrUnavailable, waiting)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// begun is the lock, once what who had it before has committed is to be seen on all nodes of a cluster.
func (l *Lock) begun(ctx context.Context) (*Lock, error) {
	if !l.onCluster {
		return l, nil
	}
	err := awaitHeard(ctx, func(ctx context.Context, statement string) (unasked, waiting int64, err error) {
		err = l.conn.QueryRowContext(ctx, statement).Scan(&unasked, &waiting)
		return unasked, waiting, err
	})
	if err != nil {
		return nil, errors.Join(wrap("lock "+l.name, err), l.drop())
	}
	return l, nil
}
