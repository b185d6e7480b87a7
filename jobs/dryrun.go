package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"text/tabwriter"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// rehearseNight does the night's work in a transaction that is rolled back, and tells what it would have changed. Stripe is not synced:
// what is known of it is used.
func (w *Worker) rehearseNight(ctx context.Context, date reconcile.Date, only ...string) error {
	return w.Store.Rehearse(ctx, func(ctx context.Context, rehearsal *postgres.Store) error {
		rehearsed := *w
		rehearsed.Store, rehearsed.DryRun, rehearsed.Stripe, rehearsed.rehearsal = rehearsal, nil, nil, true
		runErr := rehearsed.runNight(ctx, date, only...)
		return errors.Join(runErr, w.tellRehearsal(ctx, rehearsal, date))
	})
}

// maxRehearsalLines is how many credit-backs a dry run lists; the rest is counted.
const maxRehearsalLines = 20

type rehearsedCreditBack struct {
	JobID       string `db:"job_id"`
	AccountID   string `db:"account_id"`
	FailureCode string `db:"failure_code"`
	CreditBack  int64  `db:"credit_back"`
	Clause      string `db:"clause"`
	EntryID     string `db:"entry_id"`
}

func (w *Worker) tellRehearsal(ctx context.Context, rehearsal *postgres.Store, date reconcile.Date) error {
	listed, count, credits, err := w.newCreditBacks(ctx, rehearsal, date)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.DryRun, "Dry run of %s: nothing was changed.\n%d credit-backs of %s credits would be posted.\n", date, count, credits)
	table := tabwriter.NewWriter(w.DryRun, 0, 0, 2, ' ', 0)
	if len(listed) > 0 {
		fmt.Fprintln(table, "\nJOB\tACCOUNT\tFAILURE CODE\tCREDITS\tCLAUSE")
	}
	for _, d := range listed {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", d.JobID, d.AccountID, d.FailureCode, d.CreditBack, d.Clause)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := count - len(listed); more > 0 {
		fmt.Fprintf(w.DryRun, "… and %d more\n", more)
	}
	return w.tellBreaks(ctx, rehearsal, date)
}

// newCreditBacks are those that the rehearsal has decided and the real ledger doesn't hold: the first few, and the totals of all.
func (w *Worker) newCreditBacks(ctx context.Context, rehearsal *postgres.Store, date reconcile.Date) (listed []rehearsedCreditBack, count int, credits *big.Int, err error) {
	credits = new(big.Int)
	for after := ""; ; {
		var batch []rehearsedCreditBack
		if err := rehearsal.Select(ctx, &batch, "dry_run/credit_backs", postgres.Args{"date": date, "after": after, "limit": batchRows}); err != nil {
			return nil, 0, nil, err
		}
		if len(batch) == 0 {
			return listed, count, credits, nil
		}
		after = batch[len(batch)-1].JobID
		var ids, posted []string
		for _, c := range batch {
			ids = append(ids, c.EntryID)
		}
		if err := w.Store.Select(ctx, &posted, "dry_run/in_ledger", postgres.Args{"ids": ids}); err != nil {
			return nil, 0, nil, err
		}
		for _, c := range batch {
			if slices.Contains(posted, c.EntryID) {
				continue
			}
			count++
			credits.Add(credits, big.NewInt(c.CreditBack))
			if len(listed) < maxRehearsalLines {
				listed = append(listed, c)
			}
		}
	}
}

func (w *Worker) tellBreaks(ctx context.Context, rehearsal *postgres.Store, date reconcile.Date) error {
	var breaks []struct {
		Event string
		Kind  string
		Count int64
	}
	if err := rehearsal.Select(ctx, &breaks, "dry_run/break_events", postgres.Args{"date": date}); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.DryRun, 0, 0, 2, ' ', 0)
	if len(breaks) > 0 {
		fmt.Fprintln(table, "\nBREAKS OF THE NIGHT\tKIND\tCOUNT")
	}
	for _, b := range breaks {
		fmt.Fprintf(table, "%s\t%s\t%d\n", b.Event, b.Kind, b.Count)
	}
	return table.Flush()
}
