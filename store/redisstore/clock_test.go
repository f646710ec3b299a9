package redisstore

import (
	"path/filepath"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestTheClockIsSetWhileASubmissionIsTriedAgain: its id is then too old to be used, so its job needs another.
func TestTheClockIsSetWhileASubmissionIsTriedAgain(t *testing.T) {
	t.Parallel()
	lib, err := filepath.Glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
	must(t, err)
	if len(lib) == 0 {
		t.Fatal("there is no libfaketime: apt-get install faketime")
	}
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL, RetryFor: time.Minute}, store.Options{})
	submitTest(t, s, store.NewJob{})
	srv.Kill()
	submitted := make(chan store.Job, 1)
	go func() {
		j, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q"})
		if err != nil {
			t.Error(err)
		}
		submitted <- j
	}()
	time.Sleep(200 * time.Millisecond) // it has been sent in vain
	// The C library's malloc goes before redis-server's own, which asks for the time before there is any.
	libc := filepath.Join(filepath.Dir(lib[0]), "../libc.so.6")
	srv.Env("LD_PRELOAD="+lib[0]+":"+libc, "FAKETIME=+1h", "DONT_FAKE_MONOTONIC=1")
	must(t, srv.Start())
	if _, err := s.Get(t.Context(), (<-submitted).ID); err != nil {
		t.Errorf("a job that was acknowledged: %v", err)
	}
}
