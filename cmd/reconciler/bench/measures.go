package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// unixAddress is the socket file that a URL of localpg means, and the same URL through the same file name in another folder.
func unixAddress(address, dir string) (socket, redirected string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", err
	}
	query := u.Query()
	socket = filepath.Join(query.Get("host"), ".s.PGSQL."+query.Get("port"))
	query.Set("host", dir)
	u.RawQuery = query.Encode()
	return socket, u.String(), nil
}

// prepared makes a database with a night of so many jobs, and a small one before it with as many failures, reconciled: so that
// the measured night continues from books, and sees the credit-backs of the night before.
func (l *lab) prepared(ctx context.Context, name string, nightJobs, historyJobs int64, historyNights int) (*bed, error) {
	l.say("filling %s: %d jobs", name, nightJobs+historyJobs)
	b, err := l.newBed(ctx, name, "")
	if err != nil {
		return nil, err
	}
	accounts := max(nightJobs/benchJobsPerAccount, 100)
	if err := simulation.FillAccounts(ctx, b.admin, accounts, benchNight.Begin.AddDate(-2, 0, 0)); err != nil {
		return nil, err
	}
	before := reconcile.NightOf(benchNight.Date.AddDays(-1), time.UTC)
	if historyNights > 0 {
		long := reconcile.NightOf(before.Date.AddDays(-historyNights), time.UTC)
		long.End = before.Begin
		if err := b.fill(ctx, long, historyJobs, accounts, benchFailuresPerMillion); err != nil {
			return nil, err
		}
	}
	if err := b.fill(ctx, before, max(nightJobs/10, 1000), accounts, benchFailuresPerMillion*10); err != nil {
		return nil, err
	}
	if err := b.fill(ctx, benchNight, nightJobs, accounts, benchFailuresPerMillion); err != nil {
		return nil, err
	}
	if err := b.settle(ctx); err != nil {
		return nil, err
	}
	if _, err := b.run(ctx, before.Date); err != nil {
		return nil, fmt.Errorf("the night before: %w", err)
	}
	if err := b.keep(ctx); err != nil {
		return nil, err
	}
	return b, b.settle(ctx)
}

// keep remembers the worker's tables as they are, restore brings them back and takes out of the ledger what was posted since: every run
// of a night is the first one.
func (b *bed) keep(ctx context.Context) error {
	_, err := b.admin.ExecContext(ctx, `
		CREATE SCHEMA kept;
		DO $$ DECLARE t text; BEGIN
			FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'reconciler' AND tablename NOT LIKE '%version' AND tablename NOT LIKE 'goose%' LOOP
				EXECUTE format('CREATE TABLE kept.%I AS TABLE reconciler.%I', t, t);
			END LOOP;
		END $$`)
	return err
}

func (b *bed) restore(ctx context.Context) error {
	_, err := b.admin.ExecContext(ctx, `
		DO $$ DECLARE t text; columns text; BEGIN
			SET LOCAL session_replication_role = replica;
			EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('reconciler.%I', tablename), ', ') FROM pg_tables WHERE schemaname = 'kept');
			FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'kept' LOOP
				SELECT string_agg(format('%I', column_name), ', ') INTO columns FROM information_schema.columns
				WHERE table_schema = 'reconciler' AND table_name = t AND is_generated = 'NEVER';
				EXECUTE format('INSERT INTO reconciler.%I (%s) SELECT %s FROM kept.%I', t, columns, columns, t);
			END LOOP;
		END $$;
		DELETE FROM platform.credit_entries WHERE kind = 'credit_back' AND created_at >= '`+benchNight.End.Format(time.RFC3339)+`'`)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return b.settle(ctx)
}

// seconds are samples of a duration.
func seconds(d time.Duration) float64 { return d.Seconds() }

func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

func (b *bed) textbook(ctx context.Context) (took time.Duration, found []string, err error) {
	started := time.Now()
	err = b.worker.Store.InTx(ctx, night.ReadingTx, func(ctx context.Context, tx *postgres.Tx) error {
		type row struct {
			AccountID string
			JobID     string
			Cost      *int64
			Debited   *string
		}
		return postgres.Each(ctx, tx, "bench/textbook", postgres.Args{"begin": benchNight.Begin, "end": benchNight.End}, func(r row) error {
			found = append(found, r.JobID)
			return nil
		})
	})
	took = time.Since(started)
	slices.Sort(found)
	return took, slices.Compact(found), err
}

