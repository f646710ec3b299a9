package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// SystemPath is where a file is looked for if none is named.
const SystemPath = "/etc/optimus/optimus.toml"

// maxFile bounds the files that are read here; an honest one has a hundredth of it.
const maxFile = 4 << 20

// LoadOptions says what to load from.
type LoadOptions struct {
	// Path of optimus.toml, which must exist. Empty means OPTIMUS_CONFIG from Env, else System.
	Path string
	// System is read where Path is empty and it exists, usually [SystemPath]; empty for none.
	System string
	// Env holds KEY=VALUE pairs, usually [os.Environ]'s.
	Env []string
	// EnvKnown lists OPTIMUS_ variables that others read, so that they are no faults.
	EnvKnown []string
	// Flags holds what the command line states, by setting's path.
	Flags map[string]string
	// FlagNames gives a path's flag as the user types it, such as "--listen", for messages.
	FlagNames map[string]string
	// Root: the process is root's, which decides the default data folder.
	Root bool
}

// Load reads the configuration: defaults, then the file, the environment and the flags, each over
// the ones before. The error is an [*Error] that lists every fault there is.
func Load(o LoadOptions) (Config, error) {
	l := &loader{options: o, config: Default(), env: environment(o.Env)}
	l.config.origins = map[string]Origin{}
	l.file()
	l.legacy()
	l.environment()
	l.flags()
	l.dataFolder()
	l.originalDefaults()
	l.secretFiles()
	l.check()
	if err := l.faults.err("configuration"); err != nil {
		return Config{}, err
	}
	l.config.options = o
	return l.config, nil
}

// Again loads the configuration anew from where it came from: its files may have changed since.
func (c Config) Again() (Config, error) { return Load(c.options) }

// heldAtStart tells of which settings a process takes the value once, when it starts. The others may
// be loaded again.
func heldAtStart(path string) bool {
	switch path {
	case "server.rate", "server.max_body", "server.max_wait", "server.max_batch", "catalogue":
		return false
	}
	top, _, _ := strings.Cut(path, ".")
	top, _, _ = strings.Cut(top, "[")
	return top != "limits" && top != "original" && top != "keys"
}

// NeedStart lists the settings, by path, whose values are others in next and that hold only from a
// process's next start.
func (c Config) NeedStart(next Config) []string {
	now := map[string]string{}
	for _, s := range c.Settings() {
		now[s.Path] = s.Value
	}
	var changed []string
	for _, s := range next.Settings() {
		if heldAtStart(s.Path) && s.Value != now[s.Path] {
			changed = append(changed, s.Path)
		}
	}
	return changed
}

type loader struct {
	options LoadOptions
	config  Config
	env     map[string]string
	faults  faults
}

// environment gives the variables by name; of two of one name the later holds, as for execve.
func environment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

// decoder gives a decoder that notes an origin of the given kind for what it sets.
func (l *loader) decoder(kind string) *decoder {
	return &decoder{tag: "toml", all: paths(), faults: &l.faults, note: func(path string, at place) {
		where := strings.TrimPrefix(at.String(), kind+" ")
		l.config.origins[path] = Origin{Kind: kind, Where: where}
	}}
}

func (l *loader) file() {
	path, must := l.options.Path, true
	if path == "" {
		path = l.env[envConfig]
	}
	if path == "" {
		path, must = l.options.System, false
	}
	if path == "" {
		return
	}
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return
	}
	if err != nil {
		l.faults.add(place{source: path}, "", "", "cannot be read: "+reason(err), "name a readable TOML file")
		return
	}
	l.decoder("file").structure(parseTOML(path, data, &l.faults), "", reflect.ValueOf(&l.config).Elem())
}

// readFile reads a file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read configuration: %s is over %s", path, Size(maxFile))
	}
	return data, nil
}

// reason gives what the system said, without the path, which the fault names already.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

// set states one setting as text.
func (l *loader) set(kind, source, path, value string) {
	v := reflect.ValueOf(&l.config).Elem()
	tree := node{kind: kindWord, at: place{source: source}, text: value}
	var f reflect.StructField
	rest := strings.Split(path, ".")
	for i, name := range rest {
		f = fieldOf(v.Type(), name)
		v = v.FieldByIndex(f.Index)
		if i == len(rest)-1 {
			l.decoder(kind).field(tree, path, f, v)
		}
	}
}

func fieldOf(t reflect.Type, name string) reflect.StructField {
	for f := range t.Fields() {
		if key(f, "toml") == name {
			return f
		}
	}
	return reflect.StructField{} // not reached: paths come from the type
}

