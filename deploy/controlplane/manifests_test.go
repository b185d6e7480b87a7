package controlplane

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The Prometheus operator's kinds, as far as the API server has to know them.
const monitoringKinds = `{"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "prometheusrules.monitoring.coreos.com"}, "spec": {
		"group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": "PrometheusRule", "plural": "prometheusrules", "singular": "prometheusrule"},
		"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}},
	{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "podmonitors.monitoring.coreos.com"}, "spec": {
		"group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
		"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}]}`

// TestManifestsOnARealControlPlane walks deploy/README.md: set-up, nights on schedule and by hand, each way in which a pod can end, backfill,
// refunds, and the change to one long-lived worker.
func TestManifestsOnARealControlPlane(t *testing.T) {
	if !*long {
		t.Log("not tried: needs -long")
		return
	}
	p := start(t)
	if _, err := p.tryWith(monitoringKinds, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	p.eventually(time.Minute, "the operator's kinds", func() error {
		_, err := p.try("get", "prometheusrules,podmonitors", "-A")
		return err
	})

	// 5. Secrets, 6. Migrate: in the order of the README.
	p.do("apply", "-f", "deploy/base/namespace.yaml")
	for _, secret := range []string{"reconciler-database", "reconciler-database-owner", "reconciler-stripe-refund"} {
		p.do("-n", "reconciler", "create", "secret", "generic", secret, "--from-literal=url=x", "--from-literal=key=x")
	}
	p.do("apply", "-k", "deploy/overlays/example")
	p.do("apply", "-k", "deploy/overlays/example") // again changes nothing
	p.do("apply", "-k", "deploy/overlays/example/migrate")
	p.end(p.podOf("reconciler-migrate", ""), 0)
	p.ends("reconciler-migrate", "complete")

	t.Run("a night on schedule", func(t *testing.T) { onSchedule(t, p) })
	t.Run("by hand", func(t *testing.T) { byHand(t, p) })
	t.Run("exit codes", func(t *testing.T) { exitCodes(t, p) })
	t.Run("late and suspended", func(t *testing.T) { lateAndSuspended(t, p) })
	t.Run("backfill", func(t *testing.T) { backfill(t, p) })
	t.Run("change to serve and back", func(t *testing.T) { changeOver(t, p) })
}

func (p *plane) within(t *testing.T) *plane {
	return &plane{t: t, folder: p.folder, kubectl: p.kubectl}
}

// everyMinute has the controller start nights without waiting for a quarter past three.
func (p *plane) everyMinute(cronJob string) {
	p.do("-n", "reconciler", "patch", "cronjob", cronJob, "-p", `{"spec": {"schedule": "* * * * *"}}`)
}

func (p *plane) never(cronJob string) {
	p.do("-n", "reconciler", "patch", "cronjob", cronJob, "-p", `{"spec": {"schedule": "15 3 * * *"}}`)
}

// scheduled waits for a Job that the controller made, other than those before, and stops the schedule.
func (p *plane) scheduled(cronJob, component string) (job string) {
	p.t.Helper()
	before := p.jobs(component)
	p.everyMinute(cronJob)
	p.eventually(2*time.Minute, "a Job of "+cronJob, func() error {
		for _, name := range strings.Fields(p.jobs(component)) {
			if !strings.Contains(before, name) {
				job = name
				return nil
			}
		}
		return errNotYet
	})
	p.never(cronJob)
	return job
}

// jobs are those that the README's command lists.
func (p *plane) jobs(component string) string {
	p.t.Helper()
	return p.do("-n", "reconciler", "get", "jobs", "-l", "app.kubernetes.io/component="+component, "-o", "jsonpath={.items[*].metadata.name}")
}

func onSchedule(t *testing.T, p *plane) {
	p = p.within(t)
	job := p.scheduled("reconciler-night", "night")
	if owner := p.get("job/"+job, "{.metadata.ownerReferences[0].name}"); owner != "reconciler-night" {
		t.Errorf("owner %q", owner)
	}
	if last := p.get("cronjob/reconciler-night", "{.status.lastSuccessfulTime}"); last != "" {
		t.Fatalf("succeeded before it ended: %s", last)
	}
	p.end(p.podOf(job, ""), 0)
	p.ends(job, "complete")
	// What ReconcilerNightJobOverdue looks at.
	p.eventually(time.Minute, "the CronJob's last success", func() error {
		if p.get("cronjob/reconciler-night", "{.status.lastSuccessfulTime}") == "" {
			return errNotYet
		}
		return nil
	})
}

// once runs the README's own function, with a kubectl that plays the node for the pod that it makes.
func (p *plane) once(from string, exitCode int, words ...string) (job string, err error) {
	p.t.Helper()
	readme, readErr := os.ReadFile(filepath.Join("..", "README.md"))
	if readErr != nil {
		p.t.Fatal(readErr)
	}
	_, function, _ := strings.Cut(string(readme), "\n    once() {\n")
	function, _, _ = strings.Cut(function, "\n    }\n")
	folder := p.t.TempDir()
	p.write(filepath.Join(folder, "kubectl"), fmt.Sprintf(`#!/bin/bash
kubectl() { %q --kubeconfig=%q "$@"; }
case " $* " in
*" logs "*) # a node runs the pod, and a kubelet would have its log
  job=${@: -1}; job=${job#job.batch/}
  until pod=$(kubectl -n reconciler get pods -l batch.kubernetes.io/job-name=$job -o name) && [ -n "$pod" ]; do sleep 0.3; done
  echo "$job" >%q
  kubectl -n reconciler patch "$pod" --subresource=status --type=merge -p '%s' ;;
*) kubectl "$@" ;;
esac
`, p.kubectl, p.path("kubeconfig"), filepath.Join(folder, "job"), ended(exitCode)))
	if err := os.Chmod(filepath.Join(folder, "kubectl"), 0o700); err != nil {
		p.t.Fatal(err)
	}
	script := exec.Command("bash", append([]string{"-uc", "once() {\n" + function + "\n}\nonce \"$@\"", "bash"}, words...)...)
	script.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "FROM="+from)
	output, err := script.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output)
	}
	name, readErr := os.ReadFile(filepath.Join(folder, "job"))
	if readErr != nil {
		p.t.Fatalf("no Job was made: %v", err)
	}
	return strings.TrimSpace(string(name)), err
}

