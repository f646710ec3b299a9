package modes

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/redisstore"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

// fleet is servers and workers around a Redis-protocol server, all on the lab's folder: they share its
// private containerd.
type fleet struct {
	*lab

	// env says where the queue is, and redis the same in the store's own words.
	env   []string
	redis redisstore.Options
}

// newFleet has the queue of a server.
func newFleet(l *lab, url string, env ...string) *fleet {
	return &fleet{lab: l, env: append([]string{"OPTIMUS_REDIS_URL=" + url}, env...), redis: redisstore.Options{URL: url}}
}

// api starts a server without a worker.
func (f *fleet) api(t *testing.T) *serving {
	t.Helper()
	s := f.launch(t, []string{"serve", "--listen", "127.0.0.1:0", "--worker=false"}, f.env...)
	s.untilReady(t)
	return s
}

// work starts a worker.
func (f *fleet) work(t *testing.T) *serving {
	t.Helper()
	s := f.launch(t, []string{"work"}, f.env...)
	s.untilReady(t)
	return s
}

// replace kills a worker, and starts another in its place.
func (f *fleet) replace(t *testing.T, worker **serving) {
	t.Helper()
	(*worker).send(t, syscall.SIGKILL)
	<-(*worker).exited
	*worker = f.work(t)
}

// kept reads the store when all have ended.
func (f *fleet) kept(t *testing.T) map[string]store.Job {
	t.Helper()
	st, err := redisstore.Open(t.Context(), f.redis, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	return keptIn(t, st)
}

// checkOnce checks that each job was tried once.
func checkOnce(t *testing.T, jobs map[string]store.Job) {
	t.Helper()
	for id, job := range jobs {
		if job.Counted != 1 {
			t.Errorf("job %s has %d attempts counted: %+v", id, job.Counted, job.Attempts)
		}
	}
}

// testFleetJudges has two servers and two workers do together what one server does.
func testFleetJudges(t *testing.T, l *lab) {
	const clients, soon = 100, 100 * time.Millisecond
	f := newFleet(l, redistest.Start(t).URL)
	a, b := f.api(t), f.api(t)
	workers := []*serving{f.work(t), f.work(t)}

	ids := make(chan string, clients)
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			r, err := []*serving{a, b}[n%2].try(t.Context(), http.MethodPost, "/v1/jobs", square(7), http.Header{"Idempotency-Key": {"once"}})
			if err != nil || r.status != http.StatusAccepted && r.status != http.StatusOK {
				t.Errorf("client %d gets %d, %v: %s", n, r.status, err, r.body)
			}
			ids <- strings.TrimPrefix(r.header.Get("Location"), "/v1/jobs/")
		})
	}
	all.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("one key gave the jobs %s and %s", first, id)
		}
	}
	if job := b.ended(t, first); job.Verdict != "accepted" {
		t.Errorf("the job is %+v", job)
	}

	// Both workers are needed: each has two slots.
	var running []string
	for range 4 {
		running = append(running, a.submit(t, sleeper(forever)))
	}
	b.untilRunning(t, running...)
	seen := b.follow(t, running[0], 0, func(e event) bool { return e.kind == "output" })
	if last := seen[len(seen)-1]; last.kind != "output" || !strings.Contains(last.data, "there") {
		t.Errorf("the other server's stream has %+v", seen)
	}
	var list web.WorkerList
	a.ask(t, http.MethodGet, "/v1/workers", nil, http.StatusOK).into(t, &list)
	if len(list.Workers) != len(workers) {
		t.Errorf("the workers are %+v", list.Workers)
	}
	contains(t, "admin workers", f.admin(t, ExitOK, "workers", "--server", a.base), list.Workers[0].Name, list.Workers[1].Name, "python")
	for _, id := range running {
		asked := time.Now()
		b.ask(t, http.MethodPost, "/v1/jobs/"+id+"/cancel", nil, http.StatusOK)
		job := a.ended(t, id)
		t.Logf("a cancellation reached the other machine's job in %s (goal: %s)", time.Since(asked).Round(time.Millisecond), soon)
		if job.State != "cancelled" || job.Verdict != "cancelled" {
			t.Errorf("the cancelled job is %+v", job)
		}
	}
	for _, s := range append(workers, a, b) {
		s.stop(t)
	}
	checkOnce(t, f.kept(t))
}

