package night

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
)

// RunID names a run the same way in every rerun, so that reports can carry it.
func (n *Night) RunID() string { return fmt.Sprintf("%s/r%d", n.Date, n.Revision) }

func (n *Night) BeginRun(ctx context.Context, job string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	_, err = n.Store.Exec(ctx, "runs/begin", n.Args(job, postgres.Args{
		"revision": n.Revision, "as_of": n.AsOf(), "worker": fmt.Sprintf("%s/%d", host, os.Getpid()),
		"code_version": n.Run.CodeVersion, "policy_version": n.PolicyVersion(), "at": n.Now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: begin %s: %w", n.Date, job, err)
	}
	return nil
}

// FinishRun records how a run ended, also when the context is what ended it.
func (n *Night) FinishRun(job string, counts Counts, runErr error) error {
	status, text := "completed", ""
	switch {
	case errors.Is(runErr, context.Canceled):
		status, text = "stopped", "stopped before it was done"
	case runErr != nil:
		status, text = "failed", runErr.Error()
	}
	if counts == nil {
		counts = Counts{}
	}
	encoded, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = n.Store.Exec(ctx, "runs/finish", n.Args(job, postgres.Args{
		"revision": n.Revision, "status": status, "counts": string(encoded), "error": text, "at": n.Now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: finish %s: %w", n.Date, job, err)
	}
	return nil
}

// PolicyVersion is the version in force at the night's end; jobs and purchases of the night may go by an earlier one.
func (n *Night) PolicyVersion() string {
	version, err := n.Policies.At(n.AsOf())
	if err != nil {
		return ""
	}
	return version.Version
}
