package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kubernetes is what `optimus admin render kubernetes` makes manifests from, beside the other settings; no
// process that runs reads it.
type Kubernetes struct {
	// Namespace holds all of Optimus's objects.
	Namespace string `toml:"namespace" is:"object"`
	// Image of Optimus, with its registry.
	Image string `toml:"image" is:"image"`
	// Distribution says where the nodes' containerd has its socket and folders.
	Distribution string `toml:"distribution" oneof:"standard k3s k0s microk8s"`
	// Grace is how long a worker pod that is told to stop may finish what it runs; 0 is as long as the longest
	// job that the limits allow.
	Grace time.Duration `toml:"grace" min:"0s" max:"1d"`
	// KEDANamespace, MonitoringNamespace and IngressNamespace are where KEDA's operator, Prometheus and the
	// Ingress controller run: NetworkPolicies let them in.
	KEDANamespace       string `toml:"keda_namespace" is:"object"`
	MonitoringNamespace string `toml:"monitoring_namespace" is:"object"`
	IngressNamespace    string `toml:"ingress_namespace" is:"object"`
	// ClientNamespaces alone reach the API; empty means everybody, since the API asks for a key.
	ClientNamespaces []string `toml:"client_namespaces" is:"object"`
	// IngressHost is the name by which an Ingress offers the API; empty is no Ingress. IngressClass is its
	// class, and IngressTLS the Secret of its certificate.
	IngressHost  string `toml:"ingress_host" is:"host"`
	IngressClass string `toml:"ingress_class" is:"object"`
	IngressTLS   string `toml:"ingress_tls" is:"object"`
	// ServiceMonitor has the Prometheus operator scrape the pods.
	ServiceMonitor bool            `toml:"service_monitor"`
	API            KubernetesAPI   `toml:"api"`
	Redis          KubernetesRedis `toml:"redis"`
	// Pools of workers; empty means one for each queue of the catalogue.
	Pools []Pool `toml:"pools"`
}

// KubernetesAPI is how many pods of the API there are, between which its processors' load decides.
type KubernetesAPI struct {
	Min int `toml:"min" min:"1" max:"1000"`
	Max int `toml:"max" min:"1" max:"1000"`
}

// KubernetesRedis is the server of the queue that is rendered where [redis] states none, and what else of
// one there must be known.
type KubernetesRedis struct {
	// Image of Redis or Valkey, with a shell.
	Image string `toml:"image" is:"image"`
	// Memory is what it may hold; the pod gets twice that, since it forks to rewrite its file.
	Memory Size `toml:"memory" min:"64MiB" max:"1TiB"`
	// Storage is its volume's size, and StorageClass the volume's class; empty is the cluster's default.
	Storage      Size   `toml:"storage" min:"64MiB" max:"64TiB"`
	StorageClass string `toml:"storage_class" is:"object"`
	// Ports are those of servers that Sentinels or a Cluster name beside redis.addresses.
	Ports []string `toml:"ports" is:"port"`
}

// Pool is the workers of one queue.
type Pool struct {
	// Queue that they take from; unique.
	Queue string `toml:"queue" is:"object" required:"true"`
	// Form is "scaled", a Deployment that KEDA scales, or "daemonset", one worker on each node.
	Form string `toml:"form" oneof:"scaled daemonset" required:"true"`
	// Languages go to this queue whatever the catalogue says.
	Languages []string `toml:"languages" is:"name"`
	// CPU and Memory are a pod's limits, RequestCPU and RequestMemory what the scheduler keeps for it. A pod has
	// as many slots as processors, begun ones counted.
	CPU           string `toml:"cpu" is:"quantity"`
	Memory        string `toml:"memory" is:"quantity"`
	RequestCPU    string `toml:"request_cpu" is:"quantity"`
	RequestMemory string `toml:"request_memory" is:"quantity"`
	// Min and Max bound the pods of the scaled form; a Max of 0 is 10.
	Min int `toml:"min" min:"0" max:"10000"`
	Max int `toml:"max" min:"0" max:"10000"`
	// Cooldown is how long the queue must be empty before the last pods go; 0 is 5m.
	Cooldown time.Duration `toml:"cooldown" min:"0s" max:"1d"`
}

// The forms of a Pool.
const (
	FormScaled    = "scaled"
	FormDaemonSet = "daemonset"
)

