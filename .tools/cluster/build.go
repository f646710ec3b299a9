package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// part is what is compiled of one of the modules beside this program.
type part struct {
	module   string
	packages []string
	// of is the module whose version is stamped, into these variables.
	of    string
	stamp []string
	// as names the one binary; empty means that each has its package's name.
	as string
	// image: it is run in a pod.
	image bool
}

// Modules whose manifests are applied too.
const (
	kedaModule    = "github.com/kedacore/keda/v2"
	metricsModule = "sigs.k8s.io/metrics-server"
)

func parts() []part {
	kubernetes := func(commands ...string) (packages []string) {
		for _, c := range commands {
			packages = append(packages, "k8s.io/kubernetes/cmd/"+c)
		}
		return packages
	}
	kedaPart := func(command, as string) part {
		return part{
			module: "keda", packages: []string{kedaModule + "/cmd/" + command}, of: kedaModule, stamp: []string{kedaModule + "/version.Version"}, as: as, image: true,
		}
	}
	return []part{
		{
			// A build of another module does not know its version, and clients ask for it.
			module: "kubernetes", of: "k8s.io/kubernetes", stamp: []string{"k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"},
			packages: kubernetes("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
		},
		kedaPart("operator", "keda"), kedaPart("adapter", "keda-adapter"), kedaPart("webhooks", "keda-admission-webhooks"),
		{module: "metrics", packages: []string{metricsModule + "/cmd/metrics-server"}, as: "metrics-server", image: true},
		{module: "coredns", packages: []string{"github.com/coredns/coredns"}, as: "coredns", image: true},
		{module: ".", packages: []string{"./pause"}, as: "pause", image: true},
	}
}

// build compiles the parts, packs the images of those that are run in pods, and lays out others' manifests.
// Where nothing has changed since it does nothing.
func (c *cluster) build(ctx context.Context) error {
	stamp, err := c.sources()
	if err != nil {
		return err
	}
	built := filepath.Join(c.dir, "built")
	if had, err := os.ReadFile(built); err == nil && string(had) == stamp {
		return nil
	}
	for _, dir := range []string{c.bin, c.images} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, p := range parts() {
		if err := c.compile(ctx, p); err != nil {
			return err
		}
	}
	if err := c.packRedis(ctx); err != nil {
		return err
	}
	if err := errors.Join(c.layOut(ctx, "keda", kedaModule, "config"), c.layOut(ctx, "metrics", metricsModule, "manifests")); err != nil {
		return err
	}
	return os.WriteFile(built, []byte(stamp), 0o644)
}

// layOut copies a module's own manifests.
func (c *cluster) layOut(ctx context.Context, as, module, folder string) error {
	dir, err := goList(ctx, filepath.Join(c.source, as), module, "Dir")
	if err != nil {
		return err
	}
	target := filepath.Join(c.dir, as)
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	return os.CopyFS(target, os.DirFS(filepath.Join(dir, folder)))
}

// sources tells one state of this folder from another.
func (c *cluster) sources() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version())
	for _, pattern := range []string{"*.go", "*/*.go", "go.*", "*/go.*"} {
		files, err := filepath.Glob(filepath.Join(c.source, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%s %d\n%s", file[len(c.source):], len(content), content)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func goList(ctx context.Context, dir, module, field string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{."+field+"}}", module)
	cmd.Dir = dir
	out, err := output(cmd)
	return strings.TrimSpace(out), err
}

func (c *cluster) compile(ctx context.Context, p part) error {
	flags := "-s -w"
	dir := filepath.Join(c.source, p.module)
	if p.of != "" {
		version, err := goList(ctx, dir, p.of, "Version")
		if err != nil {
			return err
		}
		for _, variable := range p.stamp {
			flags += " -X " + variable + "=" + version
		}
	}
	to := c.bin + "/"
	if p.as != "" {
		to += p.as
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", to}, p.packages...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if _, err := output(cmd); err != nil {
		return err
	}
	c.say("built %s %s", p.module, p.as)
	if !p.image {
		return nil
	}
	user := "65532:65532"
	if p.as == "coredns" {
		user = "0:0" // its port is below 1024
	}
	return c.pack(p.as, "optimus.local/"+p.as+":1", user, []string{"/" + p.as}, map[string]string{"/" + p.as: filepath.Join(c.bin, p.as)})
}

// packRedis packs Debian's redis-server with the libraries that it is linked with, and a shell, under the
// name of the image that Optimus's manifests ask for.
func (c *cluster) packRedis(ctx context.Context) error {
	files := map[string]string{}
	for _, program := range []string{"/usr/bin/redis-server", "/usr/bin/redis-cli", "/bin/dash"} {
		name := program
		if program == "/bin/dash" {
			name = "/bin/sh"
		}
		files[name] = program
		linked, err := output(exec.CommandContext(ctx, "ldd", program))
		if err != nil {
			return err
		}
		for field := range strings.FieldsSeq(linked) {
			if strings.HasPrefix(field, "/") {
				files[field] = field
			}
		}
	}
	return c.pack("redis", "docker.io/library/redis:8.2", "999:999", []string{"/usr/bin/redis-server"}, files)
}

// pack writes an image of one layer: the files, each from where it is, and folders that anyone may
// write to.
func (c *cluster) pack(as, ref, user string, entrypoint []string, files map[string]string) error {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, dir := range []string{"tmp/", "data/"} {
		if err := w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
			return err
		}
	}
	for path, from := range files {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o755, Size: int64(len(content))}); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS = runtime.GOARCH, "linux"
	config.Config = v1.Config{User: user, Entrypoint: entrypoint, Env: []string{"PATH=/usr/bin:/bin"}}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return err
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(filepath.Join(c.images, as+".tar"), tag, image)
}
