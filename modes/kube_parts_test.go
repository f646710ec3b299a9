//go:build kube

package modes

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
)

func testKubeReady(t *testing.T, k *kube) {
	k.kubectl(t, "rollout", "status", "statefulset/optimus-redis", "--timeout=4m")
	k.kubectl(t, "rollout", "status", "deployment/optimus-api", "--timeout=4m")
	k.kubectl(t, "rollout", "status", "daemonset/optimus-worker-default", "--timeout=4m")
	k.kubectl(t, "wait", "--for=condition=Ready", "--timeout=4m", "scaledobject", "--all")
	for _, queue := range []string{"python", "java"} {
		k.gone(t, queue)
	}
	k.ask(t, http.MethodGet, "/ready", nil, http.StatusOK)
	k.hasten(t)
}

// testKubeJudged finds a run's memory accounted below its worker's pod.
func testKubeJudged(t *testing.T, k *kube) {
	id := k.submit(t, fortyTwo(5))
	k.untilRunning(t, id)
	uid := k.kubectl(t, "get", "pods", "-l", "optimus/queue=default", "-o", "jsonpath={.items[0].metadata.uid}")
	eventually(t, "a run is below the pod's cgroup", func() bool {
		found, err := filepath.Glob("/sys/fs/cgroup/memory/optimus-cluster/kubepods/*/pod" + uid + "/optimus/*/run-*")
		return err == nil && len(found) > 0
	})
	k.accepted(t, []string{id}, true)
}

// fortyTwo is a job of C++ that sleeps, and then prints 42.
func fortyTwo(seconds int) web.JobRequest {
	return inTime(web.JobRequest{
		Language:   "cpp",
		SourceCode: new(fmt.Sprintf("#include <unistd.h>\n#include <iostream>\nint main() { sleep(%d); std::cout << 42 << std::endl; }\n", seconds)),
		Tests:      []web.TestRequest{{ExpectedOutput: new("42")}},
	})
}

func testKubeScales(t *testing.T, k *kube) {
	ids := k.sleepers(t, 8, 6)
	eventually(t, "at least three pods share the jobs", func() bool {
		time.Sleep(time.Second)
		return len(k.pods(t, "python")) >= 3
	})
	k.accepted(t, ids, true)
	k.gone(t, "python")
	k.nothingLeft(t)
}

func testKubeCooldown(t *testing.T, k *kube) {
	ids := k.sleepers(t, 1, 2.5*kubeCooldown)
	k.accepted(t, ids, true)
	k.gone(t, "python")
}

// testKubeScaledDown takes two of three pods away, while each works: all are finished by who had them.
func testKubeScaledDown(t *testing.T, k *kube) {
	pods := k.hold(t, "python", 3)
	ids := k.sleepers(t, 6, 40)
	k.busy(t, pods, 2)
	k.kubectl(t, "annotate", "--overwrite", "scaledobject", "optimus-worker-python", "autoscaling.keda.sh/paused-replicas=1")
	eventually(t, "two pods are told to stop", func() bool {
		time.Sleep(time.Second)
		told := k.kubectl(t, "get", "pods", "-l", "optimus/queue=python", "-o", `jsonpath={range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name} {end}`)
		return len(strings.Fields(told)) == 2
	})
	for _, id := range ids {
		if state := k.job(t, id).State; state != string(store.Running) {
			t.Errorf("job %s is %s when its pod is told to stop", id, state)
		}
	}
	k.accepted(t, ids, true)
	eventually(t, "one pod is left", func() bool {
		time.Sleep(time.Second)
		return len(strings.Fields(k.kubectl(t, "get", "pods", "-l", "optimus/queue=python", "-o", "name"))) == 1
	})
	k.nothingLeft(t)
}

func testKubeKilled(t *testing.T, k *kube) {
	pods := k.hold(t, "python", 2)
	ids := k.sleepers(t, 4, 20)
	k.busy(t, pods, 2)
	if err := syscall.Kill(k.processOf(t, pods[0]), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	k.accepted(t, ids, false)
	for _, id := range ids {
		j := k.job(t, id)
		if first := append(j.History, web.Attempt{Worker: j.Worker})[0].Worker; first == pods[1] && j.Attempts != 1 {
			t.Errorf("job %s of the pod that was not killed: %+v", id, j.History)
		}
	}
	k.nothingLeft(t)
}

func testKubeDeleted(t *testing.T, k *kube) {
	pods := k.hold(t, "python", 1)
	ids := k.sleepers(t, 2, 20)
	k.busy(t, pods, 2)
	k.kubectl(t, "delete", "pod", pods[0], "--grace-period=0", "--force")
	k.accepted(t, ids, false)
	k.nothingLeft(t)
}

func testKubeRedis(t *testing.T, k *kube) {
	k.hold(t, "python", 2)
	k.underLoad(t, true, func() {
		k.kubectl(t, "delete", "pod", "optimus-redis-0", "--grace-period=0", "--force")
		k.kubectl(t, "rollout", "status", "statefulset/optimus-redis", "--timeout=4m")
	})
}

func testKubeUpdated(t *testing.T, k *kube) {
	k.hold(t, "python", 2)
	k.underLoad(t, true, func() {
		for _, what := range []string{"deployment/optimus-api", "deployment/optimus-worker-python", "daemonset/optimus-worker-default"} {
			k.kubectl(t, "rollout", "restart", what)
		}
		for _, what := range []string{"deployment/optimus-api", "deployment/optimus-worker-python", "daemonset/optimus-worker-default"} {
			k.kubectl(t, "rollout", "status", what, "--timeout=4m")
		}
	})
}

// testKubeDrained drains the one node that there is of the queue's workers.
func testKubeDrained(t *testing.T, k *kube) {
	pods := k.hold(t, "python", 1)
	ids := k.sleepers(t, 2, 20)
	k.busy(t, pods, 2)
	node := k.kubectl(t, "get", "pod", pods[0], "-o", "jsonpath={.spec.nodeName}")
	k.kubectl(t, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=optimus/queue=python", "--timeout=4m")
	k.accepted(t, ids, true)
	k.kubectl(t, "uncordon", node)
	k.release(t, "python")
	k.gone(t, "python")
	k.nothingLeft(t)
}
