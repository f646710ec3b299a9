package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/web"
)

func capacityCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "capacity",
		Usage: "measure how many jobs a second this machine judges, and say what to add for more",
		Description: "Judges the \"Hello, world!\" of a language for a few seconds with one slot, then with all, on a queue of its own, and\n" +
			"shows the arithmetic: jobs a second and processor, memory of a slot, how many slots fit, and what to add when.\n" +
			"Real programs take longer than \"Hello, world!\": take a language whose start is like theirs, and scale by their CPU time.\n" +
			"No server may run on the data folder meanwhile, and other load makes the figures smaller." +
			examples("sudo optimus admin capacity", "sudo optimus admin capacity --lang java --slots 4 --target 100"),
		Flags: append(configFlags(),
			&cli.StringFlag{Name: "lang", Aliases: []string{"l"}, Usage: "`LANGUAGE` to measure with", DefaultText: "python, else the first that is available"},
			&cli.IntFlag{Name: "slots", Usage: "`N` slots as all", DefaultText: "worker.slots, else one for each processor"},
			&cli.Float64Flag{Name: "target", Usage: "also say what `JOBS` a second need", DefaultText: "does not say"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"}),
		Action: func(c *cli.Context) error {
			if n := c.Int("slots"); n < 0 {
				return usagef("--slots %d: want 1 or more", n)
			}
			if n := c.Float64("target"); n < 0 {
				return usagef("--target %g: want 0 or more jobs a second", n)
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			if n := c.Int("slots"); n > 0 {
				cfg.Worker.Slots = n
			}
			if name := c.String("lang"); name != "" {
				if err := languagesAreKnown(cfg, name); err != nil {
					return fmt.Errorf("--lang: %w", err)
				}
			}
			m, err := measureCapacity(c.Context, p, cfg, c.String("lang"))
			if err != nil {
				return fmt.Errorf("measure the capacity: %w", err)
			}
			plan := m.plan(c.Float64("target"))
			if c.Bool("json") {
				return writeJSON(p.Stdout, plan)
			}
			return plan.print(p.Stdout)
		},
	}
}

// capacityMeasured is what was measured of a machine.
type capacityMeasured struct {
	Language   string `json:"language"`
	Processors int    `json:"processors"`
	// Slots are all that the worker has; OneSlot and AllSlots are jobs per second by one of them and by all.
	Slots    int     `json:"slots"`
	OneSlot  float64 `json:"one_slot_jobs_per_second"`
	AllSlots float64 `json:"all_slots_jobs_per_second"`
	// CPU is the program's own CPU time of a job, in milliseconds; Peak its memory, in bytes.
	CPU  float64 `json:"program_cpu_ms"`
	Peak int64   `json:"program_peak_bytes"`
	// Limit is the memory limit of the language's tests, and Memory what all runs may have together, in bytes.
	Limit  int64 `json:"memory_limit_bytes"`
	Memory int64 `json:"memory_for_runs_bytes"`
}

// capacityPlan is what follows from it.
type capacityPlan struct {
	capacityMeasured

	PerProcessor float64 `json:"jobs_per_second_per_processor"`
	PerSlot      int64   `json:"memory_per_slot_bytes"`
	FitMemory    int64   `json:"slots_that_fit_memory"`
	Fit          int64   `json:"slots_that_fit"`
	// Arithmetic shows how each figure comes about; Advice says what to add when.
	Arithmetic []string `json:"arithmetic"`
	Advice     []string `json:"advice"`
	// Target is what some jobs a second need; not there where none are asked for.
	Target *capacityTarget `json:"target,omitempty"`
}

// capacityTarget is what a number of jobs per second needs.
type capacityTarget struct {
	JobsPerSecond float64 `json:"jobs_per_second"`
	Processors    int     `json:"processors"`
	Memory        int64   `json:"memory_for_runs_bytes"`
	Machines      int     `json:"machines_like_this"`
}

// capacityLoad is the share of a processor's time that a plan counts on: at more, jobs wait for each other.
const capacityLoad = 0.7

// measureCapacity judges on servers of its own, with one slot and with all.
func measureCapacity(ctx context.Context, p Process, cfg config.Config, lang string) (capacityMeasured, error) {
	m := capacityMeasured{Processors: runtime.GOMAXPROCS(0), Slots: slots(cfg.Worker.Slots)}
	cfg.Redis = config.Redis{} // it is this machine that is measured
	cfg.Worker.Languages, cfg.Worker.Queues = nil, nil
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		fmt.Fprint(p.Stderr, otherLoad(string(load), m.Processors))
	}
	rates := []*float64{&m.OneSlot, &m.AllSlots}
	for i, n := range []int{1, m.Slots} {
		fmt.Fprintf(p.Stderr, "measuring with %d of %d slots\n", n, m.Slots)
		one := cfg
		one.Worker.Slots = n
		err := withCapacityServer(ctx, p, one, &m, func(cl *client) error {
			l, err := cl.capacityLanguage(ctx, lang)
			if err != nil {
				return err
			}
			*rates[i], err = m.measure(ctx, cl, l, n)
			return err
		})
		if err != nil {
			return m, err
		}
		if m.Slots == 1 {
			m.AllSlots = m.OneSlot
			break
		}
	}
	return m, nil
}

