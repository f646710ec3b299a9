package containerd

import (
	"os"
	"testing"

	"optimus/sandbox/sandboxtest"
)

func TestMain(m *testing.M) { os.Exit(sandboxtest.Main(m)) }
