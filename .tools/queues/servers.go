package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a server, which ends with stop.
type process struct{ cmd *exec.Cmd }

func start(name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &process{cmd}, nil
}

// stop asks the server to end by that signal, and waits until it has.
func (p *process) stop(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// until asks again and again, for a while.
func until(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// redisServer starts one on a socket in the folder, and gives the socket's path.
func redisServer(ctx context.Context, dir string) (*process, string, error) {
	socket := filepath.Join(dir, "redis.sock")
	p, err := start("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--appendonly", "yes",
		"--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction", "--logfile", filepath.Join(dir, "redis.log"))
	if err != nil {
		return nil, "", err
	}
	return p, socket, until(ctx, func() error { return exec.CommandContext(ctx, "redis-cli", "-s", socket, "ping").Run() })
}

// postgresServer starts one, as the user of its package, on a socket in the folder, and gives the URL
// of a database.
func postgresServer(ctx context.Context, dir string) (*process, string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return nil, "", errors.New("there is no PostgreSQL: apt-get install postgresql")
	}
	bin := found[len(found)-1]
	data := filepath.Join(dir, "data")
	as := func(args ...string) []string { return append([]string{"-u", "postgres", "--"}, args...) }
	if out, err := exec.CommandContext(ctx, "chown", "postgres", dir).CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("chown: %w: %s", err, out)
	}
	if out, err := exec.CommandContext(ctx, "runuser", as(filepath.Join(bin, "initdb"), "--auth=trust", "-D", data)...).CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	p, err := start("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--",
		filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "log_destination=stderr", "-c", "log_min_messages=panic")
	if err != nil {
		return nil, "", err
	}
	return p, "postgres:///postgres?user=postgres&host=" + dir, until(ctx, func() error {
		return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-h", dir, "-q").Run()
	})
}