func (l *loader) flags() {
	known := paths()
	given := make([]string, 0, len(l.options.Flags))
	for path := range l.options.Flags {
		given = append(given, path)
	}
	slices.Sort(given)
	for _, path := range given {
		name := l.options.FlagNames[path]
		if name == "" {
			name = path
		}
		source := "flag " + name
		if !slices.Contains(known, path) {
			l.faults.add(place{source: source}, path, "", "is not a known setting", didYouMean(path, known))
			continue
		}
		l.set("flag", source, path, l.options.Flags[path])
	}
}

// dataFolder fills in the default that depends on who runs the process.
func (l *loader) dataFolder() {
	if l.config.Data != "" {
		return
	}
	home, share := l.env["HOME"], l.env["XDG_DATA_HOME"]
	switch {
	case l.options.Root:
		l.config.Data = "/var/lib/optimus"
	case filepath.IsAbs(share):
		l.config.Data = filepath.Join(share, "optimus")
	case filepath.IsAbs(home):
		l.config.Data = filepath.Join(home, ".local", "share", "optimus")
	default:
		l.faults.add(place{source: "default"}, "data", "", "has no default, since HOME is not set", "state an absolute path")
	}
}

// originalDefaults lowers what nothing states of the original's bounds to the hard maxima, so that
// who lowers these need not repeat it.
func (l *loader) originalDefaults() {
	o, m := &l.config.Original, l.config.Limits
	lower(l, "original.max_timeout", &o.MaxTimeout, m.Wall)
	lower(l, "original.default_timeout", &o.DefaultTimeout, o.MaxTimeout)
	lower(l, "original.max_tests", &o.MaxTests, m.MaxTests)
	lower(l, "original.max_source", &o.MaxSource, m.MaxSource)
	lower(l, "original.max_input", &o.MaxInput, m.MaxInput)
	lower(l, "original.max_expected", &o.MaxExpected, m.MaxExpected)
}

func lower[T cmp.Ordered](l *loader, path string, v *T, most T) {
	if l.config.Origin(path).Kind == "default" {
		*v = min(*v, most)
	}
}

// secretFiles turns the files that keys name into hashes.
func (l *loader) secretFiles() {
	for i := range l.config.Keys {
		k := &l.config.Keys[i]
		path := fmt.Sprintf("keys[%d].secret_file", i)
		if k.SecretFile == "" {
			continue
		}
		if !k.Hash.Empty() {
			l.fault(path, k.SecretFile, "is stated beside hash", "state one of the two")
			continue
		}
		data, err := readFile(k.SecretFile)
		if err != nil {
			l.fault(path, k.SecretFile, "cannot be read: "+reason(err), "name a file that holds the key"+SecretHint(k.SecretFile))
			continue
		}
		secret := strings.TrimSpace(string(data))
		if len(secret) < minSecret {
			l.fault(path, k.SecretFile, "holds a key that is too short", fmt.Sprintf("a key has %d characters or more", minSecret))
			continue
		}
		k.Hash = NewSecret(HashKey(secret))
	}
}

// SecretHint says of a file that is not there what it then most likely is, where it is one that Kubernetes or
// Compose mounts; it is empty for any other.
func SecretHint(path string) string {
	if !strings.HasPrefix(path, "/run/secrets/") {
		return ""
	}
	return "; the Secret that is mounted at " + filepath.Dir(path) + " is missing, or has no entry " + filepath.Base(path)
}

// minSecret is the least length of an API key, in bytes.
const minSecret = 16

// HashKey gives the hash that stands for an API key: its SHA-256 in hexadecimal. Keys are random
// and long, so that no slow hash is needed.
func HashKey(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// fault reports what is wrong with a setting's value, at the place that it comes from.
func (l *loader) fault(path, value, problem, help string) {
	l.faultAt(l.config.Origin(path), path, value, problem, help)
}

// clash reports a setting that does not go with another one: at its own place or, where it is a
// default, at the other's.
func (l *loader) clash(path, other, value, problem, help string) {
	at := l.config.Origin(path)
	if at.Kind == "default" {
		at = l.config.Origin(other)
	}
	l.faultAt(at, path, value, problem, help)
}

func (l *loader) faultAt(o Origin, path, value, problem, help string) {
	at := place{source: o.String()}
	if o.Kind == "file" {
		at = splitPlace(o.Where)
	}
	if _, err := strconv.Atoi(value); err != nil && value != "" {
		value = shown(node{kind: kindWord, text: value})
	}
	l.faults.add(at, path, value, problem, help)
}

// CataloguePath gives the path that [LoadCatalogue] wants: the one stated, else languages.json in
// the data folder where there is one, else none.
func (c Config) CataloguePath() string {
	if c.Catalogue != "" {
		return c.Catalogue
	}
	path := filepath.Join(c.Data, "languages.json")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return ""
}
