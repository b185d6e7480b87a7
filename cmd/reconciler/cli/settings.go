// Package cli is what all commands share: settings and what they mean, usage errors, exit codes, and how values are read and written.
package cli

import (
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"
)

// setting is one line of the configuration: an environment variable and the flag of the same name.
type setting struct {
	env     string
	standby string // the default
	secret  bool
	usage   string
	group   string // the heading that it begins; those behind it belong to the same
}

// The settings, in the order in which reconciler help settings shows them.
var settingList = []setting{
	{group: "Database", env: "DATABASE_URL", secret: true, usage: "PostgreSQL, as postgres://user:password@host/database?sslmode=verify-full"},
	{env: "RECONCILER_REPLICA_URL", secret: true, usage: "a replica for explain and breaks list, show and export to read from; nights never use it"},
	{env: "RECONCILER_DATABASE_CONNECTIONS", standby: "8", usage: "the most connections to the database at once, 4 or more"},
	{env: "RECONCILER_STATEMENT_TIMEOUT_SECONDS", standby: "7200", usage: "how long one statement of a transaction may take; 0: the server's own limit"},
	{group: "Stripe", env: "STRIPE_API_KEY", secret: true, usage: "restricted key that may read; without it Stripe is not looked at"},
	{env: "STRIPE_REFUND_KEY", secret: true, usage: "restricted key that may create refunds; only where refunds are executed"},
	{env: "STRIPE_API_BASE", usage: "another base URL of the Stripe API"},
	{env: "RECONCILER_STRIPE_MODE", usage: "live or test: refuse keys of the other mode; empty: take either"},
	{env: "RECONCILER_STRIPE_PER_ENDPOINT", standby: "25", usage: "the most requests per second to one Stripe endpoint"},
	{env: "RECONCILER_STRIPE_IN_ALL", standby: "100", usage: "the most requests per second to Stripe in total"},
	{group: "Reports and policy", env: "REPORTS_URL", standby: "reports", usage: "where reports go: a folder, or s3://bucket/prefix"},
	{env: "RECONCILER_TIMEZONE", standby: "UTC", usage: "time zone of business dates; that of the first night for good"},
	{env: "RECONCILER_POLICY", usage: "a policy file; empty: the built-in policy"},
	{env: "RECONCILER_ACCOUNTS", usage: "a chart of accounts for the journal; empty: the built-in one (see: reconciler report --help)"},
	{env: "RECONCILER_SOURCE_SCHEMA", standby: "platform", usage: "schema of the platform's tables or views"},
	{group: "Logs", env: "LOG_LEVEL", standby: "info", usage: "debug, info, warn or error"},
	{env: "LOG_FORMAT", usage: "json or console; empty: console on a terminal"},
	{group: "A night", env: "RECONCILER_AWAITING_HOURS", standby: "24", usage: "how long to wait for a counterpart at Stripe before it counts as missing"},
	{env: "RECONCILER_JOB_STUCK_HOURS", standby: "48", usage: "how long a job may stay queued or running before it counts as stuck"},
	{env: "RECONCILER_REFUND_STUCK_DAYS", standby: "10", usage: "how long a refund may be pending at Stripe before it counts as stuck"},
	{env: "RECONCILER_MATCHING", standby: "fast", usage: "fast: compare jobs by fingerprint, and one by one where fingerprints differ; exact: all of them one by one"},
	{env: "RECONCILER_LATE_LOOKBACK_NIGHTS", standby: "7", usage: "how many nights already reported are checked for late rows"},
	{env: "RECONCILER_RETRY_MINUTES", usage: "run, backfill: how long to try again while database, Stripe or report storage is out of reach or another worker has the night; empty: 30 with --catch-up, else 0"},
	{group: "Credit-backs", env: "RECONCILER_CREDIT_BACK_MAX_COUNT", standby: "0", usage: "the most credit-backs in one night; 0: no cap"},
	{env: "RECONCILER_CREDIT_BACK_MAX_CREDITS", standby: "0", usage: "the most credits credited back in one night; 0: no cap"},
	{env: "RECONCILER_CREDIT_BACK_ANOMALY_MULTIPLE", standby: "10", usage: "stop when a night credits back more than this many times the 30-day median; 0: never"},
	{group: "Refunds", env: "RECONCILER_EXECUTE_REFUNDS", standby: "false", usage: "true: the night's job \"refunds\" executes approved plans"},
	{env: "RECONCILER_REFUND_HALT", standby: "false", usage: "true: no refund is made (see also: reconciler refunds halt)"},
	{env: "RECONCILER_REFUND_MAX_RUN", standby: "200", usage: "the most refunds in one run; 0: no cap"},
	{env: "RECONCILER_REFUND_MAX_CUSTOMER", standby: "5", usage: "the most refunds to one customer in a day; 0: no cap"},
	{env: "RECONCILER_REFUND_MAX_DAY", standby: "500", usage: "the most refunds in a day; 0: no cap"},
	{env: "RECONCILER_REFUND_MAX_RUN_AMOUNT", usage: "the most money refunded in one run, in minor units by currency (* for all others): usd=500000,jpy=700000,*=400000; empty: no cap"},
	{env: "RECONCILER_REFUND_MAX_CUSTOMER_AMOUNT", usage: "the most money refunded to one customer in a day, likewise"},
	{env: "RECONCILER_REFUND_MAX_DAY_AMOUNT", usage: "the most money refunded in a day, likewise"},
	{env: "RECONCILER_REFUND_ANOMALY_MULTIPLE", standby: "10", usage: "stop when a day would refund more than this many times the 30-day median; 0: never"},
	{env: "RECONCILER_REFUND_MAX_FAILURES", standby: "3", usage: "stop when this many refunds in a row are stopped, refused or left open; 0: never"},
	{env: "RECONCILER_REFUND_LEASE_SECONDS", standby: "300", usage: "how long an executor of refunds that has gone silent keeps the others out"},
	{group: "serve", env: "RECONCILER_SCHEDULE", standby: "15 3 * * *", usage: "serve: when to do the nights that are due, in cron's notation"},
	{env: "RECONCILER_SCHEDULE_TIMEZONE", standby: "UTC", usage: "serve: time zone of the schedules"},
	{env: "RECONCILER_JOB_SCHEDULES", usage: "serve: single jobs between nights, such as sync-stripe=@hourly; refunds=30 9 * * 1-5"},
	{group: "Morning message", env: "RECONCILER_NOTIFY_URLS", secret: true, usage: "serve, run --catch-up: who is told of each night, one address or several between commas: smtp://user:password@host?from=A@B&to=C@D, smtps://.. likewise, or https://.. for a webhook of Slack, Teams or your own"},
	{env: "RECONCILER_REPORTS_LINK", usage: "where readers of the message find the reports, such as https://desk.example.com; empty: REPORTS_URL"},
	{group: "desk", env: "RECONCILER_DESK_USERS", usage: "desk: a file of lines name:bcrypt, who may sign in"},
	{env: "RECONCILER_DESK_USER_HEADER", usage: "desk: the header in which a proxy that signs people in passes on their name, such as X-Forwarded-Email"},
	{env: "RECONCILER_DESK_TRUSTED_PROXIES", usage: "desk: the networks that such a proxy's requests come from, such as 10.0.0.0/8,fd00::/8"},
	{group: "Metrics", env: "RECONCILER_PUSHGATEWAY_URL", usage: "run, backfill: a Pushgateway to push metrics to"},
	{env: "RECONCILER_METRICS_TEXTFILE", usage: "run, backfill: a file NAME.prom to write metrics to, for node_exporter's textfile collector"},
}

