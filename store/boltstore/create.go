package boltstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// create makes the file where there is none. It gets its name when all of it is on the disk, so that a
// power cut leaves a whole file or none; a name that was taken meanwhile is another process's file.
func create(path string, steps []migration) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) { //nolint:gosec // the operator names it
		return nil // inspect will meet any other error too, and say more
	}
	if err := removeUnfinished(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+unfinished+"*")
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }() //nolint:gosec // beside the operator's file
	if err := f.Close(); err != nil {
		return err //nolint:wrapcheck // names the file
	}
	var file *os.File
	db, err := bolt.Open(f.Name(), 0o600, options(&file))
	if err != nil {
		return err //nolint:wrapcheck // explain does
	}
	if err := errors.Join(db.Update(func(tx *bolt.Tx) error { return prepare(tx, steps) }), db.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return err //nolint:wrapcheck // names the files
	}
	return nil
}

// unfinished is in the name of a file that is being made.
const unfinished = ".new-"

// removeUnfinished removes what a cut left of an earlier try. Where another process is at it right
// now, that one's create fails, and changes nothing.
func removeUnfinished(path string) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(path)+unfinished) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name()))) //nolint:gosec // beside the operator's file
		}
	}
	return err
}

// syncFolder makes the file's name durable. Whoever made it may not have come to that.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path)) //nolint:gosec // of the operator's file
	if err != nil {
		return err //nolint:wrapcheck // names the folder
	}
	return errors.Join(dir.Sync(), dir.Close())
}
