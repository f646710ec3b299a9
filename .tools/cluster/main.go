// Cluster brings up a Kubernetes of one node with KEDA and metrics-server on this machine, in namespaces
// of its own, from Go modules and Debian packages: no registry, no Docker, no virtual machine, no network
// beyond this machine. Nothing in it is a stand-in.
//
//	go -C .tools/cluster run . build            compile what it is made of (cold some 10 minutes)
//	go -C .tools/cluster run . up               bring it up, built where it is not
//	go -C .tools/cluster run . load FILE        give the node an image, of an OCI or Docker archive
//	go -C .tools/cluster run . exec CMD…        run a command in its network, with KUBECONFIG set
//	go -C .tools/cluster run . node CMD…        run a command on the node itself
//	go -C .tools/cluster run . restart          end the node's containerd, and start it again
//	go -C .tools/cluster run . down             take it down; fails where anything is left
//
// It needs root, cgroup v1 or hybrid, and the packages that `up` names where they are missing. All of it
// is below $OPTIMUS_CACHE (/var/cache/optimus) in cluster/: bin/ and images/ stay, run/ goes with down.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c, err := open()
	if err != nil {
		return err
	}
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "build":
		return c.build(ctx)
	case "up":
		return c.up(ctx)
	case "load":
		return c.load(ctx, args...)
	case "exec":
		return c.within(ctx, []string{"--net"}, args)
	case "node":
		return c.within(ctx, []string{"--mount", "--pid", "--net", "--ipc", "--uts"}, args)
	case "restart":
		return c.restartContainerd(ctx)
	case "down":
		return c.down(ctx)
	case firstProcess:
		return c.first()
	default:
		return errors.New("want build, up, load FILE, exec CMD…, node CMD…, restart or down")
	}
}

// cluster knows where everything is.
type cluster struct {
	// source is this program's folder, for the modules beside it.
	source string
	// dir holds bin and images, and run for as long as the cluster is up.
	dir, bin, images, run string
	began                 time.Time
}

// Addresses, of the node's own network.
const (
	nodeAddress    = "10.123.0.1"
	podNetwork     = "10.124.0.0/24"
	serviceNetwork = "10.125.0.0/24"
	apiAddress     = "10.125.0.1"
	dnsAddress     = "10.125.0.10"
	nodeName       = "node1"
)

// cgroup is where kubelet has the pods' groups.
const cgroup = "optimus-cluster"

func open() (*cluster, error) {
	source, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	cache := os.Getenv("OPTIMUS_CACHE")
	if cache == "" {
		cache = "/var/cache/optimus"
	}
	dir := filepath.Join(cache, "cluster")
	if len(dir) > 60 { // sockets are below it, whose paths take 107 bytes (unix(7))
		return nil, fmt.Errorf("%s: over 60 bytes, too long for the sockets in it: set OPTIMUS_CACHE", dir)
	}
	return &cluster{
		source: source, dir: dir, bin: filepath.Join(dir, "bin"), images: filepath.Join(dir, "images"), run: filepath.Join(dir, "run"),
		began: time.Now(),
	}, nil
}

// say tells how far it is.
func (c *cluster) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

func (c *cluster) path(name string) string { return filepath.Join(c.run, name) }

// kubeconfig is the administrator's.
func (c *cluster) kubeconfig() string { return c.path("admin.kubeconfig") }

// socket is the node's containerd's as seen from outside: on the node it is at its usual place.
func (c *cluster) socket() string { return c.path("containerd/containerd.sock") }

// until asks again and again until it is well.
func (c *cluster) until(ctx context.Context, what string, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var err error
	for {
		if err = ask(ctx); err == nil {
			c.say("%s", what)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in %s: %s: %w", limit, what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// output runs a command and gives what it writes, or an error that has it.
func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out)
	}
	return string(out), nil
}