// QueueNumbers gives the queues that are numbered, by name.
func (r Redis) QueueNumbers() map[string]uint16 {
	numbers := map[string]uint16{}
	for _, text := range r.Queues {
		if name, number, ok := splitQueueNumber(text); ok {
			numbers[name] = number
		}
	}
	return numbers
}

// FormatQueueNumbers gives the setting that states the numbers, by number.
func FormatQueueNumbers(numbers map[string]uint16) []string {
	names := slices.SortedFunc(maps.Keys(numbers), func(a, b string) int { return int(numbers[a]) - int(numbers[b]) })
	for i, name := range names {
		names[i] = name + "=" + strconv.Itoa(int(numbers[name]))
	}
	return names
}

// splitQueueNumber reads NAME=NUMBER.
func splitQueueNumber(s string) (name string, number uint16, ok bool) {
	name, digits, _ := strings.Cut(s, "=")
	n, err := strconv.ParseUint(digits, 10, 16)
	return name, uint16(n), isName(name) && err == nil && n > 0 && strconv.FormatUint(n, 10) == digits
}

// kubernetes looks at what more than one setting of the manifests decides.
func (l *loader) kubernetes() {
	k := &l.config.Kubernetes
	if k.API.Max < k.API.Min {
		l.clash("kubernetes.api.max", "kubernetes.api.min", strconv.Itoa(k.API.Max), "is below kubernetes.api.min",
			"must be at least "+strconv.Itoa(k.API.Min))
	}
	if k.IngressHost == "" && k.IngressTLS != "" {
		l.fault("kubernetes.ingress_tls", k.IngressTLS, "is for an Ingress, and there is none", "state kubernetes.ingress_host")
	}
	for path, value := range map[string]string{
		"namespace": k.Namespace, "image": k.Image, "distribution": k.Distribution, "keda_namespace": k.KEDANamespace,
		"monitoring_namespace": k.MonitoringNamespace, "ingress_namespace": k.IngressNamespace, "redis.image": k.Redis.Image,
	} {
		if value == "" {
			l.fault("kubernetes."+path, "", "is empty", "state one, or leave the setting out")
		}
	}
	l.pools(k.Pools)
}

// pools looks for queues and languages that stand in two pools.
func (l *loader) pools(pools []Pool) {
	queues, languages := map[string]int{}, map[string]string{}
	for i, p := range pools {
		at := "kubernetes.pools[" + strconv.Itoa(i) + "]"
		if first, ok := queues[p.Queue]; ok && p.Queue != "" {
			l.fault(at+".queue", p.Queue, "has a pool already, kubernetes.pools["+strconv.Itoa(first)+"]",
				"a queue has one pool: KEDA and a DaemonSet, or two of either, would count each other's workers")
		} else {
			queues[p.Queue] = i
		}
		if p.Max != 0 && p.Max < p.Min {
			l.fault(at+".max", strconv.Itoa(p.Max), "is below min", "must be at least "+strconv.Itoa(p.Min))
		}
		l.unscaled(at, p)
		for _, name := range p.Languages {
			if other, ok := languages[name]; ok {
				l.fault(at+".languages", name, "is in the pool of queue "+other+" too", "a language goes to one queue")
			}
			languages[name] = p.Queue
		}
	}
}

// unscaled looks for what a DaemonSet can't have.
func (l *loader) unscaled(at string, p Pool) {
	if p.Form != FormDaemonSet {
		return
	}
	for field, value := range map[string]any{"min": p.Min, "max": p.Max, "cooldown": p.Cooldown} {
		if value != 0 && value != time.Duration(0) {
			l.fault(at+"."+field, fmt.Sprint(value), "is for the scaled form alone", "leave it out: a DaemonSet has one worker on each node")
		}
	}
}

// queueNumbers looks for numbers that are stated twice.
func (l *loader) queueNumbers() {
	names, numbers := map[string]bool{}, map[uint16]string{}
	for i, text := range l.config.Redis.Queues {
		name, number, _ := splitQueueNumber(text)
		at := "redis.queues[" + strconv.Itoa(i) + "]"
		if names[name] {
			l.fault(at, text, "states a queue twice", "state one number for it")
		} else if other, ok := numbers[number]; ok {
			l.fault(at, text, "is the number of queue "+other+" too", "must be unique")
		}
		names[name], numbers[number] = true, name
	}
}
