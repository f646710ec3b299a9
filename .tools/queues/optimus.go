package main

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/redisstore"
)

// optimus submits, claims and finishes, as the API and a worker do.
func optimus(ctx context.Context, dir string, l load) (took time.Duration, err error) {
	server, socket, err := redisServer(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop(syscall.SIGTERM)) }()
	st, err := redisstore.Open(ctx, redisstore.Options{URL: "unix://" + socket}, store.DefaultOptions())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	lang := sandbox.Language{Name: "python", Run: []string{"python3", "{main}"}}
	submission := sandbox.Submission{Language: lang}
	submission.Source.Files = []sandbox.File{{Name: "main.py", Content: l.payload}}

	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := newCounter(l.jobs)
	go work(working, st, store.LaneOf(lang), l.slots, ended.ended, stop)
	started := time.Now()
	err = l.submit(working, func(ctx context.Context, n int) error {
		_, _, err := st.Submit(ctx, store.NewJob{Queue: "bench", Tenant: strconv.Itoa(n % 10), Submission: submission})
		return err
	})
	if err == nil {
		err = ended.wait(working)
	}
	return time.Since(started), err
}

// work claims as much as there are free slots, and is woken when there is something to claim.
func work(ctx context.Context, st store.Queue, lane store.Lane, slots int, ended func(), fail context.CancelCauseFunc) {
	lanes := []store.Lane{lane}
	woken, err := st.Wake(ctx, lanes)
	if err != nil {
		fail(err)
		return
	}
	freed := make(chan struct{}, slots)
	for free := slots; ctx.Err() == nil; {
		for more := true; more; {
			select {
			case <-freed:
				free++
			default:
				more = false
			}
		}
		if free == 0 {
			<-freed
			free++
		}
		claims, err := st.Claim(ctx, store.ClaimRequest{Worker: "bench", Lanes: lanes, Max: free, Lease: time.Minute})
		if err != nil {
			fail(err)
			return
		}
		for _, c := range claims {
			free--
			go func() {
				if err := st.Finish(ctx, c.Lease, sandbox.Report{Verdict: sandbox.Accepted}); err != nil {
					fail(err)
				}
				freed <- struct{}{}
				ended()
			}()
		}
		if len(claims) > 0 {
			continue
		}
		select {
		case <-woken:
		case <-freed:
			free++
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
