package stripefeed

import (
	"context"
	"sync"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"golang.org/x/sync/errgroup"
)

const day = int64(24 * 60 * 60)

// spanSeconds cuts a range into at most about a hundred spans of a day or more.
func spanSeconds(from, to int64) int64 {
	return min(max((to-from)/100, day), 30*day)
}

// againSeconds is how long the spans are of what is read once more: most of it has nothing new, and a span costs a request at least.
const againSeconds = 8 * day

// span is what a stream has in [from, to), in Unix seconds of created, and whether all of it is committed.
type span struct {
	from, to int64
	done     bool
}

// spans are those of one stream that a sync reads, oldest first.
type spans struct {
	stream stream
	mark   int64 // the stream's watermark when the sync began
	mu     sync.Mutex
	parts  []span
	marked int // parts[:marked] are behind the watermark
}

func (s *syncer) readSpans(ctx context.Context, watermarks map[string]int64, opened int64) error {
	var all []*spans
	longest := 0
	for _, stream := range streams {
		from, err := s.begin(ctx, stream, watermarks, opened)
		if err != nil {
			return err
		}
		w := &spans{stream: stream, mark: watermarks[stream.name]}
		step := spanSeconds(from, s.upper)
		_, marked := watermarks[stream.name]
		switch {
		case marked && stream.mayReturn:
			step = max(step, (monthDays+2)*day) // there are few of them, and they are read every time
		case marked && s.o.Again:
			step = max(step, againSeconds)
		}
		for ; from < s.upper; from += step {
			w.parts = append(w.parts, span{from: from, to: min(from+step, s.upper)})
		}
		all, longest = append(all, w), max(longest, len(w.parts))
		s.spansTotal += len(w.parts)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(s.client.options.SyncParallel)
	// Oldest first, the streams in turns: so that the watermarks move, and no endpoint's limit holds up the others.
	for i := range longest {
		for _, w := range all {
			if i < len(w.parts) {
				group.Go(func() error { return s.readSpan(groupCtx, w, i) })
			}
		}
	}
	return group.Wait()
}

// monthDays is how far back is read what may still fail after it had succeeded, and everything when an earlier sync has missed something.
const monthDays = 30

// pendingDays is how far back balance transactions are listed again as long as one of them is pending; older ones are asked for one by one.
const pendingDays = 14

// begin is where reading a stream begins: some way before the watermark, or with the account.
func (s *syncer) begin(ctx context.Context, stream stream, watermarks map[string]int64, opened int64) (int64, error) {
	mark, ok := watermarks[stream.name]
	if !ok {
		if opened > 0 {
			return opened - day, nil
		}
		return earliest.Unix(), nil
	}
	from := mark - int64(s.client.options.SyncOverlap/time.Second)
	if s.o.Again || stream.mayReturn {
		from = min(from, mark-monthDays*day)
	}
	if stream.name != "balance_transactions" {
		return from, nil
	}
	// There are too many pending ones to ask for one by one, and most are young.
	var oldest int64
	err := s.o.Store.Get(ctx, &oldest, "stripe/oldest_pending_transaction", postgres.Args{"since": mark - pendingDays*day})
	if oldest > 0 {
		from = min(from, oldest)
	}
	return from, err
}

func (s *syncer) readSpan(ctx context.Context, w *spans, index int) error {
	part := w.parts[index]
	if err := w.stream.read(ctx, s, w.stream.listing.between(part.from, part.to)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts[index].done = true
	before := w.marked
	for w.marked < len(w.parts) && w.parts[w.marked].done {
		w.marked++
	}
	s.mu.Lock()
	s.spansDone++
	s.mu.Unlock()
	s.count(w.stream.name, 0)
	if w.marked == before || w.parts[w.marked-1].to <= w.mark {
		return nil
	}
	return s.advance(ctx, w.stream.name, w.parts[w.marked-1].to)
}

// count adds rows that were committed, and tells how far the sync has come.
func (s *syncer) count(stream string, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[stream] += int64(rows)
	if s.client.options.Progress == nil {
		return
	}
	p := Progress{Stream: stream, Spans: s.spansDone, SpansTotal: s.spansTotal}
	for _, n := range s.rows {
		p.Rows += n
	}
	s.client.options.Progress(p)
}
