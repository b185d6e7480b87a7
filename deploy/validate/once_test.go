package validate

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// once is the function of the README by which people run single commands, as it is written there.
func once(t *testing.T) string {
	t.Helper()
	_, text, found := strings.Cut(read(t, "../README.md"), "\n    once() {\n")
	text, _, closed := strings.Cut(text, "\n    }\n")
	if !found || !closed {
		t.Fatal("the README has no once()")
	}
	return "once() {\n" + text + "\n}\n"
}

// What people run by hand must not pass for a night: no owner, a label of its own, their command word for word, and no second try.
func TestOnceMakesJobsOfItsOwn(t *testing.T) {
	objects, problems := Decode(build(t, "../overlays/example"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	folder := t.TempDir()
	var night *batchv1.CronJob
	for _, o := range objects {
		if c, ok := o.(*batchv1.CronJob); ok && c.Name == "reconciler-night" {
			night = c
		}
	}
	// What kubectl create job --from answers with --dry-run=client.
	yes := true
	job := batchv1.Job{ObjectMeta: night.Spec.JobTemplate.ObjectMeta, Spec: night.Spec.JobTemplate.Spec}
	job.APIVersion, job.Kind, job.Name, job.Namespace = "batch/v1", "Job", "once", "reconciler"
	job.Annotations = map[string]string{"cronjob.kubernetes.io/instantiate": "manual"}
	job.OwnerReferences = append(job.OwnerReferences, metav1.OwnerReference{APIVersion: "batch/v1", Kind: "CronJob", Name: night.Name, UID: "1", Controller: &yes})
	dryRun, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("dry-run.json", string(dryRun), 0o600)
	write("kubectl", `#!/bin/sh
echo "$*" >>"$FOLDER/calls"
case "$*" in
*--dry-run=client*) cat "$FOLDER/dry-run.json" ;;
"create -f - -o name") cat >"$FOLDER/created.json"; echo job.batch/reconciler-once-why-x7k2p ;;
esac
`, 0o700)
	script := exec.Command("bash", "-euc", once(t)+`once why breaks resolve brk_1 --by "Ana  Ruiz" --reason "a line
and another" --as=accepted`)
	script.Env = append(os.Environ(), "FOLDER="+folder, "PATH="+folder+":"+os.Getenv("PATH"))
	if output, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	created, err := os.ReadFile(filepath.Join(folder, "created.json"))
	if err != nil {
		t.Fatal(err)
	}
	var made batchv1.Job
	if err := yaml.UnmarshalStrict(created, &made); err != nil {
		t.Fatal(err)
	}
	if len(made.OwnerReferences) != 0 || made.Annotations != nil || made.Name != "" || made.GenerateName != "reconciler-once-why-" || made.Namespace != "reconciler" {
		t.Errorf("metadata %+v", made.ObjectMeta)
	}
	for what, labels := range map[string]map[string]string{"the Job": made.Labels, "its pods": made.Spec.Template.Labels} {
		if labels["app.kubernetes.io/component"] != "once" || labels["app.kubernetes.io/name"] != "reconciler" {
			t.Errorf("%s: labels %v", what, labels)
		}
	}
	args := made.Spec.Template.Spec.Containers[0].Args
	if want := []string{"breaks", "resolve", "brk_1", "--by", "Ana  Ruiz", "--reason", "a line\nand another", "--as=accepted"}; strings.Join(args, "\x00") != strings.Join(want, "\x00") {
		t.Errorf("args %q, want %q", args, want)
	}
	if *made.Spec.BackoffLimit != 0 {
		t.Errorf("tries %d times again", *made.Spec.BackoffLimit)
	}
	calls := read(t, filepath.Join(folder, "calls"))
	for _, call := range []string{"--from=cronjob/reconciler-night", "logs -f --pod-running-timeout=2m job.batch/reconciler-once-why-x7k2p", "wait --for=condition=complete"} {
		if !strings.Contains(calls, call) {
			t.Errorf("kubectl was never called with %q:\n%s", call, calls)
		}
	}
}

// The README never makes a Job that the CronJob would own.
func TestReadmeMakesNoJobsOfTheCronJobs(t *testing.T) {
	if readme := read(t, "../README.md"); strings.Contains(readme, "create job reconciler") {
		t.Error("the README runs kubectl create job as it stands")
	}
}
