package kube

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Where the schemas come from, with the checksums of these modules. Nothing of them is compiled.
func sources() map[string]string {
	return map[string]string{
		"k8s.io/kubernetes@v1.36.4": "h1:08GT0ZOMtyCcRnslyvnpWurf1wm20KHbC/aRS+0LxSo=",
		kedaModule:                  "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
		monitoringModule:            "h1:VRXUgbGmpmjZgFYiUnTwlC+JjfCUs5KKFsorJhI1ZKQ=",
	}
}

// module gives the folder of a module's source.
func module(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", name).Output()
	var found struct{ Dir, Sum, Error string }
	if json.Unmarshal(out, &found) != nil || found.Dir == "" {
		t.Fatalf("go mod download %s: %v %s", name, err, found.Error)
	}
	if found.Sum != sources()[name] {
		t.Fatalf("%s has the checksum %s", name, found.Sum)
	}
	return found.Dir
}

// definitions is where all schemas lie in one file.
const definitions = "all.json"

// writeSchemas writes strict JSON schemas of Kubernetes's and KEDA's kinds, named as kubeconform looks for
// them, and gives their folder.
func writeSchemas(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	all := read(t, filepath.Join(module(t, "k8s.io/kubernetes@v1.36.4"), "api/openapi-spec/swagger.json"), json.Unmarshal)["definitions"].(object)
	for name, d := range all {
		switch name[strings.LastIndex(name, ".")+1:] {
		case "Quantity":
			all[name] = object{"type": []any{"string", "number"}}
		case "Time", "MicroTime":
			all[name] = object{"type": []any{"string", "null"}}
		}
		for _, k := range items(d, "x-kubernetes-group-version-kind") {
			writeKind(t, dir, name, text(k, "group"), text(k, "version"), text(k, "kind"))
		}
	}
	files, err := filepath.Glob(filepath.Join(module(t, kedaModule), "config/crd/bases/keda.sh_*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("KEDA has no schemas (%v)", err)
	}
	for _, file := range files {
		spec := at(read(t, file, func(b []byte, v any) error { return yaml.Unmarshal(b, v) }), "spec")
		kind := text(spec, "names", "kind")
		schema, _ := at(spec, "versions", 0, "schema", "openAPIV3Schema").(object)
		at(schema, "properties").(object)["metadata"] = object{"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
		all["keda."+kind] = schema
		writeKind(t, dir, "keda."+kind, text(spec, "group"), text(spec, "versions", 0, "name"), kind)
	}
	strict(all)
	write(t, filepath.Join(dir, definitions), object{"definitions": all})
	return dir
}

func writeKind(t *testing.T, dir, definition, group, version, kind string) {
	t.Helper()
	suffix, apiVersion := "-"+version, version
	if group != "" {
		suffix, apiVersion = "-"+strings.Split(group, ".")[0]+suffix, group+"/"+version
	}
	write(t, filepath.Join(dir, strings.ToLower(kind+suffix)+".json"), object{
		"properties": object{"apiVersion": object{"const": apiVersion}, "kind": object{"const": kind}},
		"required":   []any{"apiVersion", "kind"},
		"$ref":       definitions + "#/definitions/" + definition,
	})
}

// strict has every schema below a node refuse fields that it does not name, and puts into JSON Schema's words
// what OpenAPI and Kubernetes have words of their own for.
func strict(node any) {
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			strict(v)
		}
	case object:
		if n["format"] == "int-or-string" || n["x-kubernetes-int-or-string"] == true {
			clear(n)
			n["type"] = []any{"string", "integer"}
			return
		}
		if one, ok := n["type"].(string); ok && n["nullable"] == true {
			n["type"] = []any{one, "null"}
		}
		if _, ok := n["format"].(string); ok {
			delete(n, "format")
		}
		_, named := n["properties"].(object)
		_, open := n["additionalProperties"]
		if named && !open && n["x-kubernetes-preserve-unknown-fields"] != true {
			n["additionalProperties"] = false
		}
		for _, v := range n {
			strict(v)
		}
	}
}

func read(t *testing.T, file string, decode func([]byte, any) error) object {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := decode(b, &o); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return o
}

func write(t *testing.T, file string, o object) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every object keeps to its schema: no field too many, none of a wrong type, none that must be there missing.
func TestSchemas(t *testing.T) {
	t.Parallel()
	v, err := validator.New([]string{writeSchemas(t) + "/{{.ResourceKind}}{{.KindSuffix}}.json"}, validator.Opts{
		Strict: true, SkipKinds: map[string]struct{}{"ServiceMonitor": {}, "PodMonitor": {}}, // see TestMonitors
	})
	if err != nil {
		t.Fatal(err)
	}
	for rendering, files := range renderings(t) {
		for name, text := range files {
			if name == "kustomization.yaml" {
				continue
			}
			for _, r := range v.Validate(name, io.NopCloser(strings.NewReader(text))) {
				if r.Status == validator.Invalid || r.Status == validator.Error {
					t.Errorf("%s: %s: %v", rendering, name, r.Err)
				}
			}
		}
	}
	// It would have objected.
	for what, broken := range map[string]string{
		"a field that there is not": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selektor: {a: b}}\n",
		"a wrong type":              "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: \"two\", selector: {}, template: {}}\n",
		"what must be there":        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\nspec: {scaleTargetRef: {name: a}}\n",
		"another version":           "apiVersion: autoscaling/v3\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n",
	} {
		found := v.Validate("broken", io.NopCloser(strings.NewReader(broken)))
		if len(found) != 1 || found[0].Status == validator.Valid {
			t.Errorf("%s passes", what)
		}
	}
}

// `kubectl apply -k` takes each rendering, and finds all of its objects.
func TestKustomize(t *testing.T) {
	t.Parallel()
	for rendering, files := range renderings(t) {
		dir := filepath.Join(variants, rendering)
		if rendering == "default" {
			dir = kept
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
		if err != nil {
			t.Errorf("%s: %v", rendering, err)
			continue
		}
		if want := len(objects(t, files)); built.Size() != want {
			t.Errorf("%s: kustomize finds %d objects of %d", rendering, built.Size(), want)
		}
	}
}
