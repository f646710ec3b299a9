package modes

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// nextLab is the lab with the binary of a version to come in place of this one's: its stores know two more
// schemas, of which this one's can read the first. known is the newest one that it is told of. It is built
// of this version's source, with what testdata/nextschema adds to it.
func nextLab(t *testing.T, l *lab, known string) *lab {
	t.Helper()
	dir := filepath.Join(filepath.Dir(l.config), "next") // stays for other parts
	next := *l
	next.binary = filepath.Join(dir, "optimus")
	if _, err := os.Stat(next.binary); err == nil {
		return next.knowing(known)
	}
	o := &overlay{t: t, dir: dir, replaced: map[string]string{}}
	const redis, file, added = "store/redisstore/", "store/boltstore/", "modes/testdata/nextschema/"
	o.put(redis+"next.go", o.read(added+"redisstore.go"))
	o.put(redis+"lua/lib/queue.lua", o.read(added+"queue.lua")+o.read(redis+"lua/lib/queue.lua"))
	o.change(redis+"schema.go", "{ return []migration{{minReader: 1}} }", "{ return nextMigrations([]migration{{minReader: 1}}) }")
	o.put(file+"next.go", o.read(added+"boltstore.go"))
	o.change(file+"schema.go", "return []migration{{minReader: 1, run: makeBuckets}}", "return nextMigrations([]migration{{minReader: 1, run: makeBuckets}})")
	o.change(file+"schema.go", "\treturn s, nil\n}\n\n// Schema says", "\tnextWritten.Store(int64(s.Written))\n\treturn s, nil\n}\n\n// Schema says")
	o.change(file+"record.go", "json.Marshal(r)", "json.Marshal(nextForm(r))")
	if _, err := build(t.Context(), dir, "v0.0.1-test", "-overlay", o.write()); err != nil {
		t.Fatal(err)
	}
	return next.knowing(known)
}

// overlay is what `go build` reads in place of files of this module.
type overlay struct {
	t        *testing.T
	dir      string
	replaced map[string]string
}

func (o *overlay) path(file string) string {
	path, err := filepath.Abs(filepath.Join("..", file))
	if err != nil {
		o.t.Fatal(err)
	}
	return path
}

// read gives the text of a file as it is by now.
func (o *overlay) read(file string) string {
	path := o.path(file)
	if changed, ok := o.replaced[path]; ok {
		path = changed
	}
	text, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(text)
}

func (o *overlay) put(file, text string) {
	o.replaced[o.path(file)] = o.keep(strings.ReplaceAll(file, "/", "-"), text)
}

// change replaces a text, which must be there once.
func (o *overlay) change(file, before, after string) {
	text := o.read(file)
	if strings.Count(text, before) != 1 {
		o.t.Fatalf("%s has not once %q, which the next version changes", file, before)
	}
	o.put(file, strings.Replace(text, before, after, 1))
}

