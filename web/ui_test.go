package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"optimus/web"
)

// TestPageIsWhole loads the page and all that it refers to, as a browser without a key does.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	a := h.do(http.MethodGet, "/", "").want(http.StatusOK)
	if a.Header.Get("Content-Type") != "text/html; charset=utf-8" || a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("headers %v", a.Header)
	}
	policy := a.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q has not %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "data:") {
		t.Errorf("policy %q", policy)
	}
	page := string(a.Body)
	if regexp.MustCompile(`<script>|<style| style=| on[a-z]+=|https?://`).MatchString(page) {
		t.Error("the page has inline script or style, which its policy forbids, or refers to another host")
	}
	refs := regexp.MustCompile(`(?:href|src)="([^"#]+)"`).FindAllStringSubmatch(page, -1)
	if len(refs) < 3 {
		t.Errorf("the page refers to %v", refs)
	}
	for _, m := range refs {
		if !strings.HasPrefix(m[1], "./") {
			t.Errorf("%s is not relative: it fails under a prefix", m[1])
		}
		f := h.do(http.MethodGet, path.Join("/", m[1]), "").want(http.StatusOK)
		if !strings.Contains(f.Header.Get("Cache-Control"), "immutable") || f.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", m[1], f.Header)
		}
	}
}

// TestPageFiles asks for every file that was built, plain and packed.
func TestPageFiles(t *testing.T) {
	t.Parallel()
	h := setup(t)
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	files, err := fs.Glob(os.DirFS("ui/dist"), "ui/assets/*")
	must(t, err)
	if len(files) < 5 {
		t.Fatalf("the built files are %v", files)
	}
	for _, name := range files {
		want, err := os.ReadFile("ui/dist/" + name)
		must(t, err)
		plain := h.do(http.MethodGet, "/"+name, "").want(http.StatusOK)
		packed := h.do(http.MethodGet, "/"+name, "", "Accept-Encoding", "br, gzip").want(http.StatusOK)
		if plain.Header.Get("Content-Encoding") != "" || !bytes.Equal(plain.Body, want) || plain.Header.Get("Content-Type") != types[path.Ext(name)] {
			t.Errorf("%s is served otherwise, headers %v", name, plain.Header)
		}
		r, err := gzip.NewReader(bytes.NewReader(packed.Body))
		must(t, err)
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) || packed.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is packed wrongly: %v, headers %v", name, err, packed.Header)
		}
	}
}

func TestPageHasNoOtherFiles(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, name := range []string{"/ui/assets/none.js", "/ui/assets/..%2f..%2findex.html", "/ui/assets/", "/ui/dist/index.html", "/index.html", "/ui/LICENSES.md"} {
		if a := h.do(http.MethodGet, name, "").want(http.StatusNotFound); a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: headers %v", name, a.Header)
		}
	}
}

// TestPageIsSmall adds up what a browser loads before a first program can be run: the page, its view Run,
// and what these import. The editor's grammars come after, one at a time.
func TestPageIsSmall(t *testing.T) {
	t.Parallel()
	const most = 250_000
	h := setup(t)
	index := string(h.do(http.MethodGet, "/", "").want(http.StatusOK).Body)
	names := regexp.MustCompile(`[a-zA-Z]+-[\w-]{8}\.(?:js|css|svg)`).FindAllString(index, -1)
	views, err := fs.Glob(os.DirFS("ui/dist/ui/assets"), "run-*")
	must(t, err)
	if len(names) < 3 || len(views) == 0 {
		t.Fatalf("files %v, views %v", names, views)
	}
	names = append(names, views...)
	size := 0
	imports := regexp.MustCompile(`(?:from|import)\s*["']\./([^"']+)["']`)
	for i := 0; i < len(names); i++ {
		if slices.Index(names, names[i]) < i {
			continue
		}
		size += len(h.do(http.MethodGet, "/ui/assets/"+names[i], "", "Accept-Encoding", "gzip").want(http.StatusOK).Body)
		text, err := os.ReadFile("ui/dist/ui/assets/" + names[i])
		must(t, err)
		for _, m := range imports.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	t.Logf("%d bytes, packed", size)
	if size > most {
		t.Errorf("the first load is %d bytes, packed; want at most %d", size, most)
	}
}

// TestOpenAPIWithoutAServer compares what clients are generated from with what a server shows.
func TestOpenAPIWithoutAServer(t *testing.T) {
	t.Parallel()
	doc, err := web.OpenAPI(web.Options{Version: "1.2.3"})
	must(t, err)
	if shown := setup(t).do(http.MethodGet, "/openapi.json", "").want(http.StatusOK).Body; !bytes.Equal(doc, shown) {
		t.Error("it differs from what a server shows")
	}
}
