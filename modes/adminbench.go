package modes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox"
)

func benchCommand(bench func(context.Context, config.Config, bool) error) *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure this machine: runs, answers, the store, start-up and memory",
		Description: "Each figure is a median, measured beside the same program as a bare process in the same breath.\n" +
			"No server may run on the data folder meanwhile. Takes about a minute on a quiet machine.",
		Flags: append(configFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON"}),
		Action: func(c *cli.Context) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			return bench(c.Context, cfg, c.Bool("json"))
		},
	}
}

// figure is one thing that was measured.
type figure struct {
	What  string `json:"what"`
	Value string `json:"value"`
	// Bare is the bare process's figure, where there is one.
	Bare string `json:"bare,omitempty"`
	// Goal says what it should be; Met tells whether it is. An empty goal is none.
	Goal string `json:"goal,omitempty"`
	Met  bool   `json:"met"`
}

// benchmark collects figures. The first error ends it.
type benchmark struct {
	process Process
	config  config.Config
	log     zerolog.Logger
	dir     string // for what is thrown away
	figures []figure
}

// runBench measures everything and prints it.
func runBench(ctx context.Context, p Process, cfg config.Config, asJSON bool) (err error) {
	cfg.Logging.Level = "warn"
	log, err := newLogger(p.Stderr, cfg.Logging)
	if err != nil {
		return err
	}
	if err := makeDataFolder(cfg); err != nil {
		return err
	}
	b := &benchmark{process: p, config: cfg, log: log}
	if b.dir, err = os.MkdirTemp(cfg.Data, "bench-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"size", b.size}, {"store", b.store}, {"runs", b.runs}, {"answers", b.answers}, {"queue over Redis", b.queue}, {"neighbours", b.neighbours}, {"start-up and memory", b.processes},
	} {
		fmt.Fprintln(p.Stderr, "measuring:", step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("measure %s: %w", step.name, err)
		}
	}
	if asJSON {
		return writeJSON(p.Stdout, b.figures)
	}
	t := newTable("WHAT", "MEASURED", "BARE PROCESS", "GOAL", "").alignRight("MEASURED", "BARE PROCESS")
	for _, f := range b.figures {
		met := ""
		if f.Goal != "" {
			met = map[bool]string{true: "met", false: "NOT MET"}[f.Met]
		}
		t.add(f.What, f.Value, f.Bare, f.Goal, met)
	}
	return t.writeTo(p.Stdout)
}

func (b *benchmark) add(f figure) { b.figures = append(b.figures, f) }

// beside notes a duration that should exceed the bare process's by at most over.
func (b *benchmark) beside(what string, value, bare, over time.Duration) {
	f := figure{What: what, Value: milliseconds(value)}
	if bare > 0 {
		f.Bare, f.Goal, f.Met = milliseconds(bare), "bare + "+milliseconds(over), value <= bare+over
	}
	b.add(f)
}

// most notes a duration that should be at most goal.
func (b *benchmark) most(what string, value, goal time.Duration) {
	b.add(figure{What: what, Value: milliseconds(value), Goal: "at most " + milliseconds(goal), Met: value <= goal})
}

// rate notes a number per second that should be at least goal.
func (b *benchmark) rate(what string, perSecond, goal float64) {
	b.add(figure{What: what, Value: fmt.Sprintf("%.0f/s", perSecond), Goal: fmt.Sprintf("at least %.0f/s", goal), Met: perSecond >= goal})
}

// memory notes a size that should be at most goal.
func (b *benchmark) memory(what string, bytes, goal int64) {
	b.add(figure{What: what, Value: megabytes(bytes), Goal: "at most " + megabytes(goal), Met: bytes <= goal})
}

func (b *benchmark) size(context.Context) error {
	const goal = 45e6
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the binary: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find the binary: %w", err)
	}
	b.memory("binary", info.Size(), goal)
	return nil
}

// median gives the middle of the values; 0 of none.
func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// interpreted gives the languages that can be run here and are not compiled.
func interpreted(all languages) []sandbox.Language {
	var found []sandbox.Language
	for _, l := range all.Languages() {
		if l.Available() && len(l.Compile) == 0 && l.WarmUp != "" {
			found = append(found, l.Language)
		}
	}
	return found
}

func (b *benchmark) path(name string) string { return filepath.Join(b.dir, name) }
