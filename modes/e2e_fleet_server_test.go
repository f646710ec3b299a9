package modes

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

// testFleetFull has the queue's server meet its memory's limit while jobs stream: it refuses what is new
// and says so; what runs keeps its lease, and is reported once.
func testFleetFull(t *testing.T, l *lab) {
	const lease = time.Second
	queue := redistest.Start(t)
	f := newFleet(l, queue.URL, "OPTIMUS_WORKER_LEASE="+lease.String())
	server, worker := f.api(t), f.work(t)
	st := newStream(t)
	st.outages = true
	st.server.Store(server.api)
	lengthy := sleeper(3 * lease.Seconds())
	lengthy.SourceCode = new(*lengthy.SourceCode + "print('x' * 60_000)\n")
	running := []string{server.submit(t, lengthy), server.submit(t, lengthy)}
	server.untilRunning(t, running...)

	limit := func(memory string) {
		t.Helper()
		if err := queue.Client(t).ConfigSet(t.Context(), "maxmemory", memory).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1mb") // less than it has
	refused := server.ask(t, http.MethodPost, "/v1/jobs", square(1), http.StatusServiceUnavailable)
	var problem web.Problem
	refused.into(t, &problem)
	contains(t, "the refusal", problem.Code+" "+problem.Detail, "unavailable", "memory")
	if refused.header.Get("Retry-After") == "" {
		t.Error("the refusal does not say when to try again")
	}
	server.untilReadiness(t, http.StatusServiceUnavailable, "maxmemory")
	contains(t, "the server's log", server.readLog(t), "raise the server's maxmemory")
	time.Sleep(4 * lease) // what ran has ended meanwhile
	if memory := queue.Says(t, "maxmemory:1048576"); !memory {
		t.Error("the limit is not set")
	}

	limit("0")
	server.untilReadiness(t, http.StatusOK)
	for _, id := range running {
		if job := server.ended(t, id); job.Verdict != "accepted" || job.Attempts != 1 {
			t.Errorf("what ran while the memory was full is %+v", job)
		}
	}
	st.end(t, server)
	worker.stop(t)
	server.stop(t)
	kept := f.kept(t)
	checkOnce(t, kept)
	for _, id := range running {
		if job := kept[id]; job.State != store.Completed {
			t.Errorf("job %s is %s: %+v", id, job.State, job.Attempts)
		}
		delete(kept, id) // no square
	}
	st.check(t, kept, 0)
}

// testFleetReadOnly makes the queue's server a replica while jobs stream, and a master again: it says what
// it is, and goes on. A server that is started meanwhile says it too.
func testFleetReadOnly(t *testing.T, l *lab) {
	const lease = time.Second
	queue := redistest.OnPort(t)
	other := redistest.OnPort(t, "--replicaof", strings.ReplaceAll(queue.Addr, ":", " "))
	eventually(t, "there is a replica", func() bool { return queue.Says(t, "state=online") })
	f := newFleet(l, queue.URL, "OPTIMUS_WORKER_LEASE="+lease.String())
	server, worker := f.api(t), f.work(t)
	st := newStream(t)
	st.outages = true
	st.server.Store(server.api)
	running := []string{server.submit(t, sleeper(2)), server.submit(t, sleeper(2))}
	server.untilRunning(t, running...)
	handOver := func(from, to *redistest.Server) {
		t.Helper()
		host, port, _ := strings.Cut(to.Addr, ":")
		if err := from.Client(t).Do(t.Context(), "FAILOVER", "TO", host, port).Err(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is handed over", func() bool { return to.Says(t, "role:master") && from.Says(t, "master_link_status:up") })
	}

	handOver(queue, other)
	const says = "this server is a replica: give the address of the master, or of Sentinels"
	server.untilReadiness(t, http.StatusServiceUnavailable, says)
	server.ask(t, http.MethodPost, "/v1/jobs", square(1), http.StatusServiceUnavailable)
	eventually(t, "the worker says it", func() bool { return strings.Contains(worker.readLog(t), says) })
	doctor := l.command(t, "admin", "doctor", "--redis-url", queue.URL)
	out, _ := doctor.Output() // this machine may have other faults
	contains(t, "the doctor", string(out), "the server is a read-only replica")
	late := f.launch(t, []string{"serve", "--listen", "127.0.0.1:0", "--worker=false"}, f.env...)
	eventually(t, "another server says it", func() bool { return strings.Contains(late.readLog(t), "replica") })
	late.send(t, syscall.SIGKILL)
	<-late.exited
	time.Sleep(3 * lease)

	handOver(other, queue)
	server.untilReadiness(t, http.StatusOK)
	for _, id := range running {
		if job := server.ended(t, id); job.Verdict != "accepted" || job.Attempts != 1 {
			t.Errorf("what ran while the server was a replica is %+v", job)
		}
	}
	st.end(t, server)
	worker.stop(t)
	server.stop(t)
	kept := f.kept(t)
	checkOnce(t, kept)
	st.check(t, kept, len(running))
}

// testFleetEmbedded has a server with a worker of its own on a queue that others share: it judges, and
// what it has when it is killed the next one judges.
func testFleetEmbedded(t *testing.T, l *lab) {
	const rounds = 3
	r := chance(t)
	f := newFleet(l, redistest.Start(t, "--appendfsync", "always").URL, "OPTIMUS_REDIS_DURABILITY=fsync", "OPTIMUS_WORKER_LEASE=2s")
	st := newStream(t)
	for range rounds {
		s := l.serve(t, f.env...)
		st.server.Store(s.api)
		s.ended(t, s.submit(t, square(1)))
		l.checkReaped(t)
		time.Sleep(soon(r))
		s.send(t, syscall.SIGKILL)
		<-s.exited
	}
	s := l.serve(t, f.env...)
	st.end(t, s)
	s.stop(t)
	st.check(t, f.kept(t), rounds)
}
