package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reconcile/stripefeed"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// setting is one line of the configuration: an environment variable and the flag of the same name.
type setting struct {
	env     string
	standby string // the default
	secret  bool
	usage   string
}

// The settings, in the order in which --help shows them.
var settingList = []setting{
	{env: "DATABASE_URL", secret: true, usage: "PostgreSQL, as postgres://user:password@host/database?sslmode=verify-full"},
	{env: "RECONCILER_REPLICA_URL", secret: true, usage: "a replica that explain and breaks list, show and export read from; a night never does"},
	{env: "RECONCILER_DATABASE_CONNECTIONS", standby: "8", usage: "most connections to the database at once, at least 4"},
	{env: "RECONCILER_STATEMENT_TIMEOUT_SECONDS", standby: "7200", usage: "how long one statement of a transaction may take; 0: as the server says"},
	{env: "STRIPE_API_KEY", secret: true, usage: "restricted key with read rights; without it Stripe is not looked at"},
	{env: "STRIPE_REFUND_KEY", secret: true, usage: "restricted key that may create refunds; only where refunds are executed"},
	{env: "STRIPE_API_BASE", usage: "another base URL of the Stripe API"},
	{env: "RECONCILER_STRIPE_MODE", usage: "live or test: refuse a key of the other mode; empty: the key's own"},
	{env: "RECONCILER_STRIPE_PER_ENDPOINT", standby: "25", usage: "most requests a second to one endpoint of Stripe"},
	{env: "RECONCILER_STRIPE_IN_ALL", standby: "100", usage: "most requests a second to Stripe in all"},
	{env: "REPORTS_URL", standby: "reports", usage: "where reports go: a folder, or s3://bucket/prefix"},
	{env: "RECONCILER_TIMEZONE", standby: "UTC", usage: "time zone of business dates"},
	{env: "RECONCILER_POLICY", usage: "a policy file; empty: the built-in policy"},
	{env: "RECONCILER_ACCOUNTS", usage: "a chart of accounts for the journal; empty: the built-in one (see: reconciler report --help)"},
	{env: "RECONCILER_SOURCE_SCHEMA", standby: "platform", usage: "schema of the platform's tables or views"},
	{env: "LOG_LEVEL", standby: "info", usage: "debug, info, warn or error"},
	{env: "LOG_FORMAT", usage: "json or console; empty: console on a terminal"},
	{env: "RECONCILER_AWAITING_HOURS", standby: "24", usage: "how long a counterpart at Stripe may still come"},
	{env: "RECONCILER_JOB_STUCK_HOURS", standby: "48", usage: "how long a job may be queued or running"},
	{env: "RECONCILER_MATCHING", standby: "fast", usage: "fast: compare jobs by fingerprint, exactly where those differ; exact: every job"},
	{env: "RECONCILER_LATE_LOOKBACK_NIGHTS", standby: "7", usage: "how many reported nights are checked for late rows"},
	{env: "RECONCILER_CREDIT_BACK_MAX_COUNT", standby: "0", usage: "most credit-backs in one night; 0: no cap"},
	{env: "RECONCILER_CREDIT_BACK_MAX_CREDITS", standby: "0", usage: "most credits credited back in one night; 0: no cap"},
	{env: "RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE", standby: "10", usage: "stop when a night credits back more than this many times the 30-day median; 0: never"},
	{env: "RECONCILER_EXECUTE_REFUNDS", standby: "false", usage: "true: the nightly job refunds executes approved plans"},
	{env: "RECONCILER_REFUND_HALT", standby: "false", usage: "true: no refund moves (see also: reconciler refunds halt)"},
	{env: "RECONCILER_REFUND_MAX_RUN", standby: "200", usage: "most refunds of one run; 0: no cap"},
	{env: "RECONCILER_REFUND_MAX_CUSTOMER", standby: "5", usage: "most refunds of one customer a day; 0: no cap"},
	{env: "RECONCILER_REFUND_MAX_DAY", standby: "500", usage: "most refunds a day; 0: no cap"},
	{env: "RECONCILER_REFUND_MAX_RUN_AMOUNT", usage: "most money of one run, in minor units by currency: usd=500000,jpy=700000,*=400000; empty: no cap"},
	{env: "RECONCILER_REFUND_MAX_CUSTOMER_AMOUNT", usage: "most money of one customer a day, likewise"},
	{env: "RECONCILER_REFUND_MAX_DAY_AMOUNT", usage: "most money a day, likewise"},
	{env: "RECONCILER_REFUND_ANOMALY_MULTIPLE", standby: "10", usage: "stop when a day would refund more than this many times the 30-day median; 0: never"},
	{env: "RECONCILER_REFUND_MAX_FAILURES", standby: "3", usage: "stop when so many refunds in a row are stopped, refused or left open; 0: never"},
	{env: "RECONCILER_REFUND_LEASE_SECONDS", standby: "300", usage: "how long an executor of refunds that says nothing keeps others out"},
	{env: "RECONCILER_SCHEDULE", standby: "15 3 * * *", usage: "serve: when to look for nights that are due, as cron writes it"},
	{env: "RECONCILER_SCHEDULE_TIMEZONE", standby: "UTC", usage: "serve: time zone of the schedules"},
	{env: "RECONCILER_JOB_SCHEDULES", usage: "serve: single jobs between nights, as sync-stripe=@hourly; refunds=30 9 * * 1-5"},
	{env: "RECONCILER_PUSHGATEWAY_URL", usage: "run, backfill: a Pushgateway that gets the figures of whole nights"},
	{env: "RECONCILER_METRICS_TEXTFILE", usage: "run, backfill: a file NAME.prom that gets them, for node_exporter"},
}

