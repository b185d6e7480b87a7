package night

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// ErrIntegrity says that the books can't be trusted as they are: control totals don't tie, a circuit breaker tripped, or a closed
// period would change. Nobody should retry it blindly.
var ErrIntegrity = errors.New("integrity")

// Counts are what a job did, for its run row and its log line.
type Counts map[string]int64

// Night is one business date being worked on: what every step is handed.
type Night struct {
	reconcile.Night
	Store    *postgres.Store
	Policies reconcile.Policies
	Settings Settings
	Run      Run
	Revision int // of the report that this run works on; it changes when a new one is published
	Log      zerolog.Logger
}

// New is a night whose store gives its statements what is the same for all of them.
func New(n Night) *Night {
	n.Store = n.Store.With(postgres.Args{
		"date": n.Date, "begin": n.Begin, "end": n.End, "as_of": n.AsOf(), "zone": n.Settings.Zone.String(), "policy": n.Policies.Hash(),
	})
	return &n
}

// Run says how, when and by whom a night is run.
type Run struct {
	Name, Actor  string // for the audit log: by default the night's own run id, and the worker
	CodeVersion  string
	Whole        bool           // all steps are run, and the night is reported at the end
	Rehearsal    bool           // what is written to the database will be rolled back, so that nothing may leave it
	AsNoted      bool           // what the platform changes in place is read as it was noted, and nothing new of it is
	Few          bool           // rows are all there are to look at, so that no statistics of them are needed
	PlannedMoves int64          // accounts that move in a night, as the server plans statements for
	PolicyKnown  bool           // all versions of the policy are on record
	First        bool           // run of the night that was ever begun: none has left anything
	Reported     reconcile.Date // the latest night whose report has been made, when this run began; zero when there was none
	Clock        func() time.Time
	Step         func(name string)
}

// Forget takes out, by statements, what an earlier run of the night has left.
func (n *Night) Forget(ctx context.Context, q postgres.Querier, statements ...string) error {
	if n.Run.First {
		return nil
	}
	for _, statement := range statements {
		if _, err := q.Exec(ctx, statement, nil); err != nil {
			return err
		}
	}
	return nil
}

func (n *Night) Now() time.Time { return n.Run.Clock() }

// DateOf is the business date of an instant.
func (n *Night) DateOf(at time.Time) reconcile.Date { return reconcile.DateOf(at.In(n.Settings.Zone)) }

func (n *Night) Step(name string) { n.Run.Step(name) }
