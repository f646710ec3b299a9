// Package observability holds deploy/observability against Prometheus's own code, and against what Optimus
// shows: docs/API.md has all metrics, and a test there keeps that current.
package observability

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

const (
	root       = "../.."
	folder     = root + "/deploy/observability"
	rulesFile  = folder + "/alerts.yaml"
	operations = "docs/OPERATIONS.md"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				t.Errorf("group %s has a rule that is no alert", g.Name)
			}
			all = append(all, r)
		}
	}
	if len(all) < 12 {
		t.Errorf("only %d alerts", len(all))
	}
	return all
}

// The alerts fire where they should and nowhere else: alerts_test.yaml says where.
func TestAlertsByPromtool(t *testing.T) {
	t.Parallel()
	promtool := filepath.Join(t.TempDir(), "promtool")
	run := func(name string, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c, err, out)
		}
	}
	// Without the clients of clouds, which only find what to scrape.
	run("go", "build", "-tags", "remove_all_sd", "-o", promtool, "github.com/prometheus/prometheus/cmd/promtool")
	run(promtool, "check", "rules", "--lint=all", "--lint-fatal", rulesFile)
	run(promtool, "test", "rules", folder+"/alerts_test.yaml")
}

// Each alert fires in a test of its own.
func TestEveryAlertIsTested(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Name       string
			AlertTests []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, folder+"/alerts_test.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	fires := map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.AlertTests {
			fires[a.Alert] = fires[a.Alert] || a.Alert == test.Name && len(a.Fires) > 0
		}
	}
	for _, r := range alerts(t) {
		if !fires[r.Alert] {
			t.Errorf("no test in which %s fires", r.Alert)
		}
	}
}

// Each alert says how bad it is, what it means and where its runbook is; and that is there, in the order of
// the alerts, and says what to look at and what to do.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(root, operations))
	var want []string
	for _, r := range alerts(t) {
		want = append(want, r.Alert)
		if s := r.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, s) {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		for _, name := range []string{"summary", "description"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		if url := operations + "#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != url {
			t.Errorf("%s has the runbook %q, want %q", r.Alert, r.Annotations["runbook_url"], url)
		}
		_, section, _ := strings.Cut(text, "\n### "+r.Alert+"\n")
		section, _, _ = strings.Cut(section, "\n#")
		for _, part := range []string{"**Means.** ", "**Look.** ", "**Do.** "} {
			if !strings.Contains(section, part) {
				t.Errorf("the runbook of %s has no %s", r.Alert, part)
			}
		}
	}
	var got []string
	for _, h := range regexp.MustCompile(`(?m)^### (Optimus\w+)$`).FindAllStringSubmatch(text, -1) {
		got = append(got, h[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are runbooks for\n%q, and alerts\n%q", got, want)
	}
}

// metrics are those that there are, with their labels; of a histogram its parts.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	target := []string{"instance", "job"} // which Prometheus adds
	all := map[string][]string{
		"up": target, "ALERTS": {"alertname", "alertstate"},
		"process_resident_memory_bytes": target, "process_cpu_seconds_total": target,
	}
	rows := regexp.MustCompile("(?m)^\\| `(optimus_\\w+)` \\| (\\w+) \\| ([^|]*) ?\\|").FindAllStringSubmatch(read(t, root+"/docs/API.md"), -1)
	for _, row := range rows {
		names := append([]string(nil), target...)
		for _, l := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[3], -1) {
			names = append(names, l[1])
		}
		if row[2] != "histogram" {
			all[row[1]] = names
			continue
		}
		all[row[1]+"_bucket"] = append([]string{"le"}, names...)
		all[row[1]+"_sum"], all[row[1]+"_count"] = names, names
	}
	if len(rows) < 25 {
		t.Fatalf("only %d metrics in docs/API.md", len(rows))
	}
	return all
}

// check tells of what an expression asks for and is not there: a metric, a label of it, or a label to which
// an aggregation goes.
func check(known map[string][]string, text string) (faults []string) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			names, ok := known[n.Name]
			if !ok {
				faults = append(faults, fmt.Sprintf("there is no metric %q", n.Name))
			}
			for _, m := range n.LabelMatchers {
				if ok && m.Name != labels.MetricName && !slices.Contains(names, m.Name) {
					faults = append(faults, fmt.Sprintf("%s has no label %s", n.Name, m.Name))
				}
			}
		case *parser.AggregateExpr:
			parser.Inspect(n.Expr, func(below parser.Node, _ []parser.Node) error {
				if s, ok := below.(*parser.VectorSelector); ok {
					for _, name := range n.Grouping {
						if names, ok := known[s.Name]; ok && !slices.Contains(names, name) {
							faults = append(faults, fmt.Sprintf("%s has no label %s to aggregate by", s.Name, name))
						}
					}
				}
				return nil
			})
		}
		return nil
	})
	return faults
}

func TestAlertsAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for _, r := range alerts(t) {
		for _, fault := range check(known, r.Expr) {
			t.Errorf("%s: %s", r.Alert, fault)
		}
	}
}

// That the check finds what is not there.
func TestTheCheckObjects(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for text, want := range map[string]string{
		`rate(optimus_gone_total[5m])`:                               `there is no metric "optimus_gone_total"`,
		`optimus_store_duration_seconds`:                             `there is no metric "optimus_store_duration_seconds"`,
		`optimus_queue_depth{shard="1"}`:                             `optimus_queue_depth has no label shard`,
		`sum by (language) (rate(optimus_job_wait_seconds_sum[5m]))`: `optimus_job_wait_seconds_sum has no label language to aggregate by`,
		`sum(`: `1:5: parse error: unclosed left parenthesis`,
	} {
		if got := check(known, text); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is told of as %q, want %q", text, got, want)
		}
	}
}

// dashboard is what of Grafana's form is looked at.
type dashboard struct {
	Panels []struct {
		ID          int
		Type, Title string
		Description string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RefID, Expr, LegendFormat string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct {
		List []struct{ Expr string }
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, folder+"/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	known := metrics(t)
	fill := strings.NewReplacer("$__rate_interval", "1m", "$queue", "default")
	ids, places, asked := map[int]bool{}, map[[2]int]string{}, 0
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q: its id is another's too", p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %q shows nothing, or does not say what", p.Title)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if places[at] != "" || at[0] >= 24 {
					t.Fatalf("panel %q lies over %q, or beyond the edge", p.Title, places[at])
				}
				places[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			asked++
			for _, fault := range check(known, fill.Replace(target.Expr)) {
				t.Errorf("panel %q: %s", p.Title, fault)
			}
		}
	}
	if asked < 30 {
		t.Errorf("only %d questions", asked)
	}
	for _, a := range d.Annotations.List {
		for _, fault := range check(known, a.Expr) {
			t.Errorf("annotation: %s", fault)
		}
	}
	values := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		if m := values.FindStringSubmatch(v.Definition); m == nil || !slices.Contains(known[m[1]], m[2]) {
			t.Errorf("variable %s: there is no such label: %s", v.Name, v.Definition)
		}
	}
}
