package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // the packager
	"github.com/goreleaser/nfpm/v2/files"

	"optimus/packaging/program"
)

// recipe is what a package is made from.
type recipe struct {
	root    string // of the repository
	binary  string
	version string // as git describes it
	// made is the only time in it, so that the same sources give the same package.
	made time.Time
}

// file is one of the package's, beside the program.
type file struct {
	path string
	mode fs.FileMode
	kind string // of nfpm
	data []byte
}

// described is a version as `git describe` tells it: the tag, how many commits after it, which; and whether files
// differ from that.
var described = regexp.MustCompile(`^(?:v?([0-9]+\.[0-9][0-9A-Za-z.]*)(-[0-9A-Za-z.]+)?(?:-([0-9]+)-g([0-9a-f]+))?|([0-9a-f]{7,40}))(-dirty)?$`)

// debianVersion gives a version that dpkg sorts as it was made: v1.2.0-rc.1 before v1.2.0, that before the commits
// after it; where there is no tag yet, by the commit's time.
func debianVersion(version string, made time.Time) (string, error) {
	m := described.FindStringSubmatch(version)
	var v string
	switch {
	case m == nil:
		return "", fmt.Errorf("version %q: want one as git describes it, such as v1.2.0 or v1.2.0-3-gabcdef0", version)
	case m[5] != "":
		v = fmt.Sprintf("0.0.0+git%s.%s", made.UTC().Format("20060102150405"), m[5])
	default:
		v = m[1] + strings.Replace(m[2], "-", "~", 1)
		if m[3] != "" {
			v += "+" + m[3] + ".g" + m[4]
		}
	}
	if m[6] != "" {
		v += "+dirty"
	}
	return v, nil
}

// files makes what the package holds, from what the program itself prints.
func (r recipe) files() ([]file, error) {
	says := func(args ...string) ([]byte, error) {
		cmd := exec.Command(r.binary, args...)
		// No settings of this machine's, which would be rendered.
		cmd.Env = []string{"OPTIMUS_CONFIG=/dev/null", "SOURCE_DATE_EPOCH=" + strconv.FormatInt(r.made.Unix(), 10)}
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("optimus %s: %w: %s", strings.Join(args, " "), err, &complaints)
		}
		return out, nil
	}
	var all []file
	add := func(path string, mode fs.FileMode, kind string, change func([]byte) ([]byte, error), args ...string) error {
		data, err := says(args...)
		if err == nil && change != nil {
			data, err = change(data)
		}
		all = append(all, file{path, mode, kind, data})
		return err
	}
	for _, f := range []struct {
		path   string
		kind   string
		change func([]byte) ([]byte, error)
		args   []string
	}{
		{"/etc/optimus/optimus.toml", files.TypeConfigNoReplace, commentOut, []string{"admin", "config", "example"}},
		{"/usr/share/man/man1/optimus.1.gz", files.TypeFile, packed, []string{"man"}},
		{"/usr/share/bash-completion/completions/optimus", files.TypeFile, nil, []string{"completion", "bash"}},
		{"/usr/share/zsh/vendor-completions/_optimus", files.TypeFile, nil, []string{"completion", "zsh"}},
		{"/usr/share/fish/vendor_completions.d/optimus.fish", files.TypeFile, nil, []string{"completion", "fish"}},
	} {
		if err := add(f.path, 0o644, f.kind, f.change, f.args...); err != nil {
			return nil, err
		}
	}
	units, err := r.units(says)
	if err != nil {
		return nil, err
	}
	legal, err := r.legal()
	if err != nil {
		return nil, err
	}
	return append(append(all, units...), legal...), nil
}

// units has the program write systemd's units into a folder, and reads them.
func (r recipe) units(says func(...string) ([]byte, error)) ([]file, error) {
	dir, err := os.MkdirTemp("", "optimus-units-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := says("admin", "render", "systemd", "--out", dir); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.service"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("optimus admin render systemd has written no unit (%v)", err)
	}
	var all []file
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, file{"/usr/lib/systemd/system/" + filepath.Base(name), 0o644, files.TypeFile, data})
	}
	return all, nil
}

