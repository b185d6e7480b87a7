// Command reconciler is the nightly reconciliation worker of HummingBytes: it holds purchases, jobs, the credit ledger and Stripe against
// each other, credits back what failed through our fault, and writes the reports that finance closes the books on.
package main

import (
	"context"
	"errors"
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

	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/reports/terminal"
)

// memoryGoal is what the garbage collector works harder for, in bytes: several times what the worker holds on to, so that what it lets go is
// collected before it takes more from the system. It is no limit: what is needed is taken.
const memoryGoal = 36 << 20

func main() {
	log.SetOutput(io.Discard) // net/http writes pieces of bodies there: personal data
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // a night waits for the database: memory is dearer than the half second of CPU
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit codes that schedulers and scripts go by.
const (
	exitDone      = 0
	exitRetry     = 1   // could not finish, worth retrying
	exitUsage     = 2   // wrong usage or settings
	exitIntegrity = 3   // control totals, circuit breaker, verification, closed period
	exitBreaks    = 4   // completed, but --fail-on found breaks
	exitStopped   = 143 // stopped by a signal, cleanly
)

var (
	errUsage       = errors.New("usage")
	errBreaksFound = errors.New("breaks found")
)

// usageFault is an error of the caller's making: wrong usage or settings. It is an errUsage, without saying so in its text.
type usageFault struct{ error }

func (usageFault) Is(target error) bool { return target == errUsage }
func (u usageFault) Unwrap() error      { return u.error }

func usageError(format string, args ...any) error { return usageFault{fmt.Errorf(format, args...)} }

// run is main without the process: the arguments in, the exit code out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	root := newRootCommand()
	complain := func(code int, text string) int {
		s := settings{flags: root.PersistentFlags()}
		s.complain(stderr, code, text)
		return code
	}
	defer func() {
		if cause := recover(); cause != nil {
			code = complain(exitRetry, fmt.Sprintf("panic: %v\n%s", cause, debug.Stack())) // Go's own 2 would read as wrong settings
		}
	}()
	root.SetArgs(args)
	root.SetOut(&terminal.PlainText{Out: stdout}) // ids, memos and names come from outside: none of them may drive a terminal
	root.SetErr(stderr)
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !started { // cobra found something wrong with the command line itself
		return complain(exitUsage, err.Error()+"\nTry: "+command.CommandPath()+" --help")
	}
	return complain(exitCode(ctx, err), err.Error())
}

// complain says why a command has not ended well: as a line of the log where that is JSON, so that every line there is.
func (s *settings) complain(stderr io.Writer, code int, text string) {
	out := newRedactor(stderr, s.secrets())
	if s.logFormat(stderr) == "json" {
		log := zerolog.New(out).With().Timestamp().Logger()
		level := zerolog.ErrorLevel
		if code == exitStopped { // as it was asked to: nothing to alert anybody for
			level = zerolog.InfoLevel
		}
		log.WithLevel(level).Int("exit_code", code).Str("error", text).Msg("reconciler ends")
		return
	}
	fmt.Fprintln(&terminal.PlainText{Out: stderr}, "reconciler: "+out.text(text))
}

// codeOf is the exit code of a command that ended with err, or well.
func codeOf(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	return exitCode(ctx, err)
}

func exitCode(ctx context.Context, err error) int {
	verdict := jobs.VerdictOf(err)
	switch {
	case errors.Is(err, errUsage) || verdict == jobs.Operator:
		return exitUsage
	case verdict == jobs.Integrity:
		return exitIntegrity
	case ctx.Err() != nil:
		return exitStopped
	case errors.Is(err, errBreaksFound):
		return exitBreaks
	default: // out of reach, and what nobody foresaw
		return exitRetry
	}
}
