package modes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"optimus/config"
	"optimus/sandbox"
	"optimus/web"
)

// hostileLanguage is the shell of an interpreted language's image, with which the benchmark does what
// it should not: any image has one.
const hostileLanguage = "bench-hostile"

// hostilePrograms each take all that they can get of one thing.
func hostilePrograms() []string {
	return []string{
		"while :; do :; done\n",
		"f() { f | f & f; }\nf\n",
		"while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n",
		"x=xxxxxxxxxxxxxxxx\nwhile :; do x=$x$x; done\n",
		"while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >>file; done\n",
	}
}

// neighbours measures what honest jobs on one slot feel of hostile ones on the other. Quiet and
// hostile times alternate, so that both see the same machine.
func (b *benchmark) neighbours(ctx context.Context) error {
	const rounds, each, most = 5, 20, 2
	cfg := b.config
	cfg.Worker.Slots = 2
	honest, err := b.addHostile(&cfg)
	if err != nil {
		return err
	}
	return withServer(ctx, b.process, cfg, func(c *client) error {
		judge := func(language, source string, limits *web.LimitsRequest) (web.Job, error) {
			var job web.Job
			request := web.JobRequest{Language: language, SourceCode: &source, Limits: limits}
			return job, c.call(ctx, http.MethodPost, "/v1/jobs?wait=1m", request, &job)
		}
		var quiet, beside []time.Duration
		ask := func(times *[]time.Duration) error {
			started := time.Now()
			job, err := judge(honest.Name, honest.Sample, nil)
			*times = append(*times, time.Since(started))
			if err == nil && job.Verdict != string(sandbox.Accepted) {
				err = fmt.Errorf("an honest job beside hostile ones: %s: %s", job.Verdict, job.Error)
			}
			return err
		}
		if err := ask(new([]time.Duration)); err != nil {
			return err
		}
		for range rounds {
			for range each {
				if err := ask(&quiet); err != nil {
					return err
				}
			}
			stop := hostileStream(func(source string) error {
				job, err := judge(hostileLanguage, source, &web.LimitsRequest{CPU: new(int64(500)), Wall: new(int64(2000)), Memory: new(int64(64 << 20))})
				if err == nil && job.Verdict == string(sandbox.Accepted) {
					err = fmt.Errorf("a hostile program was accepted:\n%s", source)
				}
				return err
			})
			var err error
			for n := 0; n < each && err == nil; n++ {
				err = ask(&beside)
			}
			if err := errors.Join(err, stop()); err != nil {
				return err
			}
		}
		calm, hard := p95(quiet), p95(beside)
		b.add(figure{
			What: honest.Name + " sample beside hostile jobs on the other slot, p95 (quiet: " + milliseconds(calm) + ")", Value: milliseconds(hard),
			Goal: "at most 2 × quiet", Met: hard <= most*calm,
		})
		return nil
	})
}

// hostileStream has one hostile program judged after the other; stop waits for the last one's end.
func hostileStream(judge func(source string) error) (stop func() error) {
	stopping, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		programs := hostilePrograms()
		for n := 0; ; n++ {
			select {
			case <-stopping:
				ended <- nil
				return
			default:
			}
			if err := judge(programs[n%len(programs)]); err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() error {
		close(stopping)
		return <-ended
	}
}

// addHostile gives cfg a catalogue that has the hostile language too, and gives the honest one.
func (b *benchmark) addHostile(cfg *config.Config) (honest config.Language, err error) {
	catalogue, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return honest, err
	}
	at := slices.IndexFunc(catalogue.Languages, func(l config.Language) bool { return len(l.Compile) == 0 && l.Sample != "" })
	if at < 0 {
		return honest, errors.New("the catalogue has no interpreted language with a sample")
	}
	honest = catalogue.Languages[at]
	catalogue.Languages = append(slices.Clip(catalogue.Languages), config.Language{
		Name: hostileLanguage, Version: honest.Version, Image: honest.Image, SourceFile: "main.sh", Run: []string{"sh", "{source}"},
	})
	cfg.Catalogue = b.path("languages.json")
	return honest, catalogue.Save(cfg.Catalogue)
}

// p95 gives the time that 19 of 20 do not exceed.
func p95(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)*19/20]
}
