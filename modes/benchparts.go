package modes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"optimus/config"
	"optimus/sandbox"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/web"
)

const (
	benchRuns   = 300
	benchPaced  = 40
	benchEnough = 10 // of each thing, where the budget is spent sooner
	benchBudget = 10 * time.Second
	benchPace   = 50 * time.Millisecond
	benchWindow = time.Second
	benchRounds = 5
)

// perSecond gives how often work can be done by a number of clients: a median over several rounds.
func perSecond(clients int, work func(client int) error) (float64, error) {
	return perSecondIn(benchRounds, clients, work)
}

// perSecondIn is perSecond with a number of rounds.
func perSecondIn(rounds, clients int, work func(client int) error) (float64, error) {
	var rates []float64
	for range rounds {
		var done atomic.Int64
		errs := make([]error, clients)
		started := time.Now()
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				for errs[i] == nil && time.Since(started) < benchWindow {
					if errs[i] = work(i); errs[i] == nil {
						done.Add(1)
					}
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return 0, err
		}
		rates = append(rates, float64(done.Load())/time.Since(started).Seconds())
	}
	return median(rates), nil
}

// took times each of several things in turn, n times (fewer on a machine that is slow at it), and
// gives each one's median.
func took(n int, pace time.Duration, work ...func() error) ([]time.Duration, error) {
	times := make([][]time.Duration, len(work))
	begun := time.Now()
	for round := range n {
		if round >= benchEnough && time.Since(begun) > benchBudget {
			break
		}
		for i, f := range work {
			time.Sleep(pace)
			started := time.Now()
			if err := f(); err != nil {
				return nil, err
			}
			times[i] = append(times[i], time.Since(started))
		}
	}
	medians := make([]time.Duration, len(work))
	for i := range times {
		medians[i] = median(times[i])
	}
	return medians, nil
}