// otherLoad says of what /proc/loadavg holds whether there is so much to do already that less would be measured than
// the machine can; nothing where there is not.
func otherLoad(loadavg string, processors int) string {
	const quiet = 0.3 // of the processors, in the last minute
	var load float64
	if _, err := fmt.Sscan(loadavg, &load); err != nil || load <= quiet*float64(processors) {
		return ""
	}
	return fmt.Sprintf("this machine has other work: a load of %.1f on %d processors; measured now, it does less than it can\n", load, processors)
}

// withCapacityServer is withServer, and notes what memory its runs may have.
func withCapacityServer(ctx context.Context, p Process, cfg config.Config, m *capacityMeasured, use func(*client) error) error {
	open := func(ctx context.Context, life *lifecycle, cfg config.Config, log zerolog.Logger) (*engine, error) {
		e, err := openEngine(ctx, life, cfg, log)
		if err != nil {
			return nil, err
		}
		if r, ok := e.runner.(*containerd.Runner); ok {
			m.Memory = r.Memory()
		}
		return e, nil
	}
	return withFolder(func(dir string) error { return withServerOn(ctx, p, cfg, dir, open, use) })
}

// capacityLanguage gives the language that is named, else Python, else any that can be run.
func (c *client) capacityLanguage(ctx context.Context, name string) (web.LanguageInfo, error) {
	var list web.LanguageList
	if err := c.call(ctx, http.MethodGet, "/v1/languages", nil, &list); err != nil {
		return web.LanguageInfo{}, err
	}
	var names []string
	if name != "" {
		names = []string{name}
	}
	chosen, err := chosenLanguages(list.Languages, names)
	if err != nil {
		return web.LanguageInfo{}, err
	}
	chosen = slices.DeleteFunc(chosen, func(l web.LanguageInfo) bool { return l.Samples.Hello == "" })
	if i := slices.IndexFunc(chosen, func(l web.LanguageInfo) bool { return l.Name == "python" }); i > 0 {
		return chosen[i], nil
	}
	if len(chosen) == 0 {
		return web.LanguageInfo{}, errors.New("the language has no sample in languages.json to measure with")
	}
	return chosen[0], nil
}

// measure gives the jobs per second of n slots, which have twice as many clients, so that none waits for one.
func (m *capacityMeasured) measure(ctx context.Context, cl *client, l web.LanguageInfo, n int) (float64, error) {
	const rounds, clients = 3, 2
	m.Language, m.Limit = l.Name+" "+l.Version, *l.Limits.Memory
	hello := trialsOf(l)[0]
	var mu sync.Mutex
	var cpu []float64
	one := func(int) error {
		job, err := cl.judged(ctx, hello.request, time.Minute)
		switch {
		case err != nil:
			return err
		case job.Verdict != string(sandbox.Accepted):
			return fmt.Errorf("the sample of %s is %s: %s", m.Language, job.Verdict, whyNot(&job))
		}
		run := job.Tests[0].Run
		mu.Lock()
		defer mu.Unlock()
		cpu = append(cpu, run.CPU)
		if run.Memory != nil {
			m.Peak = max(m.Peak, *run.Memory)
		}
		return nil
	}
	if err := one(0); err != nil { // until a container is warm
		return 0, err
	}
	rate, err := perSecondIn(rounds, clients*n, one)
	m.CPU = median(cpu)
	return rate, err
}

// plan says what follows from what was measured.
func (m *capacityMeasured) plan(target float64) capacityPlan {
	used := min(m.Slots, m.Processors)
	p := capacityPlan{capacityMeasured: *m, PerSlot: containerd.MemoryOfRun(m.Limit)}
	p.PerProcessor = m.AllSlots / float64(used)
	p.FitMemory = m.Memory / p.PerSlot
	p.Fit = min(p.FitMemory, int64(m.Processors))
	p.Arithmetic = []string{
		fmt.Sprintf("jobs a second and processor: %.1f/s by %d slots on %d processors / %d = %.1f/s", m.AllSlots, m.Slots, m.Processors, used, p.PerProcessor),
		fmt.Sprintf("what all slots gain: %.1f/s / %.1f/s of one slot = %.1f times", m.AllSlots, m.OneSlot, m.gain()),
		fmt.Sprintf("a job's time of a processor: 1 s / %.1f = %.1f ms, of which the program itself %.1f ms", p.PerProcessor, 1000/p.PerProcessor, m.CPU),
		fmt.Sprintf("memory of a slot: limit %d MiB + %d MiB beside it = %d MiB (the sample took %s)", mebibytes(m.Limit), mebibytes(p.PerSlot-m.Limit), mebibytes(p.PerSlot), megabytes(m.Peak)),
		fmt.Sprintf("slots that fit the memory: %d MiB / %d MiB = %d", mebibytes(m.Memory), mebibytes(p.PerSlot), p.FitMemory),
		fmt.Sprintf("slots that fit: the least of %d by memory and %d by processors = %d", p.FitMemory, m.Processors, p.Fit),
	}
	if target > 0 {
		p.setTarget(target)
	}
	p.Advice = p.advice()
	return p
}

