// Command deb makes the Debian package, with nfpm: the program, systemd's units, settings, manual page and
// completions, all from what the program prints. `make deb` runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	r := recipe{}
	flag.StringVar(&r.root, "root", "../..", "the repository")
	flag.StringVar(&r.binary, "binary", "../../optimus", "the program")
	flag.StringVar(&r.version, "version", "unknown", "its version, as git describes it")
	epoch := flag.Int64("epoch", 0, "the time of the commit that it is built from, in seconds since 1970")
	out := flag.String("out", "../../dist", "the folder of the package")
	flag.Parse()
	r.made = time.Unix(*epoch, 0).UTC()
	path, err := run(r, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

func run(r recipe, out string) (string, error) {
	binary, err := filepath.Abs(r.binary) // it is run by its path
	if err != nil {
		return "", err
	}
	r.binary = binary
	return r.write(out)
}
