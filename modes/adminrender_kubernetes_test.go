package modes

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"optimus/config"
	"optimus/deploy"
)

var updateManifests = flag.Bool("update-manifests", false, "write the renderings of testdata/kubernetes anew")

// manifestsOf gives what `optimus admin render kubernetes` makes of a file of settings, or of none, in an empty
// environment.
func manifestsOf(t *testing.T, settings, languages string) ([]deploy.File, error) {
	t.Helper()
	cfg, err := config.Load(config.LoadOptions{Path: settings, Root: true})
	if err != nil {
		return nil, err
	}
	all, err := config.LoadCatalogue(languages)
	if err != nil {
		t.Fatal(err)
	}
	return deploy.Kubernetes(cfg, all, kubernetesOptions(cfg))
}

// holds compares a folder with the files that it must hold, and no other manifest.
func holds(t *testing.T, dir string, files []deploy.File, remake string) {
	t.Helper()
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		text, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || string(text) != f.Text {
			t.Errorf("%s is not what is rendered (%v): %s", filepath.Join(dir, f.Name), err, remake)
		}
	}
	there, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if !slices.Contains(names, filepath.Base(path)) {
			t.Errorf("%s is rendered no more: delete it", path)
		}
	}
}

// deploy/kubernetes, which `kubectl apply -k` takes, is the rendering of the defaults.
func TestKeptManifestsAreCurrent(t *testing.T) {
	t.Parallel()
	files, err := manifestsOf(t, "", "")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, "../deploy/kubernetes", files, "make generate")
}

// Renderings of other settings are as they were looked at. .tools/kube holds them to schemas and policies.
func TestManifestsOfSettings(t *testing.T) {
	t.Parallel()
	settings, err := filepath.Glob("testdata/kubernetes/*.toml")
	if err != nil || len(settings) < 5 {
		t.Fatalf("only %d settings were found (%v)", len(settings), err)
	}
	for _, path := range settings {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			files, err := manifestsOf(t, path, "testdata/kubernetes/languages.json")
			if err != nil {
				t.Fatal(err)
			}
			dir := strings.TrimSuffix(path, ".toml")
			if *updateManifests {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				if err := writeFiles(Process{Stderr: &strings.Builder{}}, dir, files); err != nil {
					t.Fatal(err)
				}
			}
			holds(t, dir, files, "go test ./modes -run TestManifestsOfSettings -update-manifests")
		})
	}
}

