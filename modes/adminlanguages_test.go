package modes

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"optimus/config"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

const lua = `{
  "name": "lua",
  "version": "5.4",
  "image": "docker.io/library/lua:5.4",
  "source_file": "main.lua",
  "run": ["lua", "{source}", "{args}"]
}`

// written gives the languages of a file, by name and version.
func written(t *testing.T, path string) map[string]config.Language {
	t.Helper()
	all, err := config.LoadCatalogue(path)
	must(t, err)
	found := map[string]config.Language{}
	for _, l := range all.Languages {
		found[l.Name+" "+l.Version] = l
	}
	return found
}

func TestLanguagesAreEdited(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "lua.json")
	must(t, os.WriteFile(file, []byte(lua), 0o600))
	builtIn := written(t, "")
	at := filepath.Join(dir, catalogueName)
	out, said := commanded(t, ExitOK, "languages", "add", file, "--data", dir)
	contains(t, "languages add", out, "added lua 5.4 in "+at, "optimus admin images pull lua")
	contains(t, "languages add", said, "SIGHUP")
	if all := written(t, at); len(all) != len(builtIn)+1 || all["lua 5.4"].Image != "docker.io/library/lua:5.4" {
		t.Errorf("the file has %+v", all)
	}
	// As the original had it, from standard input, and several at once.
	commanded(t, ExitOK, "add-lang", "--name", "Zig", "--extension", ".zig", "--base-image", "ziglang/zig:0.13", "--command", "zig run", "--queue", "slow",
		"--memory", "512", "--cpu", "0.5", "--skip-docker", "--data", dir)
	if zig := written(t, at)["zig 0.13"]; zig.SourceFile != "main.zig" || zig.Limits.Memory != 512*config.MiB || zig.Queue != "slow" ||
		strings.Join(zig.Run, " ") != "zig run {source}" || zig.Image != "docker.io/ziglang/zig:0.13" || zig.Resources.Limits.CPU != "0.5" {
		t.Errorf("the flags make %+v", zig)
	}
	newer := strings.Replace(lua, `"5.4"`, `"5.5"`, 1)
	commandedWith(t, `{"languages":[`+newer+`,`+strings.Replace(lua, "main.lua", "prog.lua", 1)+`]}`, ExitOK, "languages", "add", "-", "--data", dir)
	if all := written(t, at); len(all) != len(builtIn)+3 || all["lua 5.4"].SourceFile != "prog.lua" {
		t.Errorf("replaced, the file has %+v", all)
	}
	out, _ = commanded(t, ExitOK, "languages", "list", "--local", "--data", dir)
	contains(t, "languages list --local", out, "zig", "lua", "5.5", "python")
	out, _ = commanded(t, ExitOK, "languages", "show", "lua", "--local", "--json", "--data", dir)
	commandedWith(t, out, ExitOK, "languages", "add", "-", "--data", dir) // what it shows it takes

	_, said = commanded(t, ExitUsage, "languages", "remove", "lua", "--data", dir)
	contains(t, "no terminal", said, "--yes")
	commanded(t, ExitOK, "languages", "remove", "lua", "--version", "5.4", "--yes", "--data", dir)
	if _, there := written(t, at)["lua 5.5"]; !there {
		t.Error("both versions are gone")
	}
	commanded(t, ExitOK, "remove-lang", "--name", "lua", "--yes", "--data", dir)
	commanded(t, ExitOK, "remove-lang", "zig", "--yes", "--data", dir)
	if all := written(t, at); len(all) != len(builtIn) {
		t.Errorf("the file has %+v", all)
	}
	_, said = commanded(t, ExitFailed, "languages", "remove", "lua", "--yes", "--data", dir)
	contains(t, "what is not there", said, `"lua" is not known`)
	_, said = commanded(t, ExitFailed, "languages", "remove", "py", "--yes", "--data", dir)
	contains(t, "an alias", said, `did you mean "python"`)
}

func TestLanguagesHostile(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, catalogueName)
	for want, text := range map[string]string{
		"ends too early": "[",
		"run":            `{"name":"a","version":"1","image":"docker.io/a/b:1","source_file":"m.a"}`,
		"surprise":       strings.Replace(lua, `"name"`, `"surprise":1,"name"`, 1),
		"lower-case":     strings.Replace(lua, `"lua",`, `"../lua",`, 1),
		"source_file":    strings.Replace(lua, "main.lua", "../../etc/passwd", 1),
		"limits.memory":  strings.Replace(lua, `"run"`, `"limits":{"memory":"900GiB"},"run"`, 1),
		"alias":          strings.Replace(lua, `"run"`, `"aliases":["py"],"run"`, 1),
		"execution":      strings.Replace(lua, `"run"`, `"execution":{},"run"`, 1),
		"at least one":   `{"languages":[]}`,
		"must be a list": `{"languages":"x"}`,
	} {
		t.Run(want, func(t *testing.T) {
			_, said := commandedWith(t, text, ExitFailed, "languages", "add", "-", "--data", dir)
			contains(t, "languages add", said, want)
			if _, err := os.Stat(at); err == nil {
				t.Error("a file was made")
			}
		})
	}
	for _, args := range [][]string{
		{},
		{"a", "b"},
		{"a", "--name", "b"},
		{"--name", "b"},
		{"--name", "b", "--ext", "c", "--base-image", ":::", "--command", "x"},
		{"--name", "b", "--ext", "c", "--base-image", "d", "--command", "x"},
		{"--name", "b", "--ext", "c", "--base-image", "d:1", "--command", "x", "--memory", "lots"},
	} {
		commanded(t, ExitUsage, append([]string{"languages", "add", "--data", dir}, args...)...)
	}
	commanded(t, ExitFailed, "languages", "add", filepath.Join(dir, "none.json"), "--data", dir)
}

