package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"optimus/sandbox"
)

// shelfKey says which programs may share a container.
type shelfKey struct {
	image, digest, runtime string
	tier                   sandbox.Tier
}

// shelf holds the containers of one key: the one warm container that all jobs share, or a pool of
// started ones from which each job takes its own.
type shelf struct {
	r    *Runner
	key  shelfKey
	lang sandbox.Language // names image and runtime

	// Of the Runner's lock, not of the shelf's:
	users  int         // who holds a container of it, or waits for one
	retire *time.Timer // ends it; runs while it has no user and is not kept

	mu      sync.Mutex
	current *launching   // shared tier
	pool    []*launching // dedicated tier, oldest first
}

// launching is a container on its way; c and err are set once done is closed.
type launching struct {
	done chan struct{}
	c    *container
	err  error

	mu     sync.Mutex
	warmed map[string]chan struct{} // by language: closed once its warm-up has ended
}

// container gives a warm container for the language, and what gives it back.
func (r *Runner) container(ctx context.Context, lang sandbox.Language) (*container, func(), error) {
	s, err := r.enter(lang)
	if err != nil {
		return nil, nil, err
	}
	var l *launching
	if lang.Tier == sandbox.Dedicated {
		l = s.take(lang)
	} else {
		l = s.shared()
	}
	free := func() {
		if lang.Tier == sandbox.Dedicated {
			l.discard(r)
		}
		r.leave(s)
	}
	if err := l.await(ctx, r, lang); err != nil {
		free()
		return nil, nil, err
	}
	return l.c, free, nil
}

func keyOf(lang sandbox.Language) shelfKey {
	return shelfKey{lang.Image, lang.Digest, cmp.Or(lang.Runtime, defaultRuntime), cmp.Or(lang.Tier, sandbox.Shared)}
}

// enter gives the language's shelf, which stays until as many have left.
func (r *Runner) enter(lang sandbox.Language) (*shelf, error) {
	key := keyOf(lang)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errRunnerClosed
	}
	s, ok := r.warm[key]
	if !ok {
		s = &shelf{r: r, key: key, lang: lang}
		r.warm[key] = s
	}
	s.users++
	s.stay()
	return s, nil
}

func (r *Runner) leave(s *shelf) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.users--
	s.settle()
}

// stay calls off the shelf's end. The Runner's lock is held, here as in settle.
func (s *shelf) stay() {
	if s.retire != nil {
		s.retire.Stop()
		s.retire = nil
	}
}

// settle has a shelf that nobody uses ended in a while, unless it is to be kept.
func (s *shelf) settle() {
	if s.users > 0 || s.r.keep[s.key] || s.r.closed || s.retire != nil {
		return
	}
	s.retire = time.AfterFunc(s.r.idle, func() { s.r.end(s) })
}

// end closes the shelf, unless it came to be used or kept after all.
func (r *Runner) end(s *shelf) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.users > 0 || r.keep[s.key] || r.closed || r.warm[s.key] != s {
		return
	}
	delete(r.warm, s.key)
	r.log.Info().Str("image", s.key.image).Str("digest", s.key.digest).Msg("ending containers that no language needs now")
	r.spawnLocked(func(ctx context.Context) { s.close(context.WithoutCancel(ctx)) })
}

