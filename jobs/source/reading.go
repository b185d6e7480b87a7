package source

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

const (
	// maxSuspects is how many accounts that don't agree are named to the worker, maxExceptions how many jobs of theirs travel through it. A
	// night with more of either is compared within the database.
	maxSuspects, maxExceptions = 20_000, 50_000
)

// ErrBaselineChanged is an ErrStillWritten about the baseline: the night has to start over and look at that, too.
var ErrBaselineChanged = fmt.Errorf("%w", ErrStillWritten)

// ErrStillWritten says that rows of the night arrived, or were changed, between its reading and a later look: it has to be read again.
var ErrStillWritten = errors.New("the platform was still writing rows of this night while it was worked on; run it again")

// Reading is what a night knows, before any of its jobs begins, of what it has read.
type Reading struct {
	known     []string // failures that the policy knows, as status:code
	named     []comparedJob
	Continues bool           // the night has one before it to continue from
	SomeMoved bool           // entries of this night count in another one, or the other way round
	Rescans   bool           // jobs or purchases of nights already reported are read again
	all       Totals         // stamped in the night
	entries   numbers.Number // of the ledger, stamped in the night
	credits   numbers.Number // theirs
	Clean     Totals         // plainly clean
	// LedgerChanged: an earlier night's ledger is no longer what was read, and no late entry explains it.
	LedgerChanged   bool
	BaselineChecked bool    // what arrived from before the night that opened the books has been looked for
	counted         *Totals // what count has found
	rows            map[string]relationRows
}

// readJobs reads the night's jobs once, account by account, as readLedger does its ledger; all that any step of the night needs of all the rows
// follows from this.
func (n *reader) readJobs(ctx context.Context, tx *postgres.Tx) (err error) {
	if n.seeds, err = newSeeds(); err != nil {
		return err
	}
	_, err = tx.ExecSpread(ctx, "reading/jobs", n.seeds.And(postgres.Args{"known_failures": n.Reading.known}))
	return err
}

func (n *reader) readLedger(ctx context.Context, tx *postgres.Tx) error {
	if _, err := tx.ExecSpread(ctx, "reading/ledger", n.seeds.And(postgres.Args{"some_moved": n.Reading.SomeMoved})); err != nil {
		return err
	}
	n.Step("open/read")
	if !n.bookedLate {
		return nil
	}
	return tx.Get(ctx, &n.Reading.SomeMoved, "reading/some_moved", nil) // what was booked just now counts in this night
}

// oddity is a failure code that has not been classified yet, a job that an entry older than the night names, or both.
type oddity struct {
	Version       sql.NullString
	EffectiveFrom sql.NullTime
	Status        sql.NullString
	FailureCode   sql.NullString
	AccountID     sql.NullString
	JobID         sql.NullString
}

