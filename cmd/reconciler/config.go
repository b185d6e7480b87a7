package main

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

// config is the checked form of the settings.
type config struct {
	databaseURL     string
	replicaURL      string
	connections     int
	statementLimit  time.Duration
	retry           time.Duration // negative: as the command does by itself
	nights          jobs.Schedule
	jobSchedules    map[string]jobs.Schedule
	stripeKey       string
	stripeRefundKey string
	stripeBase      string
	stripeMode      string
	// stripePerEndpoint and stripeInAll are requests a second.
	stripePerEndpoint, stripeInAll int64
	reportsURL                     string
	reportsLink                    string
	notify                         []morning.Address
	sourceSchema                   string
	policies                       reconcile.Policies
	jobs                           night.Settings
	log                            zerolog.Logger
}

// settingsReader reads settings and collects everything that is wrong with them. Secrets are never in its messages.
type settingsReader struct {
	*settings
	faults []error
}

func (r *settingsReader) fault(env, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s", env, fmt.Sprintf(format, args...)))
}

// number reads a whole number of at least least.
func (r *settingsReader) number(env string, least int64) int64 {
	value, err := strconv.ParseInt(r.value(env), 10, 64)
	if err != nil || value < least {
		r.fault(env, "%q is not a whole number of at least %d", r.value(env), least)
	}
	return value
}

// duration reads a whole number of a unit, at least least of them.
func (r *settingsReader) duration(env string, least int64, unit time.Duration) time.Duration {
	count := r.number(env, least)
	if most := math.MaxInt64 / int64(unit); count > most {
		r.fault(env, "%d is more than %d", count, most)
	}
	return time.Duration(count) * unit
}

// yes reads true or false.
func (r *settingsReader) yes(env string) bool {
	value, err := strconv.ParseBool(r.value(env))
	if err != nil {
		r.fault(env, "%q is not true or false", r.value(env))
	}
	return value
}

// zone reads a time zone by its name in the IANA database; "Local" is none of them, as it would be another zone on another machine.
func (r *settingsReader) zone(env string) *time.Location {
	name := r.value(env)
	zone, err := loadZone(name)
	if err != nil {
		r.fault(env, "%v", err)
		return time.UTC
	}
	return zone
}

func loadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%q is no time zone of the IANA database; examples: UTC, America/New_York", name)
	}
	if city := reconcile.ReadInTwoWays(name); city != "" {
		return nil, fmt.Errorf("%q is a zone with summer time to some readers, PostgreSQL among them, and one without to others; name a city of it instead, such as %s", name, city)
	}
	return zone, nil
}

// load checks every setting and reports everything that is wrong at once, as a usage error.
func (s *settings) load(stderr io.Writer) (config, error) {
	r := &settingsReader{settings: s}
	c := config{sourceSchema: s.value("RECONCILER_SOURCE_SCHEMA")}
	r.database(&c)
	r.reports(&c)
	r.stripe(&c)
	r.nights(&c)
	r.serving(&c)
	c.jobs.Refund = r.refunds()
	r.retries(&c)
	r.misspelt()
	var err error
	if c.log, err = s.logger(stderr); err != nil {
		r.faults = append(r.faults, err)
	}
	if len(r.faults) > 0 {
		return c, usageError("the settings are not right:\n%w", errors.Join(r.faults...))
	}
	return c, nil
}

// database reads how the database and its replica are reached.
func (r *settingsReader) database(c *config) {
	c.databaseURL, c.replicaURL = r.value("DATABASE_URL"), r.value("RECONCILER_REPLICA_URL")
	if c.databaseURL == "" {
		r.fault("DATABASE_URL", "is not set; set it to postgres://user:password@host/database")
	} else if err := postgres.CheckURL(c.databaseURL); err != nil {
		r.fault("DATABASE_URL", "%s", unreadable(c.databaseURL, err))
	}
	if c.replicaURL != "" {
		if err := postgres.CheckURL(c.replicaURL); err != nil {
			r.fault("RECONCILER_REPLICA_URL", "%s", unreadable(c.replicaURL, err))
		}
	}
	c.connections = int(r.number("RECONCILER_DATABASE_CONNECTIONS", 4))
	c.statementLimit = r.duration("RECONCILER_STATEMENT_TIMEOUT_SECONDS", 0, time.Second)
}