// Warm starts the containers of the languages and runs their warm-ups, at the same time, and gives
// each language's error. A language without an image holds up no other. From then on and until it
// is called again, these languages' containers are kept; any other, such as that of an image that
// was built anew, is ended once no program has been in it for RunnerOptions.Idle.
func (r *Runner) Warm(ctx context.Context, langs ...sandbox.Language) map[string]error {
	r.mu.Lock()
	r.keep = map[shelfKey]bool{}
	for _, lang := range langs {
		r.keep[keyOf(lang)] = true
	}
	for _, s := range r.warm {
		if r.keep[s.key] {
			s.stay()
		}
		s.settle()
	}
	r.mu.Unlock()
	var mu sync.Mutex
	failed := map[string]error{}
	var wg sync.WaitGroup
	for _, lang := range langs {
		wg.Go(func() {
			if err := r.warmUp(ctx, lang); err != nil {
				mu.Lock()
				failed[lang.Name] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// warmUp makes the language's next job find a container; one of the dedicated tier, as many as the pool holds.
func (r *Runner) warmUp(ctx context.Context, lang sandbox.Language) error {
	s, err := r.enter(lang)
	if err != nil {
		return err
	}
	defer r.leave(s)
	waiting := []*launching{}
	if lang.Tier == sandbox.Dedicated {
		s.mu.Lock()
		s.fill(r.pool, lang)
		waiting = append(waiting, s.pool...)
		s.mu.Unlock()
	} else {
		waiting = append(waiting, s.shared())
	}
	for _, l := range waiting {
		err = errors.Join(err, l.await(ctx, r, lang))
	}
	return err
}

// shared gives the warm container, starting one where there is none or it was lost.
func (s *shelf) shared() *launching {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.current.failed() {
		s.current = s.launch()
	}
	return s.current
}

// take gives a container that nobody had before and nobody will have after.
func (s *shelf) take(lang sandbox.Language) *launching {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fill(s.r.pool+1, lang)
	l := s.pool[0]
	s.pool = s.pool[1:]
	return l
}

// fill has n containers wait in the pool, and warms them for the language. The lock is held.
func (s *shelf) fill(n int, lang sandbox.Language) {
	s.pool = slices.DeleteFunc(s.pool, (*launching).failed) // lost while it waited, or never ready
	for len(s.pool) < n {
		l := s.launch()
		s.pool = append(s.pool, l)
		s.r.spawn(func(ctx context.Context) { _ = l.await(ctx, s.r, lang) })
	}
}

// launch starts a container in the background.
func (s *shelf) launch() *launching {
	l := &launching{done: make(chan struct{}), warmed: map[string]chan struct{}{}}
	s.r.spawn(func(ctx context.Context) {
		began := s.r.now()
		l.c, l.err = s.start(ctx)
		l.err = unavailable(l.err)
		ready := s.r.now()
		close(l.done)
		if l.err != nil {
			s.r.log.Warn().Err(l.err).Str("language", s.lang.Name).Msg("no container")
			return
		}
		s.r.started.Add(1)
		s.r.log.Debug().Str("container", l.c.id).Str("language", s.lang.Name).
			Dur("took_ms", ready.Sub(began)).Msg("container is ready")
		s.tend(ctx, l, ready)
	})
	return l
}

func (s *shelf) start(ctx context.Context) (_ *container, err error) {
	id, err := s.r.nextContainer()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.r.dead(id)
		}
	}()
	image, err := s.r.image(ctx, s.lang)
	if err != nil {
		return nil, err
	}
	spec, err := image.Spec(ctx)
	if err != nil {
		return nil, wrap("read the configuration of image "+s.lang.Image, err)
	}
	c, err := s.r.launch(ctx, image, s.lang.Runtime, id)
	if err != nil {
		return nil, err
	}
	c.env = spec.Config.Env
	return c, nil
}

// shortLife is the life of a container below which no other is made in its place unasked:
// whatever ended it, such as a machine out of memory, would be met again and again.
const shortLife = 5 * time.Second

// tend waits for the container's end, removes it and, where it was lost, has another made before
// a job must wait for it.
func (s *shelf) tend(ctx context.Context, l *launching, ready time.Time) {
	select {
	case <-l.c.lost:
	case <-ctx.Done():
	}
	l.c.close(context.WithoutCancel(ctx))
	s.r.dead(l.c.id)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	lived := s.r.now().Sub(ready)
	if s.current != l { // it was replaced, or is no longer wanted
		return
	}
	s.r.lost.Add(1)
	s.r.log.Warn().Err(l.c.why).Str("container", l.c.id).Str("language", s.lang.Name).
		Dur("lived_ms", lived).Msg("container was lost")
	if lived >= shortLife {
		s.current = s.launch()
	}
}

// failed tells whether the container is no use any more.
func (l *launching) failed() bool {
	select {
	case <-l.done:
		return l.err != nil || l.c.isLost()
	default:
		return false
	}
}

// await waits until the container is warm for the language.
func (l *launching) await(ctx context.Context, r *Runner, lang sandbox.Language) error {
	select {
	case <-l.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for a container: %w", context.Cause(ctx))
	}
	if l.err != nil {
		return l.err
	}
	if lang.WarmUp == "" {
		return nil
	}
	select {
	case <-l.warm(r, lang):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a warm container: %w", context.Cause(ctx))
	}
}

// warm compiles and runs the language's warm-up once in the container, so that the page cache it
// reads is charged to no job. The channel is closed when that has ended, well or not.
func (l *launching) warm(r *Runner, lang sandbox.Language) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := lang.Name + " " + lang.Version
	if done, ok := l.warmed[name]; ok {
		return done
	}
	done := make(chan struct{})
	l.warmed[name] = done
	r.spawn(func(ctx context.Context) {
		defer close(done)
		if err := warmUp(ctx, r, l.c, lang); err != nil && ctx.Err() == nil && !errors.Is(err, errLost) {
			r.log.Warn().Err(err).Str("language", lang.Name).Msg("warm-up failed; the first jobs may be slower")
		}
	})
	return done
}

func warmUp(ctx context.Context, r *Runner, c *container, lang sandbox.Language) error {
	p := &Program{
		runner: r, lang: lang, limits: lang.CompileLimits.Or(lang.Limits).Resolved(),
		source: sandbox.Source{Files: []sandbox.File{{Name: lang.SourceFile, Content: []byte(lang.WarmUp)}}},
	}
	at := &place{c: c, id: c.nextID.Add(1), free: func() {}}
	defer at.drop()
	outcome, err := p.prepareAt(ctx, at)
	if err == nil && outcome.OK() {
		outcome, err = p.runAt(ctx, at, sandbox.Input{}, lang.Limits.Resolved())
	}
	if err == nil && !outcome.OK() {
		err = fmt.Errorf("%s: exit code %d, signal %d: %s%.300s",
			outcome.Verdict(), outcome.ExitCode, outcome.Signal, outcome.Message, outcome.Stderr)
	}
	return err
}

// discard ends a dedicated container.
func (l *launching) discard(r *Runner) {
	r.spawn(func(context.Context) {
		<-l.done
		if l.err == nil {
			l.c.fail(errors.New("its job has ended"))
		}
	})
}

// close ends all containers of the shelf but those that jobs have taken from its pool.
func (s *shelf) close(ctx context.Context) {
	s.mu.Lock()
	all := append([]*launching{s.current}, s.pool...)
	s.current, s.pool = nil, nil
	s.mu.Unlock()
	for _, l := range all {
		if l == nil {
			continue
		}
		<-l.done
		if l.err == nil {
			l.c.close(ctx)
		}
	}
}