// What is not right is said with the field, and what to do.
func TestManifestsOfWrongSettings(t *testing.T) {
	t.Parallel()
	const pool = "[[kubernetes.pools]]\nqueue = \"default\"\nform = \"daemonset\"\n[[kubernetes.pools]]\nqueue = \"python\"\nform = \"scaled\"\n"
	for name, c := range map[string]struct{ settings, says string }{
		"form":         {"[[kubernetes.pools]]\nqueue = \"default\"\nform = \"deployment\"\n", `kubernetes.pools[0].form = "deployment": is not among the choices; must be one of scaled, daemonset`},
		"twice":        {pool + "[[kubernetes.pools]]\nqueue = \"python\"\nform = \"daemonset\"\n", `kubernetes.pools[2].queue = "python": has a pool already, kubernetes.pools[1]; a queue has one pool`},
		"no pool":      {"[[kubernetes.pools]]\nqueue = \"python\"\nform = \"scaled\"\n", `kubernetes.pools = "default": is the queue of bash, and no pool takes from it; add [[kubernetes.pools]]`},
		"no language":  {pool + "[[kubernetes.pools]]\nqueue = \"pyton\"\nform = \"scaled\"\n", `kubernetes.pools[2].queue = "pyton": is no language's queue; name its languages, or leave the pool out; did you mean python?`},
		"unknown":      {pool + "languages = [\"pyhton\"]\n", `kubernetes.pools[1].languages = "pyhton": is no language of the catalogue`},
		"memory":       {pool + "memory = \"300Mi\"\n", `kubernetes.pools[1].memory = "300Mi": is below what one run of python needs; must be at least 560Mi`},
		"request":      {pool + "cpu = \"1\"\nrequest_cpu = \"1500m\"\n", `kubernetes.pools[1].request_cpu = "1500m": is above the limit; must be at most 1`},
		"cpu":          {pool + "cpu = \"0\"\n", `kubernetes.pools[1].cpu = "0": leaves no slot`},
		"bounds":       {pool + "min = 5\nmax = 2\n", `kubernetes.pools[1].max = 2: is below min; must be at least 5`},
		"api":          {"[kubernetes.api]\nmin = 4\nmax = 3\n", `kubernetes.api.max = 3: is below kubernetes.api.min; must be at least 4`},
		"namespace":    {"[kubernetes]\nnamespace = \"Judge\"\n", `kubernetes.namespace = "Judge": has the wrong form; must be at most 40 lower-case letters`},
		"distribution": {"[kubernetes]\ndistribution = \"rke\"\n", `kubernetes.distribution = "rke": is not among the choices; must be one of standard, k3s, k0s, microk8s`},
		"loopback":     {"[redis]\nurl = \"redis://localhost:6379\"\n", `redis.url = "localhost:6379": is this machine, which pods do not reach`},
		"socket":       {"[redis]\nurl = \"unix:///run/redis.sock\"\n", "redis.url: is no server that pods reach over the network; state redis://HOST:PORT"},
		"replicated":   {"[redis]\ndurability = \"replicated\"\n", `redis.durability = "replicated": needs a replica`},
		"server name":  {"[redis]\nurl = \"rediss://redis.example.org\"\nserver_name = \"queue\"\n", `redis.server_name = "queue": can't be told to KEDA`},
		"longest job":  {"[limits]\nmax_tests = 10000\n", `kubernetes.grace = "0s": stands for the longest job`},
		"numbers":      {"[redis]\nqueues = [\"default=1\", \"python=1\"]\n", `redis.queues[1] = "python=1": is the number of queue default too; must be unique`},
		"number":       {"[redis]\nqueues = [\"default=0\"]\n", `redis.queues[0] = "default=0": has the wrong form; must be NAME=NUMBER`},
		"certificate":  {"[server]\ntls_cert = \"/a\"\ntls_key = \"/b\"\n", `server.tls_cert = "/a": is a file of this machine; leave it out`},
		"ports":        {"[monitoring]\nlisten = \":8080\"\n", `monitoring.listen = ":8080": has the API's port`},
		"profiler":     {"[monitoring]\npprof = \"127.0.0.1:9100\"\n", `monitoring.pprof = "127.0.0.1:9100": has the port of the API or of the metrics; state another`},
		"collector":    {"[monitoring]\notlp_endpoint = \"http://localhost:4318\"\n", `monitoring.otlp_endpoint = "http://localhost:4318": is this machine, which pods do not reach; state the collector's name`},
		"its password": {"[monitoring]\notlp_endpoint = \"http://a:b@collector:4318\"\n", "monitoring.otlp_endpoint: has a user or a password, and no secret is rendered"},
		"volume":       {"[kubernetes.redis]\nmemory = \"4GiB\"\n", `kubernetes.redis.storage = "8GiB": is too small for what kubernetes.redis.memory lets it hold; must be at least 12GiB`},
		"not scaled":   {"[[kubernetes.pools]]\nqueue = \"default\"\nform = \"daemonset\"\nmax = 4\n", `kubernetes.pools[0].max = 4: is for the scaled form alone; leave it out`},
		"its cooldown": {"[[kubernetes.pools]]\nqueue = \"default\"\nform = \"daemonset\"\ncooldown = \"1m\"\n", `kubernetes.pools[0].cooldown`},
		"tls":          {"[kubernetes]\ningress_tls = \"a\"\n", `kubernetes.ingress_tls = "a": is for an Ingress, and there is none; state kubernetes.ingress_host`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "optimus.toml")
			if err := os.WriteFile(path, []byte(c.settings), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := manifestsOf(t, path, "testdata/kubernetes/languages.json")
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "optimus.toml") && !strings.Contains(err.Error(), "default") {
				t.Errorf("it says %v\nwant %s", err, c.says)
			}
		})
	}
}

