package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hummingbytes/reconciler/cmd/reconciler/bench"
	"github.com/hummingbytes/reconciler/cmd/reconciler/breaks"
	"github.com/hummingbytes/reconciler/cmd/reconciler/check"
	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/demo"
	"github.com/hummingbytes/reconciler/cmd/reconciler/serve"
)

func newRootCommand() *cobra.Command {
	s := &cli.Settings{Version: codeVersion()}
	root := &cobra.Command{
		Use:   "reconciler",
		Short: "Reconcile purchases, jobs, the credit ledger and Stripe, every night",
		Long: `reconciler compares completed purchases and jobs with the credit ledger and Stripe, credits back what
failed through our fault, decides refund requests by the written policy, and writes reports that finance
can close the books on.

Settings come from the environment; flags of the same name override them (DATABASE_URL: --database-url).
reconciler help settings lists them all.

Exit codes: 0 completed · 1 could not finish, worth retrying · 2 wrong usage or settings · 3 integrity: control
totals, circuit breaker, verification, closed period · 4 completed, --fail-on found breaks · 143 stopped by a signal`,
		Example: `  reconciler demo                        the whole job on a simulated business; needs no set-up
  reconciler check                       is everything set up for the first night?
  reconciler run --date 2026-11-21       one night
  reconciler explain job_8841            the whole story of one job, purchase, request or break`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       codeVersion(),
	}
	s.Register(root.PersistentFlags())
	root.SetUsageTemplate(usageTemplate)
	root.AddCommand(&cobra.Command{Use: "settings", Short: "Everything that can be set, by environment or flag", Long: cli.ExplainSettings()})
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		// --timezone for --reconciler-timezone: the prefix tells environment variables apart, flags don't need it.
		if full := "reconciler-" + name; cli.IsSetting(full) && !slices.Contains(fullNamesOnly, name) {
			name = full
		}
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	for _, command := range commands {
		root.AddCommand(command(s))
	}
	for flag, values := range map[string][]string{
		"log-level": {"debug", "info", "warn", "error"}, "log-format": {"json", "console"}, "reconciler-stripe-mode": {"live", "test"}, "reconciler-matching": {"fast", "exact"},
	} {
		cli.Completes(root, flag, values...)
	}
	for _, group := range root.Commands() {
		if group.HasSubCommands() && !group.Runnable() {
			nameOneOf(group)
		}
	}
	return root
}

// usageTemplate shows what a command itself takes: its arguments and its own flags. The settings that all of them take have a page of their own.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]{{end}}{{with index .Annotations "arguments"}}

Arguments:
{{.}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if or .IsAvailableCommand (eq .Name "help")}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .LocalNonPersistentFlags.HasAvailableFlags}}

Flags:
{{.LocalNonPersistentFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Settings: reconciler help settings{{if .HasAvailableSubCommands}}
More about a command: {{.CommandPath}} [command] --help{{end}}
`

// fullNamesOnly are settings whose short name is a command's own flag: demo --accounts is how many customers there are.
var fullNamesOnly = []string{"accounts"}

// nameOneOf makes a group of commands refuse to be called by itself, or by a name that it doesn't have: cobra would show help and succeed.
func nameOneOf(group *cobra.Command) {
	var names []string
	for _, cmd := range group.Commands() {
		names = append(names, cmd.Name())
	}
	group.Args = cobra.ArbitraryArgs
	group.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cli.UsageError("%s: unknown command %q; name one of %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
		}
		return cli.UsageError("%s: name one of %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	if group.Example == "" {
		group.Example = "  " + group.CommandPath() + " " + names[0] + " --help"
	}
}

// commands are all there are; --help sorts them.
var commands = []func(*cli.Settings) *cobra.Command{
	newBackfillCommand, bench.NewCommand, breaks.NewCommand, check.NewCommand, demo.NewCommand, serve.NewDeskCommand,
	newDistributeCommand, newExplainCommand, newMigrateCommand, newMonthCommand, newCloseCommand, newReviewCommand,
	newReopenCommand, newPolicyCommand, newRefundsCommand, newReportCommand, newRunCommand, serve.NewCommand,
	newVerifyCommand, newVersionCommand,
}
