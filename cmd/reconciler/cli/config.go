package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/morning"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// Config is the checked form of the settings.
type Config struct {
	Version         string // of the code
	DatabaseURL     string
	ReplicaURL      string
	Connections     int
	StatementLimit  time.Duration
	Retry           time.Duration // negative: as the command does by itself
	Nights          jobs.Schedule
	JobSchedules    map[string]jobs.Schedule
	StripeKey       string
	StripeRefundKey string
	StripeBase      string
	StripeMode      string
	// stripePerEndpoint and stripeInAll are requests a second.
	stripePerEndpoint, stripeInAll int64
	ReportsURL                     string
	ReportsLink                    string
	Notify                         []morning.Address
	SourceSchema                   string
	Policies                       reconcile.Policies
	Jobs                           night.Settings
	Log                            zerolog.Logger
}

// settingsReader reads settings and collects everything that is wrong with them. Secrets are never in its messages.
type settingsReader struct {
	*Settings
	faults []error
}

func (r *settingsReader) fault(env, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s", env, fmt.Sprintf(format, args...)))
}

// number reads a whole number of at least least.
func (r *settingsReader) number(env string, least int64) int64 {
	return r.numberWithin(env, least, math.MaxInt64)
}

// numberWithin says one thing of a number that is none, too small or too large.
func (r *settingsReader) numberWithin(env string, least, most int64) int64 {
	value, err := strconv.ParseInt(r.Value(env), 10, 64) // of what is out of its range, the nearest that is not
	switch {
	case errors.Is(err, strconv.ErrRange) && value > 0, err == nil && value > most:
		r.fault(env, "%s is more than %d", r.Value(env), most)
	case err != nil || value < least:
		r.fault(env, "%q is not a whole number of at least %d", r.Value(env), least)
	}
	return value
}

// duration reads a whole number of a unit, at least least of them.
func (r *settingsReader) duration(env string, least int64, unit time.Duration) time.Duration {
	return time.Duration(r.numberWithin(env, least, math.MaxInt64/int64(unit))) * unit
}

// yes reads true or false.
func (r *settingsReader) yes(env string) bool {
	value, err := strconv.ParseBool(r.Value(env))
	if err != nil {
		r.fault(env, "%q is not true or false", r.Value(env))
	}
	return value
}

// zone reads a time zone by its name in the IANA database; "Local" is none of them, as it would be another zone on another machine.
func (r *settingsReader) zone(env string) *time.Location {
	name := r.Value(env)
	zone, err := LoadZone(name)
	if err != nil {
		r.fault(env, "%v", err)
		return time.UTC
	}
	return zone
}

// LoadZone finds a time zone that everybody reads in the same way.
func LoadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%q is no time zone of the IANA database; examples: UTC, America/New_York", name)
	}
	if city := reconcile.ReadInTwoWays(name); city != "" {
		return nil, fmt.Errorf("%q is a zone with summer time to some readers, PostgreSQL among them, and one without to others; name a city of it instead, such as %s", name, city)
	}
	return zone, nil
}

// Load checks every setting and reports everything that is wrong at once, as a usage error.
func (s *Settings) Load(stderr io.Writer) (Config, error) {
	r := &settingsReader{Settings: s}
	c := Config{Version: s.Version, SourceSchema: s.Value("RECONCILER_SOURCE_SCHEMA")}
	r.database(&c)
	r.reports(&c)
	r.stripe(&c)
	r.nights(&c)
	r.serving(&c)
	c.Jobs.Refund = r.refunds()
	r.retries(&c)
	r.misspelt()
	var err error
	if c.Log, err = s.Logger(stderr); err != nil {
		r.faults = append(r.faults, err)
	}
	if len(r.faults) > 0 {
		return c, UsageError("the settings are not right:\n%w", errors.Join(r.faults...))
	}
	return c, nil
}

// database reads how the database and its replica are reached.
func (r *settingsReader) database(c *Config) {
	c.DatabaseURL, c.ReplicaURL = r.Value("DATABASE_URL"), r.Value("RECONCILER_REPLICA_URL")
	if c.DatabaseURL == "" {
		r.fault("DATABASE_URL", "is not set; set it to postgres://user:password@host/database")
	} else if err := postgres.CheckURL(c.DatabaseURL); err != nil {
		r.fault("DATABASE_URL", "%s", Unreadable(c.DatabaseURL, err))
	}
	if c.ReplicaURL != "" {
		if err := postgres.CheckURL(c.ReplicaURL); err != nil {
			r.fault("RECONCILER_REPLICA_URL", "%s", Unreadable(c.ReplicaURL, err))
		}
	}
	c.Connections = int(r.number("RECONCILER_DATABASE_CONNECTIONS", 4))
	c.StatementLimit = r.duration("RECONCILER_STATEMENT_TIMEOUT_SECONDS", 0, time.Second)
}