// legal gives the copyright file that Debian asks for, and the licences of what is linked in.
func (r recipe) legal() ([]file, error) {
	const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Optimus

Files: *
Copyright: The Optimus Authors
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
Comment: what is linked into the program, and its licences: NOTICE.gz in this folder.
`
	notice, err := os.ReadFile(filepath.Join(r.root, "NOTICE"))
	if err != nil {
		return nil, err
	}
	if notice, err = packed(notice); err != nil {
		return nil, err
	}
	return []file{
		{"/usr/share/doc/optimus/copyright", 0o644, files.TypeFile, []byte(copyright)},
		{"/usr/share/doc/optimus/NOTICE.gz", 0o644, files.TypeFile, notice},
	}, nil
}

// stated is a line of a TOML file that states a setting.
var stated = regexp.MustCompile(`(?m)^([a-z][a-z0-9_]* = )`)

// commentOut gives a file that states no setting, so that a later version's defaults hold.
func commentOut(text []byte) ([]byte, error) {
	out := stated.ReplaceAll(text, []byte("#$1"))
	if bytes.Equal(out, text) {
		return nil, fmt.Errorf("the example of optimus.toml states nothing:\n%s", text)
	}
	return out, nil
}

// packed gives the data as gzip, with no time or name in it.
func packed(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// info describes the package; scripts and files lie in dir.
func (r recipe) info(dir, arch, version string, all []file) (*nfpm.Info, error) {
	own := func(mode fs.FileMode) *files.ContentFileInfo {
		return &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.made}
	}
	contents := files.Contents{{Source: r.binary, Destination: "/usr/bin/optimus", Type: files.TypeFile, FileInfo: own(0o755)}}
	for i, f := range all {
		source := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(source, f.data, 0o600); err != nil {
			return nil, err
		}
		contents = append(contents, &files.Content{Source: source, Destination: f.path, Type: f.kind, FileInfo: own(f.mode)})
	}
	script := func(name string) string { return filepath.Join(r.root, ".tools/packaging/deb/scripts", name) }
	return nfpm.WithDefaults(&nfpm.Info{
		Name:          "optimus",
		Arch:          arch,
		Platform:      "linux",
		Version:       version,
		VersionSchema: "none", // it is Debian's already
		Section:       "net",
		Priority:      "optional",
		Maintainer:    "The Optimus Authors <optimus@localhost>",
		License:       "Apache-2.0",
		MTime:         r.made,
		Description: "runs untrusted programs, judges them against test cases\n" +
			"HTTP API, durable queue and worker in one program. Programs run in containers of\n" +
			"containerd, each run in a sandbox of its own, with limits that the kernel keeps.",
		Overridables: nfpm.Overridables{
			Depends: []string{"containerd", "runc"},
			// They build the languages' images from Debian's packages, and prove them; registries speak TLS.
			Recommends: []string{"mmdebstrap", "debian-archive-keyring", "ca-certificates"},
			Suggests:   []string{"redis-server"},
			Contents:   contents,
			Scripts:    nfpm.Scripts{PostInstall: script("postinst"), PreRemove: script("prerm"), PostRemove: script("postrm")},
			Deb:        nfpm.Deb{Compression: "gzip"},
		},
	}), nil
}

// write makes the package in a folder, and gives its path.
func (r recipe) write(folder string) (path string, err error) {
	arch, err := program.Architecture(r.binary)
	if err != nil {
		return "", err
	}
	version, err := debianVersion(r.version, r.made)
	if err != nil {
		return "", err
	}
	all, err := r.files()
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "optimus-deb-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	info, err := r.info(work, arch, version, all)
	if err != nil {
		return "", err
	}
	packager, err := nfpm.Get("deb")
	if err != nil {
		return "", err
	}
	var data bytes.Buffer
	if err := packager.Package(info, &data); err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(folder, fmt.Sprintf("optimus_%s_%s.deb", version, arch))
	return path, os.WriteFile(path, data.Bytes(), 0o644)
}
