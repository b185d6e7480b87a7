// Command reconciler is the nightly reconciliation worker of HummingBytes: it compares purchases, jobs, the credit ledger and Stripe with
// each other, credits back what failed through our fault, and writes the reports that finance closes the books on.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// memoryGoal is what the garbage collector works harder for, in bytes: several times what the worker holds on to, so that what it lets go is
// collected before it takes more from the system. It is no limit: what is needed is taken.
const memoryGoal = 36 << 20

func main() {
	log.SetOutput(io.Discard) // net/http writes pieces of bodies there: personal data
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // what a small night holds on to is so little that most of its time would go into collecting; memoryGoal bounds the others
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	wiring.UseOneProcessor()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: the arguments in, the exit code out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	root := newRootCommand()
	complain := func(code int, text string) int {
		complainOf(&cli.Settings{Flags: root.PersistentFlags()}, stderr, code, text)
		return code
	}
	defer func() {
		if cause := recover(); cause != nil {
			code = complain(cli.ExitRetry, fmt.Sprintf("panic: %v\n%s", cause, debug.Stack())) // Go's own 2 would read as wrong settings
		}
	}()
	root.SetArgs(args)
	root.SetOut(&terminal.PlainText{Out: stdout}) // ids, memos and names come from outside: none of them may drive a terminal
	root.SetErr(stderr)
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return cli.ExitDone
	}
	if !started { // cobra found something wrong with the command line itself
		return complain(cli.ExitUsage, err.Error()+"\nTry: "+command.CommandPath()+" --help")
	}
	return complain(cli.ExitCode(ctx, err), err.Error())
}

// complainOf says why a command has not ended well: as a line of the log where that is JSON, so that every line there is.
func complainOf(s *cli.Settings, stderr io.Writer, code int, text string) {
	out := cli.NewRedactor(stderr, s.Secrets())
	if s.LogFormat(stderr) == "json" {
		log := zerolog.New(out).With().Timestamp().Logger()
		level := zerolog.ErrorLevel
		if code == cli.ExitStopped { // as it was asked to: nothing to alert anybody for
			level = zerolog.InfoLevel
		}
		log.WithLevel(level).Int("exit_code", code).Str("error", text).Msg("reconciler ends")
		return
	}
	fmt.Fprintln(&terminal.PlainText{Out: stderr}, "reconciler: "+out.Text(text))
}
