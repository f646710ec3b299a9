package modes

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"optimus/config"
	"optimus/web"
)

func TestTheOriginalHasBoundsOfItsOwn(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Original = config.Original{MaxTests: 3, MaxSource: 4000, MaxInput: 5000, MaxExpected: 6000, MaxTimeout: 7e9, DefaultTimeout: 8e8}
	want := web.OriginalLimits{Tests: 3, Source: 4000, Input: 5000, Expected: 6000, MaxTimeout: 7e9, DefaultTimeout: 8e8}
	got := webOptions(web.Options{}, cfg).Limits
	if got.Original != want {
		t.Errorf("the original's limits are %+v, want %+v", got.Original, want)
	}
	if got.Tests != cfg.Limits.MaxTests {
		t.Errorf("a job of /v1 may have %d tests, want %d", got.Tests, cfg.Limits.MaxTests)
	}
}

func TestTheRateHoldsWithAndWithoutKeys(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Server.Rate = 0.1
	cfg.Keys = []config.Key{{Name: "slow"}, {Name: "fast", Rate: 2}}
	got := webOptions(web.Options{}, cfg)
	if got.PerMinute != 6 || got.Keys[0].PerMinute != 6 || got.Keys[1].PerMinute != 120 {
		t.Errorf("requests a minute: %d without keys, %d by default, %d as stated", got.PerMinute, got.Keys[0].PerMinute, got.Keys[1].PerMinute)
	}
}

// TestZeroIsNoDefault: a setting that may be 0 means 0, down to where it is heeded.
func TestZeroIsNoDefault(t *testing.T) {
	t.Parallel()
	var zero config.Config
	st := storeOptions(zero.Store).WithDefaults()
	runner := runnerOptions(zero)
	heeded := map[string]bool{
		"server.rate":            webOptions(web.Options{}, zero).PerMinute == 0,
		"store.depth":            st.MaxDepth == 0,
		"store.max_bytes":        st.MaxBytes == 0,
		"store.retention":        st.Retention == 0,
		"store.failed_retention": st.FailedRetention == 0,
		"store.tenant_running":   st.TenantRunning == 0,
		"store.tenant_queued":    st.TenantQueued == 0,
		"worker.slots":           runner.Slots == runtime.GOMAXPROCS(0), // as it says
		"worker.grace":           workerGrace(zero.Worker) < time.Microsecond,
		"sandbox.dedicated_pool": runner.Pool == 0,
		"sandbox.idle":           runner.Idle == 0,
		"monitoring.trace_share": !sampled(t, zero.Monitoring.TraceShare),
		"kubernetes.grace":       true, // as long as the longest job takes: the kept rendering is held to it
	}
	var settings []string
	for section := range reflect.TypeFor[config.Config]().Fields() {
		if section.Type.Kind() != reflect.Struct {
			continue
		}
		for field := range section.Type.Fields() {
			if least := field.Tag.Get("min"); least == "0" || least == "0s" {
				settings = append(settings, section.Tag.Get("toml")+"."+field.Tag.Get("toml"))
			}
		}
	}
	if known := slices.Sorted(maps.Keys(heeded)); !slices.Equal(known, slices.Sorted(slices.Values(settings))) {
		t.Errorf("%q may be 0, and %q are looked at", settings, known)
	}
	for setting, ok := range heeded {
		if !ok {
			t.Errorf("%s = 0 means something else", setting)
		}
	}
}

// sampled tells whether a job of no other's trace is traced.
func sampled(t *testing.T, share float64) bool {
	t.Helper()
	return sampler(share).ShouldSample(sdktrace.SamplingParameters{ParentContext: t.Context()}).Decision == sdktrace.RecordAndSample
}

// TestEverySettingIsRead looks for each setting in the sources: one that nothing reads does nothing.
func TestEverySettingIsRead(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.go", "../deploy/*.go", "../deploy/kubernetes/templates/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	var sources strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	all := sources.String()
	for section := range reflect.TypeFor[config.Config]().Fields() {
		if section.Type.Kind() != reflect.Struct || !section.IsExported() {
			continue
		}
		for field := range section.Type.Fields() {
			// Settings are read from the whole, or from a section that a function gets as c or cfg. Manifests have
			// those of Kubernetes as their own.
			from := `(\.` + section.Name + `|\bc|\bcfg)`
			if section.Name == "Kubernetes" {
				from = ``
			}
			read := regexp.MustCompile(from + `\.` + field.Name + `\b`)
			if !read.MatchString(all) {
				t.Errorf("nothing reads the setting %s.%s", section.Name, field.Name)
			}
		}
	}
}
