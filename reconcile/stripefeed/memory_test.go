package stripefeed

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
)

// endless answers a list of so many charges without keeping any.
func endless(rows int) http.HandlerFunc {
	padding := strings.Repeat("x", 2000) // as long as Stripe's own rows
	return func(w http.ResponseWriter, r *http.Request) {
		first := 0
		if cursor, ok := strings.CutPrefix(r.URL.Query().Get("starting_after"), "ch_"); ok {
			n, _ := strconv.Atoi(cursor)
			first = n + 1
		}
		last := min(first+100, rows)
		fmt.Fprintf(w, `{"object":"list","has_more":%t,"data":[`, last < rows)
		for n := first; n < last; n++ {
			if n > first {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"id":"ch_%d","object":"charge","created":%d,"livemode":false,"amount":%d,"currency":"usd","status":"succeeded","captured":true,"receipt_url":%q}`,
				n, 1_700_000_000-n, n, padding)
		}
		fmt.Fprint(w, "]}")
	}
}

// The memory of a sync does not grow with the number of rows.
func TestMemoryIsFlat(t *testing.T) {
	store, _ := openStore(t)
	peak := func(rows int) uint64 {
		c := serve(t, Options{SyncBatchRows: 1000, AttemptTimeout: 0}, endless(rows))
		s := &syncer{client: c, o: SyncOptions{Store: store}, log: zerolog.Nop(), rows: map[string]int64{}}
		var most atomic.Uint64
		c.options.Progress = func(Progress) {
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most.Store(max(most.Load(), stats.HeapAlloc))
		}
		charges := streamByName("charges")
		if err := charges.read(context.Background(), s, charges.listing); err != nil {
			t.Fatal(err)
		}
		if s.rows["charges"] != int64(rows) {
			t.Fatalf("%d rows", s.rows["charges"])
		}
		return most.Load()
	}
	few, many := peak(3_000), peak(12_000)
	t.Logf("live heap: %.1f MiB at 3,000 rows, %.1f MiB at 12,000", float64(few)/(1<<20), float64(many)/(1<<20))
	if many > few+few/2 {
		t.Error("it grows")
	}
}