// reports reads where reports go.
func (r *settingsReader) reports(c *Config) {
	c.ReportsURL = r.Value("REPORTS_URL")
	if _, err := storage.Open(c.ReportsURL); err != nil {
		r.fault("REPORTS_URL", "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "REPORTS_URL"), ": "))
	}
	var err error
	if c.Notify, err = morning.ParseAddresses(r.Value("RECONCILER_NOTIFY_URLS")); err != nil {
		r.fault("RECONCILER_NOTIFY_URLS", "%v", err)
	}
	if c.ReportsLink = r.Value("RECONCILER_REPORTS_LINK"); c.ReportsLink != "" {
		if u, err := url.Parse(c.ReportsLink); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			r.fault("RECONCILER_REPORTS_LINK", "is not an http or https URL")
		}
	}
}

// stripe reads the keys, and what they may be used for.
func (r *settingsReader) stripe(c *Config) {
	c.StripeKey, c.StripeRefundKey = r.Value("STRIPE_API_KEY"), r.Value("STRIPE_REFUND_KEY")
	c.StripeBase, c.StripeMode = r.Value("STRIPE_API_BASE"), r.Value("RECONCILER_STRIPE_MODE")
	if c.StripeBase != "" {
		if u, err := url.Parse(c.StripeBase); err != nil || u.Scheme == "" || u.Host == "" {
			r.fault("STRIPE_API_BASE", "is not an absolute URL")
		}
	}
	if mode := c.StripeMode; mode != "" && mode != "live" && mode != "test" {
		r.fault("RECONCILER_STRIPE_MODE", "%q is not live or test", mode)
	}
	for _, env := range []string{"STRIPE_API_KEY", "STRIPE_REFUND_KEY"} {
		if key := r.Value(env); key != "" && !stripeKeyForm.MatchString(key) {
			r.fault(env, "is not a Stripe secret or restricted key (sk_… or rk_…, test or live)")
		} else if mode := c.StripeMode; (mode == "live" || mode == "test") && key != "" && !strings.HasPrefix(key[len("rk_"):], mode) {
			r.fault(env, "is not a %s key, which RECONCILER_STRIPE_MODE asks for", mode)
		}
	}
	if c.StripeKey != "" && c.StripeKey == c.StripeRefundKey {
		r.fault("STRIPE_REFUND_KEY", "is the same as STRIPE_API_KEY; the read key must not be able to refund")
	}
	c.stripePerEndpoint, c.stripeInAll = r.number("RECONCILER_STRIPE_PER_ENDPOINT", 1), r.number("RECONCILER_STRIPE_IN_ALL", 1)
}

// nights reads the settings of nights.
func (r *settingsReader) nights(c *Config) {
	c.Jobs.Zone = r.zone("RECONCILER_TIMEZONE")
	var err error
	if path := r.Value("RECONCILER_POLICY"); path != "" {
		c.Policies, err = policyfile.Load(path)
	} else {
		c.Policies, err = policyfile.Default()
	}
	if err != nil {
		r.fault("RECONCILER_POLICY", "%v", err)
	}
	if path := r.Value("RECONCILER_ACCOUNTS"); path != "" {
		if c.Jobs.Chart, err = loadChart(path); err != nil {
			r.fault("RECONCILER_ACCOUNTS", "%v", err)
		}
	}
	c.Jobs.AwaitingFor = r.duration("RECONCILER_AWAITING_HOURS", 1, time.Hour)
	c.Jobs.JobStuckAfter = r.duration("RECONCILER_JOB_STUCK_HOURS", 1, time.Hour)
	c.Jobs.RefundStuckAfter = r.duration("RECONCILER_REFUND_STUCK_DAYS", 1, 24*time.Hour)
	c.Jobs.Matching = night.Matching(r.Value("RECONCILER_MATCHING"))
	if c.Jobs.Matching != night.MatchFast && c.Jobs.Matching != night.MatchExact {
		r.fault("RECONCILER_MATCHING", "%q is not fast or exact", c.Jobs.Matching)
	}
	c.Jobs.LateLookbackNights = int(r.number("RECONCILER_LATE_LOOKBACK_NIGHTS", 1))
	c.Jobs.CreditBackMaxCount = r.number("RECONCILER_CREDIT_BACK_MAX_COUNT", 0)
	c.Jobs.CreditBackMaxCredits = r.number("RECONCILER_CREDIT_BACK_MAX_CREDITS", 0)
	c.Jobs.CreditBackAnomalyMultiple = r.number("RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE", 0)
}

