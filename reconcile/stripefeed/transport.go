package stripefeed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// maxBodyBytes bounds an answer: a page of 100 rows is well below 1 MiB.
const maxBodyBytes = 32 << 20

// observation is what the transport saw of an attempt. stripe-go keeps neither the status nor the headers of answers that it can't
// parse, and those are the ones that count here.
type observation struct {
	status int
	header http.Header
	date   time.Time // Stripe's clock; zero when the answer had none

	// body, when set, takes the body of an answer that is one, and the library gets an empty object in its place: it would copy each
	// body three times and read through it five times, which is most of what a sync would cost. bodyErr is why it isn't all there.
	body    *bytes.Buffer
	bodyErr error
}

// take keeps the body of an answer.
func (seen *observation) take(response *http.Response) {
	seen.body.Reset()
	if response.ContentLength > 0 && response.ContentLength < maxBodyBytes {
		seen.body.Grow(int(response.ContentLength) + bytes.MinRead)
	}
	_, seen.bodyErr = seen.body.ReadFrom(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(strings.NewReader("{}"))
}

type observationKey struct{}

// observer notes each answer's status, headers and, where it is asked for, body, and bounds the body.
type observer struct{ next http.RoundTripper }

func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	request, err := withLength(request)
	if err != nil {
		return nil, err
	}
	response, err := o.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	seen, _ := request.Context().Value(observationKey{}).(*observation)
	if seen != nil {
		seen.status, seen.header = response.StatusCode, response.Header
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			seen.date = date.UTC()
		}
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{&bounded{response.Body, maxBodyBytes}, response.Body}
	if seen != nil && seen.body != nil && response.StatusCode == http.StatusOK {
		seen.take(response)
	}
	return response, nil
}

// withLength says how long a body is, which the library leaves open: it would be sent in chunks, and there are proxies that refuse those (411) or take
// them for nothing.
func withLength(request *http.Request) (*http.Request, error) {
	if request.Body == nil || request.ContentLength != 0 {
		return request, nil
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request's body: %w", err)
	}
	sized := *request
	sized.Body, sized.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return &sized, nil
}

// bounded fails when there is more than left, rather than pretending that the body ended.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the body is longer than %d bytes", maxBodyBytes)
	}
	return n, err
}

// limits are Stripe's rate limits, kept on this side: one bucket for everything and one for each endpoint.
type limits struct {
	endpointRate rate.Limit
	total        *rate.Limiter
	mu           sync.Mutex
	endpoints    map[string]*rate.Limiter
}

func newLimits(endpointPerSecond, totalPerSecond float64) *limits {
	return &limits{
		endpointRate: rate.Limit(endpointPerSecond),
		total:        newBucket(rate.Limit(totalPerSecond)),
		endpoints:    map[string]*rate.Limiter{},
	}
}

// newBucket holds a fifth of a second's worth, so that the first second isn't twice as busy as the others.
func newBucket(limit rate.Limit) *rate.Limiter { return rate.NewLimiter(limit, max(1, int(limit/5))) }

func (l *limits) wait(ctx context.Context, endpoint string) error {
	l.mu.Lock()
	bucket := l.endpoints[endpoint]
	if bucket == nil {
		bucket = newBucket(l.endpointRate)
		l.endpoints[endpoint] = bucket
	}
	l.mu.Unlock()
	err := bucket.Wait(ctx)
	if err == nil {
		err = l.total.Wait(ctx)
	}
	if err != nil && ctx.Err() == nil { // there is no time left to wait for a turn
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// quietLogger takes the library's messages without their arguments: these can hold parts of bodies.
type quietLogger struct{ log zerolog.Logger }

func (quietLogger) Debugf(string, ...any)            {} // whole bodies
func (quietLogger) Infof(string, ...any)             {} // each request twice
func (l quietLogger) Warnf(format string, _ ...any)  { l.note(format) }
func (l quietLogger) Errorf(format string, _ ...any) { l.note(format) }
func (l quietLogger) note(format string)             { l.log.Debug().Str("format", format).Msg("stripe-go") }
func sortedKeys(query url.Values) []string           { return slices.Sorted(maps.Keys(query)) }
