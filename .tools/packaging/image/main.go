// Command image makes the image that the Dockerfile describes, without Docker: an OCI archive, the same to the
// bit for the same sources. `make image` runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	r := recipe{}
	flag.StringVar(&r.root, "root", "../..", "the repository")
	flag.StringVar(&r.binary, "binary", "../../optimus", "the program")
	flag.StringVar(&r.version, "version", "unknown", "its version")
	flag.StringVar(&r.revision, "revision", "unknown", "the commit that it is built from")
	epoch := flag.Int64("epoch", 0, "the time of that commit, in seconds since 1970")
	name := flag.String("name", "docker.io/library/optimus:latest", "what the image is called")
	out := flag.String("out", "../../dist/optimus-image.tar", "the archive")
	flag.Parse()
	r.made = time.Unix(*epoch, 0).UTC()
	if err := run(r, *name, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(r recipe, name, out string) error {
	if registry, rest, found := strings.Cut(name, "/"); !found || !strings.ContainsAny(registry, ".:") || !strings.Contains(rest, ":") {
		return fmt.Errorf("name %q: want registry and tag too, such as docker.io/library/optimus:v1", name)
	}
	img, err := r.build()
	if err != nil {
		return err
	}
	if err := writeArchive(out, name, img); err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s %s@%s\n", out, name, digest)
	return err
}
