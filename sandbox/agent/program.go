package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// program is the folder of a prepared program: a tmpfs of its own, so that it is bounded and ends
// with one unmount.
type program struct {
	dir string
	uid int
	// fault is the first thing that went wrong while it was made; its runs answer with it.
	fault error
}

// programs are the container's programs by id.
type programs struct {
	mu   sync.Mutex
	byID map[uint32]*program
}

func newPrograms() *programs { return &programs{byID: map[uint32]*program{}} }

func (ps *programs) get(id uint32) (*program, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p, ok := ps.byID[id]
	if !ok {
		return nil, fmt.Errorf("program %d: %w", id, os.ErrNotExist)
	}
	return p, p.fault
}

// add mounts the program's folder.
func (ps *programs) add(id uint32, spec wire.ProgramSpec) {
	p := &program{dir: filepath.Join(programsDir, strconv.FormatUint(uint64(id), 10)), uid: spec.UID}
	p.fault = p.mount(spec)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.byID[id] = p
}

func (p *program) mount(spec wire.ProgramSpec) error {
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		return fmt.Errorf("make program folder: %w", err)
	}
	options := fmt.Sprintf("mode=0755,uid=%d,gid=%d,size=%d,nr_inodes=%d", spec.UID, spec.UID, spec.Bytes, spec.Inodes)
	if err := unix.Mount("tmpfs", p.dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount program folder: %w", err)
	}
	return nil
}

// write appends a piece of content to a file, which all may write to, as settle has it. It happens
// before any run of the program, so that nothing but the agent has touched the folder.
func (ps *programs) write(id uint32, payload []byte) {
	p, err := ps.get(id)
	if err != nil {
		return // its fault is told by seal or run
	}
	if err := p.write(payload); err != nil {
		ps.mu.Lock()
		p.fault = err
		ps.mu.Unlock()
	}
}

func (p *program) write(payload []byte) error {
	name, content, ok := bytes.Cut(payload, []byte{0})
	if !ok {
		return errors.New("write file: no name")
	}
	if err := sandbox.ValidFileName(string(name)); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	path := filepath.Join(p.dir, string(name))
	if err := p.makeParents(string(name)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o666)
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err := f.Chown(p.uid, p.uid); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

func (p *program) makeParents(name string) error {
	for i, r := range name {
		if r != '/' {
			continue
		}
		dir := filepath.Join(p.dir, name[:i])
		switch err := os.Mkdir(dir, 0o777); {
		case errors.Is(err, os.ErrExist):
			continue
		case err != nil:
			return fmt.Errorf("make folder: %w", err)
		}
		if err := os.Lchown(dir, p.uid, p.uid); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	return nil
}

// settle gives what the compile made to root, for all to read and to write: its maker's user id is
// that of one slot of many, and it must not depend on a run's slot what the run may do with a file.
// (What a run writes goes to the overlay that is its own.) Nothing runs that could change the folder
// meanwhile; what cannot be reached by its path stays as it is.
func (p *program) settle() {
	_ = filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // too deep, say: the program's own affair
		}
		_ = os.Lchown(path, 0, 0) //nolint:gosec // G122: nothing runs that could race
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		mode := info.Mode().Perm()
		switch {
		case d.IsDir(), d.Type().IsRegular() && mode&0o111 != 0:
			mode |= 0o777
		case d.Type().IsRegular():
			mode |= 0o666
		}
		if mode != info.Mode().Perm() {
			_ = os.Chmod(path, mode) //nolint:gosec // G122: likewise
		}
		return nil
	})
}

// seal makes the folder read-only after the compile. Its runs have ended, so nothing writes.
func (ps *programs) seal(id uint32) error {
	p, err := ps.get(id)
	if err != nil {
		return err
	}
	p.settle()
	const flags = unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
	// The kernel may close a killed process's files a moment after it was reaped.
	for wait := 100 * time.Microsecond; ; wait *= 2 {
		err := unix.Mount("", p.dir, "", flags, "")
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || wait > time.Second {
			return fmt.Errorf("seal program folder: %w", err)
		}
		time.Sleep(wait)
	}
}

// drop ends a program. A box that still has it mounted keeps it until it ends.
func (ps *programs) drop(id uint32) {
	ps.mu.Lock()
	p, ok := ps.byID[id]
	delete(ps.byID, id)
	ps.mu.Unlock()
	if !ok {
		return
	}
	_ = unix.Unmount(p.dir, unix.MNT_DETACH)
	_ = os.Remove(p.dir)
}