func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.env), "_", "-") }

func isSetting(flag string) bool {
	return slices.ContainsFunc(settingList, func(s setting) bool { return s.flag() == flag })
}

// settings are the flags as they were given; the environment is read when a command asks.
type settings struct {
	flags *pflag.FlagSet
}

func (s *settings) register(flags *pflag.FlagSet) {
	s.flags = flags
	for _, setting := range settingList {
		usage := setting.usage + " [" + setting.env + "]"
		flags.String(setting.flag(), setting.standby, usage)
	}
}

// value is what a setting is set to: by flag, else by environment, else its default.
func (s *settings) value(env string) string {
	i := slices.IndexFunc(settingList, func(s setting) bool { return s.env == env })
	flag := s.flags.Lookup(settingList[i].flag())
	if flag.Changed {
		return flag.Value.String()
	}
	if value, ok := os.LookupEnv(env); ok && value != "" {
		return value
	}
	return settingList[i].standby
}

// config is the checked form of the settings.
type config struct {
	databaseURL     string
	replicaURL      string
	connections     int
	statementLimit  time.Duration
	nights          jobs.Schedule
	jobSchedules    map[string]jobs.Schedule
	stripeKey       string
	stripeRefundKey string
	stripeBase      string
	stripeMode      string
	// stripePerEndpoint and stripeInAll are requests a second.
	stripePerEndpoint, stripeInAll int64
	reportsURL                     string
	sourceSchema                   string
	policies                       reconcile.Policies
	jobs                           jobs.Settings
	log                            zerolog.Logger
}

// load checks every setting and reports everything that is wrong at once, as a usage error. Secrets are never in the message.
func (s *settings) load(stderr io.Writer) (config, error) {
	var faults []error
	fault := func(env, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", env, fmt.Sprintf(format, args...)))
	}
	c := config{
		databaseURL: s.value("DATABASE_URL"), stripeKey: s.value("STRIPE_API_KEY"), stripeRefundKey: s.value("STRIPE_REFUND_KEY"),
		stripeBase: s.value("STRIPE_API_BASE"), stripeMode: s.value("RECONCILER_STRIPE_MODE"), reportsURL: s.value("REPORTS_URL"), sourceSchema: s.value("RECONCILER_SOURCE_SCHEMA"),
	}
	if c.databaseURL == "" {
		fault("DATABASE_URL", "is not set; set it to postgres://user:password@host/database")
	} else if err := postgres.CheckURL(c.databaseURL); err != nil {
		fault("DATABASE_URL", "%s", unreadable(c.databaseURL, err))
	}
	if c.replicaURL = s.value("RECONCILER_REPLICA_URL"); c.replicaURL != "" {
		if err := postgres.CheckURL(c.replicaURL); err != nil {
			fault("RECONCILER_REPLICA_URL", "%s", unreadable(c.replicaURL, err))
		}
	}
	if _, err := storage.Open(c.reportsURL); err != nil {
		fault("REPORTS_URL", "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "REPORTS_URL"), ": "))
	}
	if c.stripeBase != "" {
		if u, err := url.Parse(c.stripeBase); err != nil || u.Scheme == "" || u.Host == "" {
			fault("STRIPE_API_BASE", "is not an absolute URL")
		}
	}
	if mode := c.stripeMode; mode != "" && mode != "live" && mode != "test" {
		fault("RECONCILER_STRIPE_MODE", "%q is not live or test", mode)
	}
	for _, env := range []string{"STRIPE_API_KEY", "STRIPE_REFUND_KEY"} {
		if key := s.value(env); key != "" && !stripeKeyForm.MatchString(key) {
			fault(env, "is not a Stripe secret or restricted key (sk_… or rk_…, test or live)")
		} else if mode := c.stripeMode; (mode == "live" || mode == "test") && key != "" && !strings.HasPrefix(key[len("rk_"):], mode) {
			fault(env, "is not a %s key, which RECONCILER_STRIPE_MODE asks for", mode)
		}
	}
	if c.stripeKey != "" && c.stripeKey == c.stripeRefundKey {
		fault("STRIPE_REFUND_KEY", "is the same as STRIPE_API_KEY; the read key must not be able to refund")
	}
	zone, err := loadZone(s.value("RECONCILER_TIMEZONE"))
	if err != nil {
		fault("RECONCILER_TIMEZONE", "%q is no time zone of the IANA database; examples: UTC, America/New_York", s.value("RECONCILER_TIMEZONE"))
		zone = time.UTC
	}
	c.jobs.Zone = zone
	if path := s.value("RECONCILER_POLICY"); path != "" {
		c.policies, err = policyfile.Load(path)
	} else {
		c.policies, err = policyfile.Default()
	}
	if err != nil {
		fault("RECONCILER_POLICY", "%v", err)
	}
	if path := s.value("RECONCILER_ACCOUNTS"); path != "" {
		if c.jobs.Chart, err = loadChart(path); err != nil {
			fault("RECONCILER_ACCOUNTS", "%v", err)
		}
	}
	s.loadServing(&c, fault)
	number := func(env string, least int64) int64 {
		value, err := strconv.ParseInt(s.value(env), 10, 64)
		if err != nil || value < least {
			fault(env, "%q is not a whole number of at least %d", s.value(env), least)
		}
		return value
	}
	c.stripePerEndpoint, c.stripeInAll = number("RECONCILER_STRIPE_PER_ENDPOINT", 1), number("RECONCILER_STRIPE_IN_ALL", 1)
	c.connections = int(number("RECONCILER_DATABASE_CONNECTIONS", 4))
	c.statementLimit = time.Duration(number("RECONCILER_STATEMENT_TIMEOUT_SECONDS", 0)) * time.Second
	c.jobs.AwaitingFor = time.Duration(number("RECONCILER_AWAITING_HOURS", 1)) * time.Hour
	c.jobs.JobStuckAfter = time.Duration(number("RECONCILER_JOB_STUCK_HOURS", 1)) * time.Hour
	c.jobs.Matching = jobs.Matching(s.value("RECONCILER_MATCHING"))
	if c.jobs.Matching != jobs.MatchFast && c.jobs.Matching != jobs.MatchExact {
		fault("RECONCILER_MATCHING", "%q is not fast or exact", c.jobs.Matching)
	}
	c.jobs.LateLookbackNights = int(number("RECONCILER_LATE_LOOKBACK_NIGHTS", 1))
	c.jobs.CreditBackMaxCount = number("RECONCILER_CREDIT_BACK_MAX_COUNT", 0)
	c.jobs.CreditBackMaxCredits = number("RECONCILER_CREDIT_BACK_MAX_CREDITS", 0)
	c.jobs.CreditBackAnomalyMultiple = number("RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE", 0)
	c.jobs.Refund = s.refunds(number, fault)
	if c.log, err = s.logger(stderr); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return c, usageError("the settings are not right:\n%w", errors.Join(faults...))
	}
	return c, nil
}

