package containerd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
)

const (
	// kubernetesNamespace is where kubelet's containers are (containerd's CRI plugin), and labelPod the
	// label of theirs that has their pod's UID (Kubernetes, pkg/kubelet/types/labels.go).
	kubernetesNamespace = "k8s.io"
	labelPod            = "io.kubernetes.pod.uid"
)

// parentFor gives the parent of cgroups that was stated or, for a process in a Kubernetes pod, one below
// the pod's own: so its limits, the node's accounts and kubelet's clean-up hold for runs too. Empty
// leaves the choice to openCgroups.
func parentFor(ctx context.Context, c *client.Client, stated, podUID string) (string, error) {
	if stated != "" || podUID == "" {
		return stated, nil
	}
	pod, err := podCgroup(ctx, c, podUID)
	if err != nil {
		return "", fmt.Errorf("find the cgroup of pod %s, which is to hold the runs': %w: is this the node's containerd? "+
			"[sandbox] cgroup_parent can name another group", podUID, err)
	}
	return filepath.Join(pod, cgroupName), nil
}

// podCgroup asks containerd for a pod's cgroup, a path from the hierarchies' root: from within, a pod
// sees itself as the root where it has a cgroup namespace.
func podCgroup(ctx context.Context, c *client.Client, uid string) (string, error) {
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(ctx, kubernetesNamespace), answerTimeout)
	defer cancel()
	found, err := c.Containers(ctx, fmt.Sprintf("labels.%q==%q", labelPod, uid))
	if err != nil {
		return "", fmt.Errorf("list its containers: %w", err)
	}
	err = errors.New("it has no container of that pod in the namespace " + kubernetesNamespace)
	for _, one := range found {
		spec, specErr := one.Spec(ctx)
		switch {
		case specErr != nil:
			err = specErr
		case spec.Linux == nil || spec.Linux.CgroupsPath == "":
			err = fmt.Errorf("its container %s has none", one.ID())
		default:
			return podOf(spec.Linux.CgroupsPath)
		}
	}
	return "", err
}

// podOf gives the group of the pod of a container whose cgroup path a runtime was given: a path, or
// "SLICE:PREFIX:NAME" where systemd manages the groups (runc, docs/systemd.md).
func podOf(path string) (string, error) {
	parts := strings.Split(path, ":")
	switch {
	case len(parts) == 1 && strings.HasPrefix(path, "/") && filepath.Dir(filepath.Clean(path)) != "/":
		return filepath.Dir(filepath.Clean(path)), nil
	case len(parts) == 3:
		return sliceFolder(parts[0])
	default:
		return "", fmt.Errorf("the cgroup %q of its container is of a form that is not known", path)
	}
}

// sliceFolder gives where a slice lies: each dash of its name begins a slice within the one before
// (systemd.slice(5)).
func sliceFolder(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "" || strings.ContainsRune(name, '/') {
		return "", fmt.Errorf("%q is no systemd slice", slice)
	}
	folder := "/"
	for i, c := range name + "-" {
		if c == '-' {
			if i == 0 || name[i-1] == '-' {
				return "", fmt.Errorf("%q is no systemd slice", slice)
			}
			folder = filepath.Join(folder, name[:i]+".slice")
		}
	}
	return folder, nil
}
