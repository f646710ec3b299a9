//go:build kube

// Tests with the tag "kube" want a Kubernetes with KEDA that has Optimus's image and the languages' images:
// `make test-kube` brings one up, and runs them in its network.

package modes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/redisstore"
	"optimus/web"
)

// What they make is on the cluster's node, which has folders of its own: whether any of it is left is for its end
// to check.
func init() { runTests = (*testing.M).Run }

// TestKubernetes applies the default manifests as they are, and then does with them what happens to a
// cluster. Its parts go one after the other.
func TestKubernetes(t *testing.T) {
	k := newKube(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *kube)
	}{
		{"pods without the Secret say so", testKubeSecret},
		{"all is ready", testKubeReady},
		{"the doctor finds it well", testKubeDoctor},
		{"the API's load is measured", testKubeMeasured},
		{"a job is judged below its pod", testKubeJudged},
		{"an image comes onto the node", testKubeImage},
		{"a queue scales from none and back", testKubeScales},
		{"a wrong queue's name shows", testKubeWrongQueue},
		{"a job outlasts the cooldown", testKubeCooldown},
		{"three pods become one", testKubeScaledDown},
		{"a worker is killed beside another", testKubeKilled},
		{"a pod is deleted", testKubeDeleted},
		{"containerd is restarted", testKubeContainerd},
		{"the queue's pod is deleted", testKubeRedis},
		{"all is updated under load", testKubeUpdated},
		{"the node is drained", testKubeDrained},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					k.explain(t)
				}
			})
			part.run(t, k)
		})
	}
}

const (
	kubeNamespace = "optimus"
	kubePassword  = "a-password-of-these-tests"
	kubeKey       = "an-api-key-of-these-tests-alone"
	// kubeCooldown is how long these tests have KEDA wait until it takes the last pod away, in seconds.
	kubeCooldown = 20
)

// kube is a cluster with Optimus on it.
type kube struct {
	*api

	// state is where the node's own folders lie, as this process sees them.
	state string
}

type withKey struct {
	http.RoundTripper
	key string
}

func (w withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.key)
	return w.RoundTripper.RoundTrip(r) //nolint:wrapcheck // a transport's own
}

// newKube applies the manifests, as the documentation says, but for the Secret.
func newKube(t *testing.T) *kube {
	t.Helper()
	k := &kube{state: filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "state")}
	k.kubectl(t, "create", "namespace", kubeNamespace)
	k.volume(t)
	k.kubectl(t, "apply", "--validate=strict", "-k", "../deploy/kubernetes")
	address := k.kubectl(t, "get", "service", "optimus-api", "-o", "jsonpath={.spec.clusterIP}")
	k.api = newAPI("http://" + address)
	k.http.Transport = withKey{k.http.Transport, kubeKey}
	return k
}

// volume gives the cluster the one volume that is claimed: nothing here provides them.
func (k *kube) volume(t *testing.T) {
	t.Helper()
	const path = "/var/lib/kubelet/optimus-redis"
	dir := filepath.Join(k.state, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { // Kubernetes gives no owner to folders of a node
		t.Fatal(err)
	}
	k.apply(t, `
apiVersion: v1
kind: PersistentVolume
metadata: {name: redis}
spec:
  capacity: {storage: 8Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: `+path+`}
`)
}

func (k *kube) apply(t *testing.T, manifest string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kubectl", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("apply: %v: %s\n%s", err, out, manifest)
	}
}

// kubectl does something in Optimus's namespace, which must succeed.
func (k *kube) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.try(t, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (k *kube) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "kubectl", append([]string{"-n", kubeNamespace}, args...)...).CombinedOutput()
	return string(out), err
}

