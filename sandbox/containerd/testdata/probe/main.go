// Probe is the program of the runner's tests: the only file of its image. Its first argument says
// what to do.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func main() {
	args := os.Args[1:]
	switch args[0] {
	case "cat": // standard input to standard output
		_, err := io.Copy(os.Stdout, os.Stdin)
		check(err)
	case "true":
	case "exit": // with a status
		var code int
		_, err := fmt.Sscan(args[1], &code)
		check(err)
		os.Exit(code)
	case "compile": // the source, upper-cased, is the program that it compiles to
		b, err := os.ReadFile("main.src")
		check(err)
		if strings.Contains(string(b), "syntax error") {
			fmt.Fprintln(os.Stderr, "main.src:1: syntax error")
			os.Exit(1)
		}
		check(os.WriteFile("main.out", []byte(strings.ToUpper(string(b))), 0o644))
		// As a compiler may that thinks of its own user alone.
		check(os.Mkdir("own", 0o700))
		check(os.WriteFile("own/out", []byte("own\n"), 0o600))
	case "show": // files, by name
		for _, name := range args[1:] {
			b, err := os.ReadFile(name)
			if err != nil {
				fmt.Println(err)
				continue
			}
			fmt.Printf("%s", b)
		}
	case "leave": // something in every place that may be written
		for _, dir := range []string{"/work", "/tmp", "/dev/shm"} {
			check(os.WriteFile(dir+"/left", []byte("left\n"), 0o600))
		}
	case "find": // what another run has left
		for _, dir := range []string{"/work", "/tmp", "/dev/shm"} {
			if _, err := os.Stat(dir + "/left"); err == nil {
				fmt.Println(dir + "/left")
			}
		}
	case "write": // everywhere else
		for _, dir := range []string{"/", "/dev", "/proc", "/.optimus", "/sys"} {
			if err := os.WriteFile(dir+"/x", nil, 0o600); err == nil {
				fmt.Println("wrote to " + dir)
			}
		}
	case "change": // files, in place
		for _, name := range args[1:] {
			if f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
				check(f.Close())
				fmt.Println("emptied " + name)
			}
		}
	case "limits": // of core dumps, set and then asked
		check(syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}))
		var l syscall.Rlimit
		check(syscall.Getrlimit(syscall.RLIMIT_CORE, &l))
		fmt.Println(l.Cur, l.Max)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Minute)
	case "spin":
		for {
		}
	case "allocate":
		b := make([]byte, 1<<30)
		for i := range b {
			b[i] = 1
		}
	case "pour": // a given number of mebibytes, to standard output or, where it is named, error
		var n int
		_, err := fmt.Sscan(args[1], &n)
		check(err)
		to := os.Stdout
		if len(args) > 2 && args[2] == "stderr" {
			to = os.Stderr
		}
		mib := make([]byte, 1<<20)
		for range n {
			_, err := to.Write(mib)
			check(err)
		}
	case "daemon": // a child that outlives its parent
		child := exec.Command("/proc/self/exe", "sleep")
		child.Stdout = os.Stdout
		check(child.Start())
	case "execute": // another program in its own place
		check(syscall.Exec(args[1], args[1:], nil))
	case "status":
		b, err := os.ReadFile("/proc/self/status")
		check(err)
		os.Stdout.Write(b)
	case "env":
		fmt.Println(strings.Join(os.Environ(), "\n"))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}
