package reports

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/hummingbytes/reconciler/reports/tables"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

var longRows = flag.Int("rows", testdb.Cases(60_000, 20_000), "rows of the long night")

// A night with ten times the rows needs no more memory, its page stays small, and its workbook goes on where a sheet ends.
// The whole million: go test ./reports -run LongNight -rows 1000000
func TestLongNightsStream(t *testing.T) {
	small, _ := writeLongNight(t, *longRows/10)
	large, folder := writeLongNight(t, *longRows)
	const slack = 6 << 20
	if large > small+slack {
		t.Errorf("the heap peaks at %d KiB with %d rows and at %d KiB with %d", small>>10, *longRows/10, large>>10, *longRows)
	}
	page, err := os.Stat(filepath.Join(folder, "summary.html"))
	if err != nil {
		t.Fatal(err)
	}
	if page.Size() > 1<<20 {
		t.Errorf("summary.html has %d bytes", page.Size())
	}
	t.Logf("heap peak %d KiB with %d rows, %d KiB with %d; page %d KiB", small>>10, *longRows/10, large>>10, *longRows, page.Size()>>10)
}

// writeLongNight publishes a night of n breaks and n credit-backs, and says how high the heap was.
func writeLongNight(t *testing.T, n int) (peak uint64, folder string) {
	t.Helper()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	measure := func(i int) {
		if i%5000 != 0 {
			return
		}
		runtime.GC() // what is live, not what is waiting to be collected
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		if now.HeapAlloc > before.HeapAlloc {
			peak = max(peak, now.HeapAlloc-before.HeapAlloc)
		}
	}
	in := emptyNight()
	in.Breaks = func(_ context.Context, fn func(tables.Break) error) error {
		for i := range n {
			measure(i)
			rule := reconcile.BreakRules[i%len(reconcile.BreakRules)]
			row := tables.Break{BreakID: fmt.Sprintf("brk_%020d", i), Kind: rule.Kind, Severity: rule.Severity, Status: "open", AccountID: fmt.Sprintf("acct_%d", i%5000), SubjectType: rule.SubjectType,
				SubjectID: fmt.Sprintf("subject_%d", i), Field: "credits", Ours: "120", Theirs: "0", Variance: numbers.Int(int64(i % 9973)), Unit: "credits", FirstSeen: in.BusinessDate.AddDays(-i % 90),
				LastSeen: in.BusinessDate, AgeDays: int64(i % 90), Action: rule.Action, Detail: "one of very many"}
			if err := fn(row); err != nil {
				return err
			}
		}
		return nil
	}
	in.CreditBacks = func(_ context.Context, fn func(tables.CreditBack) error) error {
		for i := range n {
			measure(i)
			// Every job with a code of its own: a platform may do that.
			row := tables.CreditBack{JobID: fmt.Sprintf("job_%09d", i), AccountID: fmt.Sprintf("acct_%d", i%5000), Kind: "image", FailureCode: fmt.Sprintf("E%d", i), Class: "unknown",
				Debited: "3", CreditedBefore: "0", CreditBack: "0", Decision: "pending", Clause: "3", Reason: "whose fault it was is open"}
			if err := fn(row); err != nil {
				return err
			}
		}
		return nil
	}
	root := t.TempDir()
	st, err := storage.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	published, err := prepareAndPublish(context.Background(), st, in, PublishOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows in %v", 2*n, time.Since(began).Round(time.Millisecond))
	if published.Summary.Breaks.Open != int64(n) || published.Summary.CreditBacks.Jobs != int64(n) {
		t.Errorf("the figures have %d breaks and %d jobs, want %d of each", published.Summary.Breaks.Open, published.Summary.CreditBacks.Jobs, n)
	}
	return peak, filepath.Join(root, in.BusinessDate.String())
}
