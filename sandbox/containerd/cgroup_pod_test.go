package containerd

import (
	"context"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/google/uuid"
)

func TestPodOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/kubepods/burstable/pod1234/abc":                      "/kubepods/burstable/pod1234",
		"/kubepods/pod1234/abc":                                "/kubepods/pod1234",
		"kubepods-burstable-pod12_34.slice:cri-containerd:abc": "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12_34.slice",
		"kubelet-kubepods-pod1.slice:cri-containerd:abc":       "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice",
		"": "", "/abc": "", "abc": "", "a:b": "", "-.slice:a:b": "", "a--b.slice:a:b": "", "../x.slice:a:b": "", ".slice:a:b": "",
	} {
		got, err := podOf(path)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", path, got, err, want)
		}
	}
}

// TestPodCgroup asks a containerd that has a container of the pod, as kubelet makes it.
func TestPodCgroup(t *testing.T) {
	o, _ := privateOptions(t)
	daemon := connect(t, o)
	ctx := namespaces.WithNamespace(t.Context(), kubernetesNamespace)
	uid := uuid.NewString()
	const name = "paused"
	c, err := daemon.Client().NewContainer(ctx, name, client.WithContainerLabels(map[string]string{labelPod: uid}),
		client.WithNewSpec(oci.WithCgroup("/kubepods/burstable/pod"+uid+"/"+name)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Delete(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct{ stated, uid, want string }{
		{"", uid, "/kubepods/burstable/pod" + uid + "/optimus"}, {"/mine", uid, "/mine"}, {"", "", ""},
	} {
		if got, err := parentFor(t.Context(), daemon.Client(), test.stated, test.uid); err != nil || got != test.want {
			t.Errorf("stated %q, pod %q: %q, %v, want %q", test.stated, test.uid, got, err, test.want)
		}
	}
	if _, err := parentFor(t.Context(), daemon.Client(), "", "another"); err == nil || !strings.Contains(err.Error(), "no container of that pod") {
		t.Errorf("of a pod that is not here: %v", err)
	}
}
