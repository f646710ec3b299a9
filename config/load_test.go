package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// load loads with root's data folder and what edit changes.
func load(t *testing.T, edit func(*LoadOptions)) Config {
	t.Helper()
	o := LoadOptions{Root: true}
	edit(&o)
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// file writes an optimus.toml and gives its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	path := file(t, "optimus.toml", "[worker]\nslots = 2\nlease = \"10s\"\ngrace = \"7s\"\nqueues = ['a', 'b']\n")
	c := load(t, func(o *LoadOptions) {
		o.Path = path
		o.Env = []string{"OPTIMUS_WORKER_SLOTS=3", "OPTIMUS_WORKER_LEASE=20s", "OPTIMUS_WORKER_QUEUES=x, y,z"}
		o.Flags = map[string]string{"worker.slots": "4"}
		o.FlagNames = map[string]string{"worker.slots": "--slots"}
	})
	want := []struct{ path, value, origin string }{
		{"worker.enabled", "true", "default"},
		{"worker.grace", "7s", "file " + path + ":4"},
		{"worker.lease", "20s", "environment OPTIMUS_WORKER_LEASE"},
		{"worker.queues", "x,y,z", "environment OPTIMUS_WORKER_QUEUES"},
		{"worker.slots", "4", "flag --slots"},
	}
	got := map[string]Setting{}
	for _, s := range c.Settings() {
		got[s.Path] = s
	}
	for _, w := range want {
		if s := got[w.path]; s.Value != w.value || s.Origin.String() != w.origin {
			t.Errorf("%s is %q from %q, want %q from %q", w.path, s.Value, s.Origin, w.value, w.origin)
		}
	}
	if c.Worker.Slots != 4 || c.Worker.Lease != 20*time.Second {
		t.Errorf("worker = %+v", c.Worker)
	}
}

func TestLoadOriginalsVariables(t *testing.T) {
	t.Parallel()
	env := []string{"PORT=9000", "REDIS_URL=redis://:hunter2@queue:6379", "DEFAULT_TIMEOUT_MS=2500", "MAX_TIMEOUT_MS=30000"}
	c := load(t, func(o *LoadOptions) { o.Env = env })
	if c.Server.Listen != "127.0.0.1:9000" {
		t.Errorf("listen = %q", c.Server.Listen)
	}
	if c.Redis.URL.Reveal() != "redis://:hunter2@queue:6379" {
		t.Errorf("redis.url = %q", c.Redis.URL.Reveal())
	}
	if c.Original.DefaultTimeout != 2500*time.Millisecond || c.Original.MaxTimeout != 30*time.Second {
		t.Errorf("original = %+v", c.Original)
	}
	if got := c.Origin("server.listen").String(); got != "environment PORT" {
		t.Errorf("listen comes from %q", got)
	}
	c = load(t, func(o *LoadOptions) { o.Env = append(env, "OPTIMUS_SERVER_LISTEN=[::1]:7000") })
	if c.Server.Listen != "[::1]:7000" {
		t.Errorf("PORT won over OPTIMUS_SERVER_LISTEN: %q", c.Server.Listen)
	}
	load(t, func(o *LoadOptions) { o.Env = []string{"PORT=", "REDIS_URL=", "MAX_TIMEOUT_MS="} })
}

func TestLoadFindsFile(t *testing.T) {
	t.Parallel()
	named := file(t, "named.toml", "[worker]\nslots = 5\n")
	system := file(t, "system.toml", "[worker]\nslots = 6\n")
	missing := filepath.Join(t.TempDir(), "missing.toml")
	for _, tc := range []struct {
		name    string
		options LoadOptions
		slots   int
		fault   string
	}{
		{"none", LoadOptions{}, 0, ""},
		{"named before environment", LoadOptions{Path: named, Env: []string{"OPTIMUS_CONFIG=" + missing}, System: system}, 5, ""},
		{"environment before system", LoadOptions{Env: []string{"OPTIMUS_CONFIG=" + named}, System: system}, 5, ""},
		{"system", LoadOptions{System: system}, 6, ""},
		{"system may be missing", LoadOptions{System: missing}, 0, ""},
		{"named must exist", LoadOptions{Path: missing}, 0, "no such file"},
		{"environment must exist", LoadOptions{Env: []string{"OPTIMUS_CONFIG=" + missing}}, 0, "no such file"},
		{"a folder", LoadOptions{Path: filepath.Dir(named)}, 0, "is a directory"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.options.Root = true
			c, err := Load(tc.options)
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Fatalf("error %v lacks %q", err, tc.fault)
				}
				return
			}
			if err != nil || c.Worker.Slots != tc.slots {
				t.Fatalf("slots = %d, %v; want %d", c.Worker.Slots, err, tc.slots)
			}
		})
	}
}

