package deploy

import (
	"embed"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"optimus/config"
)

// compose/compose.yaml is what the defaults give.
//
//go:generate env OPTIMUS_CONFIG=/dev/null go run .. admin render compose --out compose
//go:embed compose/*.tmpl
var composeTemplates embed.FS

// ComposeOptions is what a compose.yaml goes by beside the settings.
type ComposeOptions struct {
	// Image and QueueImage are references: of Optimus's image, and of one with redis-server.
	Image, QueueImage string
	// Stop is the longest that a process may take to stop.
	Stop time.Duration
}

// composed is what the template is given.
type composed struct {
	ComposeOptions

	// Listen is the address on this machine.
	Listen string
	Data   string
	// Run and Root are containerd's folders of what runs and of what is kept.
	Run, Root string
	// External tells whether the queue's server is none of this file's.
	External bool
	// Catalogue is the path of a languages.json; empty for the one in the image.
	Catalogue string
	// Settings are those that differ from the defaults, a secret's value a reference.
	Settings []config.Setting
}

// StopSeconds is Stop in whole seconds, rounded up.
func (c composed) StopSeconds() int64 { return int64((c.Stop + time.Second - 1) / time.Second) }

// SettingsPath is where the settings lie in a container.
func (c composed) SettingsPath() string { return config.SystemPath }

// CataloguePath is where the catalogue lies in a container.
func (c composed) CataloguePath() string {
	return path.Join(path.Dir(config.SystemPath), "languages.json")
}

// Compose gives a compose.yaml of API, queue and worker. Settings that differ from the defaults are in it as
// variables; of secrets it only names the variable that holds them.
func Compose(cfg config.Config, o ComposeOptions) (string, error) {
	for _, ref := range []string{o.Image, o.QueueImage} {
		if ref == "" || strings.ContainsAny(ref, " \t\n\"'#{}[],&*!|>%`") {
			return "", fmt.Errorf("image %q: want a reference such as registry.example/optimus:v1", ref)
		}
	}
	c := composed{
		ComposeOptions: o,
		Data:           literal(cfg.Data),
		External:       cfg.Redis.Present(),
		Catalogue:      literal(cfg.Catalogue),
	}
	run, root, err := containerdFolders(cfg.Sandbox.Containerd)
	if err != nil {
		return "", err
	}
	c.Run, c.Root = literal(run), literal(root)
	host, port, err := net.SplitHostPort(cfg.Server.Listen)
	if err != nil {
		return "", fmt.Errorf("server.listen: %w", err)
	}
	c.Listen = net.JoinHostPort(host, port)
	if host == "" {
		c.Listen = port
	}
	for _, s := range cfg.Settings() {
		if s.Origin.Kind == "default" || s.Env == "" || slices.Contains(composeDecides(), s.Path) {
			continue
		}
		if s.Value == config.Placeholder {
			s.Value = fmt.Sprintf("${%s:?set it in the environment or in .env}", s.Env)
		} else {
			s.Value = literal(s.Value)
		}
		c.Settings = append(c.Settings, s)
	}
	if c.Catalogue != "" {
		c.Settings = append(c.Settings, config.Setting{Env: config.EnvName("catalogue"), Value: c.CataloguePath()})
	}
	return execute(composeTemplates, "compose/compose.tmpl", c)
}

// literal keeps Compose from taking a dollar sign for a variable.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// composeDecides are the settings that the file itself states for its containers.
func composeDecides() []string {
	return []string{"data", "catalogue", "server.listen", "server.tls_cert", "server.tls_key", "worker.enabled", "keys"}
}

// containerdFolders gives the folders of the containerd at a socket. A private one is none that a container
// could start: the image holds none.
func containerdFolders(socket string) (run, root string, err error) {
	switch {
	case socket == "private":
		return "", "", fmt.Errorf("sandbox.containerd is %q: a worker in a container uses this machine's containerd; name its socket, or auto", socket)
	case socket == "auto", socket == "/run/containerd/containerd.sock":
		return "/run/containerd", "/var/lib/containerd", nil
	case strings.HasPrefix(socket, "/run/k3s/"):
		return "/run/k3s/containerd", "/var/lib/rancher/k3s/agent/containerd", nil
	case strings.HasPrefix(socket, "/var/snap/microk8s/"):
		return "/var/snap/microk8s/common/run", "/var/snap/microk8s/common/var/lib/containerd", nil
	}
	return filepath.Dir(socket), "/var/lib/containerd", nil
}
