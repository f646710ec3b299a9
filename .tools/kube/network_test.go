package kube

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// peer is who speaks or is spoken to: a pod by its own labels and its namespace's name, or an address
// beyond the cluster.
type peer struct {
	namespace string
	labels    object
	address   string
}

// flow is one that must be admitted, or refused.
type flow struct {
	from, to peer
	protocol string
	port     float64
}

func (f flow) String() string {
	return fmt.Sprintf("%v → %v %s %v", f.from, f.to, f.protocol, f.port)
}

// policies is a set of NetworkPolicies, evaluated as their specification says: a pod that no policy of a
// direction selects is open in it; any other takes what one of these policies allows.
type policies []object

// admit tells whether a flow is let out where it begins and in where it ends.
func (p policies) admit(f flow) bool {
	return p.passes("Egress", f.from, f.to, f) && p.passes("Ingress", f.to, f.from, f)
}

func (p policies) passes(direction string, subject, other peer, f flow) bool {
	selected, allowed := false, false
	for _, policy := range p {
		if subject.labels == nil || subject.namespace != text(policy, "metadata", "namespace") ||
			!slices.Contains(items(policy, "spec", "policyTypes"), any(direction)) || !matches(at(policy, "spec", "podSelector"), subject.labels) {
			continue
		}
		selected = true
		key, side := "ingress", "from"
		if direction == "Egress" {
			key, side = "egress", "to"
		}
		for _, rule := range items(policy, "spec", key) {
			allowed = allowed || among(items(rule, side), other, subject.namespace) && onPort(items(rule, "ports"), f)
		}
	}
	return !selected || allowed
}

// among tells whether a rule's peers, all of them where none is named, have this one.
func among(peers []any, p peer, own string) bool {
	if len(peers) == 0 {
		return true
	}
	return slices.ContainsFunc(peers, func(rule any) bool {
		if block := text(rule, "ipBlock", "cidr"); block != "" {
			a, err := netip.ParseAddr(p.address)
			return err == nil && netip.MustParsePrefix(block).Contains(a)
		}
		if p.labels == nil {
			return false
		}
		if spaces := at(rule, "namespaceSelector"); spaces == nil && p.namespace != own ||
			spaces != nil && !matches(spaces, object{"kubernetes.io/metadata.name": p.namespace}) {
			return false
		}
		pods := at(rule, "podSelector")
		return pods == nil || matches(pods, p.labels)
	})
}

func onPort(rules []any, f flow) bool {
	return len(rules) == 0 || slices.ContainsFunc(rules, func(r any) bool {
		return text(r, "protocol") == f.protocol && at(r, "port") == f.port
	})
}