// retries reads how long to try again.
func (r *settingsReader) retries(c *Config) {
	c.Retry = -1
	if r.Value("RECONCILER_RETRY_MINUTES") != "" {
		c.Retry = r.duration("RECONCILER_RETRY_MINUTES", 0, time.Minute)
	}
}

// RetryFor is how long to try again: as the settings say, or else as long as the command does by itself.
func (c Config) RetryFor(ordinarily time.Duration) time.Duration {
	if c.Retry < 0 {
		return ordinarily
	}
	return c.Retry
}

// serving reads when things are done, and checks where their figures go.
func (r *settingsReader) serving(c *Config) {
	zone := r.zone("RECONCILER_SCHEDULE_TIMEZONE")
	var err error
	if c.Nights, err = jobs.ParseSchedule(r.Value("RECONCILER_SCHEDULE"), zone); err != nil {
		r.fault("RECONCILER_SCHEDULE", "%v", err)
	}
	if c.JobSchedules, err = jobs.ParseJobSchedules(r.Value("RECONCILER_JOB_SCHEDULES"), zone); err != nil {
		r.fault("RECONCILER_JOB_SCHEDULES", "%v", err)
	}
	targets := r.MetricsTargets()
	if targets.PushURL != "" {
		if u, err := url.Parse(targets.PushURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			r.fault("RECONCILER_PUSHGATEWAY_URL", "is not an http or https URL")
		}
	}
	if path := targets.Textfile; path != "" && !strings.HasSuffix(path, ".prom") {
		r.fault("RECONCILER_METRICS_TEXTFILE", "%q does not end in .prom; the textfile collector would not read it", path)
	}
}

// refunds reads what limits the execution of refunds.
func (r *settingsReader) refunds() night.RefundSettings {
	amounts := func(env string) map[string]int64 {
		caps, err := parseAmounts(r.Value(env))
		if err != nil {
			r.fault(env, "%v", err)
		}
		return caps
	}
	execute := r.yes("RECONCILER_EXECUTE_REFUNDS")
	if execute && r.Value("STRIPE_REFUND_KEY") == "" {
		r.fault("RECONCILER_EXECUTE_REFUNDS", "is true, but STRIPE_REFUND_KEY is not set")
	}
	return night.RefundSettings{
		Execute: execute, Halt: r.yes("RECONCILER_REFUND_HALT"),
		Lease: r.duration("RECONCILER_REFUND_LEASE_SECONDS", 1, time.Second),
		Caps: reconcile.RefundCaps{
			RunCount: r.number("RECONCILER_REFUND_MAX_RUN", 0), CustomerCount: r.number("RECONCILER_REFUND_MAX_CUSTOMER", 0),
			DayCount: r.number("RECONCILER_REFUND_MAX_DAY", 0),
			RunMinor: amounts("RECONCILER_REFUND_MAX_RUN_AMOUNT"), CustomerMinor: amounts("RECONCILER_REFUND_MAX_CUSTOMER_AMOUNT"),
			DayMinor:        amounts("RECONCILER_REFUND_MAX_DAY_AMOUNT"),
			AnomalyMultiple: r.number("RECONCILER_REFUND_ANOMALY_MULTIPLE", 0), ConsecutiveFailures: r.number("RECONCILER_REFUND_MAX_FAILURES", 0),
		},
	}
}

var stripeKeyForm = regexp.MustCompile(`^(sk|rk)_(test|live)_[A-Za-z0-9_]+$`)

