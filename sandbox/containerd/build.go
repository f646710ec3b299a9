package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const (
	// recipeFormat is part of a cached archive's key: raise it when the way of building
	// changes what comes out of the same recipe.
	recipeFormat = 1
	// epoch dates every file of a built image, so that its digest depends on its content alone.
	epoch = 1700000000
	// WorkDir is the working folder of a run, as the agent names it, and of a built image.
	WorkDir = "/work"
)

// Variables of the environment that [Build] heeds.
const (
	// EnvCache names the folder that keeps built archives: see [CacheDir].
	EnvCache = "OPTIMUS_CACHE"
	// EnvMirror names the Debian mirror of recipes that state none.
	EnvMirror = "OPTIMUS_DEBIAN_MIRROR"
)

// Recipe says what an image is made of: packages of a Debian suite.
type Recipe struct {
	// Suite is Debian's, such as "trixie".
	Suite string `json:"suite"`
	// Packages are installed with what they depend on, without what they recommend.
	Packages []string `json:"packages"`
	// Hooks are commands for the image's own /bin/sh, run as root inside it, in order, once
	// the packages are installed. One that fails ends the build.
	Hooks []string `json:"hooks,omitempty"`
	// Mirror is the package archive's URL; empty stands for OPTIMUS_DEBIAN_MIRROR, else the
	// one that this machine's apt uses, else Debian's own. It does not change what is built.
	Mirror string `json:"-"`
}