// matches tells whether labels are those that a selector of matchLabels alone asks for.
func matches(selector any, labels object) bool {
	o, _ := selector.(object)
	for key := range o {
		if key != "matchLabels" {
			panic("the evaluator knows matchLabels only, not " + key)
		}
	}
	wanted, _ := o["matchLabels"].(object)
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// pod is a pod of a rendering whose object's name begins so.
func pod(t *testing.T, all []object, prefix string) peer {
	t.Helper()
	for owner, template := range pods(all) {
		if _, n, _ := strings.Cut(owner, " "); strings.HasPrefix(n, prefix) {
			for _, o := range all {
				if name(o) == owner {
					return peer{namespace: text(o, "metadata", "namespace"), labels: at(template, "metadata", "labels").(object)}
				}
			}
		}
	}
	t.Fatalf("there is no pod %s", prefix)
	return peer{}
}

const tcp = "TCP"

// Others in a cluster, as they are labelled by those who publish them.
var (
	keda       = peer{namespace: "keda", labels: object{"app": "keda-operator"}}
	prometheus = peer{namespace: "monitoring", labels: object{"app.kubernetes.io/name": "prometheus"}}
	ingress    = peer{namespace: "ingress-nginx", labels: object{"app.kubernetes.io/component": "controller"}}
	dns        = peer{namespace: "kube-system", labels: object{"k8s-app": "kube-dns"}}
	nodeDNS    = peer{address: "169.254.20.10"}
	stranger   = peer{namespace: "default", labels: object{"app": "web"}}
	outside    = peer{address: "203.0.113.9"}
)

// What must pass passes and nothing else does, by the default rendering alone: the networks of small
// clusters, such as that of `make test-kube`, do not enforce policies.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	all := objects(t, renderings(t)["default"])
	p := policies(of(all, "NetworkPolicy"))
	api, redis := pod(t, all, "optimus-api"), pod(t, all, "optimus-redis")
	scaled, fixed := pod(t, all, "optimus-worker-python"), pod(t, all, "optimus-worker-default")
	impostor := peer{namespace: "default", labels: api.labels}
	admitted := []flow{
		{api, redis, tcp, 6379}, {scaled, redis, tcp, 6379}, {fixed, redis, tcp, 6379}, {keda, redis, tcp, 6379},
		{ingress, api, tcp, 8080}, {stranger, api, tcp, 8080}, {outside, api, tcp, 8080},
		{prometheus, api, tcp, 9100}, {prometheus, scaled, tcp, 9100}, {prometheus, fixed, tcp, 9100},
	}
	for _, from := range []peer{api, redis, scaled, fixed} {
		for _, to := range []peer{dns, nodeDNS} {
			admitted = append(admitted, flow{from, to, "UDP", 53}, flow{from, to, tcp, 53})
		}
	}
	for _, f := range admitted {
		if !p.admit(f) {
			t.Errorf("%s is refused", f)
		}
	}
	refused := []flow{
		{stranger, redis, tcp, 6379}, {outside, redis, tcp, 6379}, {prometheus, redis, tcp, 6379}, {impostor, redis, tcp, 6379},
		{peer{namespace: "keda", labels: object{"app": "keda-metrics-apiserver"}}, redis, tcp, 6379},
		{peer{namespace: "default", labels: keda.labels}, redis, tcp, 6379}, {keda, redis, tcp, 22}, {api, redis, tcp, 26379},
		{stranger, api, tcp, 9100}, {keda, api, tcp, 9100}, {stranger, scaled, tcp, 9100}, {api, scaled, tcp, 9100}, {stranger, fixed, tcp, 22},
		{api, outside, tcp, 443}, {scaled, outside, tcp, 443}, {redis, outside, tcp, 443}, {redis, api, tcp, 8080},
		{scaled, api, tcp, 8080}, {scaled, fixed, tcp, 9100}, {scaled, outside, "UDP", 53}, {scaled, peer{address: "169.254.169.254"}, tcp, 80},
		{stranger, peer{namespace: "optimus", labels: object{"app": "of nobody"}}, tcp, 80},
		{api, dns, tcp, 443}, {scaled, peer{namespace: "default", labels: dns.labels}, "UDP", 53},
	}
	for _, f := range refused {
		if p.admit(f) {
			t.Errorf("%s is admitted", f)
		}
	}
	// Without one of the policies something that must pass is refused, or something else passes.
	for i := range p {
		rest := slices.Delete(slices.Clone(p), i, i+1)
		same := !slices.ContainsFunc(admitted, func(f flow) bool { return !rest.admit(f) }) && !slices.ContainsFunc(refused, rest.admit)
		if same {
			t.Errorf("%s changes nothing", name(p[i]))
		}
	}
}

// With a server elsewhere its ports are reached, and with clients named only they reach the API.
func TestNetworkPoliciesOfVariants(t *testing.T) {
	t.Parallel()
	all := renderings(t)
	sentinel := objects(t, all["sentinel"])
	p := policies(of(sentinel, "NetworkPolicy"))
	worker := pod(t, sentinel, "optimus-worker")
	for port, want := range map[float64]bool{26379: true, 6379: true, 443: false} {
		if got := p.admit(flow{worker, outside, tcp, port}); got != want {
			t.Errorf("a worker reaches port %v of a server elsewhere: %v", port, got)
		}
	}
	traced(t, all)
	offered := objects(t, all["ingress"])
	p = policies(of(offered, "NetworkPolicy"))
	api := pod(t, offered, "optimus-api")
	course := peer{namespace: "course", labels: object{"app": "grader"}}
	for from, want := range map[*peer]bool{&course: true, &ingress: true, &stranger: false, &outside: false} {
		if got := p.admit(flow{*from, api, tcp, 8080}); got != want {
			t.Errorf("%v reaches the API: %v", *from, got)
		}
	}
}

// traced holds policies to where jobs' traces go: an address, a Service of this cluster, or a name that no policy can
// state, whose port alone is open.
func traced(t *testing.T, all map[string]map[string]string) {
	t.Helper()
	type reach struct {
		to   peer
		port float64
		want bool
	}
	collector, address := peer{namespace: "observability", labels: object{"app": "collector"}}, peer{address: "192.0.2.7"}
	for rendering, reaches := range map[string][]reach{
		"default":  {{collector, 4318, false}, {address, 4318, false}, {outside, 443, false}},
		"k3s":      {{address, 4318, true}, {address, 4317, false}, {outside, 4318, false}, {collector, 4318, false}},
		"monitors": {{collector, 4318, true}, {collector, 4317, false}, {stranger, 4318, false}, {outside, 4318, false}},
		"ingress":  {{outside, 443, true}, {outside, 4318, false}, {collector, 443, true}},
	} {
		objects := objects(t, all[rendering])
		p := policies(of(objects, "NetworkPolicy"))
		for _, r := range reaches {
			for _, from := range []peer{pod(t, objects, "optimus-api"), pod(t, objects, "optimus-worker")} {
				if f := (flow{from, r.to, tcp, r.port}); p.admit(f) != r.want {
					t.Errorf("%s: %s is admitted: %v", rendering, f, !r.want)
				}
			}
		}
	}
}