// reports reads where reports go.
func (r *settingsReader) reports(c *config) {
	c.reportsURL = r.value("REPORTS_URL")
	if _, err := storage.Open(c.reportsURL); err != nil {
		r.fault("REPORTS_URL", "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "REPORTS_URL"), ": "))
	}
	var err error
	if c.notify, err = morning.ParseAddresses(r.value("RECONCILER_NOTIFY_URLS")); err != nil {
		r.fault("RECONCILER_NOTIFY_URLS", "%v", err)
	}
	if c.reportsLink = r.value("RECONCILER_REPORTS_LINK"); c.reportsLink != "" {
		if u, err := url.Parse(c.reportsLink); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			r.fault("RECONCILER_REPORTS_LINK", "is not an http or https URL")
		}
	}
}

// stripe reads the keys, and what they may be used for.
func (r *settingsReader) stripe(c *config) {
	c.stripeKey, c.stripeRefundKey = r.value("STRIPE_API_KEY"), r.value("STRIPE_REFUND_KEY")
	c.stripeBase, c.stripeMode = r.value("STRIPE_API_BASE"), r.value("RECONCILER_STRIPE_MODE")
	if c.stripeBase != "" {
		if u, err := url.Parse(c.stripeBase); err != nil || u.Scheme == "" || u.Host == "" {
			r.fault("STRIPE_API_BASE", "is not an absolute URL")
		}
	}
	if mode := c.stripeMode; mode != "" && mode != "live" && mode != "test" {
		r.fault("RECONCILER_STRIPE_MODE", "%q is not live or test", mode)
	}
	for _, env := range []string{"STRIPE_API_KEY", "STRIPE_REFUND_KEY"} {
		if key := r.value(env); key != "" && !stripeKeyForm.MatchString(key) {
			r.fault(env, "is not a Stripe secret or restricted key (sk_… or rk_…, test or live)")
		} else if mode := c.stripeMode; (mode == "live" || mode == "test") && key != "" && !strings.HasPrefix(key[len("rk_"):], mode) {
			r.fault(env, "is not a %s key, which RECONCILER_STRIPE_MODE asks for", mode)
		}
	}
	if c.stripeKey != "" && c.stripeKey == c.stripeRefundKey {
		r.fault("STRIPE_REFUND_KEY", "is the same as STRIPE_API_KEY; the read key must not be able to refund")
	}
	c.stripePerEndpoint, c.stripeInAll = r.number("RECONCILER_STRIPE_PER_ENDPOINT", 1), r.number("RECONCILER_STRIPE_IN_ALL", 1)
}

// nights reads what a night goes by.
func (r *settingsReader) nights(c *config) {
	c.jobs.Zone = r.zone("RECONCILER_TIMEZONE")
	var err error
	if path := r.value("RECONCILER_POLICY"); path != "" {
		c.policies, err = policyfile.Load(path)
	} else {
		c.policies, err = policyfile.Default()
	}
	if err != nil {
		r.fault("RECONCILER_POLICY", "%v", err)
	}
	if path := r.value("RECONCILER_ACCOUNTS"); path != "" {
		if c.jobs.Chart, err = loadChart(path); err != nil {
			r.fault("RECONCILER_ACCOUNTS", "%v", err)
		}
	}
	c.jobs.AwaitingFor = r.duration("RECONCILER_AWAITING_HOURS", 1, time.Hour)
	c.jobs.JobStuckAfter = r.duration("RECONCILER_JOB_STUCK_HOURS", 1, time.Hour)
	c.jobs.RefundStuckAfter = r.duration("RECONCILER_REFUND_STUCK_DAYS", 1, 24*time.Hour)
	c.jobs.Matching = night.Matching(r.value("RECONCILER_MATCHING"))
	if c.jobs.Matching != night.MatchFast && c.jobs.Matching != night.MatchExact {
		r.fault("RECONCILER_MATCHING", "%q is not fast or exact", c.jobs.Matching)
	}
	c.jobs.LateLookbackNights = int(r.number("RECONCILER_LATE_LOOKBACK_NIGHTS", 1))
	c.jobs.CreditBackMaxCount = r.number("RECONCILER_CREDIT_BACK_MAX_COUNT", 0)
	c.jobs.CreditBackMaxCredits = r.number("RECONCILER_CREDIT_BACK_MAX_CREDITS", 0)
	c.jobs.CreditBackAnomalyMultiple = r.number("RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE", 0)
}