// explain shows what the cluster says of itself.
func (k *kube) explain(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"get", "pods,scaledobjects,hpa,jobs", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "-l", "app.kubernetes.io/component=api", "--tail=30", "--prefix"},
		{"logs", "-l", "app.kubernetes.io/component=worker", "--tail=60", "--prefix"},
	} {
		out, err := k.try(t, args...)
		t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// pods lists the pods of a queue's workers that are ready, in no order.
func (k *kube) pods(t *testing.T, queue string) []string {
	t.Helper()
	return strings.Fields(k.kubectl(t, "get", "pods", "-l", "optimus/queue="+queue, "-o",
		`jsonpath={range .items[?(@.status.containerStatuses[0].ready==true)]}{.metadata.name}{"\n"}{end}`))
}

// hasten has KEDA do at once what it does by default after minutes.
func (k *kube) hasten(t *testing.T) {
	t.Helper()
	for _, queue := range []string{"python", "java"} {
		k.kubectl(t, "patch", "scaledobject", "optimus-worker-"+queue, "--type=merge", "-p",
			fmt.Sprintf(`{"spec":{"cooldownPeriod":%d,"advanced":{"horizontalPodAutoscalerConfig":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":0}}}}}}`, kubeCooldown))
	}
}

// hold has KEDA keep so many pods of a queue, whatever waits, and waits until they are there.
func (k *kube) hold(t *testing.T, queue string, n int) []string {
	t.Helper()
	k.kubectl(t, "annotate", "--overwrite", "scaledobject", "optimus-worker-"+queue, "autoscaling.keda.sh/paused-replicas="+strconv.Itoa(n))
	var pods []string
	eventually(t, fmt.Sprintf("%d pods of %s are ready", n, queue), func() bool {
		time.Sleep(time.Second)
		pods = k.pods(t, queue)
		return len(pods) == n
	})
	return pods
}

// release has KEDA scale again.
func (k *kube) release(t *testing.T, queue string) {
	t.Helper()
	k.kubectl(t, "annotate", "scaledobject", "optimus-worker-"+queue, "autoscaling.keda.sh/paused-replicas-")
}

// gone waits until a queue has no pod.
func (k *kube) gone(t *testing.T, queue string) {
	t.Helper()
	eventually(t, "no pod of "+queue+" is left", func() bool {
		time.Sleep(time.Second)
		return k.kubectl(t, "get", "pods", "-l", "optimus/queue="+queue, "-o", "name") == ""
	})
}

// busy waits until each of the pods runs so many jobs, by what the workers say of themselves.
func (k *kube) busy(t *testing.T, pods []string, jobs int) {
	t.Helper()
	eventually(t, fmt.Sprintf("each of %v runs %d jobs", pods, jobs), func() bool {
		time.Sleep(500 * time.Millisecond)
		var list web.WorkerList
		k.ask(t, http.MethodGet, "/v1/workers", nil, http.StatusOK).into(t, &list)
		n := 0
		for _, w := range list.Workers {
			if slices.Contains(pods, w.Name) && w.Busy == jobs {
				n++
			}
		}
		return n == len(pods)
	})
}

// sleepers submits so many jobs of python that sleep.
func (k *kube) sleepers(t *testing.T, n int, seconds float64) (ids []string) {
	t.Helper()
	for range n {
		ids = append(ids, k.submit(t, inTime(sleeper(seconds))))
	}
	return ids
}

// inTime gives a job the most that the default limits allow.
func inTime(job web.JobRequest) web.JobRequest {
	const most = 60_000 // milliseconds
	job.Limits = &web.LimitsRequest{CPU: new(int64(most)), Wall: new(int64(most))}
	return job
}

// accepted waits for the jobs' ends. once: each by the worker that took it first.
func (k *kube) accepted(t *testing.T, ids []string, once bool) {
	t.Helper()
	for _, id := range ids {
		j := k.ended(t, id)
		if j.Verdict != "accepted" || once && (j.Attempts != 1 || len(j.History) > 1) {
			t.Errorf("job %s ended as %s, %s, after %d attempts, %+v: %s", id, j.State, j.Verdict, j.Attempts, j.History, j.Error)
		}
	}
}

// nothingLeft waits until all that dead workers have left on the node is gone: who is dead has let go of
// its lock.
func (k *kube) nothingLeft(t *testing.T) {
	t.Helper()
	var left []string
	eventually(t, "nothing of a dead worker is left on the node", func() bool {
		time.Sleep(time.Second)
		left = nil
		locks, err := filepath.Glob(filepath.Join(k.state, "var/lib/optimus/runner/*.lock"))
		if err != nil {
			t.Fatal(err)
		}
		var living []string
		for _, lock := range locks {
			if k.held(t, lock) {
				living = append(living, strings.TrimSuffix(filepath.Base(lock), ".lock"))
			} else {
				left = append(left, lock)
			}
		}
		for _, id := range strings.Fields(k.ctr(t, "containers", "ls", "-q")) {
			if instance, _, _ := strings.Cut(id, "-"); !slices.Contains(living, instance) {
				left = append(left, "container "+id)
			}
		}
		return len(left) == 0
	})
}

func (k *kube) held(t *testing.T, lock string) bool {
	t.Helper()
	f, err := os.Open(lock)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

// socket is the node's containerd's, as this process sees it.
func (k *kube) socket() string {
	return filepath.Join(filepath.Dir(k.state), "containerd/containerd.sock")
}

// ctr asks the node's containerd for what is Optimus's.
func (k *kube) ctr(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ctr", append([]string{"-a", k.socket(), "-n", "optimus"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ctr %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// processOf gives the process of a pod's worker, as this machine numbers it.
func (k *kube) processOf(t *testing.T, pod string) int {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range environments {
		text, _ := os.ReadFile(path) // it may have ended
		if !slices.Contains(strings.Split(string(text), "\x00"), "OPTIMUS_WORKER_NAME="+pod) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	t.Fatalf("pod %s has no process", pod)
	return 0
}

// kept reads the store, all of whose jobs have ended.
func (k *kube) kept(t *testing.T) map[string]store.Job {
	t.Helper()
	address := k.kubectl(t, "get", "service", "optimus-redis", "-o", "jsonpath={.spec.clusterIP}")
	st, err := redisstore.Open(t.Context(), redisstore.Options{URL: "redis://:" + kubePassword + "@" + address + ":6379", KeepLimit: true}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	return keptIn(t, st)
}

// underLoad does something while clients submit jobs: none that was acknowledged is lost, each ends once, and
// no client gets an error but one that says to try again. once: no attempt more is counted.
func (k *kube) underLoad(t *testing.T, once bool, do func()) {
	t.Helper()
	others := len(k.kept(t))
	st := newStream(t)
	st.outages, st.job = true, func(n int) web.JobRequest { return inTime(square(n)) }
	st.server.Store(k.api)
	time.Sleep(5 * pace)
	do()
	time.Sleep(5 * pace)
	st.end(t, &serving{api: k.api})
	kept := k.kept(t)
	st.check(t, kept, others)
	t.Logf("%d jobs meanwhile", len(st.ids))
	for _, id := range st.ids {
		if j := kept[id]; once && j.Counted != 1 {
			t.Errorf("job %s has %d attempts counted: %+v", id, j.Counted, j.Attempts)
		}
	}
}
