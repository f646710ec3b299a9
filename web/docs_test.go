package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

// example is a curl command of docs/API.md and, where one follows it, its answer.
type example struct {
	line    int
	command string
	status  int
	answer  string
}

// examples reads the fenced blocks: "sh" is a command, "json STATUS" the answer to the one before.
func examples(t *testing.T) (list []example) {
	t.Helper()
	text, err := os.ReadFile("../docs/API.md")
	must(t, err)
	var kind, block string
	for i, line := range strings.Split(string(text), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && kind == "":
			kind, block = info, ""
			if kind == "sh" {
				list = append(list, example{line: i + 1})
			}
		case fence:
			last := &list[len(list)-1]
			if status, ok := strings.CutPrefix(kind, "json "); ok {
				last.answer = block
				last.status, err = strconv.Atoi(status)
				must(t, err)
			} else {
				last.command = block
			}
			kind = ""
		default:
			block += line + "\n"
		}
	}
	return list
}

// request takes a curl command apart.
func (e example) request(t *testing.T, id string) (method, path, body string, headers []string) {
	t.Helper()
	words := regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(e.command, -1)
	if len(words) == 0 || words[0] != "curl" {
		t.Fatalf("line %d: not a curl command: %q", e.line, e.command)
	}
	method = http.MethodGet
	for i := 1; i < len(words); i++ {
		next := func() string { i++; return strings.Trim(words[i], `'"`) }
		switch words[i] {
		case "-X":
			method = next()
		case "-H":
			name, value, _ := strings.Cut(next(), ": ")
			headers = append(headers, name, value)
		case "-d":
			i++
			body, method = strings.Trim(words[i], "'"), http.MethodPost
		case "-o":
			next()
		case "-T":
			next()
			method, body = http.MethodPost, string(setup(t).do(http.MethodGet, "/v1/store/export", "").want(http.StatusOK).Body)
		case "-N":
		default:
			path = strings.TrimPrefix(strings.Trim(words[i], `'"`), "http://127.0.0.1:8080")
		}
	}
	return method, strings.NewReplacer("$ID", id, "$KEY", id).Replace(path), body, headers
}

// jobFor gives a job that the example's command is for.
func (h *harness) jobFor(command string) string {
	h.t.Helper()
	id := h.submit(hello)
	switch {
	case strings.Contains(command, "/cancel"):
	case strings.Contains(command, "/redrive"), strings.Contains(command, "state=failed'"):
		must(h.t, h.store.Start(id))
		must(h.t, h.store.Bury(id, "broke"))
	default:
		must(h.t, h.store.Start(id))
		must(h.t, h.store.Finish(id, accepted()))
	}
	return id.String()
}

func TestExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	list := examples(t)
	if len(list) < 25 {
		t.Fatalf("only %d examples found", len(list))
	}
	for _, e := range list {
		t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
			t.Parallel()
			h := setup(t, func(o *web.Options) { o.Editor = editor{} })
			id := h.jobFor(e.command)
			if strings.Contains(e.command, "$KEY") {
				first := h.newKey(`{"name":"root","roles":["admin"]}`)
				h = h.as(first.Secret)
				id = h.newKey(`{"name":"course-2"}`).ID
			}
			h.store.SetWorkers(store.Worker{
				Name: "w1", Lanes: []store.Lane{{Language: "cpp", Tier: sandbox.Shared}, {Language: "python", Tier: sandbox.Shared}},
			})
			method, path, body, headers := e.request(t, id)
			if strings.Contains(path, "wait=") {
				h.judge(accepted())
			}
			a := h.do(method, path, body, headers...)
			if e.status != 0 {
				a.want(e.status)
			} else if a.Status >= http.StatusBadRequest {
				t.Fatalf("status %d: %s", a.Status, a.Body)
			}
			if e.answer == "" {
				return
			}
			var want, got any
			must(t, json.Unmarshal([]byte(e.answer), &want))
			must(t, json.Unmarshal(a.Body, &got))
			compareShape(t, "", want, got)
		})
	}
}

func TestEveryOperationHasAnExample(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, e := range examples(t) {
		method, path, _, _ := e.request(t, "{id}")
		path, _, _ = strings.Cut(path, "?")
		path = strings.ReplaceAll(strings.ReplaceAll(path, "/default", "/{name}"), "/lua", "/{name}")
		covered[strings.ToLower(method)+" "+path] = true
	}
	for path, item := range document(setup(t)).Paths {
		for method := range item {
			if !covered[method+" "+path] {
				t.Errorf("no example for %s %s", method, path)
			}
		}
	}
}

// compareShape checks that everything which the documentation shows is really there, and is of
// the type that it shows; values may differ.
func compareShape(t *testing.T, at string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: is a %T", at, got)
			return
		}
		for name, v := range w {
			if _, ok := g[name]; !ok {
				t.Errorf("%s/%s: is not in the answer %v", at, name, got)
				continue
			}
			compareShape(t, at+"/"+name, v, g[name])
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(w) {
			t.Errorf("%s: is %v", at, got)
			return
		}
		for i := range w {
			compareShape(t, fmt.Sprintf("%s/%d", at, i), w[i], g[i])
		}
	default:
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			t.Errorf("%s: is a %T, not a %T", at, got, want)
		}
	}
}

// The tables of states, verdicts and checkers name every one that there is.
func TestTablesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/API.md")
	must(t, err)
	text := string(data)
	var words []string
	for _, v := range sandbox.Verdicts() {
		words = append(words, string(v))
	}
	for _, s := range store.States() {
		words = append(words, string(s))
	}
	for _, w := range words {
		if !strings.Contains(text, "| `"+w+"` |") {
			t.Errorf("no row for %s", w)
		}
	}
	for _, k := range sandbox.CheckerKinds() {
		if !strings.Contains(text, "| `"+string(k)+"`") {
			t.Errorf("no row for the checker %s", k)
		}
	}
	counted := web.NewMetrics()
	h := setup(t, func(o *web.Options) { o.Metrics = counted })
	counted.JobEnded(store.Job{Lane: store.Lane{Language: "python"}, State: store.Completed, Verdict: sandbox.Accepted, Started: time.Unix(0, 0), Finished: time.Unix(1, 0)})
	h.do(http.MethodPost, "/v1/jobs", "{}")
	h.do(http.MethodPost, "/v1/jobs/"+h.submit(hello).String()+"/cancel", "")
	metrics := string(h.do(http.MethodGet, "/metrics", "").Body)
	names := regexp.MustCompile(`(?m)^# TYPE (optimus_\w+)`).FindAllStringSubmatch(metrics, -1)
	if len(names) != 14 {
		t.Errorf("%d metrics: %v", len(names), names)
	}
	for _, name := range names {
		if !strings.Contains(text, "`"+name[1]+"`") {
			t.Errorf("no row for the metric %s", name[1])
		}
	}
}

func TestEverySchemaIsUsed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	text := string(h.do(http.MethodGet, "/openapi.json", "").Body)
	for name := range document(h).Components.Schemas {
		if !strings.Contains(text, `"#/components/schemas/`+name+`"`) {
			t.Errorf("nothing refers to the schema %s", name)
		}
	}
}
