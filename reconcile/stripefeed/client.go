package stripefeed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
)

// Options say how to reach Stripe. Only Key is required.
type Options struct {
	Key     string // sk_ or rk_, of either mode
	BaseURL string // default Stripe's own
	// Mode, "live" or "test", refuses a key of the other one; "": the key's own.
	Mode string
	Log  zerolog.Logger

	EndpointPerSecond float64 // requests a second to one endpoint; default 25
	TotalPerSecond    float64 // requests a second in all; default 100

	Attempts       int           // of one call; default 8
	AttemptTimeout time.Duration // of one attempt; default 60 s
	BackoffBase    time.Duration // before the second attempt, then doubling; default 500 ms
	BackoffLimit   time.Duration // of one wait, what Retry-After asks for included; default 60 s

	HTTPClient *http.Client // default: one of its own, with the timeouts that a batch worker needs

	// SyncLag is how far behind Stripe's clock reading stops, as lists may lack what was made just now; default 60 s, negative: none.
	SyncLag time.Duration
	// SyncOverlap is how far before the watermark reading begins; default 48 h.
	SyncOverlap time.Duration
	// SyncParallel spans are read at once; default 6.
	SyncParallel int
	// SyncBatchRows are committed together; default 1,000.
	SyncBatchRows int
	// Progress, when set, is told after every batch of a sync; calls don't overlap.
	Progress func(Progress)
}

// ErrSettings says that an option is wrong.
var ErrSettings = errors.New("settings for Stripe")

// Client reads from one Stripe account. Safe for concurrent use.
type Client struct {
	options  Options
	livemode bool
	backend  stripe.Backend
	limits   *limits
}

var keyFormat = regexp.MustCompile(`^(rk|sk)_(live|test)_[0-9A-Za-z_]+$`)

// New checks the options, all of them, without calling Stripe. Whatever is wrong is an ErrSettings that doesn't show the key.
func New(o Options) (*Client, error) {
	var problems []error
	parts := keyFormat.FindStringSubmatch(o.Key)
	if parts == nil {
		problems = append(problems, fmt.Errorf("%w: the key starts with none of rk_live_, rk_test_, sk_live_, sk_test_", ErrSettings))
	}
	livemode := parts != nil && parts[2] == "live"
	switch {
	case o.Mode != "" && o.Mode != "live" && o.Mode != "test":
		problems = append(problems, fmt.Errorf("%w: mode %q is neither live nor test", ErrSettings, o.Mode))
	case o.Mode != "" && parts != nil && o.Mode != parts[2]:
		problems = append(problems, fmt.Errorf("%w: the key is a %s key, the settings say %s", ErrSettings, parts[2], o.Mode))
	}
	if o.BaseURL == "" {
		o.BaseURL = stripe.APIURL
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		problems = append(problems, fmt.Errorf("%w: the base URL %q is not an http(s) address", ErrSettings, o.BaseURL))
	} else if base.Scheme == "http" && livemode && base.Hostname() != "localhost" && base.Hostname() != "127.0.0.1" {
		problems = append(problems, fmt.Errorf("%w: a live key is not sent to %s without TLS", ErrSettings, base.Host))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	o.setDefaults()
	httpClient := *o.HTTPClient
	httpClient.Transport = &observer{next: httpClient.Transport}
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a key is for one host
	return &Client{
		options:  o,
		livemode: livemode,
		limits:   newLimits(o.EndpointPerSecond, o.TotalPerSecond),
		backend: stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
			URL:               stripe.String(strings.TrimSuffix(o.BaseURL, "/")),
			HTTPClient:        &httpClient,
			MaxNetworkRetries: stripe.Int64(0), // the library's waits ignore the context, and 429 isn't retried
			EnableTelemetry:   stripe.Bool(false),
			LeveledLogger:     quietLogger{o.Log},
		}),
	}, nil
}