func ended(exitCode int) string {
	phase := "Failed"
	if exitCode == 0 {
		phase = "Succeeded"
	}
	return fmt.Sprintf(`{"status": {"phase": "%s", "containerStatuses": [{"name": "reconciler", "image": "reconciler", "imageID": "", "ready": false, "restartCount": 0,
		"state": {"terminated": {"exitCode": %d}}}]}}`, phase, exitCode)
}

// byHand: what people run neither counts as a night nor pushes one out.
func byHand(t *testing.T, p *plane) {
	p = p.within(t)
	before, nights := p.get("cronjob/reconciler-night", "{.status.lastSuccessfulTime}"), p.jobs("night")
	time.Sleep(1100 * time.Millisecond) // times are whole seconds
	for range 4 {                       // more than successfulJobsHistoryLimit
		job, err := p.once("reconciler-night", 0, "check", "check")
		if err != nil {
			t.Fatal(err)
		}
		if owner := p.get("job/"+job, "{.metadata.ownerReferences}"); owner != "" {
			t.Errorf("%s is owned by %s", job, owner)
		}
	}
	if _, err := p.once("reconciler-refunds", 0, "refunds", "run", "refunds"); err != nil {
		t.Fatal(err)
	}
	if job, err := p.once("reconciler-night", 3, "proof", "verify", "--date", "2026-01-31"); err == nil {
		t.Errorf("%s failed, and once() says that it did not", job)
	}
	time.Sleep(15 * time.Second) // a cycle of the controller
	if after := p.get("cronjob/reconciler-night", "{.status.lastSuccessfulTime}"); after != before {
		t.Errorf("the last successful night moved from %s to %s", before, after)
	}
	if after := p.jobs("night"); after != nights {
		t.Errorf("Jobs of nights were %q and are %q", nights, after)
	}
	if got := len(strings.Fields(p.jobs("once"))); got != 6 {
		t.Errorf("%d Jobs of people, want 6", got)
	}
}

// exitCodes: 1 and a lost node are tried again, 2 and 3 end the Job at once.
func exitCodes(t *testing.T, p *plane) {
	p = p.within(t)
	for _, code := range []int{2, 3} {
		job := p.scheduled("reconciler-night", "night")
		p.end(p.podOf(job, ""), code)
		p.ends(job, "failed")
		if reason := p.get("job/"+job, `{.status.conditions[?(@.type=="Failed")].reason}`); reason != "PodFailurePolicy" {
			t.Errorf("exit code %d: %s", code, reason)
		}
		if failed := p.get("job/"+job, "{.status.failed}"); failed != "1" {
			t.Errorf("exit code %d: %s pods", code, failed)
		}
	}
	job := p.scheduled("reconciler-night", "night")
	p.evict(p.podOf(job, ""))
	p.podOf(job, "") // another one
	if failed := p.get("job/"+job, "{.status.failed}"); failed != "" && failed != "0" {
		t.Errorf("a drained node counts as a failure: %s", failed)
	}
	for range 4 { // the first try, and backoffLimit more
		p.end(p.podOf(job, ""), 1)
	}
	p.ends(job, "failed")
	if reason := p.get("job/"+job, `{.status.conditions[?(@.type=="Failed")].reason}`); reason != "BackoffLimitExceeded" {
		t.Errorf("exit code 1: %s", reason)
	}
}

