package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestALimitThatIsKept: who submits nothing leaves the tenants' limit as it is.
func TestALimitThatIsKept(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	server := openTest(t, ro, store.Options{TenantRunning: 1})
	submitTest(t, server, store.NewJob{})
	submitTest(t, server, store.NewJob{})
	ro.KeepLimit = true
	worker := openTest(t, ro, store.Options{})
	if got := len(claimTest(t, worker, 2, time.Minute)); got != 1 {
		t.Errorf("a worker claims %d jobs of a tenant that may run one", got)
	}
}

// two gives two stores on the same keys, as two processes have them.
func two(t *testing.T, o store.Options) (a, b *Store) {
	t.Helper()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	return openTest(t, ro, o), openTest(t, ro, o)
}

func hears(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case _, open := <-ch:
		if !open {
			t.Fatalf("%s: the channel is closed", what)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: nothing came", what)
	}
}

// TestOrderOfTwo: jobs that two processes submit in turn are claimed in turn.
func TestOrderOfTwo(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	var want, got []store.ID
	for i := range 60 {
		want = append(want, submitTest(t, []*Store{a, b}[i%2], store.NewJob{}).ID)
	}
	for len(got) < len(want) {
		cs := claimTest(t, []*Store{a, b}[len(got)%2], 7, time.Minute)
		if len(cs) == 0 {
			t.Fatalf("after %d claims none is left", len(got))
		}
		for _, c := range cs {
			got = append(got, c.Job.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("claimed\n%v\nwant\n%v", got, want)
	}
}

// TestWakeOneOfMany: of many processes that wait one hears of a submission, in turn, of a queue that
// comes up later too; what one that is gone, or busy, would have heard another hears.
func TestWakeOneOfMany(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	s := openTest(t, ro, store.Options{})
	const processes = 5
	var stores []*Store
	woken := make(chan int, 100)
	for i := range processes {
		w := openTest(t, ro, store.Options{})
		stores = append(stores, w)
		ch, err := w.Wake(t.Context(), []store.Lane{anyLane})
		must(t, err)
		go func() {
			for range ch {
				woken <- i
			}
		}()
	}
	// The queue is new, and all hear of it, each with its own first look.
	submitTest(t, s, store.NewJob{})
	eventually(t, "registration", func() bool {
		n, err := s.client.ZCard(t.Context(), s.keys.queue(1)+"processes").Result()
		return err == nil && n == processes
	})
	hearsOne := func() int {
		t.Helper()
		select {
		case i := <-woken:
			return i
		case <-time.After(30 * time.Second):
			t.Fatal("nobody is woken")
		}
		return -1
	}
	hearsOne()
	claimTest(t, s, 1, time.Hour)
	drain := func() (n int) {
		// What was sent is there when a later message has come the same way.
		for _, w := range stores {
			ctx, cancel := context.WithCancel(t.Context())
			ch, err := w.Cancellations(ctx)
			must(t, err)
			must(t, s.client.Publish(ctx, w.keys.processChannel(w.process), "cancel x").Err())
			hears(t, "a message", ch)
			cancel()
		}
		for {
			select {
			case <-woken:
				n++
			case <-time.After(50 * time.Millisecond):
				return n
			}
		}
	}
	drain()
	seen := map[int]bool{}
	for range processes {
		submitTest(t, s, store.NewJob{})
		seen[hearsOne()] = true
		if n := drain(); n != 0 {
			t.Errorf("one submission woke %d more", n)
		}
	}
	if len(seen) != processes {
		t.Errorf("%d submissions woke only %v", processes, seen)
	}
	// One ends properly, one is cut off without a word.
	must(t, stores[0].Close())
	stores[1].stop()
	<-stores[1].listening
	must(t, s.client.ZAdd(t.Context(), s.keys.queue(1)+"processes", redis.Z{Member: stores[1].process, Score: 1}).Err())
	for range 2 * processes {
		submitTest(t, s, store.NewJob{})
		if i := hearsOne(); i < 2 {
			t.Errorf("process %d, which is gone, was woken", i)
		}
	}
}

// TestBusyProcess: a process whose workers were all told already passes on.
func TestBusyProcess(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	submitTest(t, a, store.NewJob{})
	claimTest(t, a, 1, time.Hour)
	chA, err := a.Wake(t.Context(), []store.Lane{anyLane}) // never looks
	must(t, err)
	submitTest(t, a, store.NewJob{})
	eventually(t, "the first wake-up", func() bool { return len(chA) == 1 })
	chB, err := b.Wake(t.Context(), []store.Lane{anyLane})
	must(t, err)
	for range 5 {
		submitTest(t, b, store.NewJob{})
		hears(t, "a submission", chB)
	}
	// What waits for one that leaves goes to the other.
	ctx, leave := context.WithCancel(t.Context())
	c := openTest(t, a.ro, store.Options{})
	chC, err := c.Wake(ctx, []store.Lane{anyLane})
	must(t, err)
	for len(chC) == 0 {
		submitTest(t, b, store.NewJob{})
		eventually(t, "a submission", func() bool { return len(chB)+len(chC) > 0 })
		if len(chC) == 0 {
			<-chB
		}
	}
	leave()
	hears(t, "what another has left", chB)
}

// TestAcross: cancellations, events, workers and pauses reach the other process.
func TestAcross(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked, err := b.Cancellations(ctx)
	must(t, err)
	elsewhere, err := a.Cancellations(ctx)
	must(t, err)
	id := submitTest(t, a, store.NewJob{Queue: "new"}).ID
	seen, err := a.Watch(ctx, id)
	must(t, err)
	eventually(t, "the queue", func() bool { _, known := b.queues.number("new"); return known })
	c := claimTest(t, b, 1, time.Hour)[0]
	hears(t, "the claim", seen)
	must(t, b.Progress(t.Context(), c.Lease, store.Event{Type: store.EventTest, Data: []byte(`{}`)}))
	hears(t, "progress", seen)
	_, err = a.Cancel(t.Context(), id)
	must(t, err)
	hears(t, "the cancellation", asked)
	if len(elsewhere) != 0 {
		t.Error("a process that runs nothing was told of a cancellation")
	}
	must(t, b.Heartbeat(t.Context(), store.Worker{Name: "w"}, time.Hour))
	if ws, err := a.Workers(t.Context()); err != nil || len(ws) != 1 {
		t.Errorf("workers %+v, %v", ws, err)
	}
	cancel()
	eventually(t, "the end of the watch", func() bool {
		raw, err := a.client.HGet(t.Context(), a.keys.queue(1)+"unfinished", id.String()).Result()
		must(t, err)
		values, err := unpackArray([]byte(raw))
		must(t, err)
		return len(values[25].([]any)) == 0
	})
}

// TestOneSubscription: however many wait, a process has one subscription, and its connections are few.
func TestOneSubscription(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL}, store.Options{})
	for i := range 200 {
		id := submitTest(t, s, store.NewJob{}).ID
		_, err := s.Watch(t.Context(), id)
		must(t, err)
		_, err = s.Wake(t.Context(), []store.Lane{{Language: fmt.Sprint(i)}})
		must(t, err)
		_, err = s.Cancellations(t.Context())
		must(t, err)
	}
	list, err := s.client.ClientList(t.Context()).Result()
	must(t, err)
	if n := strings.Count(list, "flags=P"); n != 1 {
		t.Errorf("%d subscribers:\n%s", n, list)
	}
}

