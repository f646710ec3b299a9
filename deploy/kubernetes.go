package deploy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"optimus/config"
)

//go:embed kubernetes/templates/*.tmpl
var kubernetesTemplates embed.FS

// KubernetesOptions is what manifests go by beside the settings.
type KubernetesOptions struct {
	// Stop is how long a process may take to stop beyond what its settings give it.
	Stop time.Duration
}

// Kubernetes gives the manifests of the whole on Kubernetes with KEDA, a kustomize base: by [kubernetes] of
// the settings, and by the queues and sizes of the catalogue's languages. No secret is in them. Errors name
// each setting that does not go, and what to do.
func Kubernetes(cfg config.Config, all config.Catalogue, o KubernetesOptions) ([]File, error) {
	m := &manifests{Kubernetes: cfg.Kubernetes, config: cfg, Data: cfg.Data, Ports: ports{}}
	errs := []error{m.checkServer(), m.setRedis(), m.setTraces(), m.setGrace(o.Stop), m.setPools(all)}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("these settings can't be rendered for Kubernetes:\n%w", err)
	}
	m.setPaths()
	if err := m.setConfig(); err != nil {
		return nil, err
	}
	return m.files()
}

// manifests is what the templates are given.
type manifests struct {
	config.Kubernetes
	config config.Config

	// Data is the data folder, on the nodes and in the workers.
	Data  string
	Ports ports
	Keys  []apiKey
	// Store is the server of the queue.
	Store redisServer
	// Traces is where jobs' traces go.
	Traces collector
	// Pools are the pools of workers, Pool that of the template.
	Pools []pool
	Pool  pool
	// numbers are the queues' in the store.
	numbers map[string]uint16
	// Paths are the node's.
	Paths nodePaths

	// Longest is the longest job, WorkerGrace how long a worker may finish it, WorkerStop and APIStop how long a
	// pod may take to end in all, in whole seconds.
	Longest             time.Duration
	WorkerGrace         time.Duration
	WorkerStop, APIStop int64

	// APIConfig, WorkerConfig and Languages are the files of the ConfigMap; Sum is theirs, and RedisSum that of
	// what Redis reads.
	APIConfig, WorkerConfig, Languages, Sum, RedisSum string
}

// ports are those of the containers.
type ports struct{ API, Monitoring string }

// apiKey is a key of the API, whose text the Secret has.
type apiKey struct {
	config.Key

	// Entry is its name in the Secret.
	Entry string
}

// nodePaths are folders of a node.
type nodePaths struct {
	// Socket is containerd's, State the folder in which it lies with containerd's state, Root that of its images.
	Socket, State, Root string
	// Shims is where containerd's shims have their sockets; empty where State holds it.
	Shims string
}

// secretName is the Secret with everything that must not be rendered, and secretDir where it is in a pod.
const (
	secretName = "optimus"
	secretDir  = "/run/secrets/optimus" //nolint:gosec // the folder's name, no secret
)

func (m *manifests) setPaths() {
	// What these distributions state: https://docs.k3s.io/advanced, https://docs.k0sproject.io/stable/runtime/,
	// https://microk8s.io/docs/configuring-services. The shims' folder is containerd's own constant.
	all := map[string]nodePaths{
		"standard": {"/run/containerd/containerd.sock", "/run/containerd", "/var/lib/containerd", ""},
		"k3s":      {"/run/k3s/containerd/containerd.sock", "/run/k3s/containerd", "/var/lib/rancher/k3s/agent/containerd", "/run/containerd"},
		"k0s":      {"/run/k0s/containerd.sock", "/run/k0s", "/var/lib/k0s/containerd", "/run/containerd"},
		"microk8s": {
			"/var/snap/microk8s/common/run/containerd.sock", "/var/snap/microk8s/common/run",
			"/var/snap/microk8s/common/var/lib/containerd", "/run/containerd",
		},
	}
	m.Paths = all[m.Distribution]
}

// fault words what is wrong with a setting.
func (m *manifests) fault(path string, value any, problem, help string) error {
	return fmt.Errorf("  %s: %s = %q: %s; %s", m.config.Origin(path), path, fmt.Sprint(value), problem, help)
}

