package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/web"
)

// commanded runs a command line, not in parallel with others since the library has one flag --help for all, whose standard input is empty, and gives what it prints. A code that is
// not wanted fails the test.
func commanded(t *testing.T, code int, args ...string) (stdout, said string) {
	t.Helper()
	return commandedWith(t, "", code, args...)
}

func commandedWith(t *testing.T, stdin string, code int, args ...string) (stdout, said string) {
	t.Helper()
	var out, errs bytes.Buffer
	err := runOne(t, Process{Version: "v1", Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}, append([]string{"optimus", "admin"}, args...))
	said = errs.String()
	if err != nil {
		said += err.Error()
	}
	if got := ExitCode(err); got != code {
		t.Fatalf("optimus admin %v gives code %d, want %d:\n%s%s", args, got, code, out.String(), said)
	}
	return out.String(), said
}

// apiServer starts a server without a worker on loopback, with the optimus.toml that it makes in dir, and
// gives its base address.
func apiServer(t *testing.T, dir string) (base string) {
	t.Helper()
	file := filepath.Join(dir, "optimus.toml")
	must(t, os.WriteFile(file, []byte("data = \""+dir+"\"\n[server]\nlisten = \"127.0.0.1:0\"\n[worker]\nenabled = false\n"), 0o600))
	cfg, err := config.Load(config.LoadOptions{Path: file})
	must(t, err)
	s := newServer(Process{Version: "test"}, cfg, zerolog.Nop(), nil)
	must(t, s.start(t.Context()))
	t.Cleanup(func() { must(t, s.stop(context.WithoutCancel(t.Context()))) })
	return "http://" + s.address
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeysCommands(t *testing.T) {
	dir := t.TempDir()
	_, said := commanded(t, ExitFailed, "keys", "list", "--data", filepath.Join(dir, "mistyped"))
	contains(t, "keys of no store", said, "there is no store")
	_, said = commanded(t, ExitFailed, "keys", "create", "course", "--data", dir)
	contains(t, "the first key of no admin", said, "no key with the role admin yet")
	secret, said := commanded(t, ExitOK, "keys", "create", "root", "--role", "admin", "--data", dir)
	contains(t, "keys create", said, "shown this once", "admin")
	if !strings.HasPrefix(secret, web.KeyPrefix) || strings.Count(secret, "\n") != 1 {
		t.Errorf("standard output has %q", secret)
	}
	file := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(file, []byte(secret), 0o600))

	base := apiServer(t, dir)
	_, said = commanded(t, ExitFailed, "keys", "list", "--data", dir)
	contains(t, "a store that a server has", said, "--server URL")
	_, said = commanded(t, ExitFailed, "queues", "list", "--server", base)
	contains(t, "no key", said, envKey)
	at := func(args ...string) []string { return append(args, "--server", base, "--key-file", file) }
	out, _ := commanded(t, ExitOK, at("keys", "create", "course", "--role", "submit", "--rate", "2.5", "--expires", "90d", "--json")...)
	var made web.NewKey
	must(t, json.Unmarshal([]byte(out), &made))
	if made.Name != "course" || made.Rate != 2.5 || len(made.Roles) != 1 || time.Until(made.ExpiresAt) < 89*24*time.Hour {
		t.Errorf("made %+v", made)
	}
	out, _ = commanded(t, ExitOK, at("keys", "list")...)
	contains(t, "keys list", out, "root", "course", "2.5/s", "valid", made.ID)
	if strings.Contains(out, made.Secret) || strings.Contains(out, strings.TrimSpace(secret)) {
		t.Error("a list shows keys")
	}
	rotated, _ := commanded(t, ExitOK, at("keys", "rotate", "course", "--overlap", "1h")...)
	if rotated == made.Secret+"\n" {
		t.Error("a rotation gives the old key")
	}
	_, said = commanded(t, ExitFailed, at("keys", "revoke", "course", "--yes")...)
	contains(t, "two of a name", said, "2 keys are called", made.ID)
	_, said = commanded(t, ExitUsage, at("keys", "revoke", made.ID)...)
	contains(t, "no terminal", said, "--yes")
	commanded(t, ExitOK, at("keys", "revoke", made.ID, "--yes")...)
	_, said = commanded(t, ExitFailed, at("keys", "revoke", made.ID, "--yes")...)
	contains(t, "revoked already", said, "there is no key")
	_, said = commanded(t, ExitFailed, at("keys", "revoke", "root", "--yes")...)
	contains(t, "the last key", said, "last key with the role admin")
	commanded(t, ExitUsage, at("keys", "rotate", "root")...)
}

func TestKeysCommandsHostile(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"in the past":                     {"a", "--expires", "2001-01-01"},
		"want a time from now":            {"a", "--expires", "soon"},
		"lower-case name":                 {"A b", "--role", "admin"},
		"lower-case name of 1":            {"../../etc", "--role", "admin"},
		"want one of submit, read, admin": {"a", "--role", "owner"},
		"there twice":                     {"a", "--role", "admin", "--role", "admin"},
		"requests per second":             {"a", "--role", "admin", "--rate=-1"},
		"name the key":                    {},
	} {
		var out bytes.Buffer
		p := Process{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
		err := runOne(t, p, append([]string{"optimus", "admin", "keys", "create", "--data", dir}, args...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("keys create %q gives %v, want it to say %q", args, err, want)
		}
	}
	if out, _ := commanded(t, ExitOK, "keys", "list", "--data", dir, "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("refused keys are kept: %s", out)
	}
}

// Beyond loopback a server without a key does not start, and one with stored keys alone lets nobody in
// without one, also when the last of them is gone.
func TestServersBeyondLoopback(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Data, cfg.Server.Listen, cfg.Worker.Enabled = dir, "0.0.0.0:0", false
	err := newServer(Process{}, cfg, zerolog.Nop(), nil).start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "optimus admin keys create") {
		t.Errorf("it starts: %v", err)
	}
	if !webOptions(web.Options{}, cfg).RequireKeys {
		t.Error("without keys it is open")
	}
	check := []string{"config", "check", "--config", filepath.Join(dir, "optimus.toml")}
	must(t, os.WriteFile(check[3], []byte("data = \""+dir+"\"\n[server]\nlisten = \":8080\"\n"), 0o600))
	_, said := commanded(t, ExitFailed, check...)
	contains(t, "config check", said, "optimus admin keys create")
	commanded(t, ExitOK, "keys", "create", "root", "--role", "admin", "--data", dir)
	commanded(t, ExitOK, check...)
	cfg.Server.Listen = "127.0.0.1:0"
	if webOptions(web.Options{}, cfg).RequireKeys {
		t.Error("on loopback it needs a key")
	}
}