// TestAtRest: who waits asks nothing.
func TestAtRest(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	for range 10 {
		s := openTest(t, Options{URL: srv.URL}, store.Options{})
		_, err := s.Wake(t.Context(), []store.Lane{anyLane})
		must(t, err)
	}
	c := srv.Client(t)
	const calls = "total_commands_processed:"
	count := func() (n int) {
		text, err := c.Info(t.Context(), "stats").Result()
		must(t, err)
		_, rest, _ := strings.Cut(text, calls)
		_, err = fmt.Sscan(rest, &n)
		must(t, err)
		return n
	}
	before := count()
	time.Sleep(3 * time.Second)
	if n := count() - before; n > 30 {
		t.Errorf("10 processes sent %d commands in about 3 s", n)
	}
}

// TestReplicated: what no replica confirms is not acknowledged, and is not doubled when it is tried again.
func TestReplicated(t *testing.T) {
	t.Parallel()
	master := redistest.OnPort(t)
	replica := redistest.OnPort(t, "--replicaof", strings.ReplaceAll(master.Addr, ":", " "))
	eventually(t, "the replica", func() bool { return master.Says(t, "connected_slaves:1") })
	ro := Options{URL: master.URL, Durability: Replicated, RetryFor: time.Millisecond}
	s := openTest(t, ro, store.Options{})
	submitTest(t, s, store.NewJob{})
	replica.Signal(t, syscall.SIGSTOP)
	_, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q", Key: "k"})
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errNotReplicated) {
		t.Errorf("a submission that no replica has gave %v", err)
	}
	claimTest(t, s, 1, time.Hour) // promises nothing, so it does not wait
	replica.Signal(t, syscall.SIGCONT)
	eventually(t, "the same again", func() bool {
		_, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q", Key: "k"})
		return err == nil
	})
	if q, err := s.Queues(t.Context()); err != nil || q[0].Totals.Submitted != 2 {
		t.Errorf("figures %+v, %v", q, err)
	}
	_, err = Open(t.Context(), Options{URL: replica.URL, Prefix: "other", RetryFor: time.Millisecond}, store.Options{})
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "is a replica") {
		t.Errorf("a replica gave %v", err)
	}
	s = openTest(t, Options{URL: replica.URL, RetryFor: time.Millisecond}, store.Options{})
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a ping to a replica gave %v", err)
	}
	found, err := warned(t, s)
	if err != nil || len(found) != 1 || !strings.Contains(found[0], "replica") {
		t.Errorf("the check of a replica says %q, %v", found, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	says := func(ro Options, want ...string) {
		t.Helper()
		ro.URL = srv.URL
		s := openTest(t, ro, store.Options{})
		found, err := warned(t, s)
		if err != nil || len(found) != len(want) {
			t.Fatalf("it says %q, %v; want %q", found, err, want)
		}
		for i, text := range want {
			if !strings.Contains(found[i], text) {
				t.Errorf("it says %q; want %q", found[i], text)
			}
		}
	}
	c := srv.Client(t)
	set := func(name, value string) { must(t, c.ConfigSet(t.Context(), name, value).Err()) }
	says(Options{})
	says(Options{Durability: Fsync}, "appendfsync always")
	set("appendfsync", "always")
	says(Options{Durability: Fsync})
	says(Options{Durability: Replicated}, "0 connected", "min-replicas-to-write 1")
	set("appendfsync", "no")
	set("maxmemory-policy", "allkeys-lru")
	says(Options{}, "leaves it to the system", "allkeys-lru")
	set("maxmemory", "100mb")
	set("appendonly", "no")
	says(Options{}, "drops keys", "no append-only file", "leaves it to the system")
	const most = 1 << 30
	set("maxmemory", strconv.Itoa(most))
	d, err := openTest(t, Options{URL: srv.URL}, store.Options{}).Describe(t.Context())
	if err != nil || d.Kind != store.KindRedis || !strings.HasPrefix(d.Version, "Redis ") || d.Bytes == 0 || d.Free+d.Bytes != most {
		t.Errorf("it says %+v, %v", d, err)
	}
}

// TestForeignKeys: keys of another program, or of a newer version, are refused and left as they are.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	s := openTest(t, ro, store.Options{})
	refused := func(says string) {
		t.Helper()
		_, err := Open(t.Context(), ro, store.Options{})
		if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), says) {
			t.Errorf("it gave %v", err)
		}
	}
	set := func(name, value string) { must(t, s.client.HSet(t.Context(), s.keys.meta, name, value).Err()) }
	set("written", "99")
	openTest(t, ro, store.Options{}) // it can be read, whoever wrote it
	set("min_reader", "99")
	refused("newer Optimus")
	set("min_reader", "old")
	refused("cannot be read")
	set("format", "my cache")
	refused("another program")
	must(t, s.client.Del(t.Context(), s.keys.meta).Err())
	must(t, s.client.Set(t.Context(), s.keys.meta, "x", 0).Err())
	refused("")
}

