// Package controlplane tries the manifests on a real control plane: etcd, the API server and its controllers, built from their sources and
// started on this machine. No node joins it: the tests are the kubelet, and say how each pod ended. It is a module of its own, because
// building Kubernetes takes a quarter of an hour; `go -C deploy/controlplane test -long -timeout 1h` does it. It must never be imported by
// the worker, and never talks to a cluster that is already there.
package controlplane
