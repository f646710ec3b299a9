package containerd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARuntimeThatCannotBeUsedIsToldBeforehand(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "containerd-shim-runsc-v1"), nil, 0o700); err != nil { //nolint:gosec // it is looked up as a command
		t.Fatal(err)
	}
	private := func(path string) *privateDaemon { return &privateDaemon{path: path} }
	for name, c := range map[string]struct {
		daemon  *Daemon
		runtime string
		want    string // a part of the error; none where it can be used
	}{
		"runc on 1.6":           {&Daemon{version: "1.6.20~ds1"}, defaultRuntime, ""},
		"gVisor on 1.6":         {&Daemon{version: "1.6.20~ds1"}, runtimeGVisor, "containerd 1.6.20~ds1 is too old for it: it needs containerd 2"},
		"gVisor on another's 2": {&Daemon{version: "v2.4.2"}, runtimeGVisor, ""}, // its PATH is not known
		"gVisor installed":      {&Daemon{version: "2.4.2+unknown", private: private(bin)}, runtimeGVisor, ""},
		"gVisor missing":        {&Daemon{version: "v2.4.2", private: private("/nowhere")}, runtimeGVisor, "containerd-shim-runsc-v1 is not installed"},
		"another missing":       {&Daemon{version: "v2.4.2", private: private(bin)}, "io.containerd.kata.v2", "containerd-shim-kata-v2 is not installed"},
	} {
		err := c.daemon.CheckRuntime(c.runtime)
		check := c.daemon.runtimeCheck(LanguageRuntime{"python-gvisor", c.runtime})
		switch {
		case c.want == "":
			if err != nil || check.Status != StatusOK {
				t.Errorf("%s: %v, %+v", name, err, check)
			}
		case !errors.Is(err, errRuntimeUnusable) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		case check.Status != StatusWarn || check.Name != "runtime of python-gvisor" || !strings.Contains(check.Fix, "deploy/runtimes.sh"):
			t.Errorf("%s: the doctor says %+v", name, check)
		}
	}
}
