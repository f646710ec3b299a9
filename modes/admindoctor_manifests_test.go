package modes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/store/redisstore"
	"optimus/store/storetest/redistest"
)

// manifestsIn writes the rendering of the defaults into a folder, with the changes made in one file.
func manifestsIn(t *testing.T, file string, changes ...string) string {
	t.Helper()
	files, err := manifestsOf(t, "", "")
	if err != nil {
		t.Fatal(err)
	}
	dir, replace := t.TempDir(), strings.NewReplacer(changes...)
	for _, f := range files {
		if f.Name == file {
			if f.Text == replace.Replace(f.Text) && len(changes) > 0 {
				t.Fatalf("%s has none of %q", file, changes)
			}
			f.Text = replace.Replace(f.Text)
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// numberedStore opens a store of a server of its own with the queues that manifests of the defaults state.
func numberedStore(t *testing.T, queues ...string) (*redistest.Server, store.Store) {
	t.Helper()
	server := redistest.Start(t)
	st, err := redisstore.Open(t.Context(), redisstore.Options{URL: server.URL, Queues: config.Redis{Queues: queues}.QueueNumbers()}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return server, st
}

// What KEDA is told to read is the length of the queue: a job that waits counts, in its own queue alone.
func TestManifestsReadTheQueues(t *testing.T) {
	t.Parallel()
	server, st := numberedStore(t, "default=1", "java=2", "python=3")
	_, _, err := st.Submit(t.Context(), store.NewJob{
		Queue: "python", Submission: sandbox.Submission{Language: sandbox.Language{Name: "python", Tier: sandbox.Shared}},
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := readManifests(Process{}, manifestsIn(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int64{}
	for _, m := range all {
		for _, trigger := range m.Spec.Triggers {
			n, err := server.Client(t).HLen(t.Context(), trigger.Metadata["listName"]).Result()
			if err != nil {
				t.Fatal(err)
			}
			read[m.Metadata.Labels["optimus/queue"]] = n
		}
	}
	if len(read) != 2 || read["python"] != 1 || read["java"] != 0 {
		t.Errorf("KEDA reads %v", read)
	}
}

// A name or number that is another queue's or nobody's shows, before KEDA takes it for an empty queue.
func TestDoctorOfManifests(t *testing.T) {
	t.Parallel()
	stated := []string{"default=1", "java=2", "python=3"}
	for name, c := range map[string]struct {
		store   []string
		file    string
		changes []string
		status  containerd.Status
		says    string
		fix     string
	}{
		"well":           {stated, "", nil, containerd.StatusOK, "its trigger reads {optimus:3}:unfinished, of queue python, which has 0 unfinished jobs", ""},
		"not made yet":   {nil, "", nil, containerd.StatusWarn, "of queue python, which is made when a process with these settings starts", ""},
		"another number": {[]string{"default=1", "java=2", "python=9"}, "", nil, containerd.StatusFail, "no queue has the number 3; queue python has the number 9: to KEDA that is an empty queue", `state "python=9" in redis.queues, render the manifests anew`},
		"another queue":  {[]string{"default=3", "java=2", "python=9"}, "", nil, containerd.StatusFail, "reads {optimus:3}:unfinished, of queue default, and is to scale workers of python; queue python has the number 9", "python=9"},
		"changed number": {stated, "worker-python.yaml", []string{"{optimus:3}:unfinished", "{optimus:4}:unfinished"}, containerd.StatusFail, "no queue has the number 4; queue python has the number 3", renderAnew},
		"changed name":   {stated, "worker-python.yaml", []string{"{optimus:3}:unfinished", "python"}, containerd.StatusFail, `its trigger reads "python", which is no queue's: to KEDA that is an empty queue, and it starts no worker`, renderAnew},
		"changed prefix": {stated, "worker-python.yaml", []string{"{optimus:3}", "{judge:3}"}, containerd.StatusFail, "the store's keys begin with optimus (redis.prefix)", renderAnew},
		"changed worker": {stated, "worker-python.yaml", []string{`OPTIMUS_WORKER_QUEUES, value: "python"`, `OPTIMUS_WORKER_QUEUES, value: "rust"`}, containerd.StatusFail, `it is for queue "python", and optimus-worker-python takes from rust`, renderAnew},
		"changed server": {stated, "worker-python.yaml", []string{"optimus-redis.optimus.svc", "redis.other.svc"}, containerd.StatusFail, "it asks redis.other.svc:6379, and the workers optimus-redis.optimus.svc:6379", renderAnew},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := numberedStore(t, c.store...)
			cfg := config.Default()
			cfg.Redis.URL = config.NewSecret(server.URL)
			checks, err := examineManifests(t.Context(), Process{}, cfg, manifestsIn(t, c.file, c.changes...))
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range checks {
				if got.Name != "ScaledObject optimus-worker-python" {
					continue
				}
				if got.Status != c.status || !strings.Contains(got.Detail, c.says) || !strings.Contains(got.Fix, c.fix) {
					t.Errorf("it says %+v", got)
				}
				return
			}
			t.Errorf("it says nothing of it: %+v", checks)
		})
	}
}

// What kubectl prints of a cluster is read too, and a folder without ScaledObjects is an error.
func TestDoctorOfLiveManifests(t *testing.T) {
	t.Parallel()
	server, _ := numberedStore(t, "python=3")
	cfg := config.Default()
	cfg.Redis.URL = config.NewSecret(server.URL)
	const list = `{"apiVersion": "v1", "kind": "List", "items": [{"kind": "ScaledObject", "metadata": {"name": "w", "labels": {"optimus/queue": "python"}},
		"spec": {"triggers": [{"type": "redis", "metadata": {"address": "r:6379", "listName": "{optimus:2}:unfinished"}}]}},
		{"kind": "ScaledObject", "metadata": {"name": "others"}, "spec": {"triggers": [{"type": "redis", "metadata": {"listName": "mails"}}]}}]}`
	checks, err := examineManifests(t.Context(), Process{Stdin: strings.NewReader(list)}, cfg, "-")
	if err != nil || len(checks) != 1 || checks[0].Status != containerd.StatusFail {
		t.Errorf("of a wrong one and another program's it says %+v, %v", checks, err)
	}
	checks, err = examineManifests(t.Context(), Process{}, cfg, t.TempDir())
	if err != nil || countChecks(checks, containerd.StatusFail) != 1 {
		t.Errorf("of an empty folder it says %+v, %v", checks, err)
	}
	if _, err := examineManifests(t.Context(), Process{}, config.Default(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "--redis-url") {
		t.Errorf("without a server it says %v", err)
	}
	if _, err := examineManifests(t.Context(), Process{}, cfg, "/nowhere"); err == nil {
		t.Error("a folder that there is not is no error")
	}
}
