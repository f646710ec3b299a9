package containerd

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// debootstrap has mmdebstrap stream the image's files into an archive, whose path is given.
func (b *imageBuild) debootstrap(ctx context.Context, work, archive string) error {
	binary, err := lookUp(searchPath(os.Getenv("PATH")), "mmdebstrap")
	if err != nil {
		return fmt.Errorf("%w: apt-get install mmdebstrap debian-archive-keyring", err)
	}
	f, err := os.OpenFile(archive, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644) //nolint:gosec // holds public packages
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	defer f.Close()
	w, err := newArchiveWriter(f)
	if err != nil {
		return err
	}
	// What it makes for the time of the build belongs into the work folder, not into /tmp.
	scratch := filepath.Join(work, "tmp")
	if err := os.Mkdir(scratch, 0o755); err != nil { //nolint:gosec // apt's own user must be able to walk through
		return fmt.Errorf("work folder: %w", err)
	}
	if err := os.Chmod(work, 0o755); err != nil { //nolint:gosec // as above
		return fmt.Errorf("work folder: %w", err)
	}
	if err := b.runDebootstrap(ctx, binary, scratch, w); err != nil {
		return err
	}
	config := ocispec.ImageConfig{Env: imageEnv(), WorkingDir: WorkDir, Cmd: []string{"/bin/sh"}}
	if err := w.finish(b.ref, config); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

func (b *imageBuild) runDebootstrap(ctx context.Context, binary, scratch string, w *archiveWriter) error {
	args := b.arguments(debianMirror(ctx, b.Recipe.Mirror))
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+scratch, "LC_ALL=C.UTF-8",
		"SOURCE_DATE_EPOCH="+strconv.Itoa(epoch), "PATH="+searchPath(os.Getenv("PATH")))
	cmd.SysProcAttr = buildProcess()
	// By Linux "parent" is the thread that started it (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	report := &buildReport{build: b, detail: "starting"}
	files := &countingWriter{w: w, report: report}
	cmd.Stdout, cmd.Stderr = files, report
	stop := report.start()
	defer stop()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run mmdebstrap: %w", err)
	}
	err := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		// What did not hear SIGTERM must not outlive the work folder.
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		return context.Cause(ctx)
	case files.err != nil:
		return files.err
	case err != nil:
		return fmt.Errorf("mmdebstrap: %w: %s", err, report.complaint())
	}
	return nil
}

// buildProcess puts a build into a group of its own, so that one signal reaches apt and dpkg too, and
// Ctrl-C comes from us alone. Root's also gets namespaces of its own: with its first process, which
// ends with ours whatever ends that, the kernel ends all others and undoes what they have mounted.
func buildProcess() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGTERM} // which mmdebstrap passes on
	}
	return &syscall.SysProcAttr{
		Setpgid: true, Pdeathsig: unix.SIGKILL, Cloneflags: unix.CLONE_NEWPID,
		Unshareflags: unix.CLONE_NEWNS, // and so Go makes its mounts private
	}
}

// arguments of mmdebstrap, which writes a tar to its standard output.
func (b *imageBuild) arguments(mirror string) []string {
	args := []string{
		// No apt inside: 30 MB less than with minbase.
		"--variant=essential",
		"--include=" + strings.Join(b.Recipe.Packages, ","),
		"--format=tar",
		`--aptopt=Acquire::Languages "none"`,
		`--aptopt=APT::Install-Recommends "false"`,
		`--aptopt=Acquire::Retries "3"`,
		// The folder is thrown away if the machine fails, so dpkg need not wait for the disk.
		"--dpkgopt=force-unsafe-io",
		// Some postinst scripts link manual pages and fail without the folder.
		`--essential-hook=mkdir -p "$1/usr/share/man/man1"`,
	}
	for _, pattern := range unwantedPaths() {
		args = append(args, "--dpkgopt=path-exclude="+pattern)
	}
	for _, hook := range b.Recipe.Hooks {
		args = append(args, `--customize-hook=chroot "$1" /bin/sh -ec `+shellQuote(hook))
	}
	args = append(args,
		`--customize-hook=rm -rf "$1"/usr/share/man "$1"/var/log/* "$1"/var/cache/* "$1"/etc/resolv.conf "$1"/etc/hostname`,
		`--customize-hook=mkdir -p "$1`+WorkDir+`"`,
		b.Recipe.Suite,
		"-", // the target: standard output
	)
	if mirror != "" {
		args = append(args, mirror)
	}
	return args
}

