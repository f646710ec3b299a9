package containerd

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	"golang.org/x/sys/unix"
)

// runTiny starts the tests' image as a container, with the arguments given, and gives its task.
func runTiny(t *testing.T, d *Daemon, img Image, id string, args ...string) client.Task {
	t.Helper()
	ctx := t.Context()
	container, err := d.Client().NewContainer(ctx, id,
		client.WithSnapshotter(d.Snapshotter()),
		client.WithNewSnapshot(id, img.Handle),
		client.WithRuntime("io.containerd.runc.v2", &options.Options{Root: d.RuncRoot()}),
		client.WithNewSpec(oci.WithImageConfigArgs(img.Handle, args)))
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	task, err := container.NewTask(ctx, cio.LogFile(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Start(ctx); err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "hello from a box")
	})
	return task
}

// ended tells whether a process has; its parent may not have reaped it yet.
func ended(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(text), ") Z ")
}

func TestContainersOutliveTheDaemon(t *testing.T) {
	o, lines := privateOptions(t)
	d := connect(t, o)
	ctx := t.Context()
	task := runTiny(t, d, importOne(t, d.Images(), tinyArchive(t, "optimus.local/tiny:one", "one")), "outlives", "wait")
	if _, err := os.Stat(filepath.Join(d.RuncRoot(), Namespace, "outlives")); err != nil {
		t.Errorf("runc's state is elsewhere: %v", err)
	}
	if err := unix.Kill(daemonPID(t, d), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	lines.await(t, "private containerd is back")
	awaitTrue(t, func() bool { _, err := d.Client().Version(ctx); return err == nil })

	again, err := d.Client().LoadContainer(ctx, "outlives")
	if err != nil {
		t.Fatal(err)
	}
	same, err := again.Task(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, err := same.Status(ctx)
	if err != nil || status.Status != client.Running || same.Pid() != task.Pid() {
		t.Errorf("status %v, pid %d, error %v; want pid %d running", status, same.Pid(), err, task.Pid())
	}
	// The daemon is closed with the container running: nothing may be left, which privateOptions asserts.
	pid := int(task.Pid())
	if err := d.Close(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, func() bool { return ended(pid) })
}

func TestCleanUpNeedsNoDaemon(t *testing.T) {
	o, _ := privateOptions(t)
	d := connect(t, o)
	ctx := context.WithoutCancel(t.Context())
	task := runTiny(t, d, importOne(t, d.Images(), tinyArchive(t, "optimus.local/tiny:one", "one")), "orphan", "wait")
	pid := int(task.Pid())
	d.private.cancel()
	<-d.private.watched
	if err := unix.Kill(daemonPID(t, d), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-d.private.proc.exited
	if err := d.private.cleanUp(ctx); err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, func() bool { return ended(pid) })
	assertNothingLeft(t, o.Dir)
}
