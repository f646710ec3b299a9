package modes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A redis-server that ends, instead of answering, ends the benchmark with what is to be looked at.
func TestBenchmarkOfAServerThatEnds(t *testing.T) {
	dir := t.TempDir()
	b := &benchmark{dir: dir}
	if _, stop, err := b.redis(t.Context()); err != nil {
		t.Error(err)
	} else {
		stop()
	}
	b.dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil { //nolint:gosec // it is executed
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if _, _, err := b.redis(t.Context()); err == nil || !strings.Contains(err.Error(), "redis.log has why") {
		t.Errorf("a server that ended is told of as %v", err)
	}
}
