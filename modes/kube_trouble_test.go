//go:build kube

package modes

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// testKubeSecret looks where a person does, before there is a Secret, and then makes it.
func testKubeSecret(t *testing.T, k *kube) {
	for selector, says := range map[string]string{
		"app.kubernetes.io/component=redis": "the Secret optimus of the namespace optimus has no redis-password: make it as namespace.yaml says",
		"app.kubernetes.io/component=api":   "the Secret that is mounted at /run/secrets/optimus is missing, or has no entry api-key",
		"optimus/queue=default":             "the Secret that is mounted at /run/secrets/optimus is missing, or has no entry redis-password",
	} {
		var described string
		eventually(t, "`kubectl describe` and `kubectl logs` of "+selector+" say what is missing", func() bool {
			time.Sleep(time.Second)
			described = k.kubectl(t, "describe", "pods", "-l", selector)
			logs, err := k.try(t, "logs", "-l", selector)
			return err == nil && strings.Contains(described, says) && strings.Contains(logs, says)
		})
		t.Logf("%s: %s", selector, regexp.MustCompile(`(?s)Message: +(.*?)\n +Exit Code:`).FindString(described))
	}
	k.kubectl(t, "create", "secret", "generic", "optimus", "--from-literal=redis-password="+kubePassword, "--from-literal=api-key="+kubeKey)
}

// testKubeDoctor asks in pods, each of which lacks by design what is another's.
func testKubeDoctor(t *testing.T, k *kube) {
	for _, in := range []string{"deployment/optimus-api", "daemonset/optimus-worker-default"} {
		text, err := k.try(t, "exec", in, "--", "optimus", "admin", "doctor")
		if err != nil {
			t.Errorf("the doctor in %s: %v", in, err)
		}
		t.Logf("%s:\n%s", in, text)
		var checks []containerd.Check
		if err := json.Unmarshal([]byte(k.kubectl(t, "exec", in, "--", "optimus", "admin", "doctor", "--json")), &checks); err != nil || len(checks) < 3 {
			t.Errorf("the doctor in %s: %v, %+v", in, err, checks)
		}
	}
}

// testKubeMeasured waits for the API's autoscaler to have a figure to go by.
func testKubeMeasured(t *testing.T, k *kube) {
	var figure, active string
	eventually(t, "the HorizontalPodAutoscaler has a figure", func() bool {
		time.Sleep(time.Second)
		figure = k.kubectl(t, "get", "hpa", "optimus-api", "-o", "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}")
		active = k.kubectl(t, "get", "hpa", "optimus-api", "-o", `jsonpath={.status.conditions[?(@.type=="ScalingActive")].status}`)
		return figure != "" && active == "True"
	})
	t.Log(k.kubectl(t, "get", "hpa", "optimus-api") + "\n" + k.kubectl(t, "top", "pods"))
}

// testKubeImage takes a language from the node and brings it back, by the commands that the documentation has
// for who can't get onto nodes.
func testKubeImage(t *testing.T, k *kube) {
	dir := t.TempDir()
	// The archive is called as in the documentation.
	k.optimus(t, []string{"OPTIMUS_SANDBOX_CONTAINERD=" + k.socket()}, "admin", "images", "export", "cpp", filepath.Join(dir, "python.tar"))
	for _, ref := range strings.Fields(k.ctr(t, "images", "ls", "-q")) {
		if strings.Contains(ref, "/cpp:") {
			k.ctr(t, "images", "rm", "--sync", ref)
		}
	}
	const lane = "cpp/shared"
	k.untilWorkers(t, "none has the language", func(w web.Worker) bool { return !slices.Contains(w.Lanes, lane) })
	id := k.submit(t, fortyTwo(0))
	t.Log(k.script(t, dir, "images import -"))
	k.untilWorkers(t, "all have the language", func(w web.Worker) bool { return slices.Contains(w.Lanes, lane) })
	k.accepted(t, []string{id}, true)
}