func TestLoadDataFolder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		root bool
		env  []string
		want string
	}{
		{"root", true, []string{"HOME=/root", "XDG_DATA_HOME=/x"}, "/var/lib/optimus"},
		{"xdg", false, []string{"HOME=/home/ann", "XDG_DATA_HOME=/x"}, "/x/optimus"},
		{"home", false, []string{"HOME=/home/ann"}, "/home/ann/.local/share/optimus"},
		{"relative xdg counts as unset", false, []string{"HOME=/home/ann", "XDG_DATA_HOME=x"}, "/home/ann/.local/share/optimus"},
		{"stated", true, []string{"OPTIMUS_DATA=/srv/optimus"}, "/srv/optimus"},
		{"nothing known", false, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(LoadOptions{Root: tc.root, Env: tc.env})
			if c.Data != tc.want || (err != nil) != (tc.want == "") {
				t.Errorf("data = %q, %v; want %q", c.Data, err, tc.want)
			}
		})
	}
}

func TestLoadKnowsServiceLinks(t *testing.T) {
	t.Parallel()
	load(t, func(o *LoadOptions) {
		o.Env = []string{
			"OPTIMUS_SERVICE_HOST=10.0.0.1", "OPTIMUS_SERVICE_PORT=80", "OPTIMUS_SERVICE_PORT_HTTP=80", "OPTIMUS_PORT=tcp://10.0.0.1:80",
			"OPTIMUS_API_PORT_80_TCP=tcp://10.0.0.1:80", "OPTIMUS_API_PORT_80_TCP_ADDR=10.0.0.1", "OPTIMUS_API_PORT_80_TCP_PORT=80",
			"OPTIMUS_API_PORT_80_TCP_PROTO=tcp", "OPTIMUS_SERVER=http://elsewhere",
		}
		o.EnvKnown = []string{"OPTIMUS_SERVER"}
	})
	if _, err := Load(LoadOptions{Root: true, Env: []string{"OPTIMUS_PORT=80"}}); err == nil {
		t.Error("OPTIMUS_PORT=80 was taken for a service link")
	}
}

func TestLoadKeys(t *testing.T) {
	t.Parallel()
	secret := file(t, "key", "correct-horse-battery\n")
	path := file(t, "optimus.toml", "[[keys]]\nname = 'a'\nsecret_file = '"+secret+"'\nroles = ['submit']\n\n[[keys]]\nname = 'b'\nrate = 5\nhash = '"+
		strings.Repeat("0f", 32)+"'\n")
	c := load(t, func(o *LoadOptions) { o.Path = path })
	if len(c.Keys) != 2 || c.Keys[0].Hash.Reveal() != HashKey("correct-horse-battery") || c.Keys[1].Rate != 5 {
		t.Fatalf("keys = %+v", c.Keys)
	}
	if got := c.Origin("keys[1].hash").Where; got != path+":9" {
		t.Errorf("the second hash comes from %s", got)
	}
	for _, s := range c.Settings() {
		if strings.HasSuffix(s.Path, ".hash") && s.Value != Placeholder {
			t.Errorf("%s shows %q", s.Path, s.Value)
		}
	}
}

func TestCheckListen(t *testing.T) {
	t.Parallel()
	for listen, fine := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.8.8.8:1": true,
		":8080": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false,
	} {
		c := load(t, func(o *LoadOptions) { o.Flags = map[string]string{"server.listen": listen} })
		if err := c.CheckListen(0); (err == nil) != fine {
			t.Errorf("%s: %v", listen, err)
		}
		if err := c.CheckListen(1); err != nil {
			t.Errorf("%s with a stored key: %v", listen, err)
		}
		c.Keys = []Key{{Name: "a"}}
		if err := c.CheckListen(0); err != nil {
			t.Errorf("%s with a configured key: %v", listen, err)
		}
	}
}
