package storetest

import (
	"context"
	"time"

	"optimus/store"
)

func wakeChecks() []check {
	return []check{
		{name: "wake/one submission wakes one worker", run: checkWakeOne},
		{name: "wake/only who can run it", run: checkWakeLane},
		{name: "wake/what comes back wakes too", run: checkWakeAgain},
		{name: "wake/a worker that leaves passes it on", run: checkWakePassed},
		{name: "wake/a worker that waits misses nothing", run: checkWakeLoop},
	}
}

func (e *env) wake(ctx context.Context, lanes ...store.Lane) <-chan struct{} {
	e.Helper()
	ch, err := e.s.Wake(ctx, lanes)
	e.ok(err, "wake")
	return ch
}

// woken counts the channels in which a value waits, and takes them; it waits for the first.
func (e *env) woken(chs []<-chan struct{}) int {
	e.Helper()
	n := 0
	end := time.Now().Add(e.patience)
	for n == 0 && time.Now().Before(end) {
		for _, ch := range chs {
			select {
			case <-ch:
				n++
			case <-time.After(time.Millisecond):
			}
		}
	}
	return n
}

func checkWakeOne(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	var chs []<-chan struct{}
	for range 5 {
		chs = append(chs, e.wake(ctx, python(), rust()))
	}
	for _, ch := range chs {
		e.silent(ch, "before any submission")
	}
	for range 10 {
		e.submitted("a")
		if n := e.woken(chs); n != 1 {
			e.Fatalf("one submission woke %d workers", n)
		}
	}
	for range 3 {
		e.submitted("a")
	}
	n := 0
	for range 3 {
		n += e.woken(chs)
		if n == 3 {
			break
		}
	}
	if n != 3 {
		e.Errorf("three submissions woke %d workers", n)
	}
}

func checkWakeLane(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	p, r := e.wake(ctx, python()), e.wake(ctx, rust())
	e.submit(newJob("a", rust()))
	e.hears(r, "its lane")
	e.silent(p, "another lane")
}

func checkWakeAgain(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	id := e.submitted("a").ID
	ch := e.wake(ctx, python())
	e.giveBack(e.claim(), false)
	e.hears(ch, "a job given back")
	e.giveBack(e.claim(), true)
	e.pass(e.get(id).NotBefore.Sub(e.clock.Now()))
	e.hears(ch, "a retry that came due")
	e.claim()
	e.pass(lease)
	e.pass(max(0, e.get(id).NotBefore.Sub(e.clock.Now())))
	e.hears(ch, "an expired lease")
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueuePaused), "pause")
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueueRunning), "resume")
	e.hears(ch, "a queue that is resumed")
	e.fail(e.claim())
	e.takeAll(ch)
	e.redrive(id)
	e.hears(ch, "a dead letter re-driven")
}

// takeAll empties a channel.
func (e *env) takeAll(ch <-chan struct{}) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}

func checkWakePassed(e *env) {
	first, leave := context.WithCancel(e.ctx())
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	gone := e.wake(first, python())
	e.submitted("a") // wakes the only one, who does not look
	stays := e.wake(ctx, python())
	leave()
	e.hears(stays, "a wake-up of a worker that has left")
	e.closes(gone, "wake")
}

// checkWakeLoop is a worker as it is meant to be: it waits first, then claims until nothing is left.
func checkWakeLoop(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	const jobs = 50
	done := make(chan error, 2)
	left := make(chan struct{}, jobs)
	for range 2 {
		ch := e.wake(ctx, python())
		go func() { done <- e.workUntil(context.WithoutCancel(ctx), ch, left) }()
	}
	for range jobs {
		e.submitted("a")
	}
	for i := range jobs {
		select {
		case <-left:
		case err := <-done:
			e.Fatalf("a worker ended: %v", err)
		case <-time.After(e.patience):
			e.Fatalf("after %d of %d jobs the workers sleep", i, jobs)
		}
	}
	stop()
	for range 2 {
		e.ok(<-done, "worker")
	}
}

func (e *env) workUntil(ctx context.Context, ch <-chan struct{}, finished chan<- struct{}) error {
	for range ch {
		for {
			cs, err := e.s.Claim(ctx, store.ClaimRequest{Worker: workerName, Lanes: []store.Lane{python()}, Max: 2, Lease: lease})
			if err != nil {
				return err
			}
			if len(cs) == 0 {
				break
			}
			for _, c := range cs {
				if err := e.s.Finish(ctx, c.Lease, accepted()); err != nil {
					return err
				}
				finished <- struct{}{}
			}
		}
	}
	return nil
}
