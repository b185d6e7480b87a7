package validate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

const (
	namespace       = "reconciler"
	uid       int64 = 65532
	// gomemlimitPercent is how much of the memory limit the Go runtime may plan with.
	gomemlimitPercent = 90
	nightly           = 4 * 3600 // seconds a missed schedule may still start late
)

// nameLabel is on every pod: the NetworkPolicy finds them by it.
var nameLabel = labels.Set{"app.kubernetes.io/name": "reconciler"}

// workload is anything that makes pods.
type workload struct {
	object   runtime.Object
	template corev1.PodTemplateSpec
}

// schedules of the CronJobs, in UTC.
var schedules = map[string]string{"reconciler-night": "15 3 * * *", "reconciler-refunds": "15 5 * * *"}

// secrets says which Secrets a component may read: the refund key and the owner of the schema are each in one place only.
var secrets = map[string][]string{
	"night":    {"reconciler-database", "reconciler-stripe-read", "reconciler-storage", "reconciler-notify"},
	"serve":    {"reconciler-database", "reconciler-stripe-read", "reconciler-storage", "reconciler-notify"},
	"backfill": {"reconciler-database", "reconciler-stripe-read", "reconciler-storage"},
	"refunds":  {"reconciler-database", "reconciler-stripe-read", "reconciler-stripe-refund"},
	"desk":     {"reconciler-desk-database", "reconciler-storage"},
	"migrate":  {"reconciler-database-owner"},
}

// egressPorts are those that each policy may let the worker reach, ingressPorts those at which it may be reached.
var (
	egressPorts = map[string][]string{
		"reconciler":              {"UDP/53", "TCP/53", "TCP/9091"},
		"reconciler-database":     {"TCP/5432", "TCP/6432"},
		"reconciler-https":        {"TCP/443", "TCP/9000"},
		"reconciler-pod-identity": {"TCP/80"},
	}
	ingressPorts = []string{"TCP/8080", "TCP/8081"}
)

// disruptions are no failures: an evicted or preempted pod is made again without counting it.
var disruptions = batchv1.PodFailurePolicyRule{
	Action:          batchv1.PodFailurePolicyActionIgnore,
	OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
}

func onExit(action batchv1.PodFailurePolicyAction, codes ...int32) batchv1.PodFailurePolicyRule {
	container := "reconciler"
	return batchv1.PodFailurePolicyRule{Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
		ContainerName: &container, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes}}
}

// conventions returns what in the manifests is valid for Kubernetes but not what this project promises.
func conventions(objects []runtime.Object) (problems []error) {
	var workloads []workload
	var policies []*networkingv1.NetworkPolicy
	for _, object := range objects {
		report := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("%s: %s", describe(object), fmt.Sprintf(format, args...)))
		}
		if named, ok := object.(metav1.Object); ok && named.GetNamespace() != namespace {
			if _, isNamespace := object.(*corev1.Namespace); !isNamespace {
				report("is in namespace %q, not in %s", named.GetNamespace(), namespace)
			}
		}
		switch o := object.(type) {
		case *corev1.Namespace:
			for _, mode := range []string{"enforce", "audit", "warn"} {
				if o.Labels["pod-security.kubernetes.io/"+mode] != "restricted" {
					report("pod security %s is not restricted", mode)
				}
			}
		case *corev1.ServiceAccount:
			if o.AutomountServiceAccountToken == nil || *o.AutomountServiceAccountToken {
				report("hands out its token")
			}
		case *corev1.Secret:
			report("secrets don't belong into manifests")
		case *corev1.ConfigMap:
			for key, value := range o.Data {
				if secretLike.MatchString(value) {
					report("%s looks like a secret", key)
				}
			}
		case *networkingv1.NetworkPolicy:
			policies = append(policies, o)
			checkNetwork(o, report)
		case *batchv1.CronJob:
			checkCronJob(o, report)
			checkJob(o.Spec.JobTemplate.Spec, false, report)
			checkPatience(o.Spec.JobTemplate.Spec.Template.Spec.Containers[0], report)
			workloads = append(workloads, workload{o, o.Spec.JobTemplate.Spec.Template})
		case *batchv1.Job:
			backfill := o.Name == "reconciler-backfill"
			checkJob(o.Spec, backfill, report)
			if backfill {
				checkBackfill(o.Spec, report)
			}
			workloads = append(workloads, workload{o, o.Spec.Template})
		case *appsv1.Deployment:
			checkDeployment(o, report)
			workloads = append(workloads, workload{o, o.Spec.Template})
		}
	}
	for _, w := range workloads {
		report := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("%s: %s", describe(w.object), fmt.Sprintf(format, args...)))
		}
		checkPod(w.template, report)
		for _, p := range policies {
			if component := p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"]; component != "" && component != w.template.Labels["app.kubernetes.io/component"] {
				continue // a policy of another component alone
			}
			if selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector); err != nil || !selector.Matches(labels.Set(w.template.Labels)) {
				report("NetworkPolicy %s does not select its pods", p.Name)
			}
		}
	}
	return problems
}

