package redisstore

import (
	"errors"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestAClaimWhoseAnswerIsLost: what it was given, its worker's next claim gets, with a lease that begins anew.
func TestAClaimWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	p := startProxy(t, srv)
	s := openTest(t, Options{URL: p.url, RetryFor: time.Second}, store.Options{})
	job := submitTest(t, s, store.NewJob{})
	s.behinds.Wait()
	p.loseAnswer()
	p.refuse(true)
	_, err := s.Claim(t.Context(), store.ClaimRequest{Worker: "w", Lanes: []store.Lane{anyLane}, Max: 3, Lease: time.Minute})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("it gave %v", err)
	}
	p.refuse(false)
	submitTest(t, s, store.NewJob{Queue: "another"})
	other := claimTest(t, s, 1, time.Hour)
	cs := claimTest(t, s, 3, time.Hour)
	if len(cs) == 1 && cs[0].Job.ID != job.ID {
		cs, other = other, cs
	}
	if len(other) != 1 || len(cs) != 1 || cs[0].Job.ID != job.ID || len(cs[0].Job.Attempts) != 1 || cs[0].Job.Submission == nil {
		t.Fatalf("the next claim gave %+v", cs)
	}
	if cs := claimTest(t, s, 3, time.Hour); len(cs) != 0 {
		t.Errorf("the one after it gave %+v", cs)
	}
	must(t, s.Finish(t.Context(), cs[0].Lease, sandbox.Report{Verdict: sandbox.Accepted}))
	checkIndexes(t, s)
}