// testKubeWrongQueue applies manifests of which one has KEDA follow a queue that nobody fills, and another has
// workers take from one. KEDA calls both well.
func testKubeWrongQueue(t *testing.T, k *kube) {
	blind := manifestsIn(t, "worker-java.yaml", "{optimus:2}:unfinished", "{optimus:7}:unfinished")
	astray := manifestsIn(t, "worker-python.yaml", `OPTIMUS_WORKER_QUEUES, value: "python"`, `OPTIMUS_WORKER_QUEUES, value: "pyton"`)
	k.kubectl(t, "apply", "-f", filepath.Join(blind, "worker-java.yaml"), "-f", filepath.Join(astray, "worker-python.yaml"))
	ids := append(k.sleepers(t, 2, 0), k.submit(t, inTime(web.JobRequest{
		Language:   "java",
		SourceCode: new("public class Main { public static void main(String[] a) { System.out.println(42); } }\n"),
		Tests:      []web.TestRequest{{ExpectedOutput: new("42")}},
	})))
	var list web.QueueList
	eventually(t, "both queues are called unserved", func() bool {
		time.Sleep(time.Second)
		list = web.QueueList{}
		k.ask(t, http.MethodGet, "/v1/queues", nil, http.StatusOK).into(t, &list)
		n := 0
		for _, q := range list.Queues {
			if q.Unserved != "" {
				n++
			}
		}
		return n == 2
	})
	k.wrongQueueIsTold(t, map[string]string{"python": astray, "java": blind})
	t.Log(k.kubectl(t, "get", "scaledobjects"))

	k.kubectl(t, "apply", "-k", "../deploy/kubernetes")
	k.hasten(t)
	k.accepted(t, ids, true)
	eventually(t, "no queue is called unserved", func() bool {
		time.Sleep(time.Second)
		return !strings.Contains(k.metrics(t), "} 1") && !strings.Contains(string(k.ask(t, http.MethodGet, "/v1/queues", nil, http.StatusOK).body), "unserved")
	})
	for _, queue := range []string{"python", "java"} {
		k.gone(t, queue)
	}
}

// wrongQueueIsTold looks where a person does. wrong has the manifests of each queue.
func (k *kube) wrongQueueIsTold(t *testing.T, wrong map[string]string) {
	t.Helper()
	metrics := k.metrics(t)
	listed := k.optimus(t, nil, "admin", "queues", "list", "--server", k.base)
	doctor, err := k.try(t, "exec", "deployment/optimus-api", "--", "optimus", "admin", "doctor")
	if err == nil {
		t.Error("the doctor in a pod of the API finds nothing")
	}
	t.Logf("%s\noptimus admin queues list\n%s\noptimus admin doctor\n%s", metrics, listed, doctor)
	for queue := range wrong {
		contains(t, "the metrics", metrics, `optimus_queue_unserved{language="`+queue+`",queue="`+queue+`"} 1`)
		contains(t, "queues list", listed, "Queue "+queue+" is not served: ", "and no worker takes from this queue")
		contains(t, "the doctor", doctor, "queue "+queue+": ", "and no worker takes from this queue")
	}
	const fromFolder, keyNobodyFills = "fail  ScaledObject optimus-worker-", "{optimus:7}:unfinished, and no queue has the number 7; queue java has the number 2: to KEDA that is an empty queue"
	address := k.kubectl(t, "get", "service", "optimus-redis", "-o", "jsonpath={.spec.clusterIP}")
	environment := []string{"REDIS_URL=redis://:" + kubePassword + "@" + address + ":6379"}
	for queue, says := range map[string]string{"java": keyNobodyFills, "python": `it is for queue "python", and optimus-worker-python takes from pyton`} {
		told := k.optimus(t, environment, "admin", "doctor", "--manifests", wrong[queue])
		contains(t, "the doctor of the folder", told, fromFolder+queue, says)
		t.Logf("optimus admin doctor --manifests FOLDER\n%s", told)
	}
	live := k.script(t, t.TempDir(), "doctor --manifests -")
	t.Log(live)
	contains(t, "the doctor of what is applied", live, keyNobodyFills, "takes from pyton")
	contains(t, "a worker's log", k.kubectl(t, "logs", "-l", "optimus/queue=python", "--tail=-1"),
		`"queues":["pyton"]`, "no language of the catalogue goes to this worker's queues (worker.queues)")
}

