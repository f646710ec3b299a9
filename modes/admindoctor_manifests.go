package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/store"
)

// manifest is what the doctor reads of a Kubernetes object.
type manifest struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name   string            `yaml:"name"`
		Labels map[string]string `yaml:"labels"`
	} `yaml:"metadata"`
	Spec struct {
		ScaleTargetRef struct {
			Name string `yaml:"name"`
		} `yaml:"scaleTargetRef"`
		Triggers []trigger `yaml:"triggers"`
		Template struct {
			Spec struct {
				Containers []struct {
					Env []struct {
						Name  string `yaml:"name"`
						Value string `yaml:"value"`
					} `yaml:"env"`
				} `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
	Data map[string]string `yaml:"data"`
	// Items are the objects of a List, such as kubectl prints.
	Items []manifest `yaml:"items"`
}

type trigger struct {
	Type     string            `yaml:"type"`
	Metadata map[string]string `yaml:"metadata"`
}

// queues gives those that a worker's pods take from; none for other objects.
func (m manifest) queues() []string {
	for _, c := range m.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == config.EnvName("worker.queues") && e.Value != "" {
				return strings.Split(e.Value, ",")
			}
		}
	}
	return nil
}

// manifestsDoctor compares manifests with the store that the settings mean.
type manifestsDoctor struct {
	all []manifest
	// names are the store's queues by number, unfinished how many jobs they hold.
	names      map[uint16]string
	unfinished map[string]int
	// prefix begins the store's keys; numbers are what the settings state.
	prefix  string
	numbers map[string]uint16
	// addresses are the store's, as the manifests' own settings have them or, stated, as these settings.
	addresses []string
	stated    bool
	checks    []containerd.Check
}

// examineManifests is `optimus admin doctor --manifests`.
func examineManifests(ctx context.Context, p Process, cfg config.Config, from string) ([]containerd.Check, error) {
	if !cfg.Redis.Present() {
		return nil, usagef("--manifests compares manifests with a queue that workers share: state its server with --redis-url, REDIS_URL or redis.url")
	}
	all, err := readManifests(p, from)
	if err != nil {
		return nil, err
	}
	cfg.Redis.Queues = nil // it looks, and makes nothing
	st, err := openStore(ctx, cfg, storeOptions(cfg.Store), false)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	queues, err := st.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the store's queues: %w", err)
	}
	d := newManifestsDoctor(all, cfg, queues)
	d.examine()
	return d.checks, nil
}

func newManifestsDoctor(all []manifest, cfg config.Config, queues []store.QueueInfo) *manifestsDoctor {
	d := &manifestsDoctor{
		all: all, names: map[uint16]string{}, unfinished: map[string]int{}, prefix: cfg.Redis.Prefix, numbers: map[string]uint16{},
		addresses: addressesOf(cfg.Redis.URL.Reveal(), cfg.Redis.Addresses), stated: true,
	}
	for _, q := range queues {
		d.names[q.Number], d.unfinished[q.Name] = q.Name, q.Unfinished
	}
	for _, m := range all {
		text, ok := m.Data["worker.toml"]
		if m.Kind != "ConfigMap" || !ok {
			continue
		}
		var own struct {
			Redis struct {
				URL       string   `toml:"url"`
				Addresses []string `toml:"addresses"`
				Queues    []string `toml:"queues"`
			} `toml:"redis"`
		}
		if err := toml.Unmarshal([]byte(text), &own); err != nil {
			d.add(m.Metadata.Name, containerd.StatusFail, "its worker.toml is no TOML: "+err.Error(), renderAnew)
			continue
		}
		d.addresses, d.stated = addressesOf(own.Redis.URL, own.Redis.Addresses), false
		d.numbers = config.Redis{Queues: own.Redis.Queues}.QueueNumbers()
	}
	return d
}

// renderAnew mends most of what can be wrong.
const renderAnew = "render the manifests anew (optimus admin render kubernetes), and apply them"

// addressesOf gives where a server is, as KEDA is told it.
func addressesOf(text string, addresses []string) []string {
	if len(addresses) > 0 {
		return addresses
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil
	}
	if u.Port() == "" {
		return []string{u.Host + ":6379"}
	}
	return []string{u.Host}
}

// readManifests reads a folder's YAML, a file or, for "-", standard input.
func readManifests(p Process, from string) ([]manifest, error) {
	if from == "-" {
		return parseManifests("standard input", p.Stdin)
	}
	var all []manifest
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // the user names it
		if err != nil {
			return err //nolint:wrapcheck // below
		}
		defer f.Close()
		more, err := parseManifests(path, f)
		all = append(all, more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	return all, nil
}

func parseManifests(name string, r io.Reader) ([]manifest, error) {
	var all []manifest
	for decoder := yaml.NewDecoder(r); ; {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(append(all, m), m.Items...)
	}
}

func (d *manifestsDoctor) add(name string, status containerd.Status, detail, fix string) {
	d.checks = append(d.checks, containerd.Check{Name: name, Status: status, Detail: detail, Fix: fix})
}

func (d *manifestsDoctor) examine() {
	workers, scaled := map[string][]string{}, 0
	served := map[string]bool{}
	for _, m := range d.all {
		if queues := m.queues(); queues != nil {
			workers[m.Metadata.Name] = queues
			for _, q := range queues {
				served[q] = true
			}
		}
	}
	for _, m := range d.all {
		if m.Kind != "ScaledObject" {
			continue
		}
		for _, t := range m.Spec.Triggers {
			if strings.HasPrefix(t.Type, "redis") {
				scaled++
				d.trigger(m, t, workers[m.Spec.ScaleTargetRef.Name])
			}
		}
	}
	if scaled == 0 {
		d.add("ScaledObjects", containerd.StatusFail, "there is none that scales by a queue",
			"name the folder that `optimus admin render kubernetes --out` wrote, or pipe `kubectl get scaledobject -A -o yaml` into --manifests -")
	}
	for _, name := range slices.Sorted(maps.Keys(d.unfinished)) {
		if len(workers) > 0 && !served[name] && d.unfinished[name] > 0 {
			d.add("queue "+name, containerd.StatusFail, fmt.Sprintf("it holds %d jobs, and no worker of these manifests takes from it", d.unfinished[name]),
				"add a pool for it ([[kubernetes.pools]]), and render anew")
		}
	}
}

// trigger compares one trigger with the queue that it is to follow.
func (d *manifestsDoctor) trigger(m manifest, t trigger, queues []string) {
	name, queue, key := "ScaledObject "+m.Metadata.Name, m.Metadata.Labels["optimus/queue"], t.Metadata["listName"]
	if queue == "" && len(queues) == 1 {
		queue = queues[0]
	}
	if queues != nil && !slices.Contains(queues, queue) {
		d.add(name, containerd.StatusFail, fmt.Sprintf("it is for queue %q, and %s takes from %s", queue, m.Spec.ScaleTargetRef.Name, strings.Join(queues, ", ")), renderAnew)
		return
	}
	parts := regexp.MustCompile(`^\{(.*):([0-9]+)\}:unfinished$`).FindStringSubmatch(key)
	if queue == "" && parts == nil {
		return // another program's
	}
	const blind = ": to KEDA that is an empty queue, and it starts no worker"
	if parts == nil {
		d.add(name, containerd.StatusFail, fmt.Sprintf("its trigger reads %q, which is no queue's%s", key, blind), renderAnew)
		return
	}
	number, err := strconv.ParseUint(parts[2], 10, 16)
	holder := d.names[uint16(number)]
	switch {
	case parts[1] != d.prefix:
		d.add(name, containerd.StatusFail, fmt.Sprintf("its trigger reads %s, and the store's keys begin with %s (redis.prefix)%s", key, d.prefix, blind), renderAnew)
	case err != nil || holder == "" && (d.numbers[queue] != uint16(number) || d.has(queue) != ""):
		d.add(name, containerd.StatusFail, fmt.Sprintf("its trigger reads %s, and no queue has the number %s%s%s", key, parts[2], d.has(queue), blind), d.fix(queue))
	case holder == "":
		d.add(name, containerd.StatusWarn, fmt.Sprintf("its trigger reads %s, of queue %s, which is made when a process with these settings starts", key, queue), "")
	case queue != "" && holder != queue:
		d.add(name, containerd.StatusFail, fmt.Sprintf("its trigger reads %s, of queue %s, and is to scale workers of %s%s", key, holder, queue, d.has(queue)), d.fix(queue))
	default:
		d.address(name, t, fmt.Sprintf("its trigger reads %s, of queue %s, which has %d unfinished jobs", key, holder, d.unfinished[holder]))
	}
}

// has says which number a queue has in the store.
func (d *manifestsDoctor) has(queue string) string {
	for n, name := range d.names {
		if name == queue {
			return fmt.Sprintf("; queue %s has the number %d", queue, n)
		}
	}
	return ""
}

// fix says how the manifests get the store's number of a queue.
func (d *manifestsDoctor) fix(queue string) string {
	for n, name := range d.names {
		if name == queue && d.numbers[queue] != n {
			return fmt.Sprintf("state \"%s=%d\" in redis.queues, %s", queue, n, renderAnew)
		}
	}
	return renderAnew
}

// address compares where KEDA looks with where the store is.
func (d *manifestsDoctor) address(name string, t trigger, well string) {
	asked := strings.Split(t.Metadata["address"]+t.Metadata["addresses"], ",")
	slices.Sort(asked)
	want := slices.Sorted(slices.Values(d.addresses))
	switch {
	case slices.Equal(asked, want):
		d.add(name, containerd.StatusOK, well, "")
	case d.stated:
		d.add(name, containerd.StatusWarn, fmt.Sprintf("it asks %s, and these settings %s: is it the same server?", strings.Join(asked, ","), strings.Join(want, ",")), "")
	default:
		d.add(name, containerd.StatusFail, fmt.Sprintf("it asks %s, and the workers %s", strings.Join(asked, ","), strings.Join(want, ",")), renderAnew)
	}
}

// manifestsFlag has the doctor look at manifests alone.
func manifestsFlag() cli.Flag {
	return &cli.StringFlag{Name: "manifests", Usage: "compare the ScaledObjects in `FOLDER`, or - for standard input, with the queues of the Redis-protocol server, and examine nothing else"}
}
