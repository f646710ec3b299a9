package kube

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// object is a manifest, or a part of one.
type object = map[string]any

// The rendering that is kept, and those of other settings, each of which a test of the renderer compares
// with what it renders.
const (
	kept     = "../../deploy/kubernetes"
	variants = "../../modes/testdata/kubernetes"
)

// renderings gives each rendering, by name, as texts by file.
func renderings(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{"default": texts(t, kept)}
	folders, err := os.ReadDir(variants)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.IsDir() {
			all[f.Name()] = texts(t, filepath.Join(variants, f.Name()))
		}
	}
	if len(all) < 5 {
		t.Fatalf("only %d renderings were found", len(all))
	}
	return all
}

func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s holds no manifests (%v)", dir, err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = string(text)
	}
	return all
}

// objects decodes all manifests of a rendering, strictly: a key that stands twice is an error.
func objects(t *testing.T, files map[string]string) []object {
	t.Helper()
	var all []object
	for name, text := range files {
		if name == "kustomization.yaml" {
			continue
		}
		for _, document := range strings.Split("\n"+text, "\n---\n") {
			var o object
			if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if o != nil {
				all = append(all, o)
			}
		}
	}
	return all
}

// at gives what lies at a path of keys and, in lists, indices; nil for nothing.
func at(node any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			o, _ := node.(object)
			node = o[s]
		case int:
			list, _ := node.([]any)
			if s >= len(list) {
				return nil
			}
			node = list[s]
		}
	}
	return node
}

func text(node any, path ...any) string {
	s, _ := at(node, path...).(string)
	return s
}

func items(node any, path ...any) []any {
	list, _ := at(node, path...).([]any)
	return list
}

func name(o object) string { return text(o, "kind") + " " + text(o, "metadata", "name") }

// of gives a rendering's objects of a kind.
func of(all []object, kind string) []object {
	var some []object
	for _, o := range all {
		if text(o, "kind") == kind {
			some = append(some, o)
		}
	}
	return some
}

// pods gives the templates of all pods of a rendering, by their object.
func pods(all []object) map[string]object {
	found := map[string]object{}
	for _, o := range all {
		if template, ok := at(o, "spec", "template").(object); ok {
			found[name(o)] = template
		}
	}
	return found
}

func TestEachPodIsKnown(t *testing.T) {
	t.Parallel()
	for rendering, files := range renderings(t) {
		all := objects(t, files)
		if n := len(pods(all)); n < 2 {
			t.Errorf("%s: only %d kinds of pods", rendering, n)
		}
		accounts := map[string]bool{}
		for _, o := range of(all, "ServiceAccount") {
			accounts[text(o, "metadata", "name")] = at(o, "automountServiceAccountToken") == false
		}
		for pod, template := range pods(all) {
			spec := at(template, "spec")
			if !accounts[text(spec, "serviceAccountName")] || at(spec, "automountServiceAccountToken") != false {
				t.Errorf("%s: %s has no account without a token", rendering, pod)
			}
			for _, c := range items(spec, "containers") {
				for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
					if at(c, probe) == nil {
						t.Errorf("%s: %s has no %s", rendering, pod, probe)
					}
				}
				if at(c, "resources", "requests") == nil || at(c, "resources", "limits", "memory") == nil {
					t.Errorf("%s: %s does not state its resources", rendering, pod)
				}
			}
		}
		for _, kind := range []string{"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret"} {
			if found := of(all, kind); len(found) > 0 {
				t.Errorf("%s: it has %s", rendering, name(found[0]))
			}
		}
	}
}

