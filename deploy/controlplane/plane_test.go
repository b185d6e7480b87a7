package controlplane

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	long     = flag.Bool("long", false, "build Kubernetes and try the manifests on it")
	binaries = flag.String("binaries", "", "a folder with etcd, kube-apiserver, kube-controller-manager and kubectl, instead of building them")
)

// plane is a running control plane, with kubectl to talk to it.
type plane struct {
	t       *testing.T
	folder  string
	kubectl string
}

// start builds what is missing and starts it; it is gone when the test ends.
func start(t *testing.T) *plane {
	t.Helper()
	folder := t.TempDir()
	bin := *binaries
	if bin == "" {
		bin = filepath.Join(folder, "bin")
		for name, pkg := range map[string]string{
			"etcd": "go.etcd.io/etcd/server/v3", "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager", "kubectl": "k8s.io/kubernetes/cmd/kubectl",
		} {
			build := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
			if output, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build %s: %v\n%s", name, err, output)
			}
		}
	}
	p := &plane{t: t, folder: folder, kubectl: filepath.Join(bin, "kubectl")}
	key, tokens, config := p.path("service-accounts.key"), p.path("tokens.csv"), p.path("kubeconfig")
	p.write(key, signingKey(t))
	p.write(tokens, "let-me-in,admin,admin,system:masters\n")
	etcdAt, peersAt, serverPort := freeAddress(t), freeAddress(t), port(freeAddress(t))
	p.write(config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "it",
		"clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:%s", "insecure-skip-tls-verify": true}}],
		"users": [{"name": "admin", "user": {"token": "let-me-in"}}], "contexts": [{"name": "it", "context": {"cluster": "it", "user": "admin"}}]}`, serverPort))

	p.run(filepath.Join(bin, "etcd"), "--data-dir="+p.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls=http://"+etcdAt, "--advertise-client-urls=http://"+etcdAt, "--listen-peer-urls=http://"+peersAt,
		"--initial-advertise-peer-urls=http://"+peersAt, "--initial-cluster=default=http://"+peersAt)
	p.run(filepath.Join(bin, "kube-apiserver"), "--etcd-servers=http://"+etcdAt, "--bind-address=127.0.0.1", "--secure-port="+serverPort,
		"--cert-dir="+p.path("certificates"), "--token-auth-file="+tokens, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key)
	p.eventually(2*time.Minute, "the API server answers", func() error {
		_, err := p.try("get", "--raw=/readyz")
		return err
	})
	p.run(filepath.Join(bin, "kube-controller-manager"), "--kubeconfig="+config, "--service-account-private-key-file="+key, "--leader-elect=false",
		"--bind-address=127.0.0.1", "--secure-port=0",
		"--controllers=cronjob-controller,job-controller,ttl-after-finished-controller,garbage-collector-controller,serviceaccount-controller,namespace-controller,deployment-controller,replicaset-controller")
	return p
}

func (p *plane) path(name string) string { return filepath.Join(p.folder, name) }

func (p *plane) write(path, text string) {
	p.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// run starts a part of the control plane. What it says is told when the test fails.
func (p *plane) run(command string, args ...string) {
	p.t.Helper()
	log := p.path(filepath.Base(command) + ".log")
	out, err := os.Create(log)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	process := exec.CommandContext(ctx, command, args...)
	process.Stdout, process.Stderr, process.Dir = out, out, p.folder
	process.Cancel = func() error { return process.Process.Signal(os.Interrupt) }
	process.WaitDelay = 20 * time.Second
	if err := process.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		stop()
		_ = process.Wait() // it was told to end
		_ = out.Close()
		if text, err := os.ReadFile(log); err == nil && p.t.Failed() {
			p.t.Logf("the end of what %s said:\n%s", filepath.Base(command), text[max(0, len(text)-3000):])
		}
	})
}

// try runs kubectl and returns what it prints.
func (p *plane) try(args ...string) (string, error) {
	return p.tryWith("", args...)
}

func (p *plane) tryWith(input string, args ...string) (string, error) {
	cmd := exec.Command(p.kubectl, append([]string{"--kubeconfig=" + p.path("kubeconfig")}, args...)...)
	cmd.Dir, cmd.Stdin = filepath.Join("..", ".."), strings.NewReader(input)
	var said strings.Builder
	cmd.Stderr = &said
	output, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return string(output), err
}

// do runs kubectl, which must succeed.
func (p *plane) do(args ...string) string {
	p.t.Helper()
	output, err := p.try(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return output
}

// get is a field of an object.
func (p *plane) get(object, path string) string {
	p.t.Helper()
	return p.do("-n", "reconciler", "get", object, "-o", "jsonpath="+path)
}

func (p *plane) eventually(patience time.Duration, what string, holds func() error) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	var err error
	for time.Now().Before(deadline) {
		if err = holds(); err == nil {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	p.t.Fatalf("%s: not within %s: %v", what, patience, err)
}

// podOf waits for the one pod of a Job (of an index of it) that has not ended.
func (p *plane) podOf(job, index string) (pod string) {
	p.t.Helper()
	selector := "batch.kubernetes.io/job-name=" + job
	if index != "" {
		selector += ",batch.kubernetes.io/job-completion-index=" + index
	}
	p.eventually(90*time.Second, "a pod of "+job, func() error {
		names := strings.Fields(p.do("-n", "reconciler", "get", "pods", "-l", selector, "--field-selector=status.phase=Pending", "-o", "jsonpath={.items[*].metadata.name}"))
		if len(names) != 1 {
			return fmt.Errorf("%d pods", len(names))
		}
		pod = names[0]
		return nil
	})
	return pod
}

// end is what a kubelet reports of a pod whose container ended.
func (p *plane) end(pod string, exitCode int) {
	p.t.Helper()
	phase := "Failed"
	if exitCode == 0 {
		phase = "Succeeded"
	}
	now := time.Now().UTC().Format(time.RFC3339)
	p.do("-n", "reconciler", "patch", "pod", pod, "--subresource=status", "--type=merge", "-p", fmt.Sprintf(
		`{"status": {"phase": %q, "containerStatuses": [{"name": "reconciler", "image": "reconciler", "imageID": "", "ready": false, "restartCount": 0,
		"state": {"terminated": {"exitCode": %d, "startedAt": %q, "finishedAt": %q}}}]}}`, phase, exitCode, now, now))
}

// evict is what the cluster reports of a pod whose node it drained.
func (p *plane) evict(pod string) {
	p.t.Helper()
	p.do("-n", "reconciler", "patch", "pod", pod, "--subresource=status", "--type=merge", "-p",
		`{"status": {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}}`)
}

// ends waits for a condition of a Job.
func (p *plane) ends(job, condition string) {
	p.t.Helper()
	p.do("-n", "reconciler", "wait", "--for=condition="+condition, "--timeout=60s", "job/"+job)
}

func signingKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

var errNotYet = errors.New("not yet")
