package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
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
