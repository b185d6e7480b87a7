package validate

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
)

// kustomizations that an operator applies.
var kustomizations = []string{
	"../base", "../migrate", "../backfill",
	"../overlays/example", "../overlays/example/migrate", "../overlays/example/backfill", "../overlays/example-serve",
}

func TestManifestsAreValid(t *testing.T) {
	for _, folder := range kustomizations {
		t.Run(folder, func(t *testing.T) {
			for _, problem := range Problems(build(t, folder)) {
				t.Error(problem)
			}
		})
	}
}

// Every pod of an overlay finds the certificate of the database's authority where the README says that DATABASE_URL finds it.
func TestOverlaysMountTheDatabasesAuthority(t *testing.T) {
	const folder = "/etc/reconciler/database-ca"
	if !strings.Contains(read(t, "../README.md"), "sslrootcert="+folder+"/ca.crt") {
		t.Errorf("the README does not say that it is in %s", folder)
	}
	for _, overlay := range kustomizations {
		if !strings.Contains(overlay, "overlays/") {
			continue
		}
		manifests := string(build(t, overlay))
		if pods, mounts := strings.Count(manifests, "restartPolicy: Never")+strings.Count(manifests, "kind: Deployment"), strings.Count(manifests, "mountPath: "+folder+"\n"); pods == 0 || mounts != pods {
			t.Errorf("%s: %d of %d pods have it", overlay, mounts, pods)
		}
	}
}

// Nothing is there before the first step that makes it: a Job's account and settings come with the overlay.
func TestReadmeAppliesInTheRightOrder(t *testing.T) {
	readme := read(t, "../README.md")
	at := -1
	for _, step := range []string{"kubectl apply -f deploy/base/namespace.yaml", "create secret generic reconciler-database-owner", "kubectl apply -k deploy/overlays/production\n",
		"kubectl apply -k deploy/overlays/production/migrate", "once check check"} {
		next := strings.Index(readme, step)
		if next <= at {
			t.Errorf("%q comes too early, or not at all", step)
		}
		at = next
	}
}

// A pooler has another port than PostgreSQL, and an object store of the cluster's own another than HTTPS: either is a change of one line.
func TestPortsOfPoolersAndObjectStores(t *testing.T) {
	text := string(build(t, "../overlays/example"))
	for old, new := range map[string]string{"port: 5432": "port: 6432", "port: 443": "port: 9000"} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("%q stands %d times in the manifests", old, strings.Count(text, old))
		}
		for _, problem := range Problems([]byte(strings.Replace(text, old, new, 1))) {
			t.Error(problem)
		}
	}
}

// Two pods can't share a volume that one node mounts: what writes no reports has none, and refunds must not wait for a night to end.
func TestOnlyWhatWritesReportsMountsThem(t *testing.T) {
	for _, folder := range []string{"../base", "../overlays/example", "../overlays/example/migrate", "../overlays/example-serve"} {
		objects, problems := Decode(build(t, folder))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, o := range objects {
			cronJob, ok := o.(*batchv1.CronJob)
			if !ok || cronJob.Name == "reconciler-night" {
				continue
			}
			for _, volume := range cronJob.Spec.JobTemplate.Spec.Template.Spec.Volumes {
				if volume.PersistentVolumeClaim != nil {
					t.Errorf("%s: CronJob %s mounts %s", folder, cronJob.Name, volume.PersistentVolumeClaim.ClaimName)
				}
			}
		}
	}
}

// What is validated here and what is tried on a control plane is one release of Kubernetes.
func TestOneReleaseOfKubernetes(t *testing.T) {
	replacements := func(path string) string {
		_, block, _ := strings.Cut(read(t, path), "\nreplace (\n")
		block, _, _ = strings.Cut(block, "\n)\n")
		return block
	}
	if here, there := replacements("go.mod"), replacements("../controlplane/go.mod"); here == "" || here != there {
		t.Errorf("deploy/validate has\n%s\n\ndeploy/controlplane has\n%s", here, there)
	}
}