// TestUpgrade brings the keys of an older schema into that of a newer binary; what that has added to
// records an older binary, which can still read them, leaves as it is.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	older := openTest(t, ro, store.Options{})
	id := submitTest(t, older, store.NewJob{Labels: map[string]string{"a": "b"}}).ID
	add := func(ctx context.Context, s *Store) error {
		return s.client.Eval(ctx, `local r = cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1])) r[29] = 'new'
			local d = cjson.decode(r[27]) d.colour = 'red' r[27] = cjson.encode(d)
			redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack(r)) return 1`, []string{s.keys.queue(1) + "unfinished"}, id.String()).Err()
	}
	newer, err := open(t.Context(), ro, store.Options{}, append(migrations(), migration{minReader: 1, run: add}))
	must(t, err)
	defer func() { _ = newer.Close() }()
	if sc, err := newer.Schema(t.Context()); err != nil || sc != (store.Schema{Written: 1, MinReader: 1, Known: 2}) {
		t.Errorf("before: %+v, %v", sc, err)
	}
	for range 2 {
		if sc, err := newer.Upgrade(t.Context()); err != nil || sc != (store.Schema{Written: 2, MinReader: 1, Known: 2}) {
			t.Errorf("upgraded: %+v, %v", sc, err)
		}
	}
	c := claimTest(t, older, 1, time.Hour)[0]
	must(t, older.GiveBack(t.Context(), c.Lease, store.GiveBack{}))
	_, err = older.Cancel(t.Context(), id)
	must(t, err)
	raw, err := older.client.HGet(t.Context(), older.keys.queue(1)+"ended", id.String()).Result()
	must(t, err)
	values, err := unpackArray([]byte(raw))
	must(t, err)
	if len(values) != 29 || values[28] != "new" || !strings.Contains(values[26].(string), `"colour":"red"`) {
		t.Errorf("an older binary has left %v", values)
	}
}