// A link to a file, as Kubernetes has them, stays one; a catalogue that is named by the settings is changed where it is.
func TestEditsGoToTheFileItself(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	file, link := filepath.Join(dir, "real.json"), filepath.Join(data, catalogueName)
	must(t, os.WriteFile(file, []byte(`{"languages":[`+lua+`]}`), 0o600))
	must(t, os.Symlink(file, link))
	_, said := commanded(t, ExitFailed, "languages", "remove", "lua", "--yes", "--data", data)
	contains(t, "the last language", said, "would be empty")
	commandedWith(t, strings.Replace(lua, `"lua",`, `"luajit",`, 1), ExitOK, "languages", "add", "-", "--data", data)
	if all := written(t, file); len(all) != 2 {
		t.Errorf("the file has %v", all)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
}

func TestAReadOnlyCatalogue(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Data = "/sys/optimus" // where nobody can make anything, root neither
	e := &editor{settings: func() (config.Config, error) { return cfg, nil }, reload: func() error { t.Error("reloaded"); return nil }}
	var fixed *web.ReadOnlyError
	if _, err := e.Add(t.Context(), []byte(lua)); !errors.As(err, &fixed) {
		t.Fatalf("it gives %v", err)
	}
	contains(t, "a read-only catalogue", fixed.Reason, "/sys/optimus/languages.json", "Nothing was changed", "ConfigMap", "render kubernetes", "SIGHUP")
	// A server says so too, and what is somebody else's fault is not taken for it.
	if err := readOnly("x", os.ErrDeadlineExceeded); errors.As(err, &fixed) {
		t.Errorf("%v counts as read-only", err)
	}
}

// Of two servers on one queue the one that is asked changes its own catalogue, and says so.
func TestAnEditHoldsOnOneServer(t *testing.T) {
	t.Parallel()
	queue := redistest.Start(t).URL
	var servers []*testServer
	for range 2 {
		cfg, err := config.Load(config.LoadOptions{Flags: map[string]string{
			"data": t.TempDir(), "server.listen": "127.0.0.1:0", "redis.url": queue, "worker.enabled": "false",
		}})
		must(t, err)
		servers = append(servers, startTestServer(t, cfg))
	}
	has := func(ts *testServer) bool {
		_, err := ts.languages.Resolve("lua", "5.4")
		return err == nil
	}
	var done web.ChangedLanguages
	must(t, servers[0].client.call(t.Context(), http.MethodPost, "/v1/languages", json.RawMessage(lua), &done))
	contains(t, "the answer", done.Note, servers[0].config.Data, "another server", "SIGHUP")
	if !has(servers[0]) || has(servers[1]) {
		t.Errorf("the server that was asked has it: %v, the other: %v", has(servers[0]), has(servers[1]))
	}
}

func TestAServersLanguagesAreEdited(t *testing.T) {
	dir := t.TempDir()
	base := apiServer(t, dir)
	names := func() (all string) {
		out, _ := commanded(t, ExitOK, "languages", "list", "--server", base, "--json")
		var list []web.LanguageInfo
		must(t, json.Unmarshal([]byte(out), &list))
		for _, l := range list {
			all += " " + l.Name
		}
		return all
	}
	file := filepath.Join(t.TempDir(), "lua.json")
	must(t, os.WriteFile(file, []byte(lua), 0o600))
	out, _ := commanded(t, ExitOK, "languages", "add", file, "--server", base)
	contains(t, "languages add --server", out, "added lua 5.4 on "+base)
	contains(t, "the server's languages", names(), "lua", "python")
	if _, there := written(t, filepath.Join(dir, catalogueName))["lua 5.4"]; !there {
		t.Error("the server's file has it not")
	}
	commanded(t, ExitOK, "languages", "remove", "lua", "--yes", "--server", base)
	if strings.Contains(names(), "lua") {
		t.Error("it is still there")
	}
	_, said := commanded(t, ExitFailed, "languages", "remove", "lua", "--yes", "--server", base)
	contains(t, "what is not there", said, "lua")
	large := strings.Replace(lua, `"run"`, `"limits":{"memory":"900GiB"},"run"`, 1)
	must(t, os.WriteFile(file, []byte(large), 0o600))
	_, said = commanded(t, ExitFailed, "languages", "add", file, "--server", base)
	contains(t, "more than the limits", said, "limits.memory")
	if strings.Contains(names(), "lua") {
		t.Error("what was refused is there")
	}
	// Where its settings can no longer be read it changes nothing.
	must(t, os.WriteFile(filepath.Join(dir, "optimus.toml"), []byte("data = 1"), 0o600))
	must(t, os.WriteFile(file, []byte(lua), 0o600))
	_, said = commanded(t, ExitFailed, "languages", "add", file, "--server", base)
	contains(t, "settings that are wrong", said, "nothing was changed")
}

func TestTrials(t *testing.T) {
	t.Parallel()
	all, err := config.LoadCatalogue("")
	must(t, err)
	for _, l := range newCatalogue(all, nil).Languages() {
		trials := trialsOf(web.ViewLanguage(l))
		if len(trials) != 3 {
			t.Errorf("%s has %d samples", l.Name, len(trials))
		}
	}
	chosen, err := chosenLanguages([]web.LanguageInfo{{Name: "c", Available: true}, {Name: "cpp", Aliases: []string{"C++"}}}, []string{"c++"})
	if err != nil || len(chosen) != 1 || chosen[0].Name != "cpp" {
		t.Errorf("chosen %+v, %v", chosen, err)
	}
	if _, err := chosenLanguages(nil, nil); err == nil {
		t.Error("nothing to test is no error")
	}
}