// loadZone takes the names of the IANA database alone: "Local" would be another zone on another machine.
func loadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("not a name of the IANA database")
	}
	return time.LoadLocation(name)
}

// loadServing reads what says when things are done, and where their figures go.
func (s *settings) loadServing(c *config, fault func(env, format string, args ...any)) {
	zone, err := loadZone(s.value("RECONCILER_SCHEDULE_TIMEZONE"))
	if err != nil {
		fault("RECONCILER_SCHEDULE_TIMEZONE", "%q is no time zone of the IANA database; examples: UTC, America/New_York", s.value("RECONCILER_SCHEDULE_TIMEZONE"))
		zone = time.UTC
	}
	if c.nights, err = jobs.ParseSchedule(s.value("RECONCILER_SCHEDULE"), zone); err != nil {
		fault("RECONCILER_SCHEDULE", "%v", err)
	}
	if c.jobSchedules, err = jobs.ParseJobSchedules(s.value("RECONCILER_JOB_SCHEDULES"), zone); err != nil {
		fault("RECONCILER_JOB_SCHEDULES", "%v", err)
	}
	if gateway := s.value("RECONCILER_PUSHGATEWAY_URL"); gateway != "" {
		if u, err := url.Parse(gateway); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			fault("RECONCILER_PUSHGATEWAY_URL", "is not an http or https URL")
		}
	}
	if path := s.value("RECONCILER_METRICS_TEXTFILE"); path != "" && !strings.HasSuffix(path, ".prom") {
		fault("RECONCILER_METRICS_TEXTFILE", "%q does not end in .prom; the textfile collector would not read it", path)
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
	format := s.value("LOG_FORMAT")
	if format == "" {
		format = "json"
		if isTerminal(stderr) {
			format = "console"
		}
	}
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

// stripe is a reading client of a checked configuration.
func (c config) stripe() (*stripefeed.Client, error) { return c.stripeAt(time.Now) }

// stripeAt goes by another clock for its progress.
func (c config) stripeAt(now func() time.Time) (*stripefeed.Client, error) {
	return stripefeed.New(stripefeed.Options{
		Key: c.stripeKey, BaseURL: c.stripeBase, Mode: c.stripeMode, Log: c.log, Progress: syncProgress(c.log, now),
		EndpointPerSecond: float64(c.stripePerEndpoint), TotalPerSecond: float64(c.stripeInAll),
	})
}

// codeVersion is what the binary was built from.
func codeVersion() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}

// buildVersion and buildRevision are set by the linker for releases.
var buildVersion, buildRevision string
