package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Matching says how a night's jobs are compared with their debits. The outcome is the same.
type Matching string

const (
	// MatchFast compares fingerprints of accounts, and exactly only what is of accounts that differ.
	MatchFast Matching = "fast"
	// MatchExact compares every job with its debits. What verifies a night goes this way.
	MatchExact Matching = "exact"
)

const (
	// maxSuspects is how many accounts that don't agree are named to the worker, maxExceptions how many jobs of theirs travel through it. A
	// night with more of either is compared within the database.
	maxSuspects, maxExceptions = 20_000, 50_000
)

// errStillWritten says that rows of the night turned up, or were changed, between its reading and a later look: it has to be read again.
var errStillWritten = errors.New("the platform was still writing rows of this night while it was worked on; run it again")

// reading is what a night knows, before any of its jobs begins, of what it has read.
type reading struct {
	known     []string // failures that the policy knows, as status:code
	named     []comparedJob
	someMoved bool        // entries of this night count in another one, or the other way round
	all       matchTotals // stamped in the night
	entries   string      // of the ledger, stamped in the night
	credits   string      // theirs
	clean     matchTotals // plainly clean
}

// read reads the night's jobs and ledger once, account by account; all that any job of the night needs of all the rows follows from this.
// The two go side by side, each in a transaction of its own: what changes in between shows when exceptions are judged.
// What else the ledger's reading needs is done in its transaction.
func (n *Night) read(ctx context.Context, more ...func(ctx context.Context, tx *postgres.Tx) error) error {
	seeds, err := newSeeds()
	if err != nil {
		return err
	}
	args := n.span(postgres.Args{"date": n.Date, "first_seed": seeds[0], "second_seed": seeds[1]})
	side := func(clear, statement string, args postgres.Args, more ...func(ctx context.Context, tx *postgres.Tx) error) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return n.Store.InTx(ctx, readingTx, func(ctx context.Context, tx *postgres.Tx) error {
				if _, err := tx.Exec(ctx, clear, postgres.Args{"date": n.Date}); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, statement, args); err != nil {
					return err
				}
				for _, do := range more {
					if err := do(ctx, tx); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	return n.sideBySide(ctx,
		side("reading/clear_jobs", "reading/jobs", with(args, postgres.Args{"known_failures": n.reading.known})),
		side("reading/clear_ledger", "reading/ledger", with(args, postgres.Args{"some_moved": n.reading.someMoved}), more...))
}

// addOwnCreditBacks adds what the night before has posted to what was read of the ledger.
func (n *Night) addOwnCreditBacks(ctx context.Context, tx *postgres.Tx) error {
	_, err := tx.Exec(ctx, "reading/own_credit_backs", n.span(postgres.Args{"date": n.Date, "some_moved": n.reading.someMoved}))
	return err
}

// oddity is a failure code that has not been classified yet, a job that an entry older than the night names, or both.
type oddity struct {
	Version       sql.NullString
	EffectiveFrom sql.NullTime `db:"effective_from"`
	Status        sql.NullString
	FailureCode   sql.NullString `db:"failure_code"`
	AccountID     sql.NullString `db:"account_id"`
	JobID         sql.NullString `db:"job_id"`
}

// prepareReading finds out what the reading has to know before.
func (n *Night) prepareReading(ctx context.Context, tx *postgres.Tx) error {
	n.reading = reading{}
	if err := tx.Get(ctx, &n.reading.someMoved, "reading/some_moved", n.span(postgres.Args{"date": n.Date})); err != nil {
		return err
	}
	codes := map[unknownCode]bool{}
	err := postgres.Each(ctx, tx, "reading/oddities", n.span(postgres.Args{"policy": n.Policy}), func(o oddity) error {
		if o.JobID.Valid {
			n.reading.named = append(n.reading.named, comparedJob{AccountID: o.AccountID.String, JobID: &o.JobID.String, Cost: "0", Debits: "0"})
		}
		if o.Version.Valid {
			codes[unknownCode{o.Version.String, o.EffectiveFrom.Time, o.Status.String, o.FailureCode.String}] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := n.addClasses(ctx, tx, slices.Collect(maps.Keys(codes))); err != nil {
		return err
	}
	return tx.Select(ctx, &n.reading.known, "reading/known_failures", n.span(postgres.Args{"policy": n.Policy}))
}

// findMoves works out which accounts the night has moved, and where they stood before.
func (n *Night) findMoves(ctx context.Context, tx *postgres.Tx) error {
	var goesOn bool
	if err := tx.Get(ctx, &goesOn, "books/previous", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "reading/clear_moves", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	reported, err := n.lastReported(ctx, tx)
	if err != nil {
		return err
	}
	isOpen := n.isOpen(reported)
	if isOpen {
		if _, err := tx.Exec(ctx, "late/forget_before", postgres.Args{"date": n.Date, "goes_on": goesOn}); err != nil {
			return err
		}
	}
	if goesOn {
		_, err = tx.Exec(ctx, "reading/moved_accounts", n.span(postgres.Args{"date": n.Date}))
	} else {
		_, err = tx.Exec(ctx, "reading/all_accounts", n.span(postgres.Args{"date": n.Date, "is_open": isOpen}))
	}
	if err != nil {
		return err
	}
	if isOpen && !goesOn {
		if _, err := tx.Exec(ctx, "late/note_before", postgres.Args{"date": n.Date}); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "reading/analyze_moves", postgres.Args{})
	return err
}

// comparedJob is a job that is not plainly clean; the first row that a comparison returns has no job, and the totals.
type comparedJob struct {
	AccountID string  `db:"account_id" json:"account_id"`
	JobID     *string `db:"job_id" json:"job_id"`
	Jobs      int64   `json:"-"`
	InScan    bool    `json:"in_scan"`
	Cost      string  `json:"cost"`
	Debits    string  `json:"debits"`
}

// compareJobs leaves the jobs and debits that aren't plainly clean in the candidates of match-jobs, and totals up the rest.
func (n *Night) compareJobs(ctx context.Context, tx *postgres.Tx) error {
	const job = "match-jobs"
	if _, err := tx.Exec(ctx, "candidates/clear", n.args(job, nil)); err != nil {
		return err
	}
	var agreement struct {
		Jobs, Cost, Debits string
		AllJobs            string `db:"all_jobs"`
		AllCost            string `db:"all_cost"`
		AllDebits          string `db:"all_debits"`
		AllEntries         string `db:"all_entries"`
		AllCredits         string `db:"all_credits"`
		Suspects           pq.StringArray
	}
	if err := tx.Get(ctx, &agreement, "reading/agreement", postgres.Args{"date": n.Date, "limit": maxSuspects + 1}); err != nil {
		return err
	}
	n.reading.all = matchTotals{Jobs: agreement.AllJobs, Cost: agreement.AllCost, Debits: agreement.AllDebits}
	n.reading.entries, n.reading.credits = agreement.AllEntries, agreement.AllCredits
	if n.Settings.Matching != MatchExact && len(agreement.Suspects) <= maxSuspects {
		examined, err := n.examine(ctx, tx, job, agreement.Suspects)
		if err == nil {
			n.reading.clean = matchTotals{
				Jobs: plus(agreement.Jobs, examined.Jobs), Cost: plus(agreement.Cost, examined.Cost), Debits: plus(agreement.Debits, examined.Debits),
			}
			return nil
		}
		if !errors.Is(err, errTooManyExceptions) {
			return err
		}
		if _, err := tx.Exec(ctx, "candidates/clear", n.args(job, nil)); err != nil {
			return err
		}
	}
	return tx.Get(ctx, &n.reading.clean, "reading/scan", n.span(n.args(job, nil)))
}

var errTooManyExceptions = errors.New("too many exceptions to carry")

// examine compares the jobs of suspect accounts exactly, and sets aside what fingerprints say nothing of.
func (n *Night) examine(ctx context.Context, tx *postgres.Tx, job string, suspects []string) (clean matchTotals, err error) {
	if _, err := tx.Exec(ctx, "reading/set_aside", n.span(n.args(job, nil))); err != nil {
		return clean, err
	}
	if err := n.keepExceptions(ctx, tx, job, n.reading.named); err != nil {
		return clean, err
	}
	var compared []comparedJob
	err = tx.Select(ctx, &compared, "reading/examine", n.span(postgres.Args{
		"known_failures": n.reading.known, "suspects": suspects, "some_moved": n.reading.someMoved, "limit": maxExceptions + 1,
	}))
	if err != nil {
		return clean, err
	}
	totals, exceptions := compared[0], compared[1:]
	if len(exceptions) > maxExceptions {
		return clean, errTooManyExceptions
	}
	return matchTotals{Jobs: formatInt(totals.Jobs), Cost: totals.Cost, Debits: totals.Debits}, n.keepExceptions(ctx, tx, job, exceptions)
}

func (n *Night) keepExceptions(ctx context.Context, tx *postgres.Tx, job string, exceptions []comparedJob) error {
	for len(exceptions) > 0 {
		batch := exceptions[:min(batchRows, len(exceptions))]
		exceptions = exceptions[len(batch):]
		for i := range batch {
			batch[i].InScan = batch[i].Jobs > 0
		}
		encoded, err := json.Marshal(batch)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "reading/keep", n.args(job, postgres.Args{"rows": string(encoded)})); err != nil {
			return err
		}
	}
	return nil
}

// readNightAhead reads a night before its turn: that depends on no other night. A night that has been read before is left alone, as what it
// had read then is what late rows are told by.
func (w *Worker) readNightAhead(ctx context.Context, date reconcile.Date) error {
	night := &Night{Worker: &Worker{}, Night: reconcile.NightOf(date, w.Settings.Defaults().Zone), Policy: w.Policies.Hash()}
	*night.Worker = *w
	if err := night.findAmbiguous(ctx); err != nil || len(night.ambiguous) > 0 {
		return err // which of several rows counts is only known once the nights before have been opened
	}
	var wasRead bool
	err := w.Store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.Get(ctx, &wasRead, "reading/was_read", postgres.Args{"date": night.Date}); err != nil || wasRead {
			return err
		}
		// Failure codes are held against the policy, which the very first night may not have registered yet.
		if err := night.registerPolicy(ctx, tx); err != nil {
			return err
		}
		return night.prepareReading(ctx, tx)
	})
	if err != nil || wasRead || night.reading.someMoved {
		return err
	}
	if err := night.read(ctx); err != nil {
		return err
	}
	_, err = w.Store.Exec(ctx, "reading/ahead", postgres.Args{"date": night.Date, "token": w.token(), "known": night.knownFailures()})
	return err
}

// isReadAhead says whether what readNightAhead has read of this night can be gone by.
func (n *Night) isReadAhead(ctx context.Context, tx *postgres.Tx) (usable bool, err error) {
	err = tx.Get(ctx, &usable, "reading/take_ahead", postgres.Args{
		"date": n.Date, "token": n.token(), "known": n.knownFailures(), "some_moved": n.reading.someMoved,
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return usable, err
}

func (n *Night) knownFailures() string { return strings.Join(n.reading.known, "\n") }

// stillTheSame fails with errStillWritten unless what is counted now is what was read.
func (n *Night) stillTheSame(what string, read, counted string) error {
	if bigInt(read).Cmp(bigInt(counted)) == 0 {
		return nil
	}
	return fmt.Errorf("%w (%s: %s were read, now there are %s)", errStillWritten, what, read, counted)
}

// newSeeds are two numbers that nobody can have prepared rows for.
func newSeeds() (seeds [2]int64, err error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return seeds, err
	}
	return [2]int64{int64(binary.LittleEndian.Uint64(raw[:8])), int64(binary.LittleEndian.Uint64(raw[8:]))}, nil
}

func with(args, more postgres.Args) postgres.Args {
	all := postgres.Args{}
	for _, from := range []postgres.Args{args, more} {
		maps.Copy(all, from)
	}
	return all
}

// plus adds two whole numbers of the database.
func plus(a, b string) string { return new(big.Int).Add(bigInt(a), bigInt(b)).String() }

// BenchTx are the settings that comparisons of sets run with, so that what they are measured against runs with the same.
func BenchTx() postgres.TxOptions { return readingTx }