// testKubeContainerd has the node's containerd end and start again below a worker that works.
func testKubeContainerd(t *testing.T, k *kube) {
	pods := k.hold(t, "python", 1)
	ids := k.sleepers(t, 2, 20)
	k.busy(t, pods, 2)
	out, err := exec.CommandContext(t.Context(), "go", "-C", "../.tools/cluster", "run", ".", "restart").CombinedOutput()
	if err != nil {
		t.Fatalf("restart containerd: %v: %s", err, out)
	}
	for _, id := range ids {
		if state := k.job(t, id).State; state != string(store.Running) {
			t.Errorf("job %s is %s once containerd is back", id, state)
		}
	}
	k.accepted(t, ids, true)
	k.accepted(t, k.sleepers(t, 2, 0), true)
	if got := k.kubectl(t, "get", "pods", "-l", "optimus/queue=python", "-o", "jsonpath={.items[*].metadata.name} {.items[*].status.containerStatuses[0].restartCount}"); got != pods[0]+" 0" {
		t.Errorf("the pod and its restarts are %s", got)
	}
	k.hold(t, "python", 2) // new containers can be made
	k.accepted(t, k.sleepers(t, 4, 1), true)
	k.nothingLeft(t)
}

// metrics gives what an API's pod tells of queues that are not served.
func (k *kube) metrics(t *testing.T) string {
	t.Helper()
	probes := newAPI(k.base + ":9100")
	defer probes.close()
	lines := regexp.MustCompile("(?m)^optimus_queue_unserved.*$").FindAll(probes.ask(t, http.MethodGet, "/metrics", nil, http.StatusOK).body, -1)
	return string(bytes.Join(lines, []byte("\n")))
}

// untilWorkers waits until something holds of each worker, and there is one.
func (k *kube) untilWorkers(t *testing.T, what string, holds func(web.Worker) bool) {
	t.Helper()
	eventually(t, "of the workers "+what, func() bool {
		time.Sleep(500 * time.Millisecond)
		var list web.WorkerList
		k.ask(t, http.MethodGet, "/v1/workers", nil, http.StatusOK).into(t, &list)
		return len(list.Workers) > 0 && !slices.ContainsFunc(list.Workers, func(w web.Worker) bool { return !holds(w) })
	})
}

// optimus runs a command of the binary on this machine, whatever it finds.
func (k *kube) optimus(t *testing.T, environment []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../optimus", args...)
	cmd.Env = append(append(os.Environ(), "OPTIMUS_API_KEY="+kubeKey), environment...)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("optimus %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// script runs the commands of docs/KUBERNETES.md that these words are in, as they stand there but for the key, in a
// folder, and gives them with what they print.
func (k *kube) script(t *testing.T, dir, words string) string {
	t.Helper()
	commands := ""
	for i, text := range strings.Split(document(t, "docs/KUBERNETES.md"), "```\n") {
		if fenced := i%2 == 1; fenced && strings.Contains(text, words) {
			commands = text
		}
	}
	if commands == "" {
		t.Fatalf("docs/KUBERNETES.md has no commands with %q", words)
	}
	binary, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	forward := exec.CommandContext(t.Context(), "kubectl", "--namespace", kubeNamespace, "port-forward", "service/optimus-api", "8080:80")
	if err := forward.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	}()
	forwarded := newAPI("http://127.0.0.1:8080")
	defer forwarded.close()
	eventually(t, "the service's port is here", func() bool {
		_, err := forwarded.try(t.Context(), http.MethodGet, "/version", nil, nil)
		return err == nil
	})
	cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(commands, "OPTIMUS_API_KEY=…", "OPTIMUS_API_KEY="+kubeKey))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+binary+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return commands + string(out)
}