// What is rendered on standard output is manifests alone, and what the pods read is what their programs take.
func TestRenderedSettingsAreRead(t *testing.T) {
	t.Parallel()
	files, err := manifestsOf(t, "testdata/kubernetes/sentinel.toml", "testdata/kubernetes/languages.json")
	if err != nil {
		t.Fatal(err)
	}
	text := deploy.Join(files)
	if strings.Contains(text, "kind: Kustomization") || strings.Contains(text, "hunter2") {
		t.Error("it prints the kustomization, or a secret")
	}
	printed, err := parseManifests("standard output", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range printed {
		if m.Kind == "" || m.Metadata.Name == "" {
			t.Errorf("it prints an object that is none: %+v", m)
		}
	}
	if len(printed) < 15 {
		t.Errorf("it prints %d objects", len(printed))
	}
	for _, f := range files {
		if f.Name != "config.yaml" {
			continue
		}
		_, text, _ := strings.Cut(f.Text, "  worker.toml: |\n")
		text, _, _ = strings.Cut(text, "  # ")
		path := filepath.Join(t.TempDir(), "optimus.toml")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "\n    ", "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(config.LoadOptions{Path: path, Root: true})
		if err != nil {
			t.Fatal(err)
		}
		if r := cfg.Redis; r.Master != "queue" || r.Username != "optimus" || r.SentinelUsername != "watcher" || len(r.Addresses) != 2 ||
			r.PasswordFile != "/run/secrets/optimus/redis-password" || r.QueueNumbers()["python"] != 2 {
			t.Errorf("a worker reads %+v", r)
		}
		if cfg.Sandbox.Containerd != "/var/snap/microk8s/common/run/containerd.sock" || cfg.Worker.Grace < 1001*cfg.Limits.Wall {
			t.Errorf("a worker reads %+v, %+v", cfg.Sandbox, cfg.Worker)
		}
	}
}

// TestKubernetesIsTrue looks up what docs/KUBERNETES.md names: commands, settings, files, messages of pods.
func TestKubernetesIsTrue(t *testing.T) {
	text, settings, code := document(t, "docs/KUBERNETES.md"), document(t, "docs/CONFIG.md"), sources(t)
	find := func(pattern string, least int, check func(string)) {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
		if len(found) < least {
			t.Errorf("only %d of %s found", len(found), pattern)
		}
		for _, m := range found {
			check(m[1])
		}
	}
	app, _, _, _ := dry(t)
	find("\\boptimus ((?:admin|serve|work) [^`#\n|>;…]*)", 8, func(words string) { checkCommand(t, app, strings.Fields(words)) })
	find("`((?:redis|limits|kubernetes)[.][a-z_]+)", 8, func(path string) {
		if !strings.HasSuffix(path, ".yaml") && !strings.Contains(settings, "| `"+path+"` |") {
			t.Errorf("it names the setting %s, which there is not", path)
		}
	})
	find("\"((?:the Secret that|store is|queues are|containerd runs|no language of|this worker takes)[^\"…]*)", 6, func(message string) {
		if !strings.Contains(code, strings.TrimSpace(message)) {
			t.Errorf("it has a pod say %q", message)
		}
	})
	find(`(?m)^\| .([a-z]+[.]yaml)`, 6, func(name string) {
		if _, err := os.Stat("../deploy/kubernetes/templates/" + strings.TrimSuffix(name, ".yaml") + ".tmpl"); err != nil {
			t.Errorf("it names the file %s, which is not rendered", name)
		}
	})
}

// workerSocket gives where the workers of a rendering for a distribution find containerd: a folder of the node's
// that they mount holds it.
func workerSocket(t *testing.T, distribution string) string {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Kubernetes.Distribution = "/var/lib/optimus", distribution
	all, err := config.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	files, err := deploy.Kubernetes(cfg, all, kubernetesOptions(cfg))
	if err != nil {
		t.Fatal(err)
	}
	text := deploy.Join(files)
	found := regexp.MustCompile(`containerd = "([^"]+)"`).FindStringSubmatch(text)
	if found == nil || !strings.Contains(text, "{name: containerd-state, mountPath: "+filepath.Dir(found[1])+"}") {
		t.Fatalf("%s: no containerd is in what workers mount: %v", distribution, found)
	}
	return found[1]
}
