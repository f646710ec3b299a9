package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// firstProcess is the command of the node's first process.
const firstProcess = "first-process"

// stateFolders are those that the node has of its own, at the paths that all nodes have: what is in the
// machine's is never touched.
func stateFolders() []string {
	return []string{"/var/lib/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/lib/optimus", "/var/log/pods", "/var/log/containers"}
}

// startNode starts the node's first process, in namespaces of its own. All else on the node ends with it.
func (c *cluster) startNode(ctx context.Context) error {
	log, err := os.Create(c.path("node.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, firstProcess)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := c.record("node", cmd.Process.Pid); err != nil {
		return err
	}
	return c.until(ctx, "the node is laid out", 20*time.Second, func(context.Context) error {
		_, err := os.Stat(c.path("laid-out"))
		if !c.alive("node") {
			return errors.New("its first process has ended; see " + c.path("node.log"))
		}
		return err
	})
}

// first lays out the node, as its first process, and becomes what holds it.
func (c *cluster) first() error {
	if err := c.mounts(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte(nodeName)); err != nil {
		return err
	}
	// Nothing leads out: a pair of devices carries the node's address. Services' addresses need a route
	// before kube-proxy's rules rewrite them.
	for _, line := range []string{
		"link set lo up", "link add node0 type veth peer name node0-peer", "link set node0-peer up",
		"addr add " + nodeAddress + "/24 dev node0", "link set node0 up", "route add " + serviceNetwork + " dev node0",
	} {
		if _, err := output(exec.Command("ip", strings.Fields(line)...)); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	_ = os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("1"), 0o644) // not every kernel has it
	if err := os.WriteFile(c.path("laid-out"), nil, 0o644); err != nil {
		return err
	}
	return syscall.Exec(filepath.Join(c.bin, "pause"), []string{"pause"}, os.Environ())
}

func (c *cluster) mounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("part from the machine's mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount("run", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	bind := func(from, to string) error {
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(to, "/run/") {
			if err := c.note("made", to); err != nil { // for down
				return err
			}
		}
		if err := errors.Join(os.MkdirAll(from, 0o755), os.MkdirAll(to, 0o755)); err != nil {
			return err
		}
		return syscall.Mount(from, to, "", syscall.MS_BIND, "")
	}
	if err := bind(c.path("containerd"), "/run/containerd"); err != nil {
		return err
	}
	for _, dir := range stateFolders() {
		if err := bind(c.path("state")+dir, dir); err != nil {
			return err
		}
	}
	return syscall.Mount("", "/", "", syscall.MS_SHARED|syscall.MS_REC, "")
}

// note adds a line to a list.
func (c *cluster) note(list, line string) error {
	f, err := os.OpenFile(c.path(list), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// within runs a command in some of the node's namespaces, with this process's input and output.
func (c *cluster) within(ctx context.Context, namespaces, command []string) error {
	if len(command) == 0 {
		return errors.New("no command is given")
	}
	cmd, err := c.command(ctx, namespaces, command...)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// command is a command in some of the node's namespaces.
func (c *cluster) command(ctx context.Context, namespaces []string, command ...string) (*exec.Cmd, error) {
	if !c.alive("node") {
		return nil, errors.New("it is not up: go -C .tools/cluster run . up")
	}
	pid, _, err := c.recorded("node")
	if err != nil {
		return nil, err
	}
	args := append([]string{"-t", strconv.Itoa(pid)}, namespaces...)
	cmd := exec.CommandContext(ctx, "nsenter", append(append(args, "--"), command...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig(), "PATH="+c.bin+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Path, err = exec.LookPath("nsenter")
	return cmd, err
}

// kubectl asks the API server.
func (c *cluster) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd, err := c.command(ctx, []string{"--net"}, append([]string{filepath.Join(c.bin, "kubectl")}, args...)...)
	if err != nil {
		return "", err
	}
	cmd.Stdin = strings.NewReader(stdin)
	return output(cmd)
}

// daemon starts a program on the node, whose output goes to a log beside the others.
func (c *cluster) daemon(ctx context.Context, program string, args ...string) error {
	cmd, err := c.command(context.WithoutCancel(ctx), []string{"--mount", "--pid", "--net", "--ipc", "--uts"}, append([]string{program}, args...)...)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.path(program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	// Who starts it may have a folder for temporary files that ends before it does.
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "TMPDIR=") })
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return c.record(program, cmd.Process.Pid)
}

// record notes a process by its number and the time of its start, which together are nobody else's.
func (c *cluster) record(name string, pid int) error {
	started, err := startOf(pid)
	if err != nil {
		return err
	}
	return os.WriteFile(c.path(name+".pid"), fmt.Appendf(nil, "%d %s\n", pid, started), 0o644)
}

func (c *cluster) recorded(name string) (pid int, started string, err error) {
	text, err := os.ReadFile(c.path(name + ".pid"))
	if err != nil {
		return 0, "", err
	}
	_, err = fmt.Sscan(string(text), &pid, &started)
	return pid, started, err
}

// alive tells whether the recorded process still is that very one.
func (c *cluster) alive(name string) bool {
	pid, started, err := c.recorded(name)
	if err != nil {
		return false
	}
	now, err := startOf(pid)
	return err == nil && now == started
}

// startOf gives when a process was started (proc_pid_stat(5), field 22); an error for one that is gone.
func startOf(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[19], nil
}
