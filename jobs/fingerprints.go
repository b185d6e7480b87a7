package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"

	"github.com/lib/pq"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// Matching says how a night's jobs are compared with their debits. The outcome is the same.
type Matching string

const (
	// MatchFast compares fingerprints of buckets of jobs, and exactly only what is in buckets that differ.
	MatchFast Matching = "fast"
	// MatchExact compares every job with its debits. What verifies a night goes this way.
	MatchExact Matching = "exact"
)

const (
	// setAsideBits is the size of the bitmap of jobs that are looked at exactly anyway. Of a night's other jobs, one in
	// setAsideBits / jobs set aside is looked at with them.
	setAsideBits = 1 << 22
	// A bucket holds about jobsPerBucket jobs: one fault makes as many be looked at exactly.
	jobsPerBucket          = 256
	minBuckets, maxBuckets = 1 << 8, 1 << 13
	// maxExceptions is how many exceptions of a night travel through the worker. A night with more is compared within the database.
	maxExceptions = 50_000
)

// compareJobs leaves what isn't plainly clean in the candidates, totals up the rest, and counts all there was apart from that.
func (n *Night) compareJobs(ctx context.Context, tx *postgres.Tx, job string) (clean, scanned matchTotals, err error) {
	if n.Settings.Matching != MatchExact {
		clean, scanned, err = n.compareFingerprints(ctx, tx, job)
		if !errors.Is(err, errTooManyExceptions) {
			return clean, scanned, err
		}
		if _, err := tx.Exec(ctx, "candidates/clear", n.args(job, nil)); err != nil {
			return clean, scanned, err
		}
	}
	if err := tx.Get(ctx, &clean, "match_jobs/scan", n.span(n.args(job, nil))); err != nil {
		return clean, scanned, err
	}
	err = tx.Get(ctx, &scanned, "match_jobs/scanned", n.span(nil))
	return clean, scanned, err
}

var errTooManyExceptions = errors.New("too many exceptions to carry")

// fingerprinted are the buckets of a night that agree, in total, and those that don't.
type fingerprinted struct {
	Jobs, Cost, Debits string
	Suspects           pq.Int64Array
}

// comparedJob is a job that is not plainly clean; the first row that a comparison returns has no job, and the totals.
type comparedJob struct {
	AccountID     string  `db:"account_id" json:"account_id"`
	JobID         *string `db:"job_id" json:"job_id"`
	Jobs          int64   `json:"-"`
	InScan        bool    `json:"in_scan"`
	Cost          string  `json:"cost"`
	Debits        string  `json:"debits"`
	ScannedJobs   string  `db:"scanned_jobs" json:"-"`
	ScannedCost   string  `db:"scanned_cost" json:"-"`
	ScannedDebits string  `db:"scanned_debits" json:"-"`
}

func (n *Night) compareFingerprints(ctx context.Context, tx *postgres.Tx, job string) (clean, scanned matchTotals, err error) {
	var someMoved bool
	if err := tx.Get(ctx, &someMoved, "match_jobs/some_moved", n.span(postgres.Args{"date": n.Date})); err != nil {
		return clean, scanned, err
	}
	setAside, known, err := n.setAside(ctx, tx, job)
	if err != nil {
		return clean, scanned, err
	}
	buckets, err := n.buckets(ctx, tx)
	if err != nil {
		return clean, scanned, err
	}
	seeds, err := newSeeds()
	if err != nil {
		return clean, scanned, err
	}
	args := n.span(postgres.Args{"buckets": buckets, "bits": setAsideBits, "set_aside": setAside, "known_failures": known})
	var prints fingerprinted
	if err := tx.Get(ctx, &prints, "match_jobs/fingerprints", with(args, postgres.Args{"first_seed": seeds[0], "second_seed": seeds[1]})); err != nil {
		return clean, scanned, err
	}
	suspects := newBitmap(buckets)
	for _, bucket := range prints.Suspects {
		suspects.set(bucket)
	}
	var compared []comparedJob
	err = tx.Select(ctx, &compared, "match_jobs/examine", with(args, postgres.Args{"suspects": []byte(suspects), "some_moved": someMoved, "limit": maxExceptions + 1}))
	if err != nil {
		return clean, scanned, err
	}
	totals, exceptions := compared[0], compared[1:]
	if len(exceptions) > maxExceptions {
		return clean, scanned, errTooManyExceptions
	}
	if err := n.keepExceptions(ctx, tx, job, exceptions); err != nil {
		return clean, scanned, err
	}
	clean = matchTotals{Jobs: plus(prints.Jobs, formatInt(totals.Jobs)), Cost: plus(prints.Cost, totals.Cost), Debits: plus(prints.Debits, totals.Debits)}
	scanned = matchTotals{Jobs: totals.ScannedJobs, Cost: totals.ScannedCost, Debits: totals.ScannedDebits}
	return clean, scanned, nil
}

