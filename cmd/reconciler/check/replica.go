package check

import (
	"context"
	"fmt"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql"
)

// maxReplicaLag is how far behind a replica may be before what support reads there would mislead them.
const maxReplicaLag = 5 * time.Minute

// replica looks at the one that explain and breaks read from, where there is one.
func (c *checkup) replica(ctx context.Context) {
	if c.config.ReplicaURL == "" {
		return
	}
	const check, fix = "replica", "correct RECONCILER_REPLICA_URL, or take it out: DATABASE_URL is read then"
	replica := c.config
	replica.DatabaseURL = c.config.ReplicaURL
	store, err := replica.Store()
	if err != nil {
		c.add(check, Failed, fix, "%v", err)
		return
	}
	defer store.Close()
	state, err := AskReplica(ctx, store)
	if err != nil {
		c.fail(check, fix, "bring it back, or "+fix, fmt.Errorf("can't be queried, so commands that only read use the primary instead: %w", err))
		return
	}
	if _, err := sql.PendingMigrations(ctx, store.DB()); err != nil {
		c.fail(check, "GRANT its role what reconciler_readonly has; sql/roles/roles.sql", "try again", postgres.Classed("look at the schema", err))
		return
	}
	switch {
	case !state.Standby:
		c.add(check, Warning, "point RECONCILER_REPLICA_URL at a replica, or take it out", "is no replica, but a primary of its own")
	case !state.Streaming:
		c.add(check, Warning, "check that its primary lets it stream", "receives nothing from a primary at the moment; what it shows is %s old", state.Age())
	case state.Stale():
		c.add(check, Warning, "find out what holds up its replay", "lags: what it shows is %s old", state.Age())
	default:
		c.add(check, OK, "", "%s behind", state.Age())
	}
}

// replicaState is how fresh a replica is.
type replicaState struct {
	Standby       bool
	SecondsBehind *float64
	Streaming     bool
}

// replicaPatience is how long a command that only reads waits for a replica before it asks the primary.
const replicaPatience = 5 * time.Second

// AskReplica asks a replica how fresh it is.
func AskReplica(ctx context.Context, store *postgres.Store) (state replicaState, err error) {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	return state, store.Get(ctx, &state, "check/replica", nil)
}

// Stale says whether it is so far behind that it misleads.
func (s replicaState) Stale() bool {
	return s.Standby && (s.SecondsBehind == nil || *s.SecondsBehind > maxReplicaLag.Seconds())
}

// Age says how old what it shows is.
func (s replicaState) Age() string {
	if s.SecondsBehind == nil {
		return "an unknown time"
	}
	return time.Duration(*s.SecondsBehind * float64(time.Second)).Round(time.Millisecond).String()
}