// testFleetKilled kills whatever there is at random moments, the queue's server too, alone and two at
// once.
func testFleetKilled(t *testing.T, l *lab) {
	r := chance(t)
	// Under `everysec` a server whose disk is slow holds its writes back for up to two seconds.
	queue := redistest.Start(t, "--appendfsync", "always")
	f := newFleet(l, queue.URL, "OPTIMUS_REDIS_DURABILITY=fsync", "OPTIMUS_WORKER_LEASE=3s")
	server := f.api(t)
	workers := []*serving{f.work(t), f.work(t)}
	st := newStream(t)
	st.outages = true
	st.server.Store(server.api)
	kill := map[string]func(){
		"serve": func() {
			server.send(t, syscall.SIGKILL)
			<-server.exited
			server = f.api(t)
			st.server.Store(server.api)
		},
		"work": func() { f.replace(t, &workers[r.IntN(len(workers))]) },
		"queue": func() {
			queue.Kill()
			if err := queue.Start(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, kind := range victims() {
		kill[kind] = func() { killAll(t, []int{l.victim(t, r, kind)}) }
	}
	kinds := append(victims(), "serve", "work", "queue")
	for round := range kills(t) {
		time.Sleep(soon(r))
		if round%4 == 0 { // two at once
			queue.Kill()
			kill[kinds[r.IntN(len(victims()))]]()
			if err := queue.Start(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		kill[kinds[r.IntN(len(kinds))]]()
	}
	st.end(t, server)
	for _, s := range append(workers, server) {
		s.stop(t)
	}
	st.check(t, f.kept(t), 0)
}

// testFleetRolls stops and starts each process in turn under load: no job is lost or tried twice, and
// no client meets more than a server that is gone.
func testFleetRolls(t *testing.T, l *lab) {
	f := newFleet(l, redistest.Start(t).URL)
	server := f.api(t)
	workers := []*serving{f.work(t), f.work(t)}
	st := newStream(t)
	st.server.Store(server.api)
	for range 2 {
		for i := range workers {
			next := f.work(t)
			workers[i].stop(t)
			workers[i] = next
		}
		next := f.api(t)
		st.server.Store(next.api)
		server.stop(t)
		server = next
	}
	st.end(t, server)
	for _, s := range append(workers, server) {
		s.stop(t)
	}
	kept := f.kept(t)
	st.check(t, kept, 0)
	checkOnce(t, kept)
}

// testFleetFreezes freezes the queue's server for longer than a lease, by which none ends; and a worker,
// whose job another one does, once: what the frozen one says later changes nothing.
func testFleetFreezes(t *testing.T, l *lab) {
	const lease = time.Second
	queue := redistest.Start(t)
	f := newFleet(l, queue.URL, fmt.Sprintf("OPTIMUS_WORKER_LEASE=%s", lease))
	server, first := f.api(t), f.work(t)
	const freeze = 30 * time.Second
	// One ends while the queue stands still, the other after it.
	ids := []string{server.submit(t, sleeper(4)), server.submit(t, sleeper(freeze.Seconds()+3))}
	server.untilRunning(t, ids...)
	queue.Signal(t, syscall.SIGSTOP)
	time.Sleep(freeze)
	queue.Signal(t, syscall.SIGCONT)
	for _, id := range ids {
		if job := server.ended(t, id); job.Verdict != "accepted" || job.Attempts != 1 {
			t.Errorf("after the queue's freeze the job is %+v", job)
		}
	}

	late := []string{server.submit(t, sleeper(2)), server.submit(t, sleeper(2))}
	server.untilRunning(t, late...)
	second := f.work(t)
	first.send(t, syscall.SIGSTOP)
	for _, id := range late {
		if job := server.ended(t, id); job.Verdict != "accepted" {
			t.Errorf("what a frozen worker had is done as %+v", job)
		}
	}
	before := f.kept(t)
	first.send(t, syscall.SIGCONT)
	eventually(t, "the worker that was frozen sees that its leases are lost", func() bool {
		return strings.Count(first.readLog(t), "lease") >= len(late)
	})
	for _, s := range []*serving{first, second, server} {
		s.stop(t)
	}
	after := f.kept(t)
	for _, id := range late {
		if fmt.Sprintf("%+v", before[id].Report) != fmt.Sprintf("%+v", after[id].Report) || after[id].Finished != before[id].Finished {
			t.Errorf("a late report has changed job %s from %+v to %+v", id, before[id], after[id])
		}
	}
}

// testFleetFailsOver kills the server that holds the queue, behind Sentinels and in a Cluster: what was
// acknowledged as replicated is judged, once.
func testFleetFailsOver(t *testing.T, l *lab) {
	master, replica, sentinels := redistest.Sentinels(t)
	nodes := redistest.Cluster(t)
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr)
	}
	for _, c := range []struct {
		name  string
		redis redisstore.Options
		env   []string
		// servers are the queue's master, and who is to take over.
		servers func(t *testing.T) (master, heir *redistest.Server)
	}{
		{
			"Sentinels",
			redisstore.Options{Addrs: sentinels, Master: redistest.MasterName, Durability: redisstore.Replicated},
			[]string{"OPTIMUS_REDIS_ADDRESSES=" + strings.Join(sentinels, ","), "OPTIMUS_REDIS_MASTER=" + redistest.MasterName},
			func(*testing.T) (_, _ *redistest.Server) { return master, replica },
		},
		{
			"Cluster",
			redisstore.Options{Addrs: addrs, Cluster: true, Durability: redisstore.Replicated},
			[]string{"OPTIMUS_REDIS_ADDRESSES=" + strings.Join(addrs, ","), "OPTIMUS_REDIS_CLUSTER=true"},
			func(t *testing.T) (_, _ *redistest.Server) { t.Helper(); return busiest(t, nodes) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fleet{lab: l, env: append(c.env, "OPTIMUS_REDIS_DURABILITY=replicated"), redis: c.redis}
			server, worker := f.api(t), f.work(t)
			st := newStream(t)
			st.outages = true
			st.server.Store(server.api)
			server.ended(t, server.submit(t, square(1)))
			time.Sleep(3 * pace)
			lost, heir := c.servers(t)
			lost.Kill()
			eventually(t, "another server has taken over", func() bool { return heir.Says(t, "role:master") })
			time.Sleep(3 * pace) // alone it takes no write
			if err := lost.Start(); err != nil {
				t.Fatal(err)
			}
			st.end(t, server)
			worker.stop(t)
			server.stop(t)
			st.check(t, f.kept(t), 1)
		})
	}
}

// busiest gives the master of a fresh Cluster that holds the most keys, those of the queue, and its
// replica.
func busiest(t *testing.T, nodes []*redistest.Server) (master, replica *redistest.Server) {
	t.Helper()
	var keys int64
	masters := len(nodes) / 2
	for i, n := range nodes[:masters] {
		size, err := n.Client(t).DBSize(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		if size > keys {
			master, replica, keys = n, nodes[masters+i], size
		}
	}
	return master, replica
}

// testFleetDeadLetter has a job take three workers with it: it is a dead letter, with why each attempt
// ended, which an operator sees and has tried again.
func testFleetDeadLetter(t *testing.T, l *lab) {
	queue := redistest.Start(t)
	f := newFleet(l, queue.URL, "OPTIMUS_WORKER_LEASE=1s", "OPTIMUS_STORE_MAX_ATTEMPTS=3", "OPTIMUS_STORE_BACKOFF=50ms")
	server, worker := f.api(t), f.work(t)
	id := server.submit(t, sleeper(forever))
	for attempt := 1; attempt <= 3; attempt++ {
		eventually(t, fmt.Sprintf("attempt %d runs", attempt), func() bool {
			j := server.job(t, id)
			return j.State == string(store.Running) && j.Attempts == attempt
		})
		f.replace(t, &worker)
	}
	job := server.ended(t, id)
	if job.State != string(store.Failed) || job.Attempts != 3 || len(job.History) != 3 {
		t.Fatalf("a job that took three workers with it is %+v", job)
	}
	for _, a := range job.History {
		if a.Reason == "" || a.Worker == "" {
			t.Errorf("an attempt does not say why it ended: %+v", a)
		}
	}
	contains(t, "dead-letter list", l.admin(t, ExitOK, "dead-letter", "list", "--server", server.base), id)
	l.admin(t, ExitOK, "dead-letter", "retry", "--server", server.base, id)
	server.untilRunning(t, id)
	server.ask(t, http.MethodPost, "/v1/jobs/"+id+"/cancel", nil, http.StatusOK, http.StatusAccepted)
	if job := server.ended(t, id); job.State != string(store.Cancelled) {
		t.Errorf("the dead letter that was tried again and cancelled is %+v", job)
	}
	worker.stop(t)
	server.stop(t)
}