// Every kustomization of deploy/ must be built by the test above, by itself or as a part of another.
func TestNoKustomizationIsForgotten(t *testing.T) {
	used := strings.Join(kustomizations, "\n")
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		folder := filepath.Dir(path)
		if !strings.Contains(used, folder) && !isPart(t, folder) {
			t.Errorf("%s is tested by nothing", folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isPart reports whether a kustomization under test names the folder.
func isPart(t *testing.T, folder string) bool {
	named := func(in string) bool {
		text := read(t, filepath.Join(in, "kustomization.yaml"))
		return strings.Contains(text, "- ../../"+strings.TrimPrefix(folder, "../")) || strings.Contains(text, "- "+filepath.Base(folder)+" ")
	}
	for _, in := range append([]string{"../components/monitoring", "../components/serve-monitoring"}, kustomizations...) {
		if named(in) {
			return true
		}
	}
	return false
}

// A validator that lets everything through would pass the test above as well: each of these changes has to be noticed.
func TestMistakesAreNoticed(t *testing.T) {
	const example, serve, migrate, backfill = "../overlays/example", "../overlays/example-serve", "../overlays/example/migrate", "../overlays/example/backfill"
	mistakes := []struct {
		name, folder, old, new, want string
	}{
		// What the API server would refuse.
		{"impossible schedule", example, "schedule: 15 3 * * *", "schedule: 15 24 * * *", "end of range (24) above maximum"},
		{"unknown time zone", example, "timeZone: Etc/UTC", "timeZone: Etc/Mars", "unknown time zone Etc/Mars"},
		{"misspelt field", example, "concurrencyPolicy: Forbid", "concurencyPolicy: Forbid", `unknown field "spec.concurencyPolicy"`},
		{"exit code 0 as a failure", example, "            - 2\n            - 3\n", "            - 0\n            - 3\n", "must not be 0"},
		{"exit codes out of order", example, "            - 2\n            - 3\n", "            - 3\n            - 2\n", "must be ordered"},
		{"retry in place beside a failure policy", example, "restartPolicy: Never", "restartPolicy: OnFailure", "restartPolicy"},
		{"exit codes of a container that is not there", example, "containerName: reconciler", "containerName: worker", "must be one of the container"},
		{"request above the limit", example, "memory: 128Mi", "memory: 1Gi", "must be less than or equal to memory limit"},
		{"mount without a volume", example, "name: database-ca\n              readOnly: true", "name: databases-ca\n              readOnly: true", "volumeMounts[1].name"},
		{"metadata block outside the range", example, "- 169.254.0.0/16", "- 169.254.0.0/99", "169.254.0.0/99"},
		{"per-index limit without indexes", backfill, "completionMode: Indexed", "completionMode: NonIndexed", "requires indexed completion mode"},
		{"selector that misses its pods", serve, "      app.kubernetes.io/component: serve\n      app.kubernetes.io/name: reconciler\n  strategy", "      app.kubernetes.io/component: server\n      app.kubernetes.io/name: reconciler\n  strategy", "`selector` does not match template `labels`"},
		{"probe on a port without a name", serve, "path: /readyz\n            port: http", "path: /readyz\n            port: HTTP PORT", "must contain only alpha-numeric"},
		{"unknown field of a rule", example, "- alert: ReconcilerIntegrity", "- alarm: ReconcilerIntegrity", `unknown field "spec.groups[0].rules[2].alarm"`},

		// What Kubernetes takes but this project does not.
		{"another schedule", example, "schedule: 15 3 * * *", "schedule: 15 4 * * *", `schedule is "15 4 * * *"`},
		{"local time zone", example, "timeZone: Etc/UTC", "timeZone: Europe/Berlin", "timeZone is not Etc/UTC"},
		{"two nights at once", example, "concurrencyPolicy: Forbid", "concurrencyPolicy: Allow", "not Forbid"},
		{"retry on an integrity exit", example, "            - 2\n            - 3\n", "            - 2\n", "podFailurePolicy"},
		{"no retry when the database is away", example, "            - 2\n            - 3\n", "            - 1\n            - 2\n            - 3\n", "podFailurePolicy"},
		{"integrity of one night stops the backfill", backfill, "action: FailIndex", "action: FailJob", "podFailurePolicy"},
		{"short starting deadline", example, "startingDeadlineSeconds: 14400", "startingDeadlineSeconds: 60", "startingDeadlineSeconds"},
		{"refunds that give up at once", example, "RECONCILER_RETRY_MINUTES", "RECONCILER_RETRY_SECONDS", "does not outlive half an hour"},
		{"no retries", migrate, "backoffLimit: 3", "backoffLimit: 0", "does not try 3 times again"},
		{"replacement beside a terminating pod", backfill, "podReplacementPolicy: Failed", "podReplacementPolicy: TerminatingOrFailed", "podReplacementPolicy"},
		{"backfill let loose", backfill, "suspend: true", "suspend: false", "is not suspended"},
		{"backfill without its index", backfill, "--index=$(JOB_COMPLETION_INDEX)", "--index=0", "args"},
		{"root", example, "runAsUser: 65532", "runAsUser: 0", "restricted pod security standard"},
		{"another user", migrate, "runAsUser: 65532", "runAsUser: 1000", "fsGroup 65532"},
		{"privilege escalation", example, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "restricted pod security standard"},
		{"capabilities kept", example, "              capabilities:\n                drop:\n                - ALL\n", "", "restricted pod security standard"},
		{"no seccomp profile", migrate, "type: RuntimeDefault", "type: Unconfined", "restricted pod security standard"},
		{"writable root", serve, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "not read-only"},
		{"token mounted", example, "          automountServiceAccountToken: false", "          automountServiceAccountToken: true", "without its token"},
		{"memory limit changed alone", example, "memory: 512Mi", "memory: 1Gi", "GOMEMLIMIT is not 921MiB"},
		{"refund key in the night", example, "key: key\n                  name: reconciler-stripe-read", "key: key\n                  name: reconciler-stripe-refund", "CronJob reconciler-night: must not read Secret reconciler-stripe-refund"},
		{"night as the schema's owner", example, "name: reconciler-database\n", "name: reconciler-database-owner\n", "must not read Secret reconciler-database-owner"},
		{"key in plain text", example, "LOG_LEVEL: info", "LOG_LEVEL: rk_live_123", "LOG_LEVEL looks like a secret"},
		{"pods out of the network policy", example, "            app.kubernetes.io/name: reconciler\n        spec", "            app.kubernetes.io/name: other\n        spec", "does not select its pods"},
		{"open egress", example, "port: 5432", "port: 5433", "egress other than"},
		{"database's port for everything", example, "port: 443", "port: 5432", "egress other than"},
		{"Jobs without their label", example, "        app.kubernetes.io/component: night\n        app.kubernetes.io/name: reconciler\n    spec:\n      activeDeadlineSeconds", "        app.kubernetes.io/name: reconciler\n    spec:\n      activeDeadlineSeconds", "can't be found"},
		{"open ingress", serve, "port: 8080\n      protocol: TCP\n  ", "port: 22\n      protocol: TCP\n  ", "ingress other than"},
		{"relaxed namespace", example, "pod-security.kubernetes.io/enforce: restricted", "pod-security.kubernetes.io/enforce: baseline", "enforce is not restricted"},
		{"another namespace", example, "  namespace: reconciler\nspec:\n  concurrencyPolicy", "  namespace: default\nspec:\n  concurrencyPolicy", `namespace "default"`},
		{"two long-lived workers", serve, "replicas: 1", "replicas: 2", "one replica"},
		{"new worker beside the old", serve, "type: Recreate", "type: RollingUpdate", "Recreate"},
		{"liveness that asks the database", serve, "path: /healthz", "path: /readyz", "no probe on /healthz"},
	}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			text := string(build(t, m.folder))
			if !strings.Contains(text, m.old) {
				t.Fatalf("%q is not in the manifests of %s", m.old, m.folder)
			}
			problems := errors.Join(Problems([]byte(strings.ReplaceAll(text, m.old, m.new)))...)
			if problems == nil {
				t.Fatal("not noticed")
			}
			if !strings.Contains(problems.Error(), m.want) {
				t.Errorf("noticed otherwise than by %q:\n%v", m.want, problems)
			}
		})
	}
}
