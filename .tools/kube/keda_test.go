package kube

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const kedaModule = "github.com/kedacore/keda/v2@v2.21.0"

// kedaSource gives a file of KEDA's source.
func kedaSource(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(module(t, kedaModule), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a trigger says KEDA knows: schemas leave it open. So does each parameter of its authentication, and
// what it counts is a hash.
func TestKEDAKnowsTheTriggers(t *testing.T) {
	t.Parallel()
	scaler, builder := kedaSource(t, "pkg/scalers/redis_scaler.go"), kedaSource(t, "pkg/scaling/scalers_builder.go")
	if !strings.Contains(scaler, "redis.call('hlen', listName)") {
		t.Error("KEDA does not count hashes")
	}
	known := map[string][]string{} // by where they may stand
	for _, m := range regexp.MustCompile(`keda:"name=([A-Za-z;]+), *order=([A-Za-z;]+)`).FindAllStringSubmatch(scaler, -1) {
		for _, where := range strings.Split(m[2], ";") {
			known[where] = append(known[where], strings.Split(m[1], ";")...)
		}
	}
	types := map[string]bool{}
	for rendering, files := range renderings(t) {
		all := objects(t, files)
		for _, o := range of(all, "ScaledObject") {
			trigger := at(o, "spec", "triggers", 0)
			types[text(trigger, "type")] = true
			if !strings.Contains(builder, `"`+text(trigger, "type")+`"`) {
				t.Errorf("%s: %s has a trigger of the type %s", rendering, name(o), text(trigger, "type"))
			}
			metadata, _ := at(trigger, "metadata").(object)
			for key, value := range metadata {
				if _, isText := value.(string); !isText || !slices.Contains(known["triggerMetadata"], key) {
					t.Errorf("%s: %s tells its trigger %s: %v", rendering, name(o), key, value)
				}
			}
			if key := text(metadata, "listName"); !regexp.MustCompile(`^\{[a-z]+:[1-9][0-9]*\}:unfinished$`).MatchString(key) {
				t.Errorf("%s: %s reads %s", rendering, name(o), key)
			}
			if ref := text(trigger, "authenticationRef", "name"); ref != "" && !slices.ContainsFunc(of(all, "TriggerAuthentication"),
				func(o object) bool { return text(o, "metadata", "name") == ref }) {
				t.Errorf("%s: %s asks for the authentication %s", rendering, name(o), ref)
			}
		}
		for _, o := range of(all, "TriggerAuthentication") {
			for _, ref := range items(o, "spec", "secretTargetRef") {
				if !slices.Contains(known["authParams"], text(ref, "parameter")) {
					t.Errorf("%s: KEDA takes no %s", rendering, text(ref, "parameter"))
				}
			}
		}
	}
	if len(types) != 3 {
		t.Errorf("the triggers of all renderings are of the types %v", types)
	}
}

// The operator is labelled as the policies have it, and in the namespace that is the default.
func TestKEDAIsWhoThePoliciesMean(t *testing.T) {
	t.Parallel()
	for _, o := range objects(t, map[string]string{"manager.yaml": kedaSource(t, "config/manager/manager.yaml")}) {
		if text(o, "metadata", "name") != "keda-operator" {
			continue
		}
		labels, _ := at(o, "spec", "template", "metadata", "labels").(object)
		for key, value := range keda.labels {
			if labels[key] != value {
				t.Errorf("KEDA's operator has the labels %v", labels)
			}
		}
		if text(o, "metadata", "namespace") != keda.namespace {
			t.Errorf("KEDA's operator is in %s", text(o, "metadata", "namespace"))
		}
		return
	}
	t.Error("KEDA has no operator")
}
