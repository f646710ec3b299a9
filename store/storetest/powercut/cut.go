package powercut

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// pageSize is what a disk writes at once at the most, as far as anybody may rely on it; sectorSize
// is what it does not tear.
const (
	pageSize   = 4096
	sectorSize = 512
)

// Fate decides of a part of what was not synced whether it came to the disk.
type Fate func() bool

// Len is the number of recorded steps. A cut may come after any of them: [Recording.Cut] takes 0 to Len.
func (r *Recording) Len() int { return len(r.steps) }

// Notes are the lines that were written to the file [Notes] in the first n steps.
func (r *Recording) Notes(n int) []string {
	var lines []string
	for _, s := range r.steps[:n] {
		if s.kind == kindNote {
			lines = append(lines, s.note)
		}
	}
	return lines
}

// Resizes is how often the size of a file was set.
func (r *Recording) Resizes() (n int) {
	for _, s := range r.steps {
		if s.kind == kindResize {
			n++
		}
	}
	return n
}

// Disk is what a cut left.
type Disk struct {
	names map[string]uint64
	files map[uint64]*file
}

type file struct {
	size  int64
	pages map[int64][]byte // by number; never changed once they are here, since disks share them
}

// NewDisk is a disk that holds the files of the folder dir, all of it synced.
func NewDisk(t *testing.T, dir string) *Disk {
	t.Helper()
	d := &Disk{names: map[string]uint64{}, files: map[uint64]*file{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, e.Name()), &st); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		d.names[e.Name()] = st.Ino
		d.file(st.Ino).write(0, content)
	}
	return d
}

func (d *Disk) clone() *Disk {
	c := &Disk{names: maps.Clone(d.names), files: map[uint64]*file{}}
	for id, f := range d.files {
		c.files[id] = &file{size: f.size, pages: maps.Clone(f.pages)}
	}
	return c
}

func (d *Disk) file(id uint64) *file {
	if d.files[id] == nil {
		d.files[id] = &file{pages: map[int64][]byte{}}
	}
	return d.files[id]
}

func (f *file) write(offset int64, data []byte) {
	f.size = max(f.size, offset+int64(len(data)))
	for len(data) > 0 {
		n, at := offset/pageSize, offset%pageSize
		part := data[:min(int64(len(data)), pageSize-at)]
		page := make([]byte, pageSize)
		copy(page, f.pages[n])
		copy(page[at:], part)
		f.pages[n] = page
		offset, data = offset+int64(len(part)), data[len(part):]
	}
}

func (f *file) resize(size int64) {
	if size < f.size {
		maps.DeleteFunc(f.pages, func(n int64, _ []byte) bool { return n*pageSize >= size })
		if tail := f.pages[size/pageSize]; tail != nil {
			f.pages[size/pageSize] = append(slices.Clone(tail[:size%pageSize]), make([]byte, pageSize-size%pageSize)...)
		}
	}
	f.size = size
}

// Cuts gives, one after the other, the disk as the syncs of the first n steps made it, with the
// steps that no sync covers, for n from 0 to Len.
func (r *Recording) Cuts() iter.Seq2[int, Cut] {
	return func(yield func(int, Cut) bool) {
		synced := r.before.clone()
		var open []step
		for n := 0; ; n++ {
			if !yield(n, Cut{synced: synced, open: open}) || n == r.Len() {
				return
			}
			s := r.steps[n]
			switch s.kind {
			case kindNote:
			case kindSync:
				open = synced.settle(open, func(o step) bool { return o.content() && o.file == s.file })
			case kindSyncDir:
				open = synced.settle(open, func(o step) bool { return !o.content() })
			case kindWrite, kindResize, kindLink, kindUnlink:
				open = append(slices.Clip(open), s)
			}
		}
	}
}

func (s step) content() bool { return s.kind == kindWrite || s.kind == kindResize }

// settle does the steps that a sync covers, and gives the others.
func (d *Disk) settle(open []step, covered func(step) bool) []step {
	var rest []step
	for _, s := range open {
		if covered(s) {
			d.do(s, nil, 0)
		} else {
			rest = append(rest, s)
		}
	}
	return rest
}

// do carries out a step, or of a write the parts, of grain bytes each, that fate wants.
func (d *Disk) do(s step, fate Fate, grain int64) {
	switch s.kind {
	case kindWrite:
		for data, at := s.data, s.offset; len(data) > 0; {
			part := int64(len(data))
			if fate != nil {
				part = min(part, grain-at%grain)
			}
			if fate == nil || fate() {
				d.file(s.file).write(at, data[:part])
			}
			data, at = data[part:], at+part
		}
	case kindResize:
		if fate == nil || fate() {
			d.file(s.file).resize(s.offset)
		}
	case kindLink:
		if fate == nil || fate() {
			d.names[s.name] = s.file
		}
	case kindUnlink:
		if fate == nil || fate() {
			delete(d.names, s.name)
		}
	case kindSync, kindSyncDir, kindNote:
		panic("is not done but waited for")
	}
}

// Cut is a moment at which the power may fail.
type Cut struct {
	synced *Disk
	open   []step
}

// Pages is the disk with those pages of what was not synced that fate wants, in whatever order the
// disk took them: a later one may be there without an earlier.
func (c Cut) Pages(fate Fate) *Disk { return c.keep(fate, pageSize) }

// Sectors is Pages for a disk that tears pages.
func (c Cut) Sectors(fate Fate) *Disk { return c.keep(fate, sectorSize) }

func (c Cut) keep(fate Fate, grain int64) *Disk {
	d := c.synced.clone()
	for _, s := range c.open {
		d.do(s, fate, grain)
	}
	return d
}

// Last is the disk that took the last step first.
func (c Cut) Last() *Disk {
	left := len(c.open)
	d := c.synced.clone()
	for _, s := range c.open {
		if left--; left == 0 {
			d.do(s, nil, 0)
		}
	}
	return d
}

// Sum tells disks apart.
func (d *Disk) Sum() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		f := d.file(d.names[name])
		_, _ = fmt.Fprintf(h, "%q %d ", name, f.size)
		for _, n := range slices.Sorted(maps.Keys(f.pages)) {
			_, _ = fmt.Fprintf(h, "%d ", n)
			_, _ = h.Write(f.pages[n])
		}
	}
	return string(h.Sum(nil))
}

// Put makes the disk's files in the empty folder dir.
func (d *Disk) Put(t *testing.T, dir string) {
	t.Helper()
	for name, id := range d.names {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = d.file(id).put(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (f *file) put(to *os.File) error {
	err := to.Truncate(f.size)
	zero := make([]byte, pageSize)
	for n, page := range f.pages {
		if err == nil && !bytes.Equal(page, zero) {
			_, err = to.WriteAt(page[:min(pageSize, f.size-n*pageSize)], n*pageSize)
		}
	}
	if closed := to.Close(); err == nil {
		err = closed
	}
	return err
}