type reporter func(format string, args ...any)

func checkCronJob(o *batchv1.CronJob, report reporter) {
	s := o.Spec
	if component := s.JobTemplate.Labels["app.kubernetes.io/component"]; component == "" || component != s.JobTemplate.Spec.Template.Labels["app.kubernetes.io/component"] {
		report("its Jobs can't be found by the component of their pods")
	}
	if s.Schedule != schedules[o.Name] {
		report("schedule is %q, not %q", s.Schedule, schedules[o.Name])
	}
	if s.TimeZone == nil || *s.TimeZone != "Etc/UTC" {
		report("timeZone is not Etc/UTC")
	}
	if s.ConcurrencyPolicy != batchv1.ForbidConcurrent {
		report("concurrencyPolicy is %s, not Forbid", s.ConcurrencyPolicy)
	}
	if s.StartingDeadlineSeconds == nil || *s.StartingDeadlineSeconds != nightly {
		report("startingDeadlineSeconds is not %d", nightly)
	}
	if s.Suspend != nil && *s.Suspend {
		report("is suspended")
	}
}

func checkJob(s batchv1.JobSpec, backfill bool, report reporter) {
	want := []batchv1.PodFailurePolicyRule{disruptions, onExit(batchv1.PodFailurePolicyActionFailJob, 2, 3)}
	retries := s.BackoffLimit
	if backfill {
		want = []batchv1.PodFailurePolicyRule{disruptions, onExit(batchv1.PodFailurePolicyActionFailJob, 2), onExit(batchv1.PodFailurePolicyActionFailIndex, 3)}
		retries = s.BackoffLimitPerIndex
	}
	if s.PodFailurePolicy == nil || !equality.Semantic.DeepEqual(s.PodFailurePolicy.Rules, want) {
		report("podFailurePolicy is not: ignore disruptions, stop on the exit codes that no retry can mend")
	}
	if retries == nil || *retries != 3 {
		report("does not try 3 times again")
	}
	if s.PodReplacementPolicy == nil || *s.PodReplacementPolicy != batchv1.Failed {
		report("podReplacementPolicy is not Failed")
	}
	if s.ActiveDeadlineSeconds == nil || s.TTLSecondsAfterFinished == nil {
		report("has no activeDeadlineSeconds or no ttlSecondsAfterFinished")
	}
	if s.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		report("restartPolicy is %s, not Never", s.Template.Spec.RestartPolicy)
	}
}

// checkPatience: a night's catch-up tries again for half an hour by itself, whatever else works at night has to be told to. Kubernetes' own
// retries are over within a minute or two.
func checkPatience(c corev1.Container, report reporter) {
	if slices.Equal(c.Args, []string{"run", "--catch-up"}) {
		return
	}
	if !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "RECONCILER_RETRY_MINUTES" && e.Value == "30" }) {
		report("does not outlive half an hour without the database: RECONCILER_RETRY_MINUTES is not 30")
	}
}

var fromDate = regexp.MustCompile(`^--from=\d{4}-\d{2}-\d{2}$`)

func checkBackfill(s batchv1.JobSpec, report reporter) {
	if s.CompletionMode == nil || *s.CompletionMode != batchv1.IndexedCompletion {
		report("completionMode is not Indexed")
	}
	if s.Suspend == nil || !*s.Suspend {
		report("is not suspended")
	}
	checkPatience(s.Template.Spec.Containers[0], report)
	args := s.Template.Spec.Containers[0].Args
	if len(args) != 3 || args[0] != "backfill" || !fromDate.MatchString(args[1]) || args[2] != "--index=$(JOB_COMPLETION_INDEX)" {
		report("args %q are not backfill --from=DATE --index=$(JOB_COMPLETION_INDEX)", args)
	}
}

func checkDeployment(o *appsv1.Deployment, report reporter) {
	if o.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType || o.Spec.Replicas == nil || *o.Spec.Replicas != 1 {
		report("is not one replica with strategy Recreate")
	}
	c := o.Spec.Template.Spec.Containers[0]
	for probe, want := range map[*corev1.Probe]string{c.LivenessProbe: "/healthz", c.ReadinessProbe: "/readyz"} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want {
			report("has no probe on %s", want)
		}
	}
}