// ExplainSettings is the text of reconciler help settings.
func ExplainSettings() string {
	var out strings.Builder
	out.WriteString("Every setting is an environment variable; a flag of the same name overrides it\n(DATABASE_URL: --database-url), and RECONCILER_ may be left out of the flag\n(--timezone). All commands take all of them.\n")
	for _, s := range settingList {
		if s.group != "" {
			out.WriteString("\n" + s.group + "\n")
		}
		usage := s.usage
		if s.standby != "" {
			usage += " (default " + s.standby + ")"
		}
		out.WriteString("  " + s.env + "\n      " + WrapText(usage, 80-6, 6) + "\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func (s setting) flag() string { return strings.ReplaceAll(strings.ToLower(s.env), "_", "-") }

// IsSetting says whether a flag of that name is a setting.
func IsSetting(flag string) bool { return settingFlags()[flag] }

// settingFlags are the names of the settings' flags: they are asked for each time that any flag is looked up.
var settingFlags = sync.OnceValue(func() map[string]bool {
	flags := map[string]bool{}
	for _, s := range settingList {
		flags[s.flag()] = true
	}
	return flags
})

// Settings are the flags as they were given; the environment is read when a command asks.
type Settings struct {
	Version string // of the code
	Flags   *pflag.FlagSet
}

// Register adds a flag for each setting.
func (s *Settings) Register(flags *pflag.FlagSet) {
	s.Flags = flags
	flags.SortFlags = false
	for _, setting := range settingList {
		usage := setting.usage + " [" + setting.env + "]"
		flags.String(setting.flag(), setting.standby, usage)
	}
}

// Value is what a setting is set to: by flag, else by environment, else its default.
func (s *Settings) Value(env string) string {
	i := slices.IndexFunc(settingList, func(s setting) bool { return s.env == env })
	flag := s.Flags.Lookup(settingList[i].flag())
	if flag.Changed {
		return flag.Value.String()
	}
	if value, ok := os.LookupEnv(env); ok && value != "" {
		return value
	}
	return settingList[i].standby
}
