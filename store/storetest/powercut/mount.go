package powercut

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Notes is the name of the file whose lines are notes.
const Notes = "notes"

// Recording is what was done to a file system, in order.
type Recording struct {
	before *Disk
	steps  []step
}

// recorder makes a Recording.
type recorder struct {
	mu    sync.Mutex
	steps []step
	notes map[uint64]bool // the inodes of Notes
}

// step is one operation. Which fields count depends on its kind.
type step struct {
	kind   kind
	file   uint64 // inode
	name   string // for kindLink and kindUnlink
	offset int64  // for kindWrite; the size, for kindResize
	data   []byte // for kindWrite
	note   string // for kindNote
}

type kind int

const (
	kindWrite kind = iota
	kindResize
	kindSync    // of a file's content and size
	kindLink    // a name is given to a file
	kindUnlink  // a name is taken away
	kindSyncDir // of the names
	kindNote
)

// Record mounts a file system that holds what before does, and records what is done to it below
// dir until run returns.
func Record(t *testing.T, before *Disk, run func(dir string)) *Recording {
	t.Helper()
	below, dir := t.TempDir(), t.TempDir()
	before.Put(t, below)
	before = NewDisk(t, below) // by the numbers of these files
	root, err := fs.NewLoopbackRoot(below)
	if err != nil {
		t.Fatal(err)
	}
	loop := root.(*fs.LoopbackNode) //nolint:forcetypeassert // it makes that
	rec := &recorder{notes: map[uint64]bool{}}
	top := &node{LoopbackNode: fs.LoopbackNode{RootData: loop.RootData}, rec: rec}
	loop.RootData.RootNode = top
	server, err := fs.Mount(dir, top, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "powercut", Name: "powercut"},
	})
	if err != nil {
		t.Fatalf("mount a FUSE file system, for which root, /dev/fuse and the kernel's module fuse are needed (modprobe fuse): %v", err)
	}
	defer func() {
		if err := server.Unmount(); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	}()
	run(dir)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return &Recording{before: before, steps: rec.steps}
}

func (r *recorder) add(s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.kind == kindLink && s.name == Notes {
		r.notes[s.file] = true
	}
	if !r.notes[s.file] {
		r.steps = append(r.steps, s)
		return
	}
	if s.kind == kindWrite {
		for line := range strings.Lines(string(s.data)) {
			r.steps = append(r.steps, step{kind: kindNote, note: strings.TrimSpace(line)})
		}
	}
}

// node hands everything on to the folder below, and records what changes it.
type node struct {
	fs.LoopbackNode
	rec *recorder
}

var _ interface {
	fs.NodeWrapChilder
	fs.NodeCreater
	fs.NodeOpener
	fs.NodeLinker
	fs.NodeUnlinker
	fs.NodeRenamer
	fs.NodeSetattrer
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeOpendirHandler
} = (*node)(nil)

func (n *node) WrapChild(context.Context, fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: fs.LoopbackNode{RootData: n.RootData}, rec: n.rec}
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, handle, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	n.rec.add(step{kind: kindLink, file: inode.StableAttr().Ino, name: name})
	return inode, seen(handle), fuseFlags, 0
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	handle, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return seen(handle), fuseFlags, 0
}

// visible is an open file whose writes the kernel does not hand to the file below by itself.
type visible struct{ *fs.LoopbackFile }

func seen(h fs.FileHandle) visible {
	return visible{h.(*fs.LoopbackFile)} //nolint:forcetypeassert // of a loopback node
}

// PassthroughFd implements [fs.FilePassthroughFder].
func (visible) PassthroughFd() (int, bool) { return 0, false }

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	inode, errno := n.LoopbackNode.Link(ctx, target, name, out)
	if errno == 0 {
		n.rec.add(step{kind: kindLink, file: inode.StableAttr().Ino, name: name})
	}
	return inode, errno
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	errno := n.LoopbackNode.Unlink(ctx, name)
	if errno == 0 {
		n.rec.add(step{kind: kindUnlink, name: name})
	}
	return errno
}

// Rename is refused: nothing needs it yet.
func (n *node) Rename(context.Context, string, fs.InodeEmbedder, string, uint32) syscall.Errno {
	return syscall.ENOSYS
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	errno := n.LoopbackNode.Setattr(ctx, f, in, out)
	if size, ok := in.GetSize(); ok && errno == 0 {
		n.rec.add(step{kind: kindResize, file: n.StableAttr().Ino, offset: int64(size)}) //nolint:gosec // of a file in a test
	}
	return errno
}

func (n *node) Write(ctx context.Context, f fs.FileHandle, data []byte, offset int64) (uint32, syscall.Errno) {
	done, errno := f.(fs.FileWriter).Write(ctx, data, offset) //nolint:forcetypeassert // a loopback file's handle is one
	if errno == 0 {
		n.rec.add(step{kind: kindWrite, file: n.StableAttr().Ino, offset: offset, data: append([]byte(nil), data[:done]...)})
	}
	return done, errno
}

func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.rec.add(step{kind: kindSync, file: n.StableAttr().Ino}) // the disk below need not take part
	return 0
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &folder{FileHandle: h, rec: n.rec}, fuseFlags, 0
}

// folder is an open folder, of which no more is needed than to sync it and to list it.
type folder struct {
	fs.FileHandle
	rec *recorder
}

var _ interface {
	fs.FileFsyncdirer
	fs.FileReaddirenter
	fs.FileReleasedirer
} = (*folder)(nil)

func (f *folder) Fsyncdir(context.Context, uint32) syscall.Errno {
	f.rec.add(step{kind: kindSyncDir})
	return 0
}

func (f *folder) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	return f.FileHandle.(fs.FileReaddirenter).Readdirent(ctx) //nolint:forcetypeassert // the loopback folder is one
}

func (f *folder) Releasedir(ctx context.Context, flags uint32) {
	f.FileHandle.(fs.FileReleasedirer).Releasedir(ctx, flags) //nolint:forcetypeassert // the loopback folder is one
}
