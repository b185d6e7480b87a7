package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/hummingbytes/reconciler/jobs"
)

// The exit codes, which schedulers and scripts rely on.
const (
	ExitDone      = 0
	ExitRetry     = 1   // could not finish, worth retrying
	ExitUsage     = 2   // wrong usage or settings
	ExitIntegrity = 3   // control totals, circuit breaker, verification, closed period
	exitBreaks    = 4   // completed, but --fail-on found breaks
	ExitStopped   = 143 // stopped by a signal, cleanly
)

// Errors that end a command, beside those of package jobs.
var (
	ErrUsage       = errors.New("usage")
	ErrBreaksFound = errors.New("breaks found")
)

// usageFault is an error of the caller's making: wrong usage or settings. It is an ErrUsage, without saying so in its text.
type usageFault struct{ error }

func (usageFault) Is(target error) bool { return target == ErrUsage }

func (u usageFault) Unwrap() error { return u.error }

// UsageError is an error of the caller's making: wrong usage or settings.
func UsageError(format string, args ...any) error { return usageFault{fmt.Errorf(format, args...)} }

// CodeOf is the exit code of a command that ended with err, or well.
func CodeOf(ctx context.Context, err error) int {
	if err == nil {
		return ExitDone
	}
	return ExitCode(ctx, err)
}

// ExitCode is the exit code of a command that failed with err.
func ExitCode(ctx context.Context, err error) int {
	verdict := jobs.VerdictOf(err)
	switch {
	case errors.Is(err, ErrUsage) || verdict == jobs.Operator:
		return ExitUsage
	case verdict == jobs.Integrity:
		return ExitIntegrity
	case ctx.Err() != nil:
		return ExitStopped
	case errors.Is(err, ErrBreaksFound):
		return exitBreaks
	default: // out of reach, and what nobody foresaw
		return ExitRetry
	}
}
