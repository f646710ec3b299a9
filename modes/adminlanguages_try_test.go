package modes

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/web"
)

// What a language's samples come to is compared with what they must: here the one with an error has none.
func TestSamplesAreTried(t *testing.T) {
	ts := startTestServer(t, testConfig(t))
	out, said := commanded(t, ExitVerdict, "languages", "test", "--server", ts.client.base)
	contains(t, "languages test", out, "script", "hello", "accepted", "time_limit_exceeded", "NO, wanted runtime_error")
	contains(t, "languages test", said, "1 of 3 samples")
	out, _ = commanded(t, ExitVerdict, "languages", "test", "sc", "--server", ts.client.base, "--json")
	var results []tried
	must(t, json.Unmarshal([]byte(out), &results))
	if len(results) != 3 || !results[0].OK || results[1].OK || !results[2].OK || results[0].CPU == nil || results[0].CompileMS != nil {
		t.Errorf("%+v", results)
	}
	_, said = commanded(t, ExitFailed, "languages", "test", "absent", "nonesuch", "--server", ts.client.base)
	contains(t, "an unknown language", said, `there is no language "nonesuch"`)
	// A language that is named and cannot be run is a result, not a failure of the command.
	r, err := ts.client.try(t.Context(), web.LanguageInfo{Name: "absent"}, trial{
		name: "hello", expected: sandbox.Accepted, request: web.JobRequest{Language: "absent", SourceCode: new(string)},
	})
	if err != nil || r.OK || !strings.Contains(r.Note, "images build absent") {
		t.Errorf("%+v, %v", r, err)
	}
}

// Nothing is started for a language that there is not: its name is told at once, with what may have been meant.
func TestUnknownLanguagesAreToldFirst(t *testing.T) {
	data := t.TempDir()
	for _, args := range [][]string{
		{"languages", "test", "bash", "pyhton"},
		{"capacity", "--lang", "pyhton"},
		{"languages", "remove", "pyhton"},
		{"languages", "remove", "python", "--version", "2"},
	} {
		out, said := commanded(t, ExitFailed, append(args, "--data", data)...)
		contains(t, strings.Join(args, " "), said, `language "py`, "python")
		if out != "" || strings.Contains(said, "measuring") || strings.Contains(said, "no terminal") {
			t.Errorf("%q begins all the same: %s%s", args, out, said)
		}
	}
	if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
		t.Errorf("the data folder has %v, %v", left, err)
	}
}

func TestCapacityIsMeasured(t *testing.T) {
	t.Parallel()
	ts := startTestServer(t, testConfig(t))
	l, err := ts.client.capacityLanguage(t.Context(), "")
	must(t, err)
	m := capacityMeasured{Slots: 1, Processors: 1}
	m.OneSlot, err = m.measure(t.Context(), ts.client, l, 1)
	if err != nil || m.OneSlot <= 0 || m.CPU != 1 || m.Peak != 1<<20 || m.Language != "script 1" || m.Limit != 1<<26 {
		t.Errorf("measured %+v, %v", m, err)
	}
	if _, err := ts.client.capacityLanguage(t.Context(), "nonesuch"); err == nil {
		t.Error("it is measured with a language that there is not")
	}
}

func TestOtherLoadIsTold(t *testing.T) {
	t.Parallel()
	for load, told := range map[string]bool{"0.52 0.58 0.59 1/467 12345": false, "0.61 0 0 1/1 1": true, "24.17 23.70 21.35 9/467 12345": true, "": false, "odd": false} {
		if said := otherLoad(load+"\n", 2); (said != "") != told {
			t.Errorf("of %q it says %q", load, said)
		}
	}
}

func TestCapacityPlan(t *testing.T) {
	t.Parallel()
	const limit = 256 << 20
	each := containerd.MemoryOfRun(limit)
	for name, c := range map[string]struct {
		m    capacityMeasured
		fit  int64
		says string
	}{
		"memory":     {capacityMeasured{Processors: 8, Slots: 8, OneSlot: 10, AllSlots: 70, Memory: 3*each + 1}, 3, "memory is short now: 3 of 8"},
		"slots":      {capacityMeasured{Processors: 8, Slots: 2, OneSlot: 10, AllSlots: 20, Memory: 100 * each}, 8, "raise worker.slots to 8"},
		"processors": {capacityMeasured{Processors: 4, Slots: 4, OneSlot: 10, AllSlots: 12, Memory: 100 * each}, 4, "processors are short now"},
		"well":       {capacityMeasured{Processors: 4, Slots: 8, OneSlot: 10, AllSlots: 39, Memory: math.MaxInt64}, 4, "the memory suffices"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.m.Limit, c.m.CPU = limit, 20
			p := c.m.plan(100)
			used := float64(min(c.m.Slots, c.m.Processors))
			if p.Fit != c.fit || p.PerProcessor != c.m.AllSlots/used || !strings.Contains(p.Advice[0], c.says) {
				t.Errorf("%+v", p)
			}
			if want := int(math.Ceil(100 / p.PerProcessor / capacityLoad)); p.Target.Processors != want || p.Target.Machines*c.m.Processors < want {
				t.Errorf("target %+v, want %d processors", p.Target, want)
			}
			var text strings.Builder
			must(t, p.print(&text))
			contains(t, "the plan", text.String(), "The arithmetic:", "slots that fit", "272 MiB", "What to add when:")
		})
	}
}