// Validate tells what [Build] could not use, all faults at once.
func (r Recipe) Validate() error {
	var errs []error
	suite := regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	name := regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+(:[a-z0-9]+)?$`)
	if !suite.MatchString(r.Suite) {
		errs = append(errs, fmt.Errorf("recipe: suite %q: want a name such as trixie", r.Suite))
	}
	if len(r.Packages) == 0 {
		errs = append(errs, errors.New("recipe: packages: want at least one"))
	}
	for _, p := range r.Packages {
		if !name.MatchString(p) {
			errs = append(errs, fmt.Errorf("recipe: package %q: want a Debian package's name", p))
		}
	}
	for _, hook := range r.Hooks {
		if strings.TrimSpace(hook) == "" || strings.ContainsRune(hook, 0) {
			errs = append(errs, fmt.Errorf("recipe: hook %q: want a shell command", hook))
		}
	}
	return errors.Join(errs...)
}

// imageEnv is the environment of a built image.
func imageEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8"}
}

// key changes with all that decides what is built.
func (r Recipe) key() (string, error) {
	r.Packages = slices.Sorted(slices.Values(r.Packages))
	text, err := json.Marshal(struct {
		Recipe Recipe `json:"recipe"`
		Format int    `json:"format"`
		Arch   string `json:"arch"`
	}{r, recipeFormat, runtime.GOARCH})
	if err != nil {
		return "", fmt.Errorf("recipe: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6]), nil
}

// BuildOptions says what to build, and where.
type BuildOptions struct {
	Recipe Recipe
	// Ref names the image.
	Ref string
	// CacheDir keeps the archives; empty stands for [CacheDir].
	CacheDir string
	// Rebuild builds even what is in the cache: packages may be newer by now.
	Rebuild  bool
	Progress ProgressFunc
	Log      zerolog.Logger
}

// Archive is a built image in a file.
type Archive struct {
	// Path of the OCI archive, which [Images.ImportFile] takes.
	Path string `json:"path"`
	// Size of the file in bytes.
	Size int64 `json:"size"`
	// Cached tells that it was there already.
	Cached bool `json:"cached"`
}

// Build makes an OCI archive of the recipe, or finds it in the cache. It needs mmdebstrap
// and a Debian mirror. Where ctx ends it, nothing is left behind.
func Build(ctx context.Context, o BuildOptions) (Archive, error) {
	b, err := newBuild(o)
	if err != nil {
		return Archive{}, fmt.Errorf("build image %s: %w", o.Ref, err)
	}
	if !o.Rebuild {
		if a, err := b.cached(); err == nil {
			return a, nil
		}
	}
	a, err := b.run(ctx)
	if err != nil {
		return Archive{}, fmt.Errorf("build image %s: %w", o.Ref, err)
	}
	return a, nil
}

// Build makes the image as the function [Build] does, and imports it.
func (i *Images) Build(ctx context.Context, o BuildOptions) (Image, error) {
	archive, err := Build(ctx, o)
	if err != nil {
		return Image{}, err
	}
	list, err := i.ImportFile(ctx, archive.Path, o.Progress)
	if err != nil {
		return Image{}, err
	}
	return list[0], nil
}

// CacheDir is where built archives are kept: OPTIMUS_CACHE, else optimus/images below
// XDG_CACHE_HOME, else below /var/cache for root and below ~/.cache for others. getenv is os.Getenv.
func CacheDir(getenv func(string) string) (string, error) {
	if dir := getenv(EnvCache); dir != "" {
		return absoluteDir(dir)
	}
	base := getenv("XDG_CACHE_HOME")
	if base == "" && os.Geteuid() == 0 {
		base = "/var/cache"
	}
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("cache folder: %w: set OPTIMUS_CACHE", err)
		}
		base = filepath.Join(home, ".cache")
	}
	return absoluteDir(filepath.Join(base, "optimus", "images"))
}

func absoluteDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return abs, nil
}

// imageBuild is one run of [Build].
type imageBuild struct {
	BuildOptions
	ref    string // full
	dir    string
	target string
}

func newBuild(o BuildOptions) (*imageBuild, error) {
	if err := o.Recipe.Validate(); err != nil {
		return nil, err
	}
	ref, err := FullRef(o.Ref)
	if err != nil {
		return nil, err
	}
	dir := o.CacheDir
	if dir == "" {
		if dir, err = CacheDir(os.Getenv); err != nil {
			return nil, err
		}
	}
	if dir, err = absoluteDir(dir); err != nil {
		return nil, err
	}
	key, err := o.Recipe.key()
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(path.Base(ref), ":")
	return &imageBuild{
		BuildOptions: o,
		ref:          ref,
		dir:          dir,
		target:       filepath.Join(dir, name+"-"+key+archiveSuffix),
	}, nil
}

const archiveSuffix = ".oci.tar"

// cached gives the archive if it is there under this very reference.
func (b *imageBuild) cached() (Archive, error) {
	f, err := os.Open(b.target)
	if err != nil {
		return Archive{}, err //nolint:wrapcheck // only asked whether it is there
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Archive{}, err //nolint:wrapcheck // as above
	}
	index, err := readIndex(f)
	if err != nil {
		return Archive{}, err
	}
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations[annotationImageName] != b.ref {
		return Archive{}, fs.ErrNotExist
	}
	return Archive{Path: b.target, Size: info.Size(), Cached: true}, nil
}

// run builds alone in the cache folder, whose own lock is held, and renames what is whole.
func (b *imageBuild) run(ctx context.Context) (_ Archive, err error) {
	if err := os.MkdirAll(b.dir, 0o755); err != nil { //nolint:gosec // apt's own user must be able to walk through
		return Archive{}, fmt.Errorf("cache folder: %w: set OPTIMUS_CACHE to one that you may write to", err)
	}
	lock, err := b.lock(ctx)
	if err != nil {
		return Archive{}, err
	}
	defer lock.Close()
	if !b.Rebuild {
		if a, err := b.cached(); err == nil {
			return a, nil // another process was waited for, and built it
		}
	}
	if err := removeLeftovers(b.dir); err != nil {
		return Archive{}, err
	}
	work, err := os.MkdirTemp(b.dir, workPrefix)
	if err != nil {
		return Archive{}, fmt.Errorf("cache folder: %w: set OPTIMUS_CACHE to one that you may write to", err)
	}
	defer func() { err = errors.Join(err, removeWork(work)) }()
	part := filepath.Join(work, "archive")
	if err := b.debootstrap(ctx, work, part); err != nil {
		return Archive{}, err
	}
	info, err := os.Stat(part)
	if err != nil {
		return Archive{}, fmt.Errorf("built archive: %w", err)
	}
	if err := os.Rename(part, b.target); err != nil {
		return Archive{}, fmt.Errorf("keep the built archive: %w", err)
	}
	return Archive{Path: b.target, Size: info.Size()}, nil
}

func (b *imageBuild) lock(ctx context.Context) (*os.File, error) {
	dir, err := os.Open(b.dir)
	if err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	if unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return dir, nil
	}
	b.Progress.tell(Progress{Stage: "wait", Detail: "another build is using " + b.dir})
	if err := lockOpen(ctx, dir, unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("wait for another build: %w", err)
	}
	return dir, nil
}

const workPrefix = ".build-"

// removeLeftovers removes the work folders of builds that were killed. The folder's lock must be held.
func removeLeftovers(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, workPrefix+"*"))
	if err != nil {
		return fmt.Errorf("cache folder: %w", err)
	}
	var errs []error
	for _, work := range left {
		errs = append(errs, removeWork(work))
	}
	return errors.Join(errs...)
}

// removeWork undoes mounts first: what is mounted must not be deleted.
func removeWork(work string) error {
	if err := unmountBelow(work); err != nil {
		return fmt.Errorf("remove work folder: %w", err)
	}
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("remove work folder: %w", err)
	}
	return nil
}

// PruneCache removes the archives in a cache folder but those that the kept options would
// take from it, and gives the paths of what it removed. It waits for a build under way.
func PruneCache(ctx context.Context, dir string, keep []BuildOptions) ([]string, error) {
	wanted := map[string]bool{}
	for _, o := range keep {
		o.CacheDir = dir
		b, err := newBuild(o)
		if err != nil {
			return nil, fmt.Errorf("prune %s: image %s: %w", dir, o.Ref, err)
		}
		wanted[b.target] = true
	}
	lock, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	defer lock.Close()
	if err := lockOpen(ctx, lock, unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("prune %s: wait for a build: %w", dir, err)
	}
	if err := removeLeftovers(dir); err != nil {
		return nil, fmt.Errorf("prune %s: %w", dir, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"+archiveSuffix))
	if err != nil {
		return nil, fmt.Errorf("prune %s: %w", dir, err)
	}
	var removed []string
	for _, file := range files {
		if wanted[file] {
			continue
		}
		if ctx.Err() != nil {
			return removed, context.Cause(ctx)
		}
		if err := os.Remove(file); err != nil {
			return removed, fmt.Errorf("prune: %w", err)
		}
		removed = append(removed, file)
	}
	return removed, nil
}
