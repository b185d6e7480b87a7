package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// Takes describes the arguments of a command, a line each, for its --help.
func Takes(arguments ...string) map[string]string {
	return map[string]string{"arguments": "  " + strings.Join(arguments, "\n  ")}
}

// Completes tells the shell which values a flag may have.
func Completes(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag, which every test of the command line notices
	}
}

// Arguments turns cobra's check of positional arguments into a usage error.
func Arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return UsageError("%s: %w", cmd.CommandPath(), err)
		}
		return nil
	}
}
