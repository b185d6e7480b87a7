package cli

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
)

// syncProgressEvery is how often a sync says how far it has come: a usual night's is done before that, a first one may take hours.
const syncProgressEvery = 10 * time.Second

// syncProgress logs how far a sync of Stripe has come, and how long the rest will take at that pace.
func syncProgress(log zerolog.Logger, now func() time.Time) func(stripefeed.Progress) {
	var mu sync.Mutex
	var begun, told time.Time
	var before stripefeed.Progress
	return func(p stripefeed.Progress) {
		mu.Lock()
		defer mu.Unlock()
		at := now()
		if begun.IsZero() || p.Spans < before.Spans || p.Rows < before.Rows { // another night's sync has begun
			begun, told = at, at
		}
		before = p
		if at.Sub(told) < syncProgressEvery {
			return
		}
		told = at
		elapsed := at.Sub(begun)
		event := log.Info().Str("job", "sync-stripe").Str("stream", p.Stream).Int("windows", p.Spans).Int("of", p.SpansTotal).Int64("rows", p.Rows).
			Int64("rows_per_s", p.Rows*int64(time.Second)/max(1, int64(elapsed)))
		if p.Spans > 0 && p.Spans < p.SpansTotal {
			event = event.Dur("left_ms", elapsed*time.Duration(p.SpansTotal-p.Spans)/time.Duration(p.Spans))
		}
		event.Msg("reading Stripe")
	}
}