// A queue has one pool: never two of which each counts the other's workers, nor KEDA beside a DaemonSet.
func TestOnePoolForEachQueue(t *testing.T) {
	t.Parallel()
	for rendering, files := range renderings(t) {
		all := objects(t, files)
		queues := map[string]string{}
		for _, kind := range []string{"Deployment", "DaemonSet"} {
			for _, o := range of(all, kind) {
				for _, e := range items(o, "spec", "template", "spec", "containers", 0, "env") {
					if text(e, "name") != "OPTIMUS_WORKER_QUEUES" {
						continue
					}
					queue := text(e, "value")
					if queues[queue] != "" {
						t.Errorf("%s: queue %s has %s and %s", rendering, queue, queues[queue], name(o))
					}
					queues[queue] = name(o)
				}
			}
		}
		scaled := map[string]bool{}
		for _, o := range of(all, "ScaledObject") {
			queue := text(o, "metadata", "labels", "optimus/queue")
			if target := "Deployment " + text(o, "spec", "scaleTargetRef", "name"); queues[queue] != target || scaled[queue] {
				t.Errorf("%s: %s scales %s, and queue %s is of %s", rendering, name(o), target, queue, queues[queue])
			}
			scaled[queue] = true
		}
		for queue, owner := range queues {
			if strings.HasPrefix(owner, "Deployment ") != scaled[queue] {
				t.Errorf("%s: queue %s is of %s, scaled: %v", rendering, queue, owner, scaled[queue])
			}
		}
		for _, o := range of(all, "Deployment") { // who scales them states their number
			if at(o, "spec", "replicas") != nil {
				t.Errorf("%s: %s states replicas", rendering, name(o))
			}
		}
	}
}

// What reaches into the node is explained where it stands: a comment is on the line, or right above it.
func TestWhatReachesIntoTheNodeIsExplained(t *testing.T) {
	t.Parallel()
	reaches := []string{"hostPath:", "hostPID:", "hostNetwork:", "hostIPC:", "hostUsers:", "privileged:", "runAsUser: 0", "add:", "pod-security"}
	for rendering, files := range renderings(t) {
		seen := 0
		for file, text := range files {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				for _, reach := range reaches {
					if !strings.Contains(line, reach) || strings.HasPrefix(strings.TrimSpace(line), "#") {
						continue
					}
					seen++
					if !explained(lines, i) {
						t.Errorf("%s: %s:%d has no comment: %s", rendering, file, i+1, strings.TrimSpace(line))
					}
				}
			}
		}
		if seen < 6 {
			t.Errorf("%s: only %d lines reach into the node", rendering, seen)
		}
	}
}

// explained tells whether a comment is right above line i, or above the list item or the line of the same
// label that it belongs to.
func explained(lines []string, i int) bool {
	comment := func(n int) bool { return n >= 0 && strings.HasPrefix(strings.TrimSpace(lines[n]), "#") }
	if strings.HasPrefix(strings.TrimSpace(lines[i]), "hostPath:") {
		i-- // of "- name: …"
	}
	if strings.Contains(lines[i], "pod-security") && strings.Contains(lines[i-1], "pod-security") {
		i--
	}
	return comment(i - 1)
}

// hostPaths gives the paths of the node that a pod has, each with where.
func hostPaths(spec any) map[string]string {
	paths := map[string]string{}
	for _, v := range items(spec, "volumes") {
		if path := text(v, "hostPath", "path"); path != "" {
			for _, m := range items(spec, "containers", 0, "volumeMounts") {
				if text(m, "name") == text(v, "name") {
					paths[path] = text(m, "mountPath")
				}
			}
		}
	}
	return paths
}

// Only workers reach into the node, and each path is at the same place there and in the pod, since
// containers are given the node's.
func TestWorkersAloneReachIntoTheNode(t *testing.T) {
	t.Parallel()
	for rendering, files := range renderings(t) {
		for pod, template := range pods(objects(t, files)) {
			spec := at(template, "spec")
			paths := hostPaths(spec)
			worker := strings.Contains(pod, "worker")
			switch {
			case !worker && (len(paths) > 0 || at(spec, "hostPID") != nil || at(spec, "securityContext", "runAsNonRoot") != true ||
				at(spec, "containers", 0, "securityContext", "readOnlyRootFilesystem") != true):
				t.Errorf("%s: %s reaches into the node, or is root", rendering, pod)
			case worker && (len(paths) < 4 || at(spec, "hostPID") != true):
				t.Errorf("%s: %s has the node's %v", rendering, pod, paths)
			}
			for host, mounted := range paths {
				if host != mounted {
					t.Errorf("%s: %s has the node's %s at %s", rendering, pod, host, mounted)
				}
			}
		}
	}
}

// What is rendered of secrets is where they are.
func TestNoSecretIsRendered(t *testing.T) {
	t.Parallel()
	for rendering, files := range renderings(t) {
		for file, text := range files {
			if bytes.Contains([]byte(text), []byte("hunter2")) {
				t.Errorf("%s: %s has a secret of the settings", rendering, file)
			}
		}
	}
}
