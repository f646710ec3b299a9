package containerd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// RenderDockerfile gives the recipe as a Dockerfile, for people who build elsewhere.
func RenderDockerfile(r Recipe) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FROM debian:%s-slim\n", r.Suite)
	for _, kv := range imageEnv() {
		key, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&b, "ENV %s=%q\n", key, value)
	}
	b.WriteString("RUN set -e; \\\n")
	for _, pattern := range unwantedPaths() {
		fmt.Fprintf(&b, "    echo %s >> /etc/dpkg/dpkg.cfg.d/optimus; \\\n", shellQuote("path-exclude="+pattern))
	}
	b.WriteString("    mkdir -p /usr/share/man/man1; \\\n    apt-get update; \\\n")
	b.WriteString("    apt-get install -y --no-install-recommends")
	packages := slices.Clone(r.Packages)
	slices.Sort(packages)
	for _, p := range packages {
		fmt.Fprintf(&b, " \\\n      %s", p)
	}
	b.WriteString("; \\\n    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*\n")
	for _, hook := range r.Hooks {
		text, err := json.Marshal([]string{"/bin/sh", "-ec", hook})
		if err != nil {
			return "", fmt.Errorf("recipe: hook %q: %w", hook, err)
		}
		fmt.Fprintf(&b, "RUN %s\n", text)
	}
	fmt.Fprintf(&b, "WORKDIR %s\nCMD [\"/bin/sh\"]\n", WorkDir)
	return b.String(), nil
}
