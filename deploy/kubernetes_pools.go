package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"optimus/config"
)

// pool is the workers of one queue.
type pool struct {
	config.Pool

	// Number is the queue's in the store, and Names its languages.
	Number uint16
	Names  []string
	// Slots is how many runs a pod has at once, Largest the language of the largest run, and LargestMiB what
	// that takes with what is made around it.
	Slots      int
	Largest    string
	LargestMiB int64
	// CooldownSeconds is Cooldown, in whole seconds.
	CooldownSeconds int64
}

// Scaled tells whether KEDA scales the pool.
func (p pool) Scaled() bool { return p.Form == config.FormScaled }

// Object is the name of the pool's objects.
func (p pool) Object() string { return "optimus-worker-" + p.Queue }

// Fallback is how many pods there are at least while the queue's length can't be read.
func (p pool) Fallback() int { return max(p.Min, 1) }

// What a pod needs, in MiB: for the worker itself, with an agent for each language; and for each run beside
// its memory limit, which is what the Runner reserves.
const (
	workerMiB   = 256
	languageMiB = 32
	runMiB      = 16
)

// Defaults of a pool.
const (
	defaultCPU = "2"
	// slotRequestMilli is what a slot requests of a processor, in thousandths: runs come seldom together.
	slotRequestMilli = 125
	defaultMax       = 10
	defaultCooldown  = 5 * time.Minute
)

// setPools makes the pools, and has each language go to its pool's queue.
func (m *manifests) setPools(all config.Catalogue) error {
	all.Languages = slices.Clone(all.Languages)
	stated := m.config.Kubernetes.Pools
	if len(stated) == 0 {
		stated = defaultPools(all)
	}
	errs := []error{m.route(all, stated)}
	m.numbers = number(stated, m.config.Redis.QueueNumbers())
	for i, s := range stated {
		p := pool{Pool: s, Number: m.numbers[s.Queue]}
		errs = append(errs, m.size(&p, "kubernetes.pools["+strconv.Itoa(i)+"]", ofQueue(all, s.Queue)))
		m.Pools = append(m.Pools, p)
	}
	if err := m.config.Limits.CheckCatalogue(all); err != nil {
		errs = append(errs, err)
	}
	text, err := all.Encode()
	m.Languages = string(text)
	return errors.Join(append(errs, err)...)
}

// defaultPools gives each queue that languages name a pool that KEDA scales, and the queue of the others a
// worker on each node. Where none is named, python and java have queues of their own.
func defaultPools(all config.Catalogue) []config.Pool {
	named := map[string]bool{}
	for _, l := range all.Languages {
		if l.Queue != "" && l.Queue != config.DefaultQueue {
			named[l.Queue] = true
		}
	}
	var pools []config.Pool
	for _, queue := range slices.Sorted(maps.Keys(named)) {
		pools = append(pools, config.Pool{Queue: queue, Form: config.FormScaled})
	}
	own := map[string]bool{}
	if len(named) == 0 {
		for _, name := range []string{"java", "python"} {
			if slices.ContainsFunc(all.Languages, func(l config.Language) bool { return l.Name == name }) {
				own[name] = true
				pools = append(pools, config.Pool{Queue: name, Form: config.FormScaled, Languages: []string{name}})
			}
		}
	}
	rest := slices.ContainsFunc(all.Languages, func(l config.Language) bool {
		return cmp.Or(l.Queue, config.DefaultQueue) == config.DefaultQueue && !own[l.Name]
	})
	if rest {
		pools = slices.Insert(pools, 0, config.Pool{Queue: config.DefaultQueue, Form: config.FormDaemonSet})
	}
	return pools
}

// route has languages go to the queues of the pools that name them, and looks for languages and pools that
// no one serves or fills.
func (m *manifests) route(all config.Catalogue, pools []config.Pool) error {
	var errs []error
	queues := map[string]bool{}
	for i, p := range pools {
		queues[p.Queue] = true
		for _, name := range p.Languages {
			found := false
			for j := range all.Languages {
				if all.Languages[j].Name == name {
					all.Languages[j].Queue, found = p.Queue, true
				}
			}
			if !found {
				errs = append(errs, m.fault(fmt.Sprintf("kubernetes.pools[%d].languages", i), name, "is no language of the catalogue",
					"`optimus admin languages list` shows them"+near(name, languageNames(all))))
			}
		}
	}
	for _, l := range all.Languages {
		if queue := cmp.Or(l.Queue, config.DefaultQueue); !queues[queue] {
			errs = append(errs, m.fault("kubernetes.pools", queue, "is the queue of "+l.Name+", and no pool takes from it",
				"add [[kubernetes.pools]] with this queue, or name "+l.Name+" in the languages of another"))
		}
	}
	for i, p := range pools {
		if len(ofQueue(all, p.Queue)) == 0 {
			errs = append(errs, m.fault(fmt.Sprintf("kubernetes.pools[%d].queue", i), p.Queue, "is no language's queue",
				"name its languages, or leave the pool out"+near(p.Queue, languageNames(all))))
		}
	}
	return errors.Join(errs...)
}