// store measures submit, claim and finish of 64 clients.
func (b *benchmark) store(ctx context.Context) error {
	const clients, goal = 64, 5000
	s, err := boltstore.Open(b.path("cycles.db"), storeOptions(b.config.Store))
	if err != nil {
		return err
	}
	lang := sandbox.Language{Name: "none", Run: []string{"none"}}
	lanes := []store.Lane{store.LaneOf(lang)}
	rate, err := perSecond(clients, func(client int) error {
		if _, _, err := s.Submit(ctx, store.NewJob{Queue: "bench", Submission: sandbox.Submission{Language: lang}}); err != nil {
			return err
		}
		claims, err := s.Claim(ctx, store.ClaimRequest{Worker: strconv.Itoa(client), Lanes: lanes, Max: 1, Lease: time.Minute})
		for _, c := range claims {
			err = errors.Join(err, s.Finish(ctx, c.Lease, sandbox.Report{Verdict: sandbox.Accepted}))
		}
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	b.rate("store: submit, claim, finish; 64 clients", rate, goal)
	return nil
}

// bare gives a run of a command as a plain process of this machine; nil where it is not here.
//
// Only the system's own folders are looked at, as in an image: on a developer's PATH the command
// may be a script that chooses between versions.
func bare(ctx context.Context, argv []string) func() error {
	for _, dir := range []string{"/usr/bin", "/bin"} {
		path := filepath.Join(dir, argv[0])
		if filepath.IsAbs(argv[0]) {
			path = argv[0]
		}
		if _, err := os.Stat(path); err == nil {
			return func() error {
				return exec.CommandContext(ctx, path, argv[1:]...).Run() //nolint:gosec // the catalogue's own command
			}
		}
	}
	return nil
}

// runs measures the runner alone.
func (b *benchmark) runs(ctx context.Context) error {
	const over, goal = 800 * time.Microsecond, 1000
	life := &lifecycle{log: b.log}
	err := life.start(ctx, func(ctx context.Context) error {
		e, err := openEngine(ctx, life, b.config, b.log)
		if err != nil {
			return err
		}
		langs := interpreted(e.languages)
		if len(langs) == 0 {
			return errors.New("no image of an interpreted language is here: optimus admin images build --all")
		}
		nothing := langs[0]
		nothing.Run, nothing.WarmUp = []string{"/bin/true"}, ""
		program, _, err := e.runner.Prepare(ctx, nothing, sandbox.Source{Files: []sandbox.File{{Name: nothing.SourceFile}}}, nothing.CompileLimits)
		if err != nil {
			return err
		}
		defer program.Close()
		run := func() error {
			o, err := program.Run(ctx, sandbox.Input{}, nothing.TestLimits(sandbox.Limits{}, sandbox.Limits{}))
			if err == nil && !o.OK() {
				err = fmt.Errorf("/bin/true ended otherwise than well: %+v", o)
			}
			return err
		}
		if _, err := took(benchRuns/10, 0, run); err != nil {
			return err
		}
		times, err := took(benchRuns, 0, bare(ctx, []string{"/bin/true"}), run)
		if err != nil {
			return err
		}
		b.beside("run of /bin/true in a warm container", times[1], times[0], over)
		rate, err := perSecond(2, func(int) error { return run() })
		b.rate("runs of /bin/true, two clients", rate, goal)
		return err
	})
	return errors.Join(err, life.stop(context.WithoutCancel(ctx)))
}

// answers measures what a client of the API sees.
func (b *benchmark) answers(ctx context.Context) error {
	const over, goal = 2500 * time.Microsecond, time.Millisecond
	return withServer(ctx, b.process, b.config, func(c *client) error {
		langs, err := b.interpretedSamples(ctx, c)
		if err != nil {
			return err
		}
		for _, l := range langs {
			if err := b.answer(ctx, c, l, over); err != nil {
				return fmt.Errorf("language %s: %w", l.Name, err)
			}
		}
		if len(langs) == 0 {
			return nil
		}
		source := langs[0].WarmUp
		var job web.Job
		request := web.JobRequest{Language: langs[0].Name, SourceCode: &source}
		submit := func() error { return c.call(ctx, http.MethodPost, "/v1/jobs", request, &job) }
		if err := submit(); err != nil {
			return err
		}
		// A paused queue: what is measured is the acknowledgement alone.
		if err := c.call(ctx, http.MethodPost, "/v1/queues/"+url.PathEscape(job.Queue)+"/pause", nil, nil); err != nil {
			return err
		}
		times, err := took(benchRuns, 0, submit)
		if err != nil {
			return err
		}
		b.most("submission acknowledged, durable", times[0], goal)
		return nil
	})
}

// samples gives the languages of the catalogue, each with its sample program for its warm-up.
func (b *benchmark) samples() ([]sandbox.Language, error) {
	stated, err := config.LoadCatalogue(b.config.CataloguePath())
	if err != nil {
		return nil, err
	}
	var langs []sandbox.Language
	for _, e := range newCatalogue(stated, nil).entries() {
		if e.config.Sample != "" {
			e.lang.WarmUp = e.config.Sample
			langs = append(langs, e.lang)
		}
	}
	return langs, nil
}

// interpretedSamples gives the languages that a server can run and does not compile, as samples does.
func (b *benchmark) interpretedSamples(ctx context.Context, c *client) ([]sandbox.Language, error) {
	var all web.LanguageList
	if err := c.call(ctx, http.MethodGet, "/v1/languages", nil, &all); err != nil {
		return nil, err
	}
	langs, err := b.samples()
	return slices.DeleteFunc(langs, func(l sandbox.Language) bool {
		return len(l.Compile) > 0 || !slices.ContainsFunc(all.Languages, func(i web.LanguageInfo) bool { return i.Name == l.Name && i.Available })
	}), err
}

// answer measures a language's sample program through POST /v1/jobs?wait.
func (b *benchmark) answer(ctx context.Context, c *client, l sandbox.Language, over time.Duration) error {
	ask := func() error { return judgeSample(ctx, c, l) }
	if err := ask(); err != nil {
		return err
	}
	src := sandbox.Source{Files: []sandbox.File{{Name: b.path(l.SourceFile), Content: []byte(l.WarmUp)}}}
	if err := os.WriteFile(src.Main(), src.Files[0].Content, 0o600); err != nil {
		return fmt.Errorf("write the sample: %w", err)
	}
	work := []func() error{ask}
	if plain := bare(ctx, l.RunCommand(src, nil, l.TestLimits(sandbox.Limits{}, sandbox.Limits{}))); plain != nil {
		work = append(work, plain)
	}
	for _, way := range []struct {
		what string
		n    int
		pace time.Duration
	}{{"back to back", benchRuns / 2, 0}, {"each 50 ms", benchPaced, benchPace}} {
		times, err := took(way.n, way.pace, work...)
		if err != nil {
			return err
		}
		var plain time.Duration
		if len(times) > 1 {
			plain = times[1]
		}
		b.beside(fmt.Sprintf("%s sample, POST /v1/jobs?wait, %s", l.Name, way.what), times[0], plain, over)
	}
	return nil
}

// child is a server in a process of its own.
type child struct {
	cmd     *exec.Cmd
	client  *client
	took    time.Duration
	drained chan struct{}
}

// startChild starts `serve` with settings from the environment, and waits until it answers.
func (b *benchmark) startChild(ctx context.Context, env ...string) (*child, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the binary: %w", err)
	}
	cmd := exec.CommandContext(ctx, path, "serve", "--listen", "127.0.0.1:0", "--data", b.config.Data, "--log-format", "json")
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	logs, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	c := &child{cmd: cmd, drained: make(chan struct{})}
	lines := bufio.NewScanner(logs)
	var said string
	for c.client == nil && lines.Scan() {
		said = lines.Text()
		var line struct {
			Message string `json:"message"`
			Address string `json:"address"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "ready" {
			c.took = time.Since(started)
			c.client = &client{base: "http://" + line.Address, http: http.DefaultClient}
		}
	}
	go func() {
		defer close(c.drained)
		for lines.Scan() { // drained, so that the server never waits for us
		}
	}()
	if c.client == nil {
		return nil, errors.Join(fmt.Errorf("the server did not start: %s", said), c.stop())
	}
	return c, nil
}

func (c *child) stop() error {
	err := c.cmd.Process.Signal(syscall.SIGTERM)
	<-c.drained
	if err := errors.Join(err, c.cmd.Wait()); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// processes measures start-up and memory of servers of their own.
func (b *benchmark) processes(ctx context.Context) error {
	const private, system = 3 * time.Second, time.Second
	cold, err := b.startChild(ctx, "OPTIMUS_SANDBOX_CONTAINERD=private", "OPTIMUS_SANDBOX_WARM=")
	if err != nil {
		return err
	}
	b.most("serve ready, private containerd", cold.took, private)
	if err := cold.stop(); err != nil {
		return err
	}
	life := &lifecycle{log: b.log}
	err = life.start(ctx, func(ctx context.Context) error {
		daemon, err := connect(ctx, life, b.config, b.log)
		if err != nil {
			return err
		}
		socket := "OPTIMUS_SANDBOX_CONTAINERD=" + daemon.Address()
		c, err := b.startChild(ctx, socket, "OPTIMUS_SANDBOX_WARM=")
		if err != nil {
			return err
		}
		b.most("serve ready, system containerd", c.took, system)
		return errors.Join(b.idle(ctx, c), c.stop())
	})
	return errors.Join(err, life.stop(context.WithoutCancel(ctx)))
}

// idle measures what a server at rest takes, before and after its languages are warm.
func (b *benchmark) idle(ctx context.Context, c *child) error {
	const serve, language = 60e6, 15e6
	before, err := pss(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.memory("serve at rest (PSS)", before, serve)
	langs, err := b.samples()
	if err != nil {
		return err
	}
	others, err := shims()
	if err != nil {
		return err
	}
	warm := int64(0)
	for _, l := range langs {
		source := l.WarmUp
		var job web.Job
		err := c.client.call(ctx, http.MethodPost, "/v1/jobs?wait=1m", web.JobRequest{Language: l.Name, SourceCode: &source}, &job)
		var refused *refusalError
		switch {
		case errors.As(err, &refused):
		case err != nil:
			return err
		default:
			warm++
		}
	}
	after, err := pss(c.cmd.Process.Pid)
	if err != nil || warm == 0 {
		return err
	}
	withShims, err := shims()
	if err != nil {
		return err
	}
	b.memory("more for each warm language (PSS; serve, shim and agent)", (after-before+withShims-others)/warm, language)
	return nil
}

// pss gives a process's proportional share of memory, in bytes.
func pss(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kb << 10, err //nolint:wrapcheck // the kernel's own text
		}
	}
	return 0, fmt.Errorf("memory of process %d: the kernel does not tell", pid)
}

// shims gives the memory of containerd's shims in Optimus's namespace, and of the agents below them.
func shims() (int64, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	sum := int64(0)
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		words := bytes.Split(line, []byte{0})
		shim := bytes.Contains(words[0], []byte("containerd-shim"))
		agent := len(words) > 1 && bytes.HasPrefix(words[0], []byte("/")) && bytes.Contains(words[0], []byte("optimus")) && string(words[1]) == "agent"
		if !shim && !agent {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if share, err := pss(pid); err == nil {
			sum += share
		}
	}
	return sum, nil
}
