package modes

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"optimus/web"
)

// described is a metric: its type and the names of its labels, in the order of letters.
type described struct{ kind, labels string }

// documentedMetrics reads the tables of docs/API.md, which alerts and dashboard are held against too.
func documentedMetrics(t *testing.T) map[string]described {
	t.Helper()
	text, err := os.ReadFile("../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]described{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(optimus_\\w+)` \\| (\\w+) \\| ([^|]*) ?\\|").FindAllStringSubmatch(string(text), -1) {
		var labels []string
		for _, l := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		all[row[1]] = described{row[2], strings.Join(labels, " ")}
	}
	return all
}

// shownMetrics reads what a process shows.
func shownMetrics(text string) map[string]described {
	all := map[string]described{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (optimus_\w+) (\w+)\n(.*)$`).FindAllStringSubmatch(text, -1) {
		labels := map[string]bool{}
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[3], -1) {
			if l[1] != "le" {
				labels[l[1]] = true
			}
		}
		all[m[1]] = described{m[2], strings.Join(slices.Sorted(maps.Keys(labels)), " ")}
	}
	return all
}

// A server with a worker shows every metric that the documentation has, of that type and with those labels,
// and no other.
func TestMetricsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, testConfig(t))
	ts.server.open = withCatalogue(ts.open, compiledScript(t, &ts.config))
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ts.stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	ts.client = &client{base: "http://" + ts.address, http: http.DefaultClient}
	ts.submit(t, "?wait=60s", "exit 0")
	if err := ts.client.call(t.Context(), http.MethodPost, "/v1/jobs", web.JobRequest{Language: "script"}, nil); err == nil {
		t.Error("a job without a program was taken")
	}
	job := ts.submit(t, "", "wait gate")
	if err := ts.client.call(t.Context(), http.MethodPost, "/v1/jobs/"+job.ID+"/cancel", nil, nil); err != nil {
		t.Error(err)
	}
	status, text := asked(t, ts.address, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	want, got := documentedMetrics(t), shownMetrics(text)
	if len(want) < 25 {
		t.Errorf("only %d metrics are documented", len(want))
	}
	for name, d := range want {
		if got[name] != d {
			t.Errorf("%s is documented as %q and shown as %q", name, d, got[name])
		}
	}
	for name, d := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s, %q, is not documented", name, d)
		}
	}
	if !strings.Contains(text, "\noptimus_ready 1\n") {
		t.Error("the server does not show that it is ready")
	}
}
