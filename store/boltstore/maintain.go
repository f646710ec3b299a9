package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
)

// Checked is what a check of a file has found.
type Checked struct {
	Queues int `json:"queues"`
	Jobs   int `json:"jobs"`
	// Bytes is the file's size; Free of them hold nothing: they are used again, or given back by
	// [Compact].
	Bytes int64 `json:"bytes"`
	Free  int64 `json:"free"`
	// Faults say what is wrong, the first ones; none where all is well.
	Faults []string `json:"faults"`
}

// Check examines the file at path, which no server may have open, and changes nothing: every page,
// and whether indexes, figures and jobs agree. An error says that it could not be examined: it wraps
// store.ErrUnavailable where a process holds the file, and store.ErrSchema where it is too new,
// another program's, or so damaged that nothing of it can be read.
func Check(path string) (c Checked, err error) {
	if err := inspect(path, len(migrations())); err != nil {
		return c, err
	}
	var file *os.File
	defer recoveredFrom(path, &file, &err)
	o := options(&file)
	o.ReadOnly, o.PreLoadFreelist = true, true
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		return c, explain(path, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		used, err := checkPages(file, tx)
		if err == nil {
			c, err = checkTx(tx)
		}
		if err != nil {
			return err
		}
		info, err := file.Stat()
		if err == nil {
			c.Bytes, c.Free = info.Size(), info.Size()-used
		}
		return err //nolint:wrapcheck // names the file
	})
	return c, errors.Join(err, db.Close())
}

// recoveredFrom is deferred by who opens a file that may be damaged.
func recoveredFrom(path string, file **os.File, err *error) {
	if r := recover(); r != nil {
		letGo(*file)
		*err = damaged(path, r)
	}
}

func checkTx(tx *bolt.Tx) (Checked, error) {
	c := Checked{Faults: []string{}}
	for err := range tx.Check() {
		if len(c.Faults) < maxFaultsTold {
			c.Faults = append(c.Faults, err.Error())
		}
	}
	e, err := view{tx}.examine()
	if err != nil {
		return c, err
	}
	c.Queues, c.Jobs = len(e.queues.byNumber), e.jobs
	c.Faults = append(c.Faults, e.faults...)
	return c, nil
}

// Compacted says what a compaction did.
type Compacted struct {
	// Before and After are the sizes of the file, in bytes.
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

// compactBatch bounds the bytes that are copied in one transaction.
const compactBatch = 32 << 20

// Compact writes all that the file at path holds into a new one, checks that, and puts it in its
// place, so that the room which nothing uses is given back. No server may have it open. Where it
// fails, or is stopped, the file is as it was.
func Compact(ctx context.Context, path string) (done Compacted, err error) {
	if err := inspect(path, len(migrations())); err != nil {
		return done, err
	}
	var file *os.File
	defer recoveredFrom(path, &file, &err)
	// Open for writing, though nothing is written: so nobody else may read or write it meanwhile.
	src, err := bolt.Open(path, 0o600, options(&file))
	if err != nil {
		return done, explain(path, err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return done, fmt.Errorf("compact store: %w", err)
	}
	done.Before = info.Size()
	if err := removeUnfinished(path); err != nil {
		return done, fmt.Errorf("compact %s: %w", path, err)
	}
	done.After, err = compactInto(ctx, path, info, src)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return done, fmt.Errorf("compact %s: %w beside it for the new file; nothing was changed: %w", path, store.ErrNoRoom, err)
	}
	if err != nil {
		return done, fmt.Errorf("compact %s: nothing was changed: %w", path, err)
	}
	if err := syncFolder(path); err != nil {
		return done, fmt.Errorf("compact %s: %w", path, err)
	}
	return done, nil
}

// compactInto makes the new file, and gives it the name; it says how large that is.
func compactInto(ctx context.Context, path string, old fs.FileInfo, src *bolt.DB) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+unfinished+"*")
	if err != nil {
		return 0, err //nolint:wrapcheck // names the file
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(asBefore(f, old), f.Close()); err != nil {
		return 0, err
	}
	var file *os.File
	o := options(&file)
	o.NoSync = true // until all is there
	dst, err := bolt.Open(f.Name(), 0o600, o)
	if err != nil {
		return 0, err //nolint:wrapcheck // names the file
	}
	if err = bolt.Compact(dst, src, compactBatch); err == nil {
		err = tight(dst, file)
	}
	if err = errors.Join(err, dst.Close(), ctx.Err()); err != nil {
		return 0, err
	}
	if err := sameContent(f.Name(), src); err != nil {
		return 0, err
	}
	info, err := os.Stat(f.Name())
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, err //nolint:wrapcheck // names the file
	}
	return info.Size(), nil
}

// tight takes away what bbolt has made its file grow in advance, and waits for the disk.
func tight(db *bolt.DB, file *os.File) error {
	var size int64
	err := db.View(func(tx *bolt.Tx) error {
		size = tx.Size()
		return nil
	})
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		err = file.Sync()
	}
	return err //nolint:wrapcheck // names the file
}

// asBefore gives the new file the owner and the mode of the old one.
func asBefore(f *os.File, old fs.FileInfo) error {
	if owner, ok := old.Sys().(*syscall.Stat_t); ok && (int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid()) {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err //nolint:wrapcheck // names the file
		}
	}
	return f.Chmod(old.Mode().Perm()) //nolint:wrapcheck // names the file
}

// sameContent checks the new file, and compares it with what it was made of.
func sameContent(name string, src *bolt.DB) error {
	now, err := Check(name)
	if err != nil {
		return err
	}
	return src.View(func(tx *bolt.Tx) error { //nolint:wrapcheck // our own
		before, err := checkTx(tx)
		if err != nil {
			return err
		}
		if len(now.Faults)+len(before.Faults) > 0 {
			return fmt.Errorf("%w: the file has faults, which `optimus admin store check` lists", store.ErrSchema)
		}
		if now.Jobs != before.Jobs || now.Queues != before.Queues {
			return fmt.Errorf("%w: the new file has %d jobs in %d queues, the old one %d in %d",
				store.ErrSchema, now.Jobs, now.Queues, before.Jobs, before.Queues)
		}
		return nil
	})
}
