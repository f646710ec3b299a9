package boltstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"optimus/store"
)

// TestAnExportHoldsUpNobody closes the store while it is exported, and looks what is left.
func TestAnExportHoldsUpNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := openTest(t, path)
	for range 3 {
		submitTest(t, s, store.NewJob{Queue: "q"})
	}
	var text bytes.Buffer
	w, err := store.NewRecordWriter(&text, s.now(), "test")
	must(t, err)
	must(t, s.Export(t.Context(), func(r store.Record) error {
		if r.Queue != nil {
			must(t, s.Close())
		}
		return w.Write(r)
	}))
	total, err := w.Close()
	must(t, err)
	if total.Queues != 1 || total.Jobs != 3 {
		t.Errorf("exported %+v", total)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if len(left) != 1 {
		t.Errorf("the folder holds %v", left)
	}
	if err := s.Export(t.Context(), w.Write); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the export of a closed store gave %v", err)
	}
}

// TestAnExportWithoutACopy is one of a file beside which none can be made.
func TestAnExportWithoutACopy(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dir, 0o700))
	s := openTest(t, filepath.Join(dir, "jobs.db"))
	for range 3 {
		submitTest(t, s, store.NewJob{Queue: "q"})
	}
	must(t, os.Rename(dir, dir+" elsewhere"))
	n := 0
	must(t, s.Export(t.Context(), func(store.Record) error {
		n++
		return nil
	}))
	if n != 4 {
		t.Errorf("%d records were exported, want 4", n)
	}
}

// TestAnExportOfADamagedStore names the job that cannot be exported.
func TestAnExportOfADamagedStore(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "jobs.db"))
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	must(t, s.write(t.Context(), func(b *batch) error { b.delete(bucketPayloads, jobKey(id)); return nil }))
	err := s.Export(t.Context(), func(store.Record) error { return nil })
	if !errors.Is(err, store.ErrSchema) || !bytes.Contains([]byte(err.Error()), []byte(id.String())) {
		t.Errorf("it gave %v", err)
	}
}