// checkServer sets the API's ports and keys, and refuses what a pod can't have.
func (m *manifests) checkServer() error {
	var errs []error
	s := m.config.Server
	if s.TLSCert != "" {
		errs = append(errs, m.fault("server.tls_cert", s.TLSCert, "is a file of this machine",
			"leave it out: on Kubernetes the Ingress speaks HTTPS (kubernetes.ingress_host, kubernetes.ingress_tls)"))
	}
	m.Ports.API = portOf(s.Listen, "8080")
	m.Ports.Monitoring = portOf(m.config.Monitoring.Listen, "9100")
	if m.Ports.API == m.Ports.Monitoring {
		errs = append(errs, m.fault("monitoring.listen", m.config.Monitoring.Listen, "has the API's port", "state another"))
	}
	if p := portOf(m.config.Monitoring.Pprof, ""); p != "" && (p == m.Ports.API || p == m.Ports.Monitoring) {
		errs = append(errs, m.fault("monitoring.pprof", m.config.Monitoring.Pprof, "has the port of the API or of the metrics", "state another"))
	}
	m.Keys = []apiKey{{Key: config.Key{Name: "admin", Roles: []string{config.RoleSubmit, config.RoleRead, config.RoleAdmin}}, Entry: "api-key"}}
	if len(m.config.Keys) > 0 {
		m.Keys = nil
	}
	for _, k := range m.config.Keys {
		if strings.ContainsRune(k.Name, '+') {
			errs = append(errs, m.fault("keys", k.Name, "can't be an entry of a Secret", "name the key without +"))
		}
		m.Keys = append(m.Keys, apiKey{k, "api-key-" + k.Name})
	}
	return errors.Join(errs...)
}

// portOf gives the port of an address, or else the one given.
func portOf(address, otherwise string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 && address[i+1:] != "0" {
		return address[i+1:]
	}
	return otherwise
}

// sleepBeforeStop is how long a pod of the API goes on after it was told to stop: so long clients may still
// be sent to it.
const sleepBeforeStop = 5 * time.Second

// setGrace sets how long pods may take to end.
func (m *manifests) setGrace(stop time.Duration) error {
	l := m.config.Limits
	// A job's compile and each of its tests may take the wall limit, and where the worker's other jobs hold the
	// other slots, or the memory, its runs come one after the other.
	m.Longest = time.Duration(l.MaxTests+1) * l.Wall
	m.WorkerGrace = m.Grace
	if m.WorkerGrace == 0 {
		m.WorkerGrace = m.Longest
	}
	m.WorkerStop = seconds(m.WorkerGrace + stop)
	m.APIStop = seconds(sleepBeforeStop + m.config.Server.ShutdownTimeout + stop)
	const most = 24 * time.Hour
	if m.WorkerGrace > most {
		return m.fault("kubernetes.grace", m.Grace, fmt.Sprintf("stands for the longest job, limits.max_tests and a compile of limits.wall each, "+
			"which is %s", m.Longest), "must be at most 1d: state it, which hands back and begins anew what takes longer, or lower one of these limits")
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// files renders the templates.
func (m *manifests) files() ([]File, error) {
	names := []string{"namespace", "config", "accounts"}
	if m.Store.Own {
		names = append(names, "redis")
	}
	names = append(names, "api")
	for _, p := range m.Pools {
		names = append(names, "worker-"+p.Queue)
	}
	if m.KEDA() && len(m.Store.Entries()) > 0 {
		names = append(names, "keda")
	}
	names = append(names, "network")
	if m.IngressHost != "" {
		names = append(names, "ingress")
	}
	if m.ServiceMonitor {
		names = append(names, "monitors")
	}
	var resources []string
	var files []File
	for _, name := range names {
		template := name
		for _, p := range m.Pools {
			if name == "worker-"+p.Queue {
				m.Pool, template = p, "worker"
			}
		}
		resources = append(resources, name+".yaml")
		text, err := execute(kubernetesTemplates, "kubernetes/templates/"+template+".tmpl", m)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Name: name + ".yaml", Text: text})
	}
	text, err := execute(kubernetesTemplates, "kubernetes/templates/kustomization.tmpl", map[string]any{"Resources": resources})
	if err != nil {
		return nil, err
	}
	return append(files, File{Name: "kustomization.yaml", Text: text, Aside: true}), nil
}

// KEDA tells whether there is anything for KEDA to scale.
func (m *manifests) KEDA() bool {
	for _, p := range m.Pools {
		if p.Scaled() {
			return true
		}
	}
	return false
}

// Block indents a text as a block scalar's content, n spaces deep.
func (*manifests) Block(n int, text string) string {
	indent := strings.Repeat(" ", n)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = indent + line
		}
	}
	return strings.Join(lines, "\n")
}

// sum tells texts apart.
func sum(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		h.Write([]byte(t))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
