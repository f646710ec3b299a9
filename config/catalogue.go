package config

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"
)

// Catalogue is what languages.json says.
type Catalogue struct {
	// Languages in the order of the file. A name may stand in several, each of another version.
	Languages []Language `json:"languages" required:"true"`
}

// Language is one language and version. Numbers and texts that are not stated are zero: see each
// field for what that means.
type Language struct {
	// Name that submissions ask for, such as "python".
	Name string `json:"name" is:"name" required:"true"`
	// DisplayName is for people, such as "Python 3.13"; not stated, name and version are shown.
	DisplayName string `json:"display_name,omitempty"`
	// Aliases are other names for it.
	Aliases []string `json:"aliases,omitempty" is:"name"`
	// Version of the toolchain, such as "3.13.5".
	Version string `json:"version" is:"version" required:"true"`
	// Image is the OCI reference, with its registry.
	Image string `json:"image" is:"image" required:"true"`
	// Build is the Debian recipe that `optimus admin images build` makes Image from; without one
	// the image is pulled or imported.
	Build *Build `json:"build,omitempty"`
	// SourceFile is the name of a main file that has none, such as "main.py".
	SourceFile string `json:"source_file" is:"source-file" required:"true"`
	// Compile and Run are argument lists. {source} is the main file's name, {sources} that of
	// every file with its extension, {main} the main file's without its extension, {args} the
	// submission's arguments, {memory_mb} the memory limit less MemoryOverhead, {stack_mb} the
	// stack limit. {sources} and {args} stand alone in their argument. Without Compile the
	// language is interpreted.
	Compile []string `json:"compile,omitempty" repeats:"yes"`
	Run     []string `json:"run" required:"true" repeats:"yes"`
	// Env is added to the image's environment.
	Env map[string]string `json:"env,omitempty"`
	// Limits of a test where neither it nor its submission states any; what is not stated here
	// either is that of BaseLimits.
	Limits RunLimits `json:"limits,omitzero"`
	// CompileLimits bound the compile; what is not stated is that of BaseCompileLimits.
	CompileLimits RunLimits `json:"compile_limits,omitzero"`
	// TimeFactor and MemoryFactor scale the times and memory that a submission states; not
	// stated they are 1.
	TimeFactor   float64 `json:"time_factor,omitempty" min:"0.1" max:"100"`
	MemoryFactor float64 `json:"memory_factor,omitempty" min:"0.1" max:"100"`
	// MemoryOverhead is what {memory_mb} leaves to the runtime beside its heap.
	MemoryOverhead Size `json:"memory_overhead,omitempty" min:"1MiB" max:"16GiB"`
	// OutOfMemoryExit lists exit statuses with which the runtime ends itself when its heap is
	// spent.
	OutOfMemoryExit []int `json:"out_of_memory_exit,omitempty" min:"1" max:"255"`
	// Concurrency bounds what of its jobs runs at once.
	Concurrency Concurrency `json:"concurrency,omitzero"`
	// Queue that its jobs go to; not stated it is "default".
	Queue string `json:"queue,omitempty" is:"name"`
	// Tier is the isolation of its jobs; not stated it is shared.
	Tier string `json:"tier,omitempty" oneof:"shared dedicated"`
	// Runtime of containerd, such as "io.containerd.runsc.v1" (gVisor); not stated it is runc.
	Runtime string `json:"runtime,omitempty" is:"runtime"`
	// Judge0IDs are the language_id values that mean it in Judge0's dialect.
	Judge0IDs []int `json:"judge0_ids,omitempty" min:"1" max:"100000"`
	// PistonRuntime is the runtime that Piston's dialect shows, such as "node"; not stated it
	// shows none.
	PistonRuntime string `json:"piston_runtime,omitempty" is:"name"`
	// Resources are those of its worker pods on Kubernetes.
	Resources Resources `json:"resources,omitzero"`
	// WarmUp is a program that is compiled and run before a container counts as warm; not stated
	// it is Sample.
	WarmUp string `json:"warm_up,omitempty"`
	// Sample is a program that prints "Hello, world!".
	Sample string `json:"sample,omitempty"`
	// Samples are programs that must end otherwise, for `optimus admin languages test`.
	Samples Samples `json:"samples,omitzero"`
}

// Samples are programs with what must become of them.
type Samples struct {
	// Error does not compile or, in an interpreted language, ends with an error; not stated it is a text
	// that is a program in hardly any language.
	Error string `json:"error,omitempty"`
	// Limit never ends by itself and uses its processor; not stated no limit is tried.
	Limit string `json:"limit,omitempty"`
}

// BrokenSample is the error sample of a language that states none.
const BrokenSample = "this is ((( no program ]\n"

// Build is an image's recipe.
type Build struct {
	// Suite of Debian, such as "trixie".
	Suite string `json:"suite" is:"suite" required:"true"`
	// Packages beside Debian's essential ones; recommended packages are left out.
	Packages []string `json:"packages" is:"packages" required:"true"`
	// Hooks are commands for the image's own /bin/sh, run as root inside the image, in order,
	// once the packages are installed. One that fails ends the build.
	Hooks []string `json:"hooks,omitempty"`
}

