package main

import (
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/cmd/reconciler/wiring"
	"github.com/hummingbytes/reconciler/jobs"
	"github.com/hummingbytes/reconciler/jobs/night"
)

// A database that has been fit and takes no writes any more is a failover under way; one that never took any has to be changed.
func TestAFailoverIsWaitedFor(t *testing.T) {
	_, as := installed(t)
	runWith(t, cli.ExitDone, as("reconciler_owner"), t.TempDir(), "migrate")
	open := wiring.OnceFit()
	try := func(role string) error {
		_, closeWorker, err := open(t.Context(), cli.Config{DatabaseURL: as(role), Connections: 4, ReportsURL: t.TempDir(), Jobs: night.Settings{Zone: time.UTC}})
		if err == nil {
			closeWorker()
		}
		return err
	}
	if err := try("reconciler_readonly"); jobs.Retryable(err) || cli.ExitCode(t.Context(), err) != cli.ExitUsage {
		t.Errorf("never fit: %v", err)
	}
	if err := try("reconciler_app"); err != nil {
		t.Fatal(err)
	}
	if err := try("reconciler_readonly"); !jobs.Retryable(err) {
		t.Errorf("fit before: %v", err)
	}
}