// retries reads how long to try again.
func (r *settingsReader) retries(c *config) {
	c.retry = -1
	if r.value("RECONCILER_RETRY_MINUTES") != "" {
		c.retry = r.duration("RECONCILER_RETRY_MINUTES", 0, time.Minute)
	}
}

// retryFor is how long to try again: as the settings say, or else as long as the command does by itself.
func (c config) retryFor(ordinarily time.Duration) time.Duration {
	if c.retry < 0 {
		return ordinarily
	}
	return c.retry
}

// serving reads when things are done, and checks where their figures go.
func (r *settingsReader) serving(c *config) {
	zone := r.zone("RECONCILER_SCHEDULE_TIMEZONE")
	var err error
	if c.nights, err = jobs.ParseSchedule(r.value("RECONCILER_SCHEDULE"), zone); err != nil {
		r.fault("RECONCILER_SCHEDULE", "%v", err)
	}
	if c.jobSchedules, err = jobs.ParseJobSchedules(r.value("RECONCILER_JOB_SCHEDULES"), zone); err != nil {
		r.fault("RECONCILER_JOB_SCHEDULES", "%v", err)
	}
	targets := r.metricsTargets()
	if targets.pushURL != "" {
		if u, err := url.Parse(targets.pushURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			r.fault("RECONCILER_PUSHGATEWAY_URL", "is not an http or https URL")
		}
	}
	if path := targets.textfile; path != "" && !strings.HasSuffix(path, ".prom") {
		r.fault("RECONCILER_METRICS_TEXTFILE", "%q does not end in .prom; the textfile collector would not read it", path)
	}
}

// refunds reads what limits the execution of refunds.
func (r *settingsReader) refunds() night.RefundSettings {
	amounts := func(env string) map[string]int64 {
		caps, err := parseAmounts(r.value(env))
		if err != nil {
			r.fault(env, "%v", err)
		}
		return caps
	}
	execute := r.yes("RECONCILER_EXECUTE_REFUNDS")
	if execute && r.value("STRIPE_REFUND_KEY") == "" {
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

func (s *settings) logger(stderr io.Writer) (zerolog.Logger, error) {
	out := newRedactor(stderr, s.secrets())
	var faults []error
	level, err := zerolog.ParseLevel(s.value("LOG_LEVEL"))
	if err != nil || level == zerolog.NoLevel {
		faults = append(faults, fmt.Errorf("LOG_LEVEL: %q is not debug, info, warn or error", s.value("LOG_LEVEL")))
	}
	format := s.logFormat(stderr)
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

// logFormat is the format as it is set, or else console on a terminal and json elsewhere.
func (s *settings) logFormat(stderr io.Writer) string {
	if format := s.value("LOG_FORMAT"); format != "" {
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

// store opens the database of a checked configuration.
func (c config) store() (*postgres.Store, error) {
	store, err := postgres.Open(postgres.Options{URL: c.databaseURL, SourceSchema: c.sourceSchema, MaxConnections: c.connections, StatementTimeout: c.statementLimit})
	if err != nil {
		return nil, usageError("DATABASE_URL: %s", unreadable(c.databaseURL, err))
	}
	return store, nil
}

// unreadable says why a database's URL can't be read. What the driver says is only passed on where the password is known, so that it can be
// kept out: its message may quote the URL.
func unreadable(databaseURL string, err error) string {
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

// syncAttempts is how often a sync makes one call to Stripe; 0: as often as the client does by itself. A test has less patience.
var syncAttempts = 0

// stripe is a reading client of a checked configuration.
func (c config) stripe() (*stripefeed.Client, error) { return c.stripeAt(time.Now) }

// stripeAt goes by another clock for its progress.
func (c config) stripeAt(now func() time.Time) (*stripefeed.Client, error) {
	return stripefeed.New(stripefeed.Options{
		Key: c.stripeKey, BaseURL: c.stripeBase, Mode: c.stripeMode, Log: c.log, Progress: syncProgress(c.log, now), Attempts: syncAttempts,
		EndpointPerSecond: float64(c.stripePerEndpoint), TotalPerSecond: float64(c.stripeInAll),
	})
}

// stripeRefunds is the client of the key that may refund. Only the execution of plans gets it.
func (c config) stripeRefunds() (*stripefeed.Client, error) {
	return stripefeed.New(stripefeed.Options{
		Key: c.stripeRefundKey, BaseURL: c.stripeBase, Mode: c.stripeMode, Log: c.log, Attempts: 4,
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