// RunLimits bounds one run; what is 0 is not stated.
type RunLimits struct {
	CPU       Duration `json:"cpu,omitempty" min:"10ms" max:"1d"`
	Wall      Duration `json:"wall,omitempty" min:"10ms" max:"1d"`
	Memory    Size     `json:"memory,omitempty" min:"1MiB" max:"1TiB"`
	Output    Size     `json:"output,omitempty" min:"1KiB" max:"256MiB"`
	Processes int      `json:"processes,omitempty" min:"1" max:"32768"`
	FileSize  Size     `json:"file_size,omitempty" min:"1KiB" max:"1TiB"`
	OpenFiles int      `json:"open_files,omitempty" min:"16" max:"1048576"`
	// Stack and Disk are, not stated, as large as the memory.
	Stack Size `json:"stack,omitempty" min:"64KiB" max:"1TiB"`
	Disk  Size `json:"disk,omitempty" min:"64KiB" max:"1TiB"`
}

// Concurrency bounds what runs at once.
type Concurrency struct {
	// MaxParallelTests bounds the tests of one job; not stated, only the worker's slots do.
	MaxParallelTests int `json:"max_parallel_tests,omitempty" min:"1" max:"4096"`
}

// Resources are a pod's requests and limits.
type Resources struct {
	Requests Quantities `json:"requests,omitzero"`
	Limits   Quantities `json:"limits,omitzero"`
}

// Quantities are amounts in Kubernetes's notation.
type Quantities struct {
	CPU    string `json:"cpu,omitempty" is:"quantity"`
	Memory string `json:"memory,omitempty" is:"quantity"`
}

// DefaultQueue is the queue of a language that names none.
const DefaultQueue = "default"

// BaseLimits are the limits of a test where nothing states them.
func BaseLimits() RunLimits {
	return RunLimits{
		CPU:       Duration(2 * time.Second),
		Wall:      Duration(6 * time.Second),
		Memory:    256 * MiB,
		Output:    MiB,
		Processes: 64,
		FileSize:  64 * MiB,
		OpenFiles: 256,
	}
}

// BaseCompileLimits are the limits of a compile where its language does not state them.
func BaseCompileLimits() RunLimits {
	return RunLimits{
		CPU:       Duration(20 * time.Second),
		Wall:      Duration(30 * time.Second),
		Memory:    GiB,
		Output:    MiB,
		Processes: 128,
		FileSize:  256 * MiB,
		OpenFiles: 1024,
	}
}

// Or fills what l does not state from base.
func (l RunLimits) Or(base RunLimits) RunLimits {
	v, b := reflect.ValueOf(&l).Elem(), reflect.ValueOf(base)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			v.Field(i).Set(b.Field(i))
		}
	}
	return l
}

//go:embed languages.json
var embeddedCatalogue []byte

//go:embed optimus.toml
var example string

// Example gives an optimus.toml that states and explains every default.
func Example() string { return example }

// LoadCatalogue reads the languages.json at path, or the one in the binary where path is empty.
// The error is an [*Error] that lists every fault there is.
func LoadCatalogue(path string) (Catalogue, error) {
	if path == "" {
		return ParseCatalogue("embedded languages.json", embeddedCatalogue)
	}
	data, err := readFile(path)
	if err != nil {
		var f faults
		f.add(place{source: path}, "", "", "cannot be read: "+reason(err), "name a readable languages.json")
		return Catalogue{}, f.err("catalogue")
	}
	return ParseCatalogue(path, data)
}

// ParseCatalogue reads a languages.json; source names it in messages.
func ParseCatalogue(source string, data []byte) (Catalogue, error) {
	var f faults
	var c Catalogue
	places := map[string]place{}
	tree := parseJSON(source, data, &f)
	if len(f) == 0 || tree.kind == kindTable && len(tree.keys) > 0 {
		d := &decoder{tag: "json", hints: originalKeys(), all: keysBelow(reflect.TypeFor[Language](), "json", ""), faults: &f, note: func(path string, at place) { places[path] = at }}
		d.structure(tree, "", reflect.ValueOf(&c).Elem())
		checker := &catalogueChecker{faults: &f, places: places, source: source}
		checker.check(c)
	}
	if err := f.err("catalogue"); err != nil {
		return Catalogue{}, err
	}
	return c, nil
}

// originalKeys answers the original's keys whose meaning has moved; name, version, image,
// resources and concurrency are as they were.
func originalKeys() map[string]string {
	return map[string]string{
		"*.queue_name":        "the original's: write queue",
		"*.memory_limit_mb":   `the original's: write limits.memory, such as "256MiB"`,
		"*.cpu_limit":         "the original's: write resources.limits.cpu for a pod's processors, limits.cpu for a run's time",
		"*.dockerfile_path":   "the original's: any OCI image will do as image; build holds a Debian recipe",
		"*.execution":         "the original's: write run and compile as argument lists, and source_file",
		"*.max_parallel_jobs": "the original's, where it had no effect: the worker's slots bound what runs at once",
	}
}

// Encode gives the languages.json that c is.
func (c Catalogue) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("encode catalogue: %w", err)
	}
	return b.Bytes(), nil
}

// Save checks c and writes it to path in one step: a reader finds the old file or the new one.
func (c Catalogue) Save(path string) error {
	data, err := c.Encode()
	if err != nil {
		return err
	}
	if _, err := ParseCatalogue(path, data); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".languages-*.json")
	if err != nil {
		return fmt.Errorf("save catalogue %s: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already where all went well
	if err := writeAll(f, data); err != nil {
		return fmt.Errorf("save catalogue %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("save catalogue %s: %w", path, err)
	}
	return nil
}

// writeAll writes, syncs and closes f, readable by all.
func writeAll(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
