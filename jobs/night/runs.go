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

// EndedRun is how a run of a job ended.
type EndedRun struct {
	job, status, counts, problem string
	at                           time.Time
}

// BeginRun records that a job begins, and how the one before it ended, if any.
func (n *Night) BeginRun(ctx context.Context, job string, before EndedRun) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	_, err = n.Store.Exec(ctx, "runs/begin", n.endArgs(before, postgres.Args{
		"job": job, "worker": fmt.Sprintf("%s/%d", host, os.Getpid()),
		"code_version": n.Run.CodeVersion, "policy_version": n.PolicyVersion(), "began_at": n.Now(),
	}))
	if err != nil {
		return fmt.Errorf("night %s: begin %s: %w", n.Date, job, err)
	}
	return nil
}

// EndRun is the end of a run, to be recorded.
func (n *Night) EndRun(job string, counts Counts, runErr error) (EndedRun, error) {
	ended := EndedRun{job: job, status: "completed", at: n.Now()}
	switch {
	case errors.Is(runErr, context.Canceled):
		ended.status, ended.problem = "stopped", "stopped before it was done"
	case runErr != nil:
		ended.status, ended.problem = "failed", runErr.Error()
	}
	if counts == nil {
		counts = Counts{}
	}
	encoded, err := json.Marshal(counts)
	ended.counts = string(encoded)
	return ended, err
}

// FinishRun records how a run ended, also when the context is what ended it. The zero value is no run.
func (n *Night) FinishRun(ended EndedRun) error {
	if ended.job == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := n.Store.Exec(ctx, "runs/finish", n.endArgs(ended, nil)); err != nil {
		return fmt.Errorf("night %s: finish %s: %w", n.Date, ended.job, err)
	}
	return nil
}

func (n *Night) endArgs(ended EndedRun, more postgres.Args) postgres.Args {
	if ended.counts == "" {
		ended.counts = "{}"
	}
	return more.And(postgres.Args{"revision": n.Revision,
		"ended": ended.job, "status": ended.status, "counts": ended.counts, "error": ended.problem, "ended_at": ended.at})
}

// PolicyVersion is the version in force at the night's end; an earlier one may apply to jobs and purchases of the night.
func (n *Night) PolicyVersion() string {
	version, err := n.Policies.At(n.AsOf())
	if err != nil {
		return ""
	}
	return version.Version
}