func (b *bed) count(ctx context.Context) (time.Duration, error) {
	started := time.Now()
	var rows int64
	err := b.worker.Store.InTx(ctx, night.ReadingTx, func(ctx context.Context, tx *postgres.Tx) error {
		return tx.Get(ctx, &rows, "bench/count", postgres.Args{"begin": benchNight.Begin, "end": benchNight.End})
	})
	return time.Since(started), err
}

func (b *bed) sameAnswer(ctx context.Context, textbook []string) error {
	var found []string
	if err := b.worker.Store.Select(ctx, &found, "bench/found", postgres.Args{"date": benchNight.Date}); err != nil {
		return err
	}
	slices.Sort(found)
	if !slices.Equal(found, textbook) {
		return fmt.Errorf("%w: the textbook query finds %d jobs, the night %d, and they are not the same", night.ErrIntegrity, len(textbook), len(found))
	}
	return nil
}

// sampled is what the runs of one night gave.
type sampled struct {
	textbook, count, whole, received []float64
	match, alone                     []float64 // match-jobs as the only job of its night: with the reading, and without it
	failed, failedBytes              []float64 // milliseconds and bytes over the wire that a failed job takes
	exceptions                       int
	jobs, statements                 map[string][]float64
}

func (b *bed) sample(ctx context.Context, runs int) (s sampled, err error) {
	s.jobs, s.statements = map[string][]float64{}, map[string][]float64{}
	for i := range runs {
		b.lab.say("%s: run %d of %d", b.name, i+1, runs)
		counted, err := b.count(ctx)
		if err != nil {
			return s, err
		}
		took, found, err := b.textbook(ctx)
		if err != nil {
			return s, err
		}
		if err := b.restore(ctx); err != nil {
			return s, err
		}
		match, err := b.run(ctx, benchNight.Date, "match-jobs")
		if err != nil {
			return s, err
		}
		if err := errors.Join(b.sameAnswer(ctx, found), b.restore(ctx)); err != nil {
			return s, err
		}
		s.alone = append(s.alone, seconds(b.took["match-jobs"]))
		before := b.wire.received.Load()
		whole, err := b.run(ctx, benchNight.Date)
		if err != nil {
			return s, err
		}
		if err := b.sameAnswer(ctx, found); err != nil {
			return s, err
		}
		s.exceptions = len(found)
		s.received = append(s.received, float64(b.wire.received.Load()-before)/1024)
		var failed float64
		if err := b.worker.Store.DB().QueryRowContext(ctx, "SELECT count(*) FROM reconciler.credit_backs WHERE business_date = $1", benchNight.Date).Scan(&failed); err != nil {
			return s, err
		}
		s.failed = append(s.failed, seconds(b.took["credit-backs"])*1000/max(failed, 1))
		s.failedBytes = append(s.failedBytes, float64(b.brought["credit-backs"])/max(failed, 1))
		s.count, s.textbook = append(s.count, seconds(counted)), append(s.textbook, seconds(took))
		s.match, s.whole = append(s.match, seconds(match)), append(s.whole, seconds(whole))
		for job, took := range b.took {
			s.jobs[job] = append(s.jobs[job], seconds(took))
		}
		for statement, took := range b.statements {
			s.statements[statement] = append(s.statements[statement], seconds(took))
		}
	}
	return s, nil
}

