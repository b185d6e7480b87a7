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
	if doubt, remedy := state.Doubt(); doubt != "" {
		c.add(check, Warning, remedy, "%s", doubt)
		return
	}
	c.add(check, OK, "", "%s behind", state.age())
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

// Doubt says why what it shows may mislead, and the fix; nothing while it follows a primary closely.
func (s replicaState) Doubt() (doubt, fix string) {
	switch {
	case !s.Standby:
		return "is no replica, but a primary of its own", "point RECONCILER_REPLICA_URL at a replica, or take it out"
	case !s.Streaming:
		return fmt.Sprintf("receives nothing from a primary at the moment; what it shows is %s old", s.age()), "check that its primary lets it stream"
	case s.SecondsBehind == nil || *s.SecondsBehind > maxReplicaLag.Seconds():
		return fmt.Sprintf("lags: what it shows is %s old", s.age()), "find out what holds up its replay"
	}
	return "", ""
}

// age says how old what it shows is.
func (s replicaState) age() string {
	if s.SecondsBehind == nil {
		return "an unknown time"
	}
	return time.Duration(*s.SecondsBehind * float64(time.Second)).Round(time.Millisecond).String()
}