// Logger is the log as the settings want it, without secrets.
func (s *Settings) Logger(stderr io.Writer) (zerolog.Logger, error) {
	out := NewRedactor(stderr, s.Secrets())
	var faults []error
	level, err := zerolog.ParseLevel(s.Value("LOG_LEVEL"))
	if err != nil || level == zerolog.NoLevel {
		faults = append(faults, fmt.Errorf("LOG_LEVEL: %q is not debug, info, warn or error", s.Value("LOG_LEVEL")))
	}
	format := s.LogFormat(stderr)
	if format != "json" && format != "console" {
		faults = append(faults, fmt.Errorf("LOG_FORMAT: %q is not json or console", format))
	}
	if len(faults) > 0 {
		return zerolog.Nop(), errors.Join(faults...)
	}
	if format == "console" {
		return zerolog.New(zerolog.ConsoleWriter{Out: out, NoColor: !isTerminal(stderr), TimeFormat: time.TimeOnly}).Level(level).With().Timestamp().Logger(), nil
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger(), nil
}

// LogFormat is the format as it is set, or else console on a terminal and json elsewhere.
func (s *Settings) LogFormat(stderr io.Writer) string {
	if format := s.Value("LOG_FORMAT"); format != "" {
		return format
	}
	if isTerminal(stderr) {
		return "console"
	}
	return "json"
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Store opens the database of a checked configuration.
func (c Config) Store() (*postgres.Store, error) {
	store, err := postgres.Open(postgres.Options{URL: c.DatabaseURL, SourceSchema: c.SourceSchema, MaxConnections: c.Connections, StatementTimeout: c.StatementLimit})
	if err != nil {
		return nil, UsageError("DATABASE_URL: %s", Unreadable(c.DatabaseURL, err))
	}
	return store, nil
}

// Unreadable says why a database's URL can't be read. What the driver says is only passed on where the password is known, so that it can be
// kept out: its message may quote the URL.
func Unreadable(databaseURL string, err error) string {
	var known *postgres.URLError
	if errors.As(err, &known) {
		return known.Error()
	}
	const text = "can't be read as postgres://user:password@host/database or a list of key=value"
	u, parseErr := url.Parse(databaseURL)
	if parseErr != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return text
	}
	said := err.Error()
	if password, ok := u.User.Password(); ok && strings.Contains(said, password) {
		return text
	}
	return text + ": " + strings.TrimPrefix(said, "DATABASE_URL: ")
}

// SyncAttempts is how often a sync makes one call to Stripe; 0: as often as the client does by itself. A test has less patience.
var SyncAttempts = 0

// Stripe is a reading client of a checked configuration.
func (c Config) Stripe() (*stripefeed.Client, error) { return c.stripeAt(time.Now) }

// stripeAt is stripe with a clock of its own for its progress.
func (c Config) stripeAt(now func() time.Time) (*stripefeed.Client, error) {
	return stripefeed.New(stripefeed.Options{
		Key: c.StripeKey, BaseURL: c.StripeBase, Mode: c.StripeMode, Log: c.Log, Progress: syncProgress(c.Log, now), Attempts: SyncAttempts,
		EndpointPerSecond: float64(c.stripePerEndpoint), TotalPerSecond: float64(c.stripeInAll),
	})
}

// StripeRefunds is the client of the key that may refund. Only the execution of plans gets it.
func (c Config) StripeRefunds() (*stripefeed.Client, error) {
	return stripefeed.New(stripefeed.Options{
		Key: c.StripeRefundKey, BaseURL: c.StripeBase, Mode: c.StripeMode, Log: c.Log, Attempts: 4,
		EndpointPerSecond: float64(c.stripePerEndpoint), TotalPerSecond: float64(c.stripeInAll),
	})
}

var amountForm = regexp.MustCompile(`^([a-z]{3}|\*)=([0-9]+)$`)

// parseAmounts reads usd=500000,jpy=700000,*=400000: minor units by currency.
func parseAmounts(text string) (map[string]int64, error) {
	amounts := map[string]int64{}
	if strings.TrimSpace(text) == "" {
		return amounts, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		match := amountForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(part)))
		if match == nil {
			return nil, fmt.Errorf("%q is not a currency and an amount in its minor units, such as usd=500000", part)
		}
		amount, err := strconv.ParseInt(match[2], 10, 64)
		if err != nil || amount == 0 {
			return nil, fmt.Errorf("%q: the amount is not within 1 and 2^63-1", part)
		}
		if _, twice := amounts[match[1]]; twice {
			return nil, fmt.Errorf("%s is named twice", match[1])
		}
		amounts[match[1]] = amount
	}
	return amounts, nil
}
