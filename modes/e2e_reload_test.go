package modes

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"optimus/config"
	"optimus/web"
)

// testReload gives a server another catalogue while it judges.
func testReload(t *testing.T, l *lab) {
	s := l.serve(t)
	running := s.submit(t, sleeper(2))
	s.untilRunning(t, running)
	stated, err := config.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	snake := stated.Languages[slices.IndexFunc(stated.Languages, func(l config.Language) bool { return l.Name == "python" })]
	snake.Name, snake.Aliases, snake.Judge0IDs = "snake", nil, nil
	stated.Languages = append(stated.Languages, snake)
	path := filepath.Join(l.data, "languages.json")
	t.Cleanup(func() { _ = os.Remove(path) })
	if err := stated.Save(path); err != nil {
		t.Fatal(err)
	}
	s.send(t, syscall.SIGHUP)
	request := square(3)
	request.Language = "snake"
	var job web.Job
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		a, err := s.try(t.Context(), http.MethodPost, "/v1/jobs", request, nil)
		if err == nil && a.status == http.StatusAccepted {
			a.into(t, &job)
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the new language is not known: %v %s", err, a.body)
		}
	}
	for _, id := range []string{running, job.ID} {
		if j := s.ended(t, id); j.Verdict != "accepted" || j.Attempts != 1 {
			t.Errorf("job %s ended as %+v", id, j)
		}
	}
	s.stop(t)
}