func (l *lab) night(ctx context.Context, r *benchReport) (err error) {
	small, err := l.prepared(ctx, "tenth", l.jobs/10, 0, 0)
	if err != nil {
		return err
	}
	tenth, err := small.sample(ctx, l.runs)
	if err != nil {
		return err
	}
	smallPeak, err := small.peak(ctx, benchNight.Date)
	if err != nil {
		return err
	}
	if err := small.drop(ctx); err != nil {
		return err
	}
	full, err := l.prepared(ctx, "whole", l.jobs, 0, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, full.drop(ctx)) }()
	s, err := full.sample(ctx, l.runs)
	if err != nil {
		return err
	}
	same := fmt.Sprintf("same answer in every run: %d jobs", s.exceptions)
	r.atMost("match-jobs against the textbook query", 0.4, "times", ratios(s.match, s.textbook), "with the reading that all jobs share; "+same)
	r.atMost("  without that reading", 0, "times", ratios(s.alone, s.textbook), "")
	r.atMost("whole night without Stripe against the textbook query", 1, "times", ratios(s.whole, s.textbook), "")
	r.atMost("match-jobs against count(*) of the same rows", 6, "times", ratios(s.match, s.count), "")
	for _, part := range []struct {
		name    string
		samples []float64
	}{{"textbook query", s.textbook}, {"count(*) of both", s.count}, {"whole night", s.whole}} {
		r.atMost(part.name, 0, "s", part.samples, "")
	}
	for _, name := range append([]string{"open"}, jobs.Names()...) {
		r.atMost("  "+name, 0, "s", s.jobs[name], "")
	}
	r.profile("whole night", s)
	r.atMost("growth of match-jobs, a tenth of the jobs to all", 11, "times", ratios(s.match, tenth.match), "")
	r.atMost("growth of the whole night, a tenth to all", 11, "times", ratios(s.whole, tenth.whole), "")
	r.atMost("received over the wire", 0, "KiB", s.received, "of a tenth of the jobs: "+figure(newMeasure("", "", "", tenth.received, "").Median)+" KiB")
	r.atMost("a failed job decided, recorded, posted and audited", 0.05, "ms", s.failed, "all of credit-backs")
	r.atMost("  received over the wire for it", 40, "bytes", s.failedBytes, "its line in the reports aside")
	if err := l.written(ctx, r, full); err != nil {
		return err
	}
	fullPeak, err := full.peak(ctx, benchNight.Date)
	if err != nil {
		return err
	}
	r.atMost("worker's peak memory", 64, "MiB", []float64{fullPeak}, "a tenth of the jobs: "+figure(smallPeak)+" MiB")
	return nil
}

// written states what the night writes to the database's log, by what it is written for.
func (l *lab) written(ctx context.Context, r *benchReport, b *bed) error {
	if err := b.restore(ctx); err != nil {
		return err
	}
	for _, job := range []struct{ name, rows, per string }{
		{"match-jobs", "SELECT count(*) FROM reconciler.breaks WHERE job = 'match-jobs' AND opened_on = $1", "a break"},
		{"credit-backs", "SELECT count(*) FROM reconciler.credit_backs WHERE business_date = $1", "a failed job, decided and credited back"},
	} {
		var before, after, rows int64
		if err := b.worker.Store.Get(ctx, &before, "bench/written", nil); err != nil {
			return err
		}
		if _, err := b.run(ctx, benchNight.Date, job.name); err != nil {
			return err
		}
		if err := b.worker.Store.Get(ctx, &after, "bench/written", nil); err != nil {
			return err
		}
		if err := b.worker.Store.DB().QueryRowContext(ctx, job.rows, benchNight.Date).Scan(&rows); err != nil {
			return err
		}
		r.atMost("bytes written to the log for "+job.per, 0, "bytes", []float64{float64(after-before) / float64(max(rows, 1))},
			fmt.Sprintf("%d rows; right after a checkpoint, so with whole pages; the opening of the night included", rows))
	}
	return nil
}

func (l *lab) history(ctx context.Context, r *benchReport) error {
	nightly := max(l.jobs/500, 1000)
	var whole [2][]float64
	for i, nights := range []int{7, 365} {
		b, err := l.prepared(ctx, fmt.Sprintf("history%d", nights), nightly, nightly*int64(nights), nights)
		if err != nil {
			return err
		}
		s, err := b.sample(ctx, l.runs)
		if err != nil {
			return err
		}
		whole[i] = s.whole
		r.profile(fmt.Sprintf("%d nights of history", nights), s)
		if err := b.drop(ctx); err != nil {
			return err
		}
	}
	r.atMost("a night with 365 nights of history against 7", 1.1, "times", ratios(whole[1], whole[0]), fmt.Sprintf("nights of %d jobs", nightly))
	return nil
}
