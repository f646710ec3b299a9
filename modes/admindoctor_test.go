package modes

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

// examined gives what the doctor says by these settings, and what it was told to look at on the machine.
func examined(t *testing.T, cfg config.Config) (checks []containerd.Check, asked []containerd.DoctorOptions) {
	t.Helper()
	checks, err := examineMachine(t.Context(), Process{Stderr: &bytes.Buffer{}}, cfg, func(_ context.Context, o containerd.DoctorOptions) []containerd.Check {
		asked = append(asked, o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return checks, asked
}

// An API without a worker, such as each of Kubernetes's, lacks what judges by design: of the machine nothing is
// asked, and the queue is.
func TestDoctorOfAnAPIWithoutWorker(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Worker.Enabled, cfg.Data = false, t.TempDir()
	cfg.Redis.URL = config.NewSecret(redistest.Start(t).URL)
	checks, asked := examined(t, cfg)
	if len(asked) > 0 || countChecks(checks, containerd.StatusFail) > 0 || !slices.ContainsFunc(checks, func(c containerd.Check) bool { return c.Name == "queue served" }) {
		t.Errorf("it asks %+v and says %+v", asked, checks)
	}
	cfg.Redis = config.Default().Redis
	if checks, _ := examined(t, cfg); !slices.ContainsFunc(checks, func(c containerd.Check) bool { return c.Name == "data folder" }) {
		t.Errorf("with a store of its own it says %+v", checks)
	}
}

// A worker of one queue needs its languages' images alone, which in a pod come by the node.
func TestDoctorOfAWorkerOfOneQueue(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Data, cfg.Sandbox.PodUID, cfg.Worker.Queues = t.TempDir(), "6f1c", []string{"slow"}
	cfg.Catalogue = "testdata/kubernetes/languages.json"
	all, err := config.LoadCatalogue(cfg.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Worker.Queues = []string{"python"}
	_, asked := examined(t, cfg)
	if len(asked) != 1 || len(asked[0].Images) == 0 {
		t.Fatalf("it asks %+v", asked)
	}
	for _, image := range asked[0].Images {
		if i := slices.IndexFunc(all.Languages, func(l config.Language) bool { return l.Name == image.Language }); all.Languages[i].Queue != "python" {
			t.Errorf("it looks for the image of %s", image.Language)
		}
		if !strings.HasPrefix(image.HowToGet, "on the node: optimus admin images ") {
			t.Errorf("the image is to be got by %q", image.HowToGet)
		}
	}
}

// A worker that takes nothing says why, in its own log.
func TestWorkerThatTakesNothing(t *testing.T) {
	t.Parallel()
	python := web.Language{Language: sandbox.Language{Name: "python"}, State: web.LanguageMissing, HowToGet: "optimus admin images pull python"}
	python.Queue = "python"
	here := python
	here.State = web.LanguageAvailable
	for name, c := range map[string]struct {
		all    []web.Language
		queues []string
		says   string
	}{
		"all is well":     {[]web.Language{here}, []string{"python"}, ""},
		"all queues":      {[]web.Language{here, python}, nil, ""},
		"a wrong name":    {[]web.Language{here}, []string{"pyton"}, `"queues":["pyton"],"message":"no language of the catalogue goes to this worker's queues`},
		"without images":  {[]web.Language{python}, []string{"python"}, `"get_it_with":"optimus admin images pull python","message":"this worker takes nothing`},
		"none of its own": {[]web.Language{python, {Language: sandbox.Language{Name: "c", Queue: "default"}, State: web.LanguageAvailable}}, []string{"python"}, "this worker takes nothing"},
	} {
		var out bytes.Buffer
		warnOfNone(c.all, c.queues, zerolog.New(&out))
		if got := out.String(); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
