package modes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/web"
)

// lines has the log's messages and errors, one a value.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// says waits for a line of the log.
func (l lines) says(t *testing.T, words string) string {
	t.Helper()
	for {
		select {
		case line := <-l:
			if strings.Contains(line, words) {
				return line
			}
		case <-t.Context().Done():
			t.Fatalf("the log does not say %q", words)
		}
	}
}

// A server that is asked to reads its configuration and catalogue anew: keys, limits, languages. What
// runs goes on; what is wrong changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, catalogue := filepath.Join(dir, "optimus.toml"), filepath.Join(dir, "languages.json")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func(secret string) string {
		hash := sha256.Sum256([]byte(secret))
		return "[[keys]]\nname = \"course\"\nhash = \"" + hex.EncodeToString(hash[:]) + "\"\n"
	}
	language := func(name string) string {
		return `{"languages":[{"name":"` + name + `","version":"1","image":"optimus.local/none:1","source_file":"main","run":["main"]}]}`
	}
	settings := "catalogue = \"" + catalogue + "\"\ndata = \"" + dir + "\"\n[server]\nlisten = \"127.0.0.1:0\"\nmax_batch = 2\n[worker]\nenabled = false\n"
	write(catalogue, language("first"))
	write(file, settings+key("the-first-key-of-the-course"))
	cfg, err := config.Load(config.LoadOptions{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	log, asked := make(lines, 1000), make(chan os.Signal, 1)
	p := Process{Version: "test", Reload: func(context.Context) <-chan os.Signal { return asked }}
	s := newServer(p, cfg, zerolog.New(log), nil)
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	languages := func(secret string) (names []string, err error) {
		c := &client{base: "http://" + s.address, key: secret, http: http.DefaultClient}
		var list web.LanguageList
		err = c.call(t.Context(), http.MethodGet, "/v1/languages", nil, &list)
		for _, l := range list.Languages {
			names = append(names, l.Name)
		}
		return names, err
	}
	want := func(secret, name string) {
		t.Helper()
		if names, err := languages(secret); err != nil || len(names) != 1 || names[0] != name {
			t.Errorf("languages %v, error %v, want %s", names, err, name)
		}
	}
	reload := func(says string) string {
		t.Helper()
		asked <- os.Interrupt
		return log.says(t, says)
	}
	want("the-first-key-of-the-course", "first")

	write(catalogue, language("second"))
	write(file, strings.Replace(settings, "max_batch = 2", "max_batch = 3", 1)+key("the-second-key-of-the-course"))
	if line := reload("was read anew"); strings.Contains(line, "hold_from") {
		t.Errorf("what can be read anew is said to need a start: %s", line)
	}
	want("the-second-key-of-the-course", "second")
	if _, err := languages("the-first-key-of-the-course"); err == nil {
		t.Error("a key that is gone is taken")
	}

	write(catalogue, `{"languages":[{"name":"third"}]}`)
	if line := reload("was not read anew"); !strings.Contains(line, "source_file") {
		t.Errorf("a wrong catalogue is refused with %s", line)
	}
	write(catalogue, language("third"))
	write(file, settings+"[limits]\nmemory = \"much\"\n")
	if line := reload("was not read anew"); !strings.Contains(line, "limits.memory") {
		t.Errorf("a wrong setting is refused with %s", line)
	}
	want("the-second-key-of-the-course", "second")

	write(file, strings.Replace(settings, "127.0.0.1:0", "127.0.0.1:1", 1)+"[store]\ndepth = 5\n"+key("the-second-key-of-the-course"))
	if line := reload("was read anew"); !strings.Contains(line, "server.listen, store.depth") {
		t.Errorf("what needs a start is not told: %s", line)
	}
	want("the-second-key-of-the-course", "third")
}
