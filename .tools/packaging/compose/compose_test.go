// Package compose holds what `optimus admin render compose` prints to Compose's own specification.
package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// render has the program print a compose.yaml.
func render(t *testing.T, env []string, args ...string) string {
	t.Helper()
	binary, err := filepath.Abs("../../../optimus")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"admin", "render", "compose"}, args...)...)
	cmd.Env = append([]string{"OPTIMUS_CONFIG=/dev/null"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s (`make build` makes the program)", err, out)
	}
	return string(out)
}

// load reads a compose.yaml as `docker compose` does.
func load(t *testing.T, text string, env map[string]string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  t.TempDir(),
		ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: []byte(text)}},
		Environment: env,
	})
}

func TestComposeIsValid(t *testing.T) {
	t.Parallel()
	text := render(t, nil)
	p, err := load(t, text, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if names := p.ServiceNames(); !slices.Equal(names, []string{"api", "redis", "worker"}) {
		t.Errorf("services %q", names)
	}
	api, worker, redis := p.Services["api"], p.Services["worker"], p.Services["redis"]
	if api.Privileged || api.User != "" || !slices.Equal(api.CapDrop, []string{"ALL"}) {
		t.Errorf("the API may do more than it needs: %+v", api)
	}
	if !worker.Privileged || worker.Pid != "host" || worker.Cgroup != "host" || worker.User != "0:0" {
		t.Errorf("the worker cannot do what it must: %+v", worker)
	}
	for _, s := range p.Services { // "cannot create config in read-only service", it says, once it is up
		if s.ReadOnly && slices.ContainsFunc(s.Configs, func(c types.ServiceConfigObjConfig) bool { return p.Configs[c.Source].Content != "" }) {
			t.Errorf("service %s is read-only: Compose could not copy its settings into it", s.Name)
		}
	}
	for _, port := range api.Ports {
		if port.HostIP != "127.0.0.1" || port.Target != 8080 {
			t.Errorf("the API is published as %+v, want on loopback", port)
		}
	}
	for _, v := range worker.Volumes {
		if v.Source != v.Target {
			t.Errorf("the worker sees %s at %s: containerd must find it at the same path", v.Source, v.Target)
		}
	}
	for _, s := range []types.ServiceConfig{api, worker, redis} {
		for name, value := range s.Environment {
			if value != nil && strings.Contains(strings.ToLower(name), "password") {
				t.Errorf("service %s has a password in its environment", s.Name)
			}
		}
	}
	if script := strings.Join(redis.Command, " "); !strings.Contains(script, `"$(cat /run/secrets/redis_password)"`) {
		t.Errorf("redis runs %q, whose dollar signs Compose changed", script)
	}
	// What is no part of the specification is refused: the loader does check.
	if _, err := load(t, strings.Replace(text, "restart: unless-stopped", "restrat: unless-stopped", 1), nil); err == nil {
		t.Error("a misspelt key is taken")
	}
}

// TestSettingsInIt has the program read the settings that the file gives to its services.
func TestSettingsInIt(t *testing.T) {
	t.Parallel()
	p, err := load(t, render(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"api_key", "redis_password"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("k", 64)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings := filepath.Join(dir, "optimus.toml")
	text := strings.ReplaceAll(p.Configs["settings"].Content, "/run/secrets", dir)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "../../../optimus", "admin", "config", "check", "--config", settings)
	check.Env = []string{}
	for name, value := range p.Services["worker"].Environment {
		check.Env = append(check.Env, name+"="+*value)
	}
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestItGoesByTheSettings(t *testing.T) {
	t.Parallel()
	text := render(t, []string{
		"OPTIMUS_STORE_DEPTH=5", "OPTIMUS_WORKER_GRACE=10m", "OPTIMUS_SANDBOX_CONTAINERD=/run/k3s/containerd/containerd.sock",
		"OPTIMUS_REDIS_URL=rediss://:hunter2@redis.example:6379", "OPTIMUS_SERVER_LISTEN=:9000", "OPTIMUS_DATA=/srv/op$timus",
	}, "--image", "registry.example/optimus:v1")
	if strings.Contains(text, "hunter2") {
		t.Errorf("a secret is in it:\n%s", text)
	}
	if _, err := load(t, text, nil); err == nil || !strings.Contains(err.Error(), "OPTIMUS_REDIS_URL") {
		t.Errorf("without the secret it gives %v, want it to name the variable", err)
	}
	p, err := load(t, text, map[string]string{"OPTIMUS_REDIS_URL": "rediss://:hunter2@redis.example:6379"})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	worker := p.Services["worker"]
	for name, want := range map[string]string{
		"OPTIMUS_STORE_DEPTH": "5", "OPTIMUS_WORKER_GRACE": "10m", "OPTIMUS_DATA": "/srv/op$timus",
		"OPTIMUS_REDIS_URL": "rediss://:hunter2@redis.example:6379",
	} {
		if got := worker.Environment[name]; got == nil || *got != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	if names := p.ServiceNames(); !slices.Equal(names, []string{"api", "worker"}) {
		t.Errorf("with a queue of its own elsewhere, services %q", names)
	}
	if worker.Image != "registry.example/optimus:v1" || worker.StopGracePeriod == nil || !strings.HasPrefix(worker.StopGracePeriod.String(), "12m") {
		t.Errorf("image %s, stop after %v", worker.Image, worker.StopGracePeriod)
	}
	if !slices.ContainsFunc(worker.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == "/run/k3s/containerd" }) {
		t.Errorf("the worker has not k3s's containerd: %+v", worker.Volumes)
	}
}
