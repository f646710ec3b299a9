package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// up brings the cluster up. One that is up already is left as it is; what an interrupted one left is
// taken away first.
func (c *cluster) up(ctx context.Context) error {
	if _, err := os.Stat(c.path("up")); err == nil && c.alive("node") {
		c.say("it is up already")
		return nil
	}
	if err := c.possible(); err != nil {
		return err
	}
	if err := c.build(ctx); err != nil {
		return err
	}
	if err := c.down(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{c.prepare, c.startNode, c.control, c.node, c.services} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("%w (logs are in %s; `down` clears away)", err, c.run)
		}
	}
	c.say("up")
	return os.WriteFile(c.path("up"), nil, 0o644)
}

// possible tells what this machine lacks.
func (c *cluster) possible() error {
	if os.Geteuid() != 0 {
		return errors.New("needs root")
	}
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
		return errors.New("made for cgroup v1 or hybrid; this machine has version 2 alone")
	}
	var lacking []string
	for _, need := range []struct{ proof, pkg string }{
		{"etcd", "etcd-server"}, {"containerd", "containerd"}, {"runc", "runc"}, {"/usr/lib/cni/bridge", "containernetworking-plugins"},
		{"iptables", "iptables"}, {"conntrack", "conntrack"}, {"ip", "iproute2"}, {"nsenter", "util-linux"}, {"redis-server", "redis-server"},
	} {
		if strings.HasPrefix(need.proof, "/") {
			if _, err := os.Stat(need.proof); err == nil {
				continue
			}
		} else if _, err := exec.LookPath(need.proof); err == nil {
			continue
		}
		lacking = append(lacking, need.pkg)
	}
	if len(lacking) > 0 {
		return fmt.Errorf("packages are missing: apt-get install --no-install-recommends %s", strings.Join(lacking, " "))
	}
	return nil
}

// prepare makes what is there before the node: its folders, certificates, and the groups of its pods.
func (c *cluster) prepare(ctx context.Context) error {
	for _, dir := range []string{"containerd", "cni/conf", "cni/ipam", "pki"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return err
		}
	}
	if err := errors.Join(c.saveSysctls(), c.certificates(), c.makeGroups()); err != nil {
		return err
	}
	pki := c.path("pki/")
	for _, args := range [][]string{
		{"set-cluster", "c", "--server=https://" + nodeAddress + ":6443", "--certificate-authority=" + pki + "/ca.crt", "--embed-certs"},
		{"set-credentials", "admin", "--client-certificate=" + pki + "/admin.crt", "--client-key=" + pki + "/admin.key", "--embed-certs"},
		{"set-context", "c", "--cluster=c", "--user=admin"},
		{"use-context", "c"},
	} {
		cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "kubectl"), append([]string{"config", "--kubeconfig", c.kubeconfig()}, args...)...)
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return nil
}

