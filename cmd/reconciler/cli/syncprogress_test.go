package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed/stripetest"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

func TestSyncProgressIsToldEveryTenSeconds(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	tell := syncProgress(zerolog.New(&out), func() time.Time { return at })
	for windows := range 41 { // a second each
		tell(stripefeed.Progress{Stream: "charges", Spans: windows, SpansTotal: 40, Rows: int64(windows) * 500})
		at = at.Add(time.Second)
	}
	tell(stripefeed.Progress{Stream: "refunds", SpansTotal: 3}) // the next sync
	const want = `{"level":"info","job":"sync-stripe","stream":"charges","windows":10,"of":40,"rows":5000,"rows_per_s":500,"left_ms":30000,"message":"reading Stripe"}
{"level":"info","job":"sync-stripe","stream":"charges","windows":20,"of":40,"rows":10000,"rows_per_s":500,"left_ms":20000,"message":"reading Stripe"}
{"level":"info","job":"sync-stripe","stream":"charges","windows":30,"of":40,"rows":15000,"rows_per_s":500,"left_ms":10000,"message":"reading Stripe"}
{"level":"info","job":"sync-stripe","stream":"charges","windows":40,"of":40,"rows":20000,"rows_per_s":500,"message":"reading Stripe"}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestAFirstSyncSaysHowFarItHasCome goes through the wiring of the command, with a clock on which every batch takes a minute.
func TestAFirstSyncSaysHowFarItHasCome(t *testing.T) {
	made := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	double := stripetest.New(stripetest.Options{Clock: func() time.Time { return made }, Seed: 1})
	for i := range 3 {
		if _, err := double.CreateCharge(stripetest.ChargeParams{Amount: int64(1000 + i), Currency: "usd"}); err != nil {
			t.Fatal(err)
		}
	}
	made = made.AddDate(0, 0, 2)
	base, err := double.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer double.Close()
	store, err := postgres.Open(postgres.Options{URL: testdb.New(t).URL})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var out bytes.Buffer
	at := made
	c := Config{StripeKey: double.ReadKey(), StripeBase: base, stripePerEndpoint: 25, stripeInAll: 100, Log: zerolog.New(&out)}
	client, err := c.stripeAt(func() time.Time { at = at.Add(time.Minute); return at })
	if err != nil {
		t.Fatal(err)
	}
	date := reconcile.Date{Year: 2026, Month: 3, Day: 1}
	if _, err := client.Sync(context.Background(), stripefeed.SyncOptions{Store: store, Date: date, AsOf: reconcile.NightOf(date, time.UTC).AsOf()}); err != nil {
		t.Fatal(err)
	}
	var last struct {
		Message     string
		Rows        int64
		Windows, Of int
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if last.Message != "reading Stripe" || last.Rows < 6 || last.Windows == 0 || last.Windows != last.Of {
		t.Errorf("the last line is %+v", last)
	}
}
