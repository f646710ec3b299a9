package kube

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// monitoringModule has the Prometheus operator's types; its schemas are in no module.
const monitoringModule = "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring@v0.86.2"

// structs are types with the types of their fields, by the fields' names in JSON; an empty name is a field
// whose own fields stand in its place.
type structs map[string]map[string][]string

// parseTypes reads the structs of a package's source, each field's type by its name alone.
func parseTypes(t *testing.T, dir string) structs {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no source (%v)", dir, err)
	}
	all := structs{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				all[spec.Name.Name] = fieldsOf(s)
			}
			return false
		})
	}
	return all
}

func fieldsOf(s *ast.StructType) map[string][]string {
	fields := map[string][]string{}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value)
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		fields[name] = append(fields[name], typeName(f.Type))
	}
	return fields
}

// typeName gives the name of a type, of what it points to or of its elements.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// unknown lists the fields below a node of a type that the type has not.
func (all structs) unknown(typ string, node any, at string) (found []string) {
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			found = append(found, all.unknown(typ, v, at)...)
		}
	case object:
		if all[typ] == nil { // of another package
			return nil
		}
		for key, value := range n {
			if types, ok := all.field(typ, key); ok {
				found = append(found, all.unknown(types, value, at+"."+key)...)
			} else {
				found = append(found, at+"."+key)
			}
		}
	}
	return found
}

func (all structs) field(typ, key string) (string, bool) {
	if types := all[typ][key]; len(types) > 0 && key != "" {
		return types[0], true
	}
	for _, inner := range all[typ][""] {
		if found, ok := all.field(inner, key); ok {
			return found, true
		}
	}
	return "", false
}

// What the Prometheus operator is told it knows, and the ports that it scrapes are those of pods or of a Service.
func TestMonitors(t *testing.T) {
	t.Parallel()
	types := parseTypes(t, filepath.Join(module(t, monitoringModule), "v1"))
	all := objects(t, renderings(t)["monitors"])
	monitors := append(of(all, "ServiceMonitor"), of(all, "PodMonitor")...)
	if len(monitors) != 2 {
		t.Fatalf("there are %d monitors", len(monitors))
	}
	for _, o := range monitors {
		if text(o, "apiVersion") != "monitoring.coreos.com/v1" {
			t.Errorf("%s is of %s", name(o), text(o, "apiVersion"))
		}
		if unknown := types.unknown(text(o, "kind")+"Spec", at(o, "spec"), "spec"); len(unknown) > 0 {
			t.Errorf("%s has %v", name(o), unknown)
		}
	}
	if types.unknown("PodMonitorSpec", object{"podMetricsEndpoints": []any{object{"prot": "a"}}}, "spec") == nil {
		t.Error("a field that there is not passes")
	}
	service := of(all, "Service")
	for _, s := range service {
		if text(s, "metadata", "name") == "optimus-api" && text(s, "spec", "ports", 1, "name") != text(monitors[0], "spec", "endpoints", 0, "port") {
			t.Error("the Service has no port of the ServiceMonitor's name")
		}
	}
	for owner, template := range pods(all) {
		if !strings.Contains(owner, "worker") {
			continue
		}
		if port := text(template, "spec", "containers", 0, "ports", 0, "name"); port != text(monitors[1], "spec", "podMetricsEndpoints", 0, "port") {
			t.Errorf("%s has the port %s", owner, port)
		}
	}
}