func (o *overlay) keep(name, text string) string {
	path := filepath.Join(o.dir, name)
	if err := errors.Join(os.MkdirAll(o.dir, 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// write gives the file that the flag -overlay takes.
func (o *overlay) write() string {
	text, err := json.Marshal(map[string]any{"Replace": o.replaced})
	if err != nil {
		o.t.Fatal(err)
	}
	return o.keep("overlay.json", string(text))
}

// knowing is the lab of a version to come with another newest schema.
func (l *lab) knowing(schema string) *lab {
	next := *l
	next.env = []string{"NEXT_SCHEMA=" + schema}
	return &next
}

// schema asks a command for the form of the store.
func (l *lab) schema(t *testing.T, args ...string) (s store.Schema) {
	t.Helper()
	out := l.admin(t, ExitOK, append([]string{"store"}, append(args, "--json")...)...)
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

// isSchema checks the form of the store.
func isSchema(t *testing.T, got, want store.Schema) {
	t.Helper()
	if got != want {
		t.Errorf("the store's schema is %+v, want %+v", got, want)
	}
}

// checkNext checks that jobs that have ended have what schema 2 adds to their records, or have not.
func checkNext(t *testing.T, queue *redistest.Server, want bool, ids ...string) {
	t.Helper()
	for _, id := range ids {
		raw, err := queue.Client(t).Eval(t.Context(), `local r = cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1]))
			return (r[29] or 'none') .. ' ' .. r[27]`, []string{"{optimus:1}:ended"}, id).Text()
		if has := strings.HasPrefix(raw, "next ") && strings.Contains(raw, `"next":{"deep":[1.5]}`); err != nil || has != want {
			t.Errorf("job %s has what the new form adds: %v, want %v; %v, %s", id, has, want, err, raw)
		}
	}
}

// several has a server take some jobs, and another one tell how they end.
func several(t *testing.T, from, told *serving) (ids []string) {
	t.Helper()
	for n := range 4 {
		ids = append(ids, from.submit(t, square(n)))
	}
	for _, id := range ids {
		if job := told.ended(t, id); job.Verdict != "accepted" {
			t.Errorf("the job is %+v", job)
		}
	}
	return ids
}

// testFleetUpgrade has processes of this version and of one to come on one queue while jobs stream: side by
// side in this version's form, and in one that this version can read; back to this version alone; and on to
// a form that it cannot read, at which its processes stop.
func testFleetUpgrade(t *testing.T, l *lab) {
	queue := redistest.Start(t)
	newest := nextLab(t, l, "3")
	second := newest.knowing("2")
	now, next := newFleet(l, queue.URL, "OPTIMUS_WORKER_LEASE=2s"), newFleet(newest, queue.URL, "OPTIMUS_WORKER_LEASE=2s")
	st := newStream(t)
	st.outages = true
	others := 0
	side := func(from, told *serving) []string {
		ids := several(t, from, told)
		others += len(ids)
		return ids
	}

	oldServer, oldWorker := now.api(t), now.work(t)
	st.server.Store(oldServer.api)
	newServer, newWorker := next.api(t), next.work(t)
	isSchema(t, newest.schema(t, "show", "--redis-url", queue.URL), store.Schema{Written: 1, MinReader: 1, Known: 3})
	checkNext(t, queue, false, append(side(oldServer, newServer), side(newServer, oldServer)...)...)

	isSchema(t, second.schema(t, "upgrade", "--redis-url", queue.URL), store.Schema{Written: 2, MinReader: 1, Known: 2})
	side(oldServer, newServer)
	newWorker.stop(t)
	st.server.Store(newServer.api)
	checkNext(t, queue, true, side(newServer, oldServer)...) // an older worker has judged them
	newServer.stop(t)
	st.server.Store(oldServer.api)
	now.replace(t, &oldWorker)
	isSchema(t, l.schema(t, "show", "--redis-url", queue.URL), store.Schema{Written: 2, MinReader: 1, Known: 1})
	checkNext(t, queue, false, side(oldServer, oldServer)...)

	newServer = next.api(t)
	id := oldServer.submit(t, sleeper(2))
	others++
	oldServer.untilRunning(t, id)
	isSchema(t, newest.schema(t, "upgrade", "--redis-url", queue.URL), store.Schema{Written: 3, MinReader: 3, Known: 3})
	for _, s := range []*serving{oldServer, oldWorker} {
		s.isOutdated(t)
	}
	newWorker = next.work(t)
	st.server.Store(newServer.api)
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0", "--worker=false"}, {"work"}} {
		l.launch(t, args, now.env...).isOutdated(t)
	}
	l.admin(t, ExitFailed, "store", "show", "--redis-url", queue.URL)
	newServer.ended(t, id)
	checkNext(t, queue, true, id)
	st.end(t, newServer)
	newWorker.stop(t)
	newServer.stop(t)

	// What it has come to is looked at in a file, which an export of the newer version can be moved to.
	file := filepath.Join(t.TempDir(), "all.jsonl")
	newest.admin(t, ExitOK, "store", "export", "--redis-url", queue.URL, "--out", file)
	l.admin(t, ExitOK, "store", "import", file)
	kept := l.kept(t)
	st.check(t, kept, others)
	if past := kept[id].Attempts; len(past) != 2 || !strings.HasPrefix(past[0].Reason, "lease expired") || past[0].Worker == past[1].Worker {
		t.Errorf("the attempts at what an older worker ran when it was shut out are %+v", past)
	}
}

// isOutdated waits until a process ends since the store needs a newer version, which it must say.
func (s *serving) isOutdated(t *testing.T) {
	t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatalf("the process does not end:\n%s", s.readLog(t))
	}
	if s.state.ExitCode() != ExitFailed {
		t.Errorf("the process exits: %s", s.state)
	}
	contains(t, "its log", s.readLog(t), "was written by a newer Optimus", "needs schema 3, this binary knows 1", "start that version or a later one")
}

// testFolderUpgrade has this version and one to come one after the other on a folder.
func testFolderUpgrade(t *testing.T, l *lab) {
	newest := nextLab(t, l, "3")
	var ids []string
	on := func(l *lab) {
		t.Helper()
		s := l.serve(t)
		ids = append(ids, several(t, s, s)...)
		s.stop(t)
	}
	on(l)
	on(newest)
	l.checkNext(t) // none

	isSchema(t, newest.knowing("2").schema(t, "upgrade"), store.Schema{Written: 2, MinReader: 1, Known: 2})
	s := newest.serve(t)
	id := s.submit(t, sleeper(forever))
	s.untilRunning(t, id)
	s.send(t, syscall.SIGKILL)
	<-s.exited
	isSchema(t, l.schema(t, "show"), store.Schema{Written: 2, MinReader: 1, Known: 1})
	s = l.serve(t) // which puts the job back that the newer one ran
	eventually(t, "the job runs again", func() bool { return s.job(t, id).Attempts == 2 })
	s.ask(t, http.MethodPost, "/v1/jobs/"+id+"/cancel", nil, http.StatusOK)
	if job := s.ended(t, id); job.Verdict != "cancelled" {
		t.Errorf("the job is %+v", job)
	}
	s.stop(t)
	on(l)
	l.checkNext(t, id)

	isSchema(t, newest.schema(t, "upgrade"), store.Schema{Written: 3, MinReader: 3, Known: 3})
	l.launch(t, []string{"serve", "--listen", "127.0.0.1:0"}).isOutdated(t)
	on(newest)
	file := filepath.Join(t.TempDir(), "all.jsonl")
	newest.admin(t, ExitOK, "store", "export", "--out", file)
	l.freshStore(t)
	l.admin(t, ExitOK, "store", "import", file) // the way back
	kept := l.kept(t)
	for _, one := range append(ids, id) {
		if kept[one].Report == nil {
			t.Errorf("job %s is lost", one)
		}
	}
	if len(kept) != len(ids)+1 {
		t.Errorf("%d jobs are kept of %d", len(kept), len(ids)+1)
	}
	l.checkNext(t, append(ids[len(ids)-4:], id)...)
}

// checkNext checks which jobs of a folder have what schema 2 adds to their records.
func (l *lab) checkNext(t *testing.T, ids ...string) {
	t.Helper()
	db, err := bolt.Open(l.storePath(), 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var found []string
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("jobs")).ForEach(func(_, raw []byte) error {
			var job struct {
				ID   string          `json:"id"`
				Next json.RawMessage `json:"next"`
			}
			if err := json.Unmarshal(raw, &job); err != nil {
				return err
			}
			if string(job.Next) == `{"deep":[1.5]}` {
				found = append(found, job.ID)
			}
			return nil
		})
	})
	slices.Sort(ids)
	if slices.Sort(found); err != nil || !slices.Equal(found, ids) {
		t.Errorf("what the new form adds have %v, %v; want %v", found, err, ids)
	}
}