// oddity is a failure code that has not been classified yet, a job that an entry older than the night names, or both.
type oddity struct {
	Version       sql.NullString
	EffectiveFrom sql.NullTime `db:"effective_from"`
	Status        sql.NullString
	FailureCode   sql.NullString `db:"failure_code"`
	Bit           sql.NullInt64
}

// setAside puts what fingerprints can't compare into the candidates, and returns where it stands in the bitmap, and which failures the
// policy knows, as status:code.
func (n *Night) setAside(ctx context.Context, tx *postgres.Tx, job string) (bits []byte, knownFailures []string, err error) {
	aside := newBitmap(setAsideBits)
	if _, err := tx.Exec(ctx, "match_jobs/set_aside", n.span(n.args(job, nil))); err != nil {
		return nil, nil, err
	}
	err = postgres.Each(ctx, tx, "match_jobs/set_aside_bits", n.args(job, postgres.Args{"bits": setAsideBits}), func(bit int64) error {
		aside.set(bit)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	codes := map[unknownCode]bool{}
	err = postgres.Each(ctx, tx, "match_jobs/oddities", n.span(postgres.Args{"policy": n.Policy, "bits": setAsideBits}), func(o oddity) error {
		if o.Bit.Valid {
			aside.set(o.Bit.Int64)
		}
		if o.Version.Valid {
			codes[unknownCode{o.Version.String, o.EffectiveFrom.Time, o.Status.String, o.FailureCode.String}] = true
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := n.addClasses(ctx, tx, slices.Collect(maps.Keys(codes))); err != nil {
		return nil, nil, err
	}
	err = tx.Select(ctx, &knownFailures, "match_jobs/known_failures", n.span(postgres.Args{"policy": n.Policy}))
	return aside, knownFailures, err
}

// buckets is how many there are to be for a night of this size: a power of 2.
func (n *Night) buckets(ctx context.Context, tx *postgres.Tx) (int, error) {
	var rows int64
	if err := tx.Get(ctx, &rows, "match_jobs/rows_noted", postgres.Args{"date": n.Date}); err != nil {
		return 0, err
	}
	buckets := minBuckets
	for buckets < maxBuckets && int64(buckets)*jobsPerBucket < rows {
		buckets *= 2
	}
	return buckets, nil
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
		if _, err := tx.Exec(ctx, "match_jobs/keep", n.args(job, postgres.Args{"rows": string(encoded)})); err != nil {
			return err
		}
	}
	return nil
}

// newSeeds are two numbers that nobody can have prepared rows for.
func newSeeds() (seeds [2]int64, err error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return seeds, err
	}
	return [2]int64{int64(binary.LittleEndian.Uint64(raw[:8])), int64(binary.LittleEndian.Uint64(raw[8:]))}, nil
}

// bitmap is one bit a number, in the order of PostgreSQL's get_bit on bytea.
type bitmap []byte

func newBitmap(bits int) bitmap { return make(bitmap, bits/8) }

func (b bitmap) set(bit int64) { b[bit/8] |= 1 << (bit % 8) }

func with(args, more postgres.Args) postgres.Args {
	all := postgres.Args{}
	for _, from := range []postgres.Args{args, more} {
		for name, value := range from {
			all[name] = value
		}
	}
	return all
}

// plus adds two whole numbers of the database.
func plus(a, b string) string { return new(big.Int).Add(bigInt(a), bigInt(b)).String() }

// BenchTx are the settings that comparisons of sets run with, so that what they are measured against runs with the same.
func BenchTx() postgres.TxOptions { return matchingTx }
