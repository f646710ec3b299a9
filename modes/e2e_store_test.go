package modes

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"optimus/store/boltstore"
	"optimus/web"
)

// testKeeping takes a backup of a running server, drains it, checks and compacts its store, and
// restores the backup into an empty folder, on which a server goes on.
func testKeeping(t *testing.T, l *lab) {
	s := l.serve(t)
	id := s.submit(t, square(7))
	s.ended(t, id)
	backup := filepath.Join(t.TempDir(), "backup.jsonl")
	sum := summary(t, l.admin(t, ExitOK, "store", "export", "--server", s.base, "--out", backup, "--json"), nil)
	if sum.Queues != 1 || sum.Jobs != 1 {
		t.Errorf("exported %+v", sum)
	}
	l.admin(t, ExitFailed, "store", "export", "--out", backup) // the server has the file

	var queues []web.Queue
	out := l.admin(t, ExitOK, "queues", "drain", "default", "--server", s.base, "--json")
	if err := json.Unmarshal([]byte(out), &queues); err != nil || len(queues) != 1 || queues[0].State != "draining" || queues[0].Unfinished != 0 {
		t.Errorf("queues drain --json: %v\n%s", err, out)
	}
	refused := s.ask(t, http.MethodPost, "/v1/jobs", square(8), http.StatusServiceUnavailable)
	if refused.header.Get("Retry-After") == "" {
		t.Errorf("a drained queue answers %v: %s", refused.header, refused.body)
	}
	l.admin(t, ExitOK, "queues", "resume", "default", "--server", s.base)
	later := s.submit(t, square(8))
	s.ended(t, later)
	contains(t, "workers", l.admin(t, ExitOK, "workers", "--server", s.base), "v0.0.0-test", "python")
	s.stop(t)

	contains(t, "store check", l.admin(t, ExitOK, "store", "check"), "good")
	var done boltstore.Compacted
	out = l.admin(t, ExitOK, "store", "compact", "--json")
	if err := json.Unmarshal([]byte(out), &done); err != nil || done.After == 0 || done.After > done.Before {
		t.Errorf("store compact --json: %v\n%s", err, out)
	}
	s = l.serve(t)
	if job := s.ended(t, later); job.Verdict != "accepted" {
		t.Errorf("after the compaction the job is %+v", job)
	}
	s.stop(t)

	l.freshStore(t)
	for range 2 {
		contains(t, "store import", l.admin(t, ExitOK, "store", "import", backup), backup)
	}
	s = l.serve(t)
	if job := s.ended(t, id); job.Verdict != "accepted" {
		t.Errorf("restored the job is %+v", job)
	}
	s.ask(t, http.MethodGet, "/v1/jobs/"+later, nil, http.StatusNotFound) // it came after the backup
	s.ended(t, s.submit(t, square(9)))
	s.stop(t)
}
