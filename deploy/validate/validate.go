// Package validate looks at the Kubernetes manifests the way the API server does, before a cluster has to: it builds a kustomization, decodes
// it strictly, applies the server's defaults, runs the server's own validation and the restricted pod security standard, and then checks the
// conventions that this project's manifests promise (see conventions.go). It is a module of its own, because the API server's code is large
// and only needed here. It must never be imported by the worker.
package validate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install" // these register the kinds with their defaults
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func init() {
	monitoringv1.AddToScheme(legacyscheme.Scheme)
}

// Build returns the manifests of the kustomization in folder, as `kubectl kustomize` prints them.
func Build(folder string) ([]byte, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	return resources.AsYaml()
}

// Problems returns everything that is wrong with the manifests: what the API server would refuse, and what breaks the conventions.
// Nothing means that they are fine.
func Problems(manifests []byte) []error {
	objects, problems := Decode(manifests)
	for _, object := range objects {
		for _, problem := range refusals(object) {
			problems = append(problems, fmt.Errorf("%s: %w", describe(object), problem))
		}
	}
	return append(problems, conventions(objects)...)
}

// Decode reads every manifest strictly, so that an unknown or doubled field is an error, and applies the API server's defaults.
func Decode(manifests []byte) (objects []runtime.Object, problems []error) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	documents := yamlstream.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, problems
		}
		if err != nil {
			return objects, append(problems, err)
		}
		object, _, err := strict.Decode(document, nil, nil)
		if err != nil {
			problems = append(problems, fmt.Errorf("decode: %w", err))
		}
		if object != nil {
			legacyscheme.Scheme.Default(object)
			objects = append(objects, object)
		}
	}
}

// refusals are the errors that the API server would answer a create request with.
func refusals(object runtime.Object) (errs []error) {
	if group := object.GetObjectKind().GroupVersionKind().Group; group == monitoring.GroupName {
		return nil // validated by the kind's schema, which is what strict decoding compares with; rules are promtool's
	}
	internal, err := legacyscheme.Scheme.ConvertToVersion(object, schema.GroupVersions{
		core.SchemeGroupVersion, batch.SchemeGroupVersion, apps.SchemeGroupVersion, networking.SchemeGroupVersion})
	if err != nil {
		return []error{err}
	}
	for _, refusal := range validate(internal) {
		errs = append(errs, refusal)
	}
	return errs
}

func validate(object runtime.Object) field.ErrorList {
	switch o := object.(type) {
	case *core.Namespace:
		return corevalidation.ValidateNamespace(o)
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(o)
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o)
	case *core.Service:
		return corevalidation.ValidateServiceCreate(o)
	case *core.PersistentVolumeClaim:
		return corevalidation.ValidatePersistentVolumeClaim(o, corevalidation.ValidationOptionsForPersistentVolumeClaimCreate())
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.NetworkPolicyValidationOptions{})
	case *batch.CronJob:
		return batchvalidation.ValidateCronJobCreate(o, pod.GetValidationOptionsFromPodTemplate(&o.Spec.JobTemplate.Spec.Template, nil))
	case *batch.Job:
		return batchvalidation.ValidateJob(admitted(o), batchvalidation.JobValidationOptions{
			PodValidationOptions:  pod.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil),
			RequirePrefixedLabels: true,
		})
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(o, pod.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	default:
		return field.ErrorList{field.NotSupported(field.NewPath("kind"), fmt.Sprintf("%T", object), []string{"the kinds of deploy/"})}
	}
}

// admitted is the Job as it reaches validation: the API server has given it an identity and the selector made of that.
func admitted(job *batch.Job) *batch.Job {
	job = job.DeepCopy()
	job.UID = "00000000-0000-0000-0000-000000000001"
	if job.Spec.Selector == nil {
		job.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batch.ControllerUidLabel: string(job.UID)}}
	}
	if job.Spec.Template.Labels == nil {
		job.Spec.Template.Labels = map[string]string{}
	}
	for label, value := range map[string]string{
		batch.LegacyJobNameLabel: job.Name, batch.JobNameLabel: job.Name,
		batch.LegacyControllerUidLabel: string(job.UID), batch.ControllerUidLabel: string(job.UID),
	} {
		job.Spec.Template.Labels[label] = value
	}
	return job
}

// describe names an object for a message.
func describe(object runtime.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	if named, ok := object.(metav1.Object); ok {
		return kind + " " + named.GetName()
	}
	return kind
}