func languageNames(all config.Catalogue) []string {
	var names []string
	for _, l := range all.Languages {
		names = append(names, l.Name)
	}
	return names
}

func near(name string, known []string) string {
	if n := config.Nearest(name, known); n != "" && n != name {
		return "; did you mean " + n + "?"
	}
	return ""
}

func ofQueue(all config.Catalogue, queue string) []config.Language {
	return slices.DeleteFunc(slices.Clone(all.Languages), func(l config.Language) bool {
		return cmp.Or(l.Queue, config.DefaultQueue) != queue
	})
}

// number gives queues that have none the next number that is free, in their order: so a pool that is added
// last changes no other's.
func number(pools []config.Pool, stated map[string]uint16) map[string]uint16 {
	taken := map[uint16]bool{}
	for _, n := range stated {
		taken[n] = true
	}
	next := uint16(1)
	for _, p := range pools {
		if _, ok := stated[p.Queue]; ok {
			continue
		}
		for taken[next] {
			next++
		}
		stated[p.Queue], taken[next] = next, true
	}
	return stated
}

// size fills what a pool does not state: from its languages' resources, else from their limits.
func (m *manifests) size(p *pool, at string, languages []config.Language) error {
	var requestCPU, requestMemory, cpu, memory string
	for _, l := range languages {
		p.Names = append(p.Names, l.Name)
		cpu, memory = larger(cpu, l.Resources.Limits.CPU), larger(memory, l.Resources.Limits.Memory)
		requestCPU, requestMemory = larger(requestCPU, l.Resources.Requests.CPU), larger(requestMemory, l.Resources.Requests.Memory)
		if need := largestRun(l); need > p.LargestMiB {
			p.Largest, p.LargestMiB = l.Name, need
		}
	}
	slices.Sort(p.Names)
	p.Names = slices.Compact(p.Names)
	around := workerMiB + languageMiB*int64(len(p.Names))
	p.CPU = cmp.Or(p.CPU, cpu, defaultCPU)
	p.Slots = int(math.Ceil(quantity(p.CPU)))
	most := max(int64(p.Slots)*p.LargestMiB, mib(m.config.Limits.Memory)+runMiB)
	p.Memory = cmp.Or(p.Memory, memory, strconv.FormatInt(around+most, 10)+"Mi")
	p.RequestCPU = cmp.Or(p.RequestCPU, requestCPU, smaller(p.CPU, strconv.Itoa(slotRequestMilli*p.Slots)+"m"))
	p.RequestMemory = cmp.Or(p.RequestMemory, requestMemory, smaller(p.Memory, strconv.FormatInt(around+p.LargestMiB, 10)+"Mi"))
	p.Max = cmp.Or(p.Max, max(defaultMax, p.Min))
	p.Cooldown = cmp.Or(p.Cooldown, defaultCooldown)
	p.CooldownSeconds = seconds(p.Cooldown)
	var errs []error
	if p.Slots < 1 {
		errs = append(errs, m.fault(at+".cpu", p.CPU, "leaves no slot", "state at least a part of a processor"))
	}
	if least := around + p.LargestMiB; quantity(p.Memory) < float64(least)*(1<<20) {
		errs = append(errs, m.fault(at+".memory", p.Memory, "is below what one run of "+p.Largest+" needs",
			fmt.Sprintf("must be at least %dMi, or lower the limits of %s", least, p.Largest)))
	}
	for _, pair := range [][3]string{{"cpu", p.RequestCPU, p.CPU}, {"memory", p.RequestMemory, p.Memory}} {
		if quantity(pair[1]) > quantity(pair[2]) {
			errs = append(errs, m.fault(at+".request_"+pair[0], pair[1], "is above the limit", "must be at most "+pair[2]))
		}
	}
	return errors.Join(errs...)
}

// largestRun gives the memory, in MiB, that a language's largest run reserves.
func largestRun(l config.Language) int64 {
	most := l.Limits.Or(config.BaseLimits()).Memory
	if len(l.Compile) > 0 {
		most = max(most, l.CompileLimits.Or(config.BaseCompileLimits()).Memory)
	}
	return mib(most) + runMiB
}

func mib(s config.Size) int64 { return (int64(s) + 1<<20 - 1) >> 20 }

func larger(a, b string) string {
	if quantity(b) > quantity(a) {
		return b
	}
	return a
}

func smaller(a, b string) string {
	if quantity(b) < quantity(a) {
		return b
	}
	return a
}

// quantity reads an amount in Kubernetes's notation, as settings have it; 0 for none.
func quantity(s string) float64 {
	factors := map[string]float64{
		"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
	}
	digits := strings.TrimRight(s, "mkMGTi")
	n, _ := strconv.ParseFloat(digits, 64)
	return n * factors[s[len(digits):]]
}