// prepareReading finds out what the reading has to know before.
func (n *reader) prepareReading(ctx context.Context, tx *postgres.Tx) error {
	codes := map[unknownCode]bool{}
	n.Reading.named = nil
	err := postgres.Each(ctx, tx, "reading/oddities", nil, func(o oddity) error {
		if o.JobID.Valid {
			n.Reading.named = append(n.Reading.named, comparedJob{AccountID: o.AccountID.String, JobID: &o.JobID.String, Cost: "0", Debits: "0"})
		}
		if o.Version.Valid {
			codes[unknownCode{o.Version.String, o.EffectiveFrom.Time, o.Status.String, o.FailureCode.String}] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := addClasses(ctx, n.Night, tx, slices.Collect(maps.Keys(codes))); err != nil {
		return err
	}
	var known struct {
		SomeMoved bool
		Rescans   bool
		Failures  pq.StringArray
	}
	err = tx.Get(ctx, &known, "reading/known", nil)
	n.Reading.SomeMoved, n.Reading.Rescans, n.Reading.known = known.SomeMoved, known.Rescans, known.Failures
	return err
}

// findMoves works out which accounts the night has moved, and where they stood before.
func (n *reader) findMoves(ctx context.Context, tx *postgres.Tx) error {
	continues := n.Reading.Continues
	isOpen := n.IsOpen()
	if isOpen {
		if _, err := tx.Exec(ctx, "late/forget_before", postgres.Args{"continues": continues}); err != nil {
			return err
		}
	}
	var err error
	if continues {
		n.moved, err = tx.Exec(ctx, "reading/moved_accounts", nil)
	} else {
		n.moved, err = tx.Exec(ctx, "reading/all_accounts", postgres.Args{"is_open": isOpen})
	}
	if err != nil {
		return err
	}
	if isOpen && !continues {
		if _, err := tx.Exec(ctx, "late/note_before", nil); err != nil {
			return err
		}
	}
	return nil
}

// analyzeMoves gathers statistics of the accounts that moved, once they are committed: it takes the table's owner, and nodes refuse it within a
// transaction in which somebody else has written to the table. Where plans are kept, that is done only when the server plans for a tenth of them at
// most, as all plans that read the table are made anew then; so few that reading them over and over costs nothing are left alone.
func (n *reader) analyzeMoves(ctx context.Context) error {
	const hardlyAny = 20
	if n.Run.Few && n.moved < max(hardlyAny, 10*n.Run.PlannedMoves) || n.Run.Rehearsal && n.Store.OnCluster() {
		return nil
	}
	_, err := n.Store.Exec(ctx, "reading/analyze_moves", nil)
	return err
}

// comparedJob is a job that is not plainly clean; the first row that a comparison returns has no job, and the totals.
type comparedJob struct {
	AccountID string         `json:"account_id"`
	JobID     *string        `json:"job_id"`
	Jobs      int64          `json:"-"`
	InScan    bool           `json:"in_scan"`
	Cost      numbers.Number `json:"cost"`
	Debits    numbers.Number `json:"debits"`
}

// compareJobs leaves the jobs and debits that aren't plainly clean in the candidates of match-jobs, and totals up the rest.
func (n *reader) compareJobs(ctx context.Context, tx *postgres.Tx) error {
	const job = "match-jobs"
	var agreement struct {
		Jobs, Cost, Debits numbers.Number
		AllJobs            numbers.Number
		AllCost            numbers.Number
		AllDebits          numbers.Number
		AllEntries         numbers.Number
		AllCredits         numbers.Number
		Suspects           pq.StringArray
	}
	if err := tx.Get(ctx, &agreement, "reading/agreement", postgres.Args{"limit": maxSuspects + 1}); err != nil {
		return err
	}
	n.Reading.all = Totals{Jobs: agreement.AllJobs, Cost: agreement.AllCost, Debits: agreement.AllDebits}
	n.Reading.entries, n.Reading.credits = agreement.AllEntries, agreement.AllCredits
	if n.Settings.Matching != night.MatchExact && len(agreement.Suspects) <= maxSuspects {
		examined, err := n.examine(ctx, tx, job, agreement.Suspects)
		if err == nil {
			n.Reading.Clean = Totals{
				Jobs: agreement.Jobs.Plus(examined.Jobs), Cost: agreement.Cost.Plus(examined.Cost), Debits: agreement.Debits.Plus(examined.Debits),
			}
			return nil
		}
		if !errors.Is(err, errTooManyExceptions) {
			return err
		}
		if _, err := tx.Exec(ctx, "candidates/clear", postgres.Args{"job": job}); err != nil {
			return err
		}
	}
	return tx.Get(ctx, &n.Reading.Clean, "reading/scan", postgres.Args{"job": job})
}

var errTooManyExceptions = errors.New("too many exceptions to carry")

// examine compares the jobs of suspect accounts exactly, and sets aside what fingerprints say nothing of.
func (n *reader) examine(ctx context.Context, tx *postgres.Tx, job string, suspects []string) (clean Totals, err error) {
	if _, err := tx.Exec(ctx, "reading/set_aside", postgres.Args{"job": job}); err != nil {
		return clean, err
	}
	if err := n.keepExceptions(ctx, tx, job, n.Reading.named); err != nil {
		return clean, err
	}
	var compared []comparedJob
	err = tx.Select(ctx, &compared, "reading/examine", postgres.Args{
		"known_failures": n.Reading.known, "suspects": suspects, "some_moved": n.Reading.SomeMoved, "limit": maxExceptions + 1,
	})
	if err != nil {
		return clean, err
	}
	totals, exceptions := compared[0], compared[1:]
	if len(exceptions) > maxExceptions {
		return clean, errTooManyExceptions
	}
	return Totals{Jobs: numbers.Int(totals.Jobs), Cost: totals.Cost, Debits: totals.Debits}, n.keepExceptions(ctx, tx, job, exceptions)
}

func (n *reader) keepExceptions(ctx context.Context, tx *postgres.Tx, job string, exceptions []comparedJob) error {
	for i := range exceptions {
		exceptions[i].InScan = exceptions[i].Jobs > 0
	}
	return postgres.WriteRows(ctx, tx, "reading/keep", postgres.Args{"job": job}, exceptions)
}

// Count compares what there is to match, counted apart from any comparison, with what the night has read. When that differs, the platform was
// still writing, and the exceptions are those of another moment: ErrStillWritten. Nothing may be posted before.
func (r *Reading) Count(ctx context.Context, n *night.Night) (scanned Totals, err error) {
	if r.counted != nil {
		return *r.counted, nil
	}
	var now struct {
		Jobs, Cost, Entries, Credits, Debits numbers.Number
		LateDebits                           numbers.Number
	}
	args := postgres.Args{"some_moved": r.SomeMoved, "all_kept": r.rows["jobs"].allKept() && r.rows["credit_entries"].allKept()}
	if n.Run.Few { // by itself: the settings of a transaction for reading are for many
		err = n.Store.Get(ctx, &now, "match_jobs/scanned", args)
	} else {
		err = n.Store.InTx(ctx, n.TxForReading(), func(ctx context.Context, tx *postgres.Tx) error {
			return tx.Get(ctx, &now, "match_jobs/scanned", args)
		})
	}
	if err != nil {
		return scanned, err
	}
	err = errors.Join(
		StillTheSame("jobs", r.all.Jobs, now.Jobs), StillTheSame("credits of jobs", r.all.Cost, now.Cost),
		StillTheSame("entries", r.entries, now.Entries), StillTheSame("credits of entries", r.credits, now.Credits),
		StillTheSame("credits of debits", r.all.Debits, now.Debits))
	if err != nil {
		return scanned, err
	}
	r.counted = &Totals{Jobs: now.Jobs, Cost: now.Cost, Debits: now.Debits.Plus(now.LateDebits)}
	return *r.counted, nil
}

// Doubt is the error that a step has failed with, or ErrStillWritten in place of an ErrIntegrity where the source is no longer what was read. A single
// server shows a step one snapshot; the nodes of a cluster, each with a snapshot of its own, may show it a part of what is committed meanwhile.
func (r *Reading) Doubt(ctx context.Context, n *night.Night, failed error) error {
	if !errors.Is(failed, night.ErrIntegrity) {
		return failed
	}
	r.counted = nil
	_, err := r.Count(ctx, n)
	if err == nil {
		err = r.recount(ctx, n)
	}
	if errors.Is(err, ErrStillWritten) {
		return fmt.Errorf("%w; until then: %v", err, failed) // which is no ErrIntegrity
	}
	return failed
}

// relationRows are how many rows of a relation a night looks at, and how many of them keep the contract.
type relationRows struct {
	Relation   string
	Rows, Kept numbers.Number
}

func (r relationRows) allKept() bool { return r.Rows.Compare(r.Kept) == 0 }

func countRows(ctx context.Context, q postgres.Querier) (counts []relationRows, err error) {
	err = q.Select(ctx, &counts, "rejects/counts", nil)
	return counts, err
}

// recount compares what is not read once, but by each step for itself, with what there was of it when the night was read.
func (r *Reading) recount(ctx context.Context, n *night.Night) error {
	counts, err := countRows(ctx, n.Store)
	if err != nil {
		return err
	}
	for _, now := range counts {
		relation := queries.SourceRelations[slices.IndexFunc(queries.SourceRelations, func(s queries.SourceRelation) bool { return s.Name == now.Relation })]
		if relation.WasRead() || relation.Name == "subscriptions" { // counted by Count; as they are today
			continue
		}
		err = errors.Join(err, StillTheSame("rows of "+now.Relation, r.rows[now.Relation].Rows, now.Rows),
			StillTheSame("rows of "+now.Relation+" that keep the contract", r.rows[now.Relation].Kept, now.Kept))
	}
	return err
}

// StillTheSame fails with ErrStillWritten unless what is counted now is what was read.
func StillTheSame(what string, read, counted numbers.Number) error {
	if read.Compare(counted) == 0 {
		return nil
	}
	return fmt.Errorf("%w (%s: %s were read, now there are %s)", ErrStillWritten, what, read, counted)
}

// newSeeds are two numbers that nobody can have prepared rows for.
func newSeeds() (postgres.Args, error) {
	var raw [16]byte
	_, err := rand.Read(raw[:])
	return postgres.Args{"first_seed": int64(binary.LittleEndian.Uint64(raw[:8])), "second_seed": int64(binary.LittleEndian.Uint64(raw[8:]))}, err
}

// Totals is one outcome of a matching statement, or its clean part.
type Totals struct {
	Outcome string
	Jobs    numbers.Number
	Cost    numbers.Number
	Debits  numbers.Number
	Carried numbers.Number
}
