package wiring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports/storage"
	"github.com/rs/zerolog"
)

// besidesTime has time pass only while somebody waits.
func besidesTime(t *testing.T) {
	now, real := time.Date(2026, 3, 3, 3, 15, 0, 0, time.UTC), WallTime
	WallTime = ServerTime{Now: func() time.Time { return now }, After: func(d time.Duration) <-chan time.Time {
		now = now.Add(d)
		passed := make(chan time.Time, 1)
		passed <- now
		return passed
	}}
	t.Cleanup(func() { WallTime = real })
}

// What is away is tried again for as long as the limit, and each attempt is on the log; what another try doesn't mend ends it at once.
func TestWhatIsTriedAgain(t *testing.T) {
	besidesTime(t)
	away := fmt.Errorf("select: %w", postgres.ErrUnavailable)
	for _, c := range []struct {
		name     string
		limit    time.Duration
		failures int // of attempts, before it is well
		err      error
		least    int // attempts
		most     int
		well     bool
	}{
		{"well at once", 30 * time.Minute, 0, nil, 1, 1, true},
		{"a quarter of an hour", 30 * time.Minute, 8, away, 9, 9, true},
		{"a full disk", 30 * time.Minute, 2, storage.ErrUnavailable, 3, 3, true},
		{"another worker", 30 * time.Minute, 2, postgres.ErrLockHeld, 3, 3, true},
		{"away for good", 30 * time.Minute, 1000, away, 12, 40, false},
		{"no patience", 0, 1, away, 1, 1, false},
		{"set-up", 30 * time.Minute, 1, postgres.ErrSetup, 1, 1, false},
		{"set-up and away", 30 * time.Minute, 1, errors.Join(postgres.ErrSetup, away), 1, 1, false},
		{"integrity", 30 * time.Minute, 1, errors.Join(away, night.ErrIntegrity), 1, 1, false},
		{"usage", 30 * time.Minute, 1, cli.UsageError("wrong"), 1, 1, false},
		{"unforeseen", 30 * time.Minute, 1, errors.New("?"), 1, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told bytes.Buffer
			began, attempts := WallTime.Now(), 0
			err := Patiently(t.Context(), zerolog.New(&told), c.limit, func() error {
				if attempts++; attempts <= c.failures {
					return c.err
				}
				return nil
			})
			if (err == nil) != c.well || attempts < c.least || attempts > c.most || WallTime.Now().Sub(began) > c.limit {
				t.Errorf("%v after %d attempts in %s", err, attempts, WallTime.Now().Sub(began))
			}
			lines := strings.Split(strings.TrimSpace(told.String()), "\n")
			if got := strings.Count(told.String(), "\n"); got != attempts-1 {
				t.Errorf("%d lines on the log of %d attempts", got, attempts)
			}
			for _, line := range lines {
				if line != "" && !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
}

// A signal ends the waiting at once, cleanly.
func TestASignalEndsTheWaiting(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	attempts := 0
	err := Patiently(ctx, zerolog.Nop(), time.Hour, func() error {
		attempts++
		time.AfterFunc(0, stop)
		return postgres.ErrUnavailable
	})
	if code := cli.ExitCode(ctx, err); attempts != 1 || code != cli.ExitStopped {
		t.Errorf("%d attempts, exit code %d: %v", attempts, code, err)
	}
}