// unwantedPaths is what no program needs in order to be compiled and run, as dpkg's
// patterns, whose * matches slashes too.
func unwantedPaths() []string {
	return []string{
		"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/lintian/*",
		"/usr/share/locale/*", "/usr/share/bug/*", "/usr/share/bash-completion/*", "/usr/share/gdb/*",
		"/usr/lib/jvm/*/jmods/*",   // 75 MB, for making other Java runtimes
		"/usr/lib/gcc/*/lib*san.a", // sanitizers for static linking
	}
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// debianMirror is where packages come from; empty leaves it to mmdebstrap, which knows
// Debian's own.
func debianMirror(ctx context.Context, wanted string) string {
	for _, m := range []string{wanted, os.Getenv(EnvMirror)} {
		if m != "" {
			return m
		}
	}
	// What this machine's apt uses is near, and is reached the way that its operator chose.
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)\t$(LABEL)\t$(SITE)").Output()
	if err != nil {
		return ""
	}
	return aptMirror(string(out))
}

// aptMirror finds Debian's main archive among apt's index targets.
func aptMirror(targets string) string {
	var sites []string
	for line := range strings.Lines(targets) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 3 && fields[0] == "Debian" && fields[1] == "Debian" && strings.Contains(fields[2], "://") {
			sites = append(sites, fields[2])
		}
	}
	if len(sites) == 0 {
		return ""
	}
	return slices.Min(sites)
}

// countingWriter passes the image's files on, and keeps what went wrong with that.
type countingWriter struct {
	w      io.Writer
	report *buildReport
	err    error
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.err = err
	c.report.mu.Lock()
	defer c.report.mu.Unlock()
	c.report.wrote += int64(n)
	return n, err //nolint:wrapcheck // the archive's writer wraps
}

// buildReport turns what mmdebstrap says into progress, and keeps what it complains of.
type buildReport struct {
	build *imageBuild

	mu     sync.Mutex
	detail string
	wrote  int64
	line   []byte   // the current one so far
	last   []string // the latest whole ones
}

// start tells at once, and each progressEvery until the function that it gives is called.
func (r *buildReport) start() (stop func()) {
	tell := func() {
		r.mu.Lock()
		p := Progress{Stage: "build", Detail: r.detail, Done: r.wrote}
		r.mu.Unlock()
		r.build.Progress.tell(p)
	}
	tell()
	return tellEvery(tell)
}

// Write takes in what mmdebstrap says. Lines end at carriage returns too, by which progress
// bars overwrite themselves.
func (r *buildReport) Write(p []byte) (int, error) {
	const longest = 4096
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range p {
		switch {
		case c == '\n' || c == '\r':
			r.say(strings.TrimSpace(string(r.line)))
			r.line = r.line[:0]
		case len(r.line) < longest:
			r.line = append(r.line, c)
		}
	}
	return len(p), nil
}

func (r *buildReport) say(line string) {
	const kept = 20
	if line == "" {
		return
	}
	r.build.Log.Debug().Str("image", r.build.ref).Msg(line)
	if step, ok := buildStep(line); ok {
		r.detail = step
	}
	r.last = append(r.last[max(0, len(r.last)-kept+1):], line)
}

// buildStep tells what mmdebstrap is about to do, if the line says something of interest.
func buildStep(line string) (step string, ok bool) {
	step, ok = strings.CutPrefix(line, "I: ")
	switch {
	case !ok || strings.HasPrefix(step, "using ") || strings.HasPrefix(step, "removing "):
		return "", false
	case strings.HasPrefix(step, "running --customize-hook"):
		return "running hooks", true
	}
	return strings.TrimSuffix(step, "..."), true
}

// complaint picks what explains a failure: errors first, else the last lines.
func (r *buildReport) complaint() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []string
	for _, line := range r.last {
		if strings.HasPrefix(line, "E: ") && !strings.Contains(line, "run with --debug") {
			errs = append(errs, line)
		}
	}
	if len(errs) == 0 {
		errs = r.last[max(0, len(r.last)-3):]
	}
	text := strings.Join(errs, " | ")
	for _, hint := range []string{"Unable to fetch", "Failed to fetch", "Could not resolve", "Could not connect"} {
		if slices.ContainsFunc(r.last, func(l string) bool { return strings.Contains(l, hint) }) {
			return text + ": is the mirror right? OPTIMUS_DEBIAN_MIRROR sets another"
		}
	}
	return text
}