// makeGroups makes the pods' cgroup in every hierarchy: kubelet wants it to be there.
func (c *cluster) makeGroups() error {
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil {
		return err
	}
	for _, procs := range hierarchies {
		top := filepath.Dir(procs)
		if err := os.MkdirAll(filepath.Join(top, cgroup), 0o755); err != nil {
			return err
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} { // cpusets(7): empty ones take no process
			value, err := os.ReadFile(filepath.Join(top, file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(top, cgroup, file), value, 0o644)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// control starts what a control plane is.
func (c *cluster) control(ctx context.Context) error {
	pki := c.path("pki/")
	const etcd = "http://127.0.0.1:2379"
	err := c.daemon(ctx, "etcd", "--data-dir", c.path("etcd"), "--unsafe-no-fsync", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", "http://127.0.0.1:2380")
	if err != nil {
		return err
	}
	err = c.daemon(ctx, "kube-apiserver", "--etcd-servers="+etcd, "--advertise-address="+nodeAddress, "--secure-port=6443",
		"--service-cluster-ip-range="+serviceNetwork, "--allow-privileged", "--authorization-mode=Node,RBAC",
		"--tls-cert-file="+pki+"/server.crt", "--tls-private-key-file="+pki+"/server.key", "--client-ca-file="+pki+"/ca.crt",
		"--kubelet-client-certificate="+pki+"/admin.crt", "--kubelet-client-key="+pki+"/admin.key", "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+pki+"/accounts.crt",
		"--service-account-signing-key-file="+pki+"/accounts.key", "--requestheader-client-ca-file="+pki+"/ca.crt",
		"--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+pki+"/proxy.crt", "--proxy-client-key-file="+pki+"/proxy.key", "--enable-aggregator-routing")
	if err != nil {
		return err
	}
	if err := c.startContainerd(ctx); err != nil {
		return err
	}
	err = c.until(ctx, "the API server is ready", 2*time.Minute, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, "", "get", "--raw", "/readyz")
		return err
	})
	if err != nil {
		return err
	}
	err = c.daemon(ctx, "kube-controller-manager", "--kubeconfig="+c.kubeconfig(), "--service-account-private-key-file="+pki+"/accounts.key",
		"--root-ca-file="+pki+"/ca.crt", "--use-service-account-credentials", "--horizontal-pod-autoscaler-sync-period=3s", "--leader-elect=false")
	if err != nil {
		return err
	}
	return c.daemon(ctx, "kube-scheduler", "--kubeconfig="+c.kubeconfig(), "--leader-elect=false")
}

// startContainerd starts the node's containerd, at its usual paths, which are the node's own.
func (c *cluster) startContainerd(ctx context.Context) error {
	settings := fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "optimus.local/pause:1"
  restrict_oom_score_adj = true # root may lack CAP_SYS_RESOURCE
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`, c.path("cni/conf"))
	network := fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`, c.path("cni/ipam"), podNetwork)
	err := errors.Join(os.WriteFile(c.path("containerd.toml"), []byte(settings), 0o644), os.WriteFile(c.path("cni/conf/10-bridge.conflist"), []byte(network), 0o644))
	if err != nil {
		return err
	}
	if err := c.runContainerd(ctx); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(c.images, "*.tar"))
	if err != nil {
		return err
	}
	return c.load(ctx, archives...)
}

func (c *cluster) runContainerd(ctx context.Context) error {
	if err := c.daemon(ctx, "containerd", "-c", c.path("containerd.toml")); err != nil {
		return err
	}
	return c.until(ctx, "containerd answers", time.Minute, func(ctx context.Context) error {
		_, err := output(exec.CommandContext(ctx, "ctr", "-a", c.socket(), "version"))
		return err
	})
}

// restartContainerd does as a service manager's restart does: containers and their shims go on.
func (c *cluster) restartContainerd(ctx context.Context) error {
	entered, _, err := c.recorded("containerd")
	if err != nil || !c.alive("containerd") {
		return errors.New("the node's containerd does not run")
	}
	// What is recorded is nsenter, whose child is on the node.
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", entered))
	if err != nil {
		return err
	}
	var pid int
	if _, err := fmt.Sscan(string(children), &pid); err != nil {
		return fmt.Errorf("the node's containerd is no child of process %d: %w", entered, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	err = c.until(ctx, "containerd has ended", time.Minute, func(context.Context) error {
		if c.alive("containerd") {
			return fmt.Errorf("process %d runs", pid)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.runContainerd(ctx)
}

// load puts archives' images into the node's containerd, where pods find them by the names that are in
// the archives.
func (c *cluster) load(ctx context.Context, archives ...string) error {
	if len(archives) == 0 {
		return errors.New("load what archive?")
	}
	for _, archive := range archives {
		if _, err := output(exec.CommandContext(ctx, "ctr", "-a", c.socket(), "-n", "k8s.io", "images", "import", archive)); err != nil {
			return err
		}
	}
	c.say("%d images loaded", len(archives))
	return nil
}

// node starts kubelet and kube-proxy, and waits until pods may come.
func (c *cluster) node(ctx context.Context) error {
	settings := fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {x509: {clientCAFile: %[1]s/pki/ca.crt}, webhook: {enabled: true}, anonymous: {enabled: false}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /%[2]s
failCgroupV1: false
failSwapOn: false
clusterDNS: [%[3]s]
clusterDomain: cluster.local
resolvConf: %[1]s/resolv.conf
# Nothing brings a deleted image back here.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: "1%%", imagefs.available: "1%%"}
`, c.run, cgroup, dnsAddress)
	err := errors.Join(os.WriteFile(c.path("kubelet.yaml"), []byte(settings), 0o644),
		os.WriteFile(c.path("resolv.conf"), []byte("nameserver "+dnsAddress+"\n"), 0o644))
	if err != nil {
		return err
	}
	err = c.daemon(ctx, "kubelet", "--config="+c.path("kubelet.yaml"), "--kubeconfig="+c.kubeconfig(), "--hostname-override="+nodeName, "--node-ip="+nodeAddress)
	if err != nil {
		return err
	}
	err = c.daemon(ctx, "kube-proxy", "--kubeconfig="+c.kubeconfig(), "--cluster-cidr="+podNetwork, "--hostname-override="+nodeName,
		"--proxy-mode=iptables", "--conntrack-max-per-core=0")
	if err != nil {
		return err
	}
	return c.wait(ctx, "the node is ready", "--for=condition=Ready", "node/"+nodeName)
}

// wait waits for a condition of kubectl's.
func (c *cluster) wait(ctx context.Context, what string, args ...string) error {
	return c.until(ctx, what, 4*time.Minute, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, "", append([]string{"wait", "--timeout=1s"}, args...)...)
		return err
	})
}

//go:embed coredns.yaml
var coredns string

//go:embed keda.yaml
var keda string

//go:embed metrics.yaml
var metrics string

// services installs CoreDNS, and KEDA and metrics-server with their own manifests.
func (c *cluster) services(ctx context.Context) error {
	if _, err := c.kubectl(ctx, strings.ReplaceAll(coredns, "DNS_ADDRESS", dnsAddress), "apply", "-f", "-"); err != nil {
		return err
	}
	for name, kustomization := range map[string]string{"keda": keda, "metrics": metrics} {
		if err := c.install(ctx, name, kustomization); err != nil {
			return err
		}
	}
	for _, wait := range []struct {
		what string
		args []string
	}{
		{"names resolve", []string{"-n", "kube-system", "--for=condition=Available", "deployment/coredns"}},
		{"KEDA is ready", []string{"-n", "keda", "--for=condition=Available", "deployment", "--all"}},
		{"KEDA's metrics are served", []string{"--for=condition=Available", "apiservice/v1beta1.external.metrics.k8s.io"}},
		{"pods are measured", []string{"--for=condition=Available", "apiservice/v1beta1.metrics.k8s.io"}},
	} {
		if err := c.wait(ctx, wait.what, wait.args...); err != nil {
			return err
		}
	}
	return nil
}

// install applies the manifests that were laid out, through a kustomization in a folder among them.
func (c *cluster) install(ctx context.Context, name, kustomization string) error {
	manifests := c.path(name)
	if err := os.CopyFS(manifests, os.DirFS(filepath.Join(c.dir, name))); err != nil {
		return err
	}
	ours := filepath.Join(manifests, "optimus")
	if err := os.MkdirAll(ours, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(ours, "kustomization.yaml"), []byte(kustomization), 0o644); err != nil {
		return err
	}
	_, err := c.kubectl(ctx, "", "apply", "--server-side", "-k", ours)
	return err
}