// TestSharesAreForgotten: what a queue knows of a tenant that does not come back goes.
func TestSharesAreForgotten(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{URL: commonServer(t).URL, Prefix: newPrefix()}, store.Options{})
	for i := range 50 {
		submitTest(t, s, store.NewJob{Tenant: fmt.Sprint(i)})
	}
	claimTest(t, s, 50, time.Hour)
	for range 5 { // one who stays moves the virtual time
		submitTest(t, s, store.NewJob{Tenant: "stays"})
		claimTest(t, s, 1, time.Hour)
	}
	eventually(t, "the end of the shares", func() bool {
		_, err := s.Sweep(t.Context())
		must(t, err)
		n, err := s.client.HLen(t.Context(), s.keys.queue(1)+"shares").Result()
		must(t, err)
		return n <= 1
	})
}

// TestAQueueThatWasReadIsWaitedIn: a process that knows of a new queue before the news of it is told of its
// jobs all the same.
func TestAQueueThatWasReadIsWaitedIn(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	ch, err := b.Wake(t.Context(), []store.Lane{anyLane})
	must(t, err)
	_, err = a.run(t.Context(), "make queue", &call{
		script: a.scripts["register"], keys: []string{a.keys.numbers, a.keys.names},
		args: []any{"new", store.MaxQueueNumber, "nobody hears it"},
	})
	must(t, err)
	_, err = b.Queues(t.Context())
	must(t, err)
	submitTest(t, a, store.NewJob{Queue: "new"})
	hears(t, "a submission", ch)
}