func (o *Options) setDefaults() {
	setDefault(&o.EndpointPerSecond, 25)
	setDefault(&o.TotalPerSecond, 100)
	setDefault(&o.Attempts, 8)
	setDefault(&o.AttemptTimeout, time.Minute)
	setDefault(&o.BackoffBase, 500*time.Millisecond)
	setDefault(&o.BackoffLimit, time.Minute)
	setDefault(&o.SyncLag, time.Minute)
	o.SyncLag = max(o.SyncLag, 0)
	setDefault(&o.SyncOverlap, 48*time.Hour)
	setDefault(&o.SyncParallel, 6)
	setDefault(&o.SyncBatchRows, 1000)
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{}
	}
	if o.HTTPClient.Transport == nil {
		client := *o.HTTPClient
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 32
		transport.ResponseHeaderTimeout = o.AttemptTimeout
		client.Transport = transport
		o.HTTPClient = &client
	}
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// document is a decoded answer of any shape.
type document[T any] struct {
	stripe.APIResource
	body T
}

func (d *document[T]) UnmarshalJSON(raw []byte) error { return json.Unmarshal(raw, &d.body) }

// get reads one path, with as many attempts as the options allow. limit names the endpoint that its rate counts for; check says
// whether a decoded answer is one. The instant is Stripe's clock when it answered.
func get[T any](ctx context.Context, c *Client, limit, path string, query url.Values, check func(*T) error) (*T, time.Time, error) {
	values := &form.Values{}
	for _, name := range sortedKeys(query) {
		for _, value := range query[name] {
			values.Add(name, value)
		}
	}
	for attempt := 1; ; attempt++ {
		if err := c.limits.wait(ctx, limit); err != nil {
			return nil, time.Time{}, fmt.Errorf("GET %s: %w", path, err)
		}
		var answer T
		seen, err := c.attempt(ctx, path, values, &answer)
		if err == nil && seen.date.IsZero() {
			err = &garbled{seen.status, "the answer has no date"}
		}
		if err == nil {
			err = check(&answer)
		}
		if err == nil {
			return &answer, seen.date, nil
		}
		if ctx.Err() != nil {
			return nil, time.Time{}, fmt.Errorf("GET %s: %w", path, context.Cause(ctx))
		}
		var anomaly anomalyError
		if errors.As(err, &anomaly) {
			return nil, time.Time{}, fmt.Errorf("GET %s: %w", path, err)
		}
		v := judge(err, seen)
		if !v.retry || attempt >= c.options.Attempts {
			return nil, time.Time{}, fmt.Errorf("GET %s, attempt %d: %w", path, attempt, at(limit, "read", v.err))
		}
		wait := c.backoff(attempt, seen)
		c.options.Log.Warn().Str("endpoint", limit).Int("attempt", attempt).Int("status", seen.status).
			Str("request_id", seen.header.Get("Request-Id")).Dur("wait", wait).Msg("Stripe call failed, trying again")
		if err := sleep(ctx, wait); err != nil {
			return nil, time.Time{}, fmt.Errorf("GET %s: %w", path, err)
		}
	}
}

// bodies are reused from answer to answer: what is decoded from them are copies.
var bodies = sync.Pool{New: func() any { return &bytes.Buffer{} }}

func (c *Client) attempt(ctx context.Context, path string, values *form.Values, into any) (observation, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.AttemptTimeout)
	defer cancel()
	body := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(body)
	seen := &observation{body: body}
	params := &stripe.Params{Context: context.WithValue(ctx, observationKey{}, seen)}
	err := c.backend.CallRaw(http.MethodGet, path, c.options.Key, values, params, &stripe.APIResource{})
	if err == nil {
		err = seen.bodyErr
	}
	if err == nil && seen.status == http.StatusOK {
		err = json.Unmarshal(body.Bytes(), into)
	}
	seen.body = nil
	return *seen, err
}

// backoff is how long to wait before the next attempt: doubling, half of it random so that workers don't come back in step, and
// what Retry-After asks for if that is more.
func (c *Client) backoff(attempt int, seen observation) time.Duration {
	wait := c.options.BackoffBase << min(attempt-1, 16)
	if wait > c.options.BackoffLimit {
		wait = c.options.BackoffLimit
	}
	wait = wait/2 + rand.N(wait/2+1)
	return min(max(wait, retryAfter(seen)), c.options.BackoffLimit)
}

// retryAfter reads the header in both of its forms, seconds and date; 0 when there is none.
func retryAfter(seen observation) time.Duration {
	value := seen.header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && !seen.date.IsZero() {
		return max(0, at.Sub(seen.date))
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
