package validate

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// The rules under test are those of the built manifests, not of the files they are made from.
var alertSuites = []struct{ folder, tests string }{
	{"../overlays/example", "testdata/worker.yaml"},
	{"../overlays/example", "testdata/schedule.yaml"},
	{"../overlays/example-serve", "testdata/worker.yaml"},
	{"../overlays/example-serve", "testdata/serve.yaml"},
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	for _, suite := range alertSuites {
		t.Run(filepath.Base(suite.folder)+" "+filepath.Base(suite.tests), func(t *testing.T) {
			t.Parallel()
			if output, err := promtool(t, rules(t, suite.folder), read(t, suite.tests)); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// Unit tests that pass with any rule prove nothing: each of these changes must fail them.
func TestAlertTestsNoticeMistakes(t *testing.T) {
	const worker, schedule = "testdata/worker.yaml", "testdata/schedule.yaml"
	for _, m := range []struct{ tests, old, new string }{
		{worker, "26 * 3600", "27 * 3600"},
		{worker, "26 * 3600", "25 * 3600"},
		{worker, "for: 26h", "for: 30h"},
		{worker, "== 3", ">= 3"},
		{worker, "max(reconciler_nights_broken) > 0", "max(reconciler_nights_broken) > 2"},
		{worker, "max(reconciler_nights_missing) > 0", "max(reconciler_nights_missing) > 1"},
		{worker, "for: 1h", "for: 0s"},
		{worker, "> 100", ">= 100"},
		{worker, `{severity="error"}`, ""},
		{worker, "max(reconciler_refunds_halted) > 0", "max(reconciler_refunds_halted) > 1"},
		{worker, "max(reconciler_stripe_sync_failed)", "max(reconciler_stripe_failed)"},
		{schedule, "26 * 3600", "27 * 3600"},
		{schedule, "unless on (namespace, cronjob)", "and on (namespace, cronjob)"},
		{schedule, "kube_cronjob_spec_suspend", "kube_cronjob_suspend"},
		{schedule, `, job_name!~"reconciler-once-.+"`, ""},
		{schedule, `absent(kube_cronjob_info{namespace="reconciler", cronjob="reconciler-night"})`, `absent(kube_cronjob_info)`},
	} {
		t.Run(m.old+" to "+m.new, func(t *testing.T) {
			t.Parallel()
			text := rules(t, "../overlays/example")
			changed := strings.ReplaceAll(text, m.old, m.new)
			if changed == text {
				t.Fatalf("%q is not in the rules", m.old)
			}
			output, err := promtool(t, changed, read(t, m.tests))
			if err == nil {
				t.Error("not noticed")
			} else if !strings.Contains(output, "FAILED:\n    name:") {
				t.Errorf("failed otherwise than by a test: %v\n%s", err, output)
			}
		})
	}
}

// Every alert is tested, and explained in the runbook under its own name; the runbook explains no alert that doesn't exist.
func TestEveryAlertHasARunbook(t *testing.T) {
	runbook := read(t, "../README.md")
	explained := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (Reconciler\w+)$`).FindAllStringSubmatch(runbook, -1) {
		explained[heading[1]] = true
	}
	for _, suite := range alertSuites {
		var spec monitoringv1.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict([]byte(rules(t, suite.folder)), &spec); err != nil {
			t.Fatal(err)
		}
		tests := ""
		for _, other := range alertSuites {
			tests += read(t, other.tests)
		}
		for _, group := range spec.Groups {
			for _, rule := range group.Rules {
				if !strings.Contains(runbook, "\n### "+rule.Alert+"\n") {
					t.Errorf("the runbook has no section on %s", rule.Alert)
				}
				if want := "deploy/README.md#" + strings.ToLower(rule.Alert); rule.Annotations["runbook"] != want {
					t.Errorf("%s: runbook is %q, not %q", rule.Alert, rule.Annotations["runbook"], want)
				}
				if !strings.Contains(tests, "- alertname: "+rule.Alert+"\n") {
					t.Errorf("no test lets %s fire", rule.Alert)
				}
				delete(explained, rule.Alert)
			}
		}
	}
	for alert := range explained {
		t.Errorf("the runbook explains %s, which does not exist", alert)
	}
}

// The metrics that alerts read must be those that the README lists for the worker to expose.
func TestAlertsReadListedMetrics(t *testing.T) {
	readme := read(t, "../README.md")
	for _, suite := range alertSuites {
		for _, metric := range regexp.MustCompile(`\breconciler_\w+`).FindAllString(rules(t, suite.folder), -1) {
			if !strings.Contains(readme, "| `"+metric) {
				t.Errorf("%s is not in the README's list of metrics", metric)
			}
		}
	}
}

// rules returns all rules of a kustomization as the one plain file that promtool reads.
func rules(t *testing.T, folder string) string {
	t.Helper()
	objects, problems := Decode(build(t, folder))
	for _, problem := range problems {
		t.Fatal(problem)
	}
	var all monitoringv1.PrometheusRuleSpec
	for _, object := range objects {
		if rule, ok := object.(*monitoringv1.PrometheusRule); ok {
			all.Groups = append(all.Groups, rule.Spec.Groups...)
		}
	}
	if len(all.Groups) == 0 {
		t.Fatalf("no rules in %s", folder)
	}
	text, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool checks rules and runs tests on them; the tests' rule file is rules.yaml.
func promtool(t *testing.T, rules, tests string) (output string, err error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is needed: it comes with Prometheus, on Debian in the package prometheus")
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"rules.yaml": rules, "tests.yaml": tests} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var combined bytes.Buffer
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "tests.yaml"}} {
		command := exec.Command(path, args...)
		command.Dir, command.Stdout, command.Stderr = folder, &combined, &combined
		if err := command.Run(); err != nil {
			return combined.String(), err
		}
	}
	return combined.String(), nil
}
