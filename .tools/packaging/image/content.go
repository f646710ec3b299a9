package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// user is the image's own, by number, so that Kubernetes can see that it is not root.
const user = 65532

// authorities are the certificates of Debian's package, without what this machine was taught beside them.
const authorities = "/usr/share/ca-certificates/mozilla/*.crt"

// entry is a file of the image, or a folder that is none's parent alone.
type entry struct {
	path  string // absolute, in the image
	mode  int64  // with the sticky bit as tar has it
	owner int    // user and group
	dir   bool
	// from is where the content comes from: a path in the repository, or one of the words below.
	from string
}

// What is in no file of the repository.
const (
	fromBuild       = "(the program)"
	fromAuthorities = "(the authorities)"
)

// entries is what the Dockerfile's last stage copies.
func entries() []entry {
	return []entry{
		{path: "/usr/bin/optimus", mode: 0o755, from: fromBuild},
		{path: "/etc/ssl/certs/ca-certificates.crt", mode: 0o644, from: fromAuthorities},
		{path: "/etc/passwd", mode: 0o644, from: "deploy/image/passwd"},
		{path: "/etc/group", mode: 0o644, from: "deploy/image/group"},
		{path: "/usr/share/doc/optimus/LICENSE", mode: 0o644, from: "LICENSE"},
		{path: "/usr/share/doc/optimus/NOTICE", mode: 0o644, from: "NOTICE"},
		{path: "/tmp", mode: 0o1777, dir: true},
		{path: "/var/lib/optimus", mode: 0o755, owner: user, dir: true},
	}
}

// imageConfig is what the Dockerfile's last stage says of how the image is run.
func imageConfig(version, revision string) v1.Config {
	return v1.Config{
		User:         fmt.Sprintf("%d:%d", user, user),
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Env:          []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "XDG_DATA_HOME=/var/lib"},
		Entrypoint:   []string{"/usr/bin/optimus"},
		Cmd:          []string{"serve", "--listen", ":8080"},
		WorkingDir:   "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Optimus",
			"org.opencontainers.image.description": "Runs untrusted programs, judges them against test cases",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     version,
			"org.opencontainers.image.revision":    revision,
		},
	}
}

// content reads what an entry holds; binary is the path of the program.
func content(root, binary string, e entry) ([]byte, error) {
	switch {
	case e.dir:
		return nil, nil
	case e.from == fromBuild:
		return os.ReadFile(binary)
	case e.from == fromAuthorities:
		return readAuthorities(authorities)
	default:
		return os.ReadFile(filepath.Join(root, e.from))
	}
}

func readAuthorities(pattern string) ([]byte, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no certificates are at %s: apt-get install ca-certificates", pattern)
	}
	slices.Sort(paths)
	var all bytes.Buffer
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all.Write(text)
	}
	return all.Bytes(), nil
}