func checkPod(template corev1.PodTemplateSpec, report reporter) {
	spec := template.Spec
	for _, violation := range violations(template) {
		report("violates the restricted pod security standard: %s", violation)
	}
	if !nameLabel.AsSelector().Matches(labels.Set(template.Labels)) {
		report("its pods lack the label %s", nameLabel)
	}
	if spec.ServiceAccountName != "reconciler" || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		report("does not run as service account reconciler without its token")
	}
	if sc := spec.SecurityContext; sc == nil || sc.RunAsUser == nil || *sc.RunAsUser != uid || sc.RunAsGroup == nil || *sc.RunAsGroup != uid || sc.FSGroup == nil || *sc.FSGroup != uid {
		report("does not run as user, group and fsGroup %d", uid)
	}
	if len(spec.Containers) != 1 || len(spec.InitContainers) != 0 || spec.Containers[0].Name != "reconciler" {
		report("is not one container named reconciler")
		return
	}
	checkContainer(spec.Containers[0], report)
	scratch := slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == "tmp" && v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil
	})
	if !scratch {
		report("has no emptyDir of limited size for /tmp")
	}
	allowed := secrets[template.Labels["app.kubernetes.io/component"]]
	for _, name := range secretsOf(spec) {
		if !slices.Contains(allowed, name) {
			report("must not read Secret %s", name)
		}
	}
}

func checkContainer(c corev1.Container, report reporter) {
	if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		report("its root file system is not read-only")
	}
	if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "tmp" && m.MountPath == "/tmp" }) {
		report("does not mount /tmp")
	}
	if len(c.Command) != 0 {
		report("replaces the image's entry point")
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		report("has no requests for processor and memory, or no limit of memory")
	}
	limit := c.Resources.Limits.Memory().Value()
	var mebibytes int64
	for _, e := range c.Env {
		if e.Name == "GOMEMLIMIT" {
			fmt.Sscanf(e.Value, "%dMiB", &mebibytes)
		}
		if e.Value != "" && secretLike.MatchString(e.Value) {
			report("%s is a secret in plain text", e.Name)
		}
	}
	if want := limit * gomemlimitPercent / 100 >> 20; mebibytes != want {
		report("GOMEMLIMIT is not %dMiB, %d %% of the memory limit", want, gomemlimitPercent)
	}
}

// secretLike matches values that must come from a Secret: Stripe's keys, and database URLs with a password.
var secretLike = regexp.MustCompile(`(?i)\b(sk|rk|whsec)_|postgres(ql)?://[^ ]*:[^ ]*@`)

func secretsOf(spec corev1.PodSpec) (names []string) {
	for _, c := range spec.Containers {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				names = append(names, e.ValueFrom.SecretKeyRef.Name)
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				names = append(names, e.SecretRef.Name)
			}
		}
	}
	for _, v := range spec.Volumes {
		if v.Secret != nil {
			names = append(names, v.Secret.SecretName)
		}
		if v.Projected != nil {
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					names = append(names, source.Secret.Name)
				}
			}
		}
	}
	return names
}

func checkNetwork(p *networkingv1.NetworkPolicy, report reporter) {
	if p.Name == "reconciler" && (!slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)) {
		report("does not rule both directions")
	}
	for _, rule := range p.Spec.Egress {
		checkPorts("egress", rule.Ports, egressPorts[p.Name], report)
	}
	for _, rule := range p.Spec.Ingress {
		checkPorts("ingress", rule.Ports, ingressPorts, report)
		if len(rule.From) == 0 {
			report("ingress from anywhere")
		}
	}
}

func checkPorts(direction string, ports []networkingv1.NetworkPolicyPort, allowed []string, report reporter) {
	if len(ports) == 0 {
		report("%s on every port", direction)
	}
	for _, port := range ports {
		if port.Port == nil || port.EndPort != nil || !slices.Contains(allowed, fmt.Sprintf("%s/%s", *port.Protocol, port.Port)) {
			report("%s other than %s", direction, strings.Join(allowed, ", "))
		}
	}
}

// violations asks the evaluator of the API server's own pod security admission.
func violations(template corev1.PodTemplateSpec) []string {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	results := evaluator.EvaluatePod(podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}, &template.ObjectMeta, &template.Spec)
	if summary := policy.AggregateCheckResults(results); !summary.Allowed {
		return []string{summary.ForbiddenDetail()}
	}
	return nil
}