func mebibytes(bytes int64) int64 { return bytes >> 20 }

// gain is how many times as much all slots do as one.
func (m *capacityMeasured) gain() float64 { return m.AllSlots / m.OneSlot }

func (p *capacityPlan) setTarget(target float64) {
	need := target / p.PerProcessor
	t := &capacityTarget{JobsPerSecond: target, Processors: int(math.Ceil(need / capacityLoad))}
	t.Memory = int64(t.Processors) * p.PerSlot
	t.Machines = (t.Processors + p.Processors - 1) / p.Processors
	p.Target = t
	p.Arithmetic = append(p.Arithmetic,
		fmt.Sprintf("processors for %.1f/s: %.1f/s / %.1f/s = %.1f, at %.0f %% load %d", target, target, p.PerProcessor, need, 100*capacityLoad, t.Processors),
		fmt.Sprintf("their slots' memory: %d x %d MiB = %d MiB", t.Processors, mebibytes(p.PerSlot), mebibytes(t.Memory)),
		fmt.Sprintf("machines like this: %d / %d processors = %d", t.Processors, p.Processors, t.Machines))
}

// advice says what is short here, and what to add when.
func (p *capacityPlan) advice() (all []string) {
	const scales = 0.6 // of what so many slots could do
	used := min(p.Slots, p.Processors)
	switch {
	case p.FitMemory < int64(used):
		all = append(all, fmt.Sprintf("memory is short now: %d of %d slots can have the full limit at once; add %d MiB, or lower the language's limits.memory",
			p.FitMemory, used, mebibytes(int64(used)*p.PerSlot-p.Memory)))
	case p.Slots < p.Processors:
		all = append(all, fmt.Sprintf("slots are short now: %d processors, %d slots; raise worker.slots to %d", p.Processors, p.Slots, p.Fit))
	case p.gain() < scales*float64(used):
		all = append(all, fmt.Sprintf("processors are short now: %d slots do %.1f times what one does; other load, or processors that share a core, take the rest", p.Slots, p.gain()))
	default:
		all = append(all, "processors are what bounds this machine: its slots use them, and the memory suffices")
	}
	return append(all,
		"more slots: when jobs wait (OLDEST in `optimus admin queues list`) while processors idle, since programs sleep or wait; a slot more costs its memory",
		"more processors: when jobs wait and the processors are busy; each adds as many jobs a second as shown above",
		"more memory: when jobs wait, processors idle, and `optimus admin doctor` warns of memory",
		"more workers: when one machine is not enough; a Redis-protocol server holds the queue, and each `optimus work` adds what its machine shows here")
}

func (p *capacityPlan) print(w io.Writer) error {
	t := newTable("WHAT", "MEASURED")
	t.add("language", p.Language)
	t.add("processors, slots", fmt.Sprintf("%d, %d", p.Processors, p.Slots))
	t.add("jobs a second, one slot", fmt.Sprintf("%.1f", p.OneSlot))
	t.add("jobs a second, all slots", fmt.Sprintf("%.1f", p.AllSlots))
	t.add("jobs a second and processor", fmt.Sprintf("%.1f", p.PerProcessor))
	t.add("memory of a slot", fmt.Sprintf("%d MiB", mebibytes(p.PerSlot)))
	t.add("slots that fit", fmt.Sprint(p.Fit))
	if p.Target != nil {
		t.add(fmt.Sprintf("for %.1f jobs a second", p.Target.JobsPerSecond),
			fmt.Sprintf("%d processors, %d MiB: %d machines like this", p.Target.Processors, mebibytes(p.Target.Memory), p.Target.Machines))
	}
	if err := t.writeTo(w); err != nil {
		return err
	}
	return printed(fmt.Fprintf(w, "\nThe arithmetic:\n  %s\n\nWhat to add when:\n  %s\n", strings.Join(p.Arithmetic, "\n  "), strings.Join(p.Advice, "\n  ")))
}