func lateAndSuspended(t *testing.T, p *plane) {
	p = p.within(t)
	p.do("-n", "reconciler", "patch", "cronjob", "reconciler-night", "-p", `{"spec":{"suspend":true}}`)
	before := p.jobs("night")
	p.everyMinute("reconciler-night")
	time.Sleep(70 * time.Second)
	if after := p.jobs("night"); after != before {
		t.Errorf("suspended, and yet %q became %q", before, after)
	}
	// Resumed within startingDeadlineSeconds: what was missed is started late, and only the newest of it.
	p.do("-n", "reconciler", "patch", "cronjob", "reconciler-night", "-p", `{"spec":{"suspend":false}}`)
	var job string
	p.eventually(20*time.Second, "the missed night", func() error {
		for _, name := range strings.Fields(p.jobs("night")) {
			if !strings.Contains(before, name) {
				job = name
				return nil
			}
		}
		return errNotYet
	})
	p.never("reconciler-night")
	p.end(p.podOf(job, ""), 0)
	p.ends(job, "complete")
}

// backfill: a night's integrity fails its index only, and the others go on.
func backfill(t *testing.T, p *plane) {
	p = p.within(t)
	p.do("apply", "-k", "deploy/overlays/example/backfill")
	time.Sleep(5 * time.Second)
	if pods := p.do("-n", "reconciler", "get", "pods", "-l", "batch.kubernetes.io/job-name=reconciler-backfill", "-o", "name"); pods != "" {
		t.Fatalf("suspended, and yet there is %s", pods)
	}
	p.do("-n", "reconciler", "patch", "job", "reconciler-backfill", "--type=merge", "-p", `{"spec":{"suspend":false}}`)
	p.end(p.podOf("reconciler-backfill", "0"), 0)
	p.end(p.podOf("reconciler-backfill", "1"), 3)
	p.end(p.podOf("reconciler-backfill", "2"), 0)
	p.eventually(time.Minute, "index 1 failed, 0 and 2 done", func() error {
		if got := p.get("job/reconciler-backfill", "{.status.completedIndexes} done, failed: {.status.failedIndexes}"); got != "0,2 done, failed: 1" {
			return fmt.Errorf("%s", got)
		}
		return nil
	})
	p.end(p.podOf("reconciler-backfill", "3"), 2) // wrong settings are wrong for all
	p.ends("reconciler-backfill", "failed")
	p.do("-n", "reconciler", "delete", "job", "reconciler-backfill", "--ignore-not-found")
}

// changeOver: the README's deletions leave no second worker behind.
func changeOver(t *testing.T, p *plane) {
	p = p.within(t)
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	deletions := map[string][]string{}
	for _, line := range strings.Split(string(readme), "\n") {
		if command, what, found := strings.Cut(line, "# from "); found {
			deletions[strings.TrimSpace(what)] = strings.Fields(command)[1:]
		}
	}
	toServe, toCronJob := deletions["the CronJob to serve"], deletions["serve to the CronJob"]
	if toServe == nil || toCronJob == nil {
		t.Fatalf("the README names no deletions: %v", deletions)
	}
	p.do(toServe...)
	p.do("apply", "-k", "deploy/overlays/example-serve")
	p.eventually(time.Minute, "the long-lived worker's pod", func() error {
		if p.do("-n", "reconciler", "get", "pods", "-l", "app.kubernetes.io/component=serve", "-o", "name") == "" {
			return errNotYet
		}
		return nil
	})
	if left, err := p.try("-n", "reconciler", "get", "cronjob/reconciler-night"); err == nil {
		t.Errorf("both are there: %s", left)
	}
	p.do(toCronJob...)
	p.do("apply", "-k", "deploy/overlays/example")
	// The desk is in both overlays, and stays.
	const desk = "deployment.apps/reconciler-desk\nservice/reconciler-desk"
	if left := strings.TrimSpace(p.do("-n", "reconciler", "get", "deploy,service,podmonitor", "-o", "name")); left != desk {
		t.Errorf("after the way back there are: %s", left)
	}
}
