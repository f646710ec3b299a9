package containerd

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// machine is a healthy one with cgroup version 2, less and more as the test says: a change
// to nothing removes the file.
func machine(changes map[string]string) fs.FS {
	files := map[string]string{
		"proc/sys/kernel/osrelease":               "6.12.9-amd64\n",
		"proc/sys/kernel/seccomp/actions_avail":   "kill_process kill_thread trap errno user_notif trace log allow\n",
		"proc/sys/user/max_user_namespaces":       "10000\n",
		"proc/filesystems":                        "nodev\tsysfs\nnodev\toverlay\n\text4\n",
		"proc/swaps":                              "Filename\tType\tSize\tUsed\tPriority\n",
		"proc/self/status":                        "Name:\toptimus\nCapEff:\t000001ffffffffff\n",
		"proc/self/cgroup":                        "0::/system.slice/optimus.service\n",
		"proc/self/mountinfo":                     "25 1 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/cgroup.controllers":        "cpuset cpu io memory pids\n",
		"usr/share/keyrings/debian-archive-x.gpg": "keys",
		"sys/fs/cgroup/system.slice/optimus.service/cgroup.controllers": "cpu memory pids\n",
		"sys/fs/cgroup/system.slice/optimus.service/memory.swap.max":    "max\n",
	}
	for _, ns := range []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"} {
		files["proc/self/ns/"+ns] = ""
	}
	for name, content := range changes {
		files[name] = content
		if content == "" {
			delete(files, name)
		}
	}
	root := fstest.MapFS{}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return root
}

// v1 turns the machine into one of cgroup version 1 with those controllers.
func v1(options ...string) map[string]string {
	var mounts strings.Builder
	for _, o := range options {
		mounts.WriteString("30 1 0:30 / /sys/fs/cgroup/x rw,relatime shared:4 - cgroup cgroup rw," + o + "\n")
	}
	return map[string]string{
		"sys/fs/cgroup/cgroup.controllers": "",
		"proc/self/mountinfo":              mounts.String() + "31 1 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
	}
}

const someSwap = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2\tpartition\t1\t0\t-2\n"

func TestAKernelThatIsTooOld(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]string{"5.10.0-21-amd64": "install Linux 5.11 or later", "5.11.0": "", "6.12.9": "", "next": ""} {
		c := checkRelease(fstest.MapFS{"proc/sys/kernel/osrelease": {Data: []byte(release + "\n")}})
		if (c.Status == StatusFail) != (want != "") || !strings.Contains(c.Fix, want) {
			t.Errorf("%s: %+v, want %q", release, c, want)
		}
	}
}

func TestKernelChecks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		check   func(fs.FS) Check
		changes map[string]string
		status  Status
		detail  string
	}{
		"kernel":            {checkRelease, nil, StatusOK, "6.12.9"},
		"kernel, oldest":    {checkRelease, map[string]string{"proc/sys/kernel/osrelease": "5.11.0"}, StatusOK, "5.11"},
		"kernel, too old":   {checkRelease, map[string]string{"proc/sys/kernel/osrelease": "5.10.0-21"}, StatusFail, "5.10"},
		"kernel, ancient":   {checkRelease, map[string]string{"proc/sys/kernel/osrelease": "4.19.0"}, StatusFail, "4.19"},
		"kernel, unknown":   {checkRelease, map[string]string{"proc/sys/kernel/osrelease": "next"}, StatusWarn, "next"},
		"namespaces":        {checkNamespaces, nil, StatusOK, "pid"},
		"namespaces, none":  {checkNamespaces, map[string]string{"proc/self/ns/net": ""}, StatusFail, "net"},
		"namespaces, 0":     {checkNamespaces, map[string]string{"proc/sys/user/max_pid_namespaces": "0\n"}, StatusFail, "pid"},
		"user namespaces":   {checkUserNamespaces, nil, StatusOK, ""},
		"user ns, 0":        {checkUserNamespaces, map[string]string{"proc/sys/user/max_user_namespaces": "0\n"}, StatusWarn, "off"},
		"user ns, none":     {checkUserNamespaces, map[string]string{"proc/sys/user/max_user_namespaces": ""}, StatusWarn, "none"},
		"cgroup v2":         {checkCgroups, nil, StatusOK, "version 2"},
		"cgroup v2, at top": {checkCgroups, map[string]string{"proc/self/cgroup": "0::/\n"}, StatusOK, "version 2"},
		"cgroup v2, not delegated": {
			checkCgroups,
			map[string]string{"sys/fs/cgroup/system.slice/optimus.service/cgroup.controllers": "cpu pids"},
			StatusFail, "without memory",
		},
		"cgroup v1":            {checkCgroups, v1("cpu,cpuacct", "memory", "pids"), StatusOK, "version 1"},
		"cgroup v1, no memory": {checkCgroups, v1("cpu,cpuacct", "pids"), StatusFail, "without memory"},
		"cgroup, none":         {checkCgroups, v1(), StatusFail, "none"},
		"swap, none":           {checkSwap, nil, StatusOK, "no swap"},
		"swap, counted":        {checkSwap, map[string]string{"proc/swaps": someSwap}, StatusOK, "counted"},
		"swap, not counted": {
			checkSwap,
			map[string]string{"proc/swaps": someSwap, "sys/fs/cgroup/system.slice/optimus.service/memory.swap.max": ""},
			StatusWarn, "not counted",
		},
		"seccomp":       {checkSeccomp, nil, StatusOK, ""},
		"seccomp, none": {checkSeccomp, map[string]string{"proc/sys/kernel/seccomp/actions_avail": ""}, StatusFail, "kill_process"},
		"overlay":       {checkOverlay, nil, StatusOK, ""},
		"overlay, none": {checkOverlay, map[string]string{"proc/filesystems": "\text4\n"}, StatusWarn, "copy"},
		"overlay, a module": {
			checkOverlay,
			map[string]string{
				"proc/filesystems": "\text4\n",
				"lib/modules/6.12.9-amd64/kernel/fs/overlayfs/overlay.ko.xz": "x",
			},
			StatusOK, "module",
		},
		"capabilities":             {checkCapabilities, nil, StatusOK, ""},
		"capabilities, a few":      {checkCapabilities, map[string]string{"proc/self/status": "CapEff:\t00000000a80425fb\n"}, StatusFail, "CAP_SYS_ADMIN"},
		"capabilities, unreadable": {checkCapabilities, map[string]string{"proc/self/status": "CapEff:\txyz\n"}, StatusFail, "invalid"},
		"resource":                 {checkResourceCapability, nil, StatusOK, "held"},
		"resource, missing":        {checkResourceCapability, map[string]string{"proc/self/status": "CapEff:\t000001fffeffffff\n"}, StatusWarn, "hard limits"},
		"all but resource":         {checkCapabilities, map[string]string{"proc/self/status": "CapEff:\t000001fffeffffff\n"}, StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.check(machine(test.changes))
			if got.Status != test.status || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("got %+v, want status %s and %q", got, test.status, test.detail)
			}
			if (got.Fix == "") != (got.Status == StatusOK) {
				t.Errorf("status %s with fix %q", got.Status, got.Fix)
			}
		})
	}
}

func TestSwapOfVersion1(t *testing.T) {
	t.Parallel()
	changes := v1("memory")
	changes["proc/swaps"] = someSwap
	if got := checkSwap(machine(changes)); got.Status != StatusWarn {
		t.Errorf("got %+v, want a warning", got)
	}
	changes["sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"] = "1"
	if got := checkSwap(machine(changes)); got.Status != StatusOK {
		t.Errorf("got %+v, want ok", got)
	}
}

func TestDataDirChecks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		dir    string
		status Status
		detail string
	}{
		"present":      {dir, StatusOK, "can be written to"},
		"absent":       {filepath.Join(dir, "a/b/c"), StatusOK, "will be made"},
		"a file":       {file, StatusFail, "not a folder"},
		"below a file": {filepath.Join(file, "x"), StatusFail, "not a directory"},
	} {
		if got := CheckDataDir(test.dir)[0]; got.Status != test.status || !strings.Contains(got.Detail, test.detail) {
			t.Errorf("%s: got %+v, want %s and %q", name, got, test.status, test.detail)
		}
	}
	for free, want := range map[uint64]Status{1 << 20: StatusFail, 2 << 30: StatusWarn, 50 << 30: StatusOK} {
		if got := spaceCheck("disk space", dir, free); got.Status != want {
			t.Errorf("%d bytes free: got %+v, want %s", free, got, want)
		}
	}
}

func TestDoctor(t *testing.T) {
	o, _ := privateOptions(t)
	checks := Doctor(t.Context(), DoctorOptions{
		DataDir: o.Dir,
		Daemon:  o,
		Images:  []LanguageImage{{"python", "optimus.local/python:absent", "optimus admin images pull python"}},
	})
	found := map[string]Check{}
	for _, c := range checks {
		if _, twice := found[c.Name]; twice {
			t.Errorf("two checks are named %q", c.Name)
		}
		found[c.Name] = c
		if c.Name == "" || c.Detail == "" || (c.Fix == "") != (c.Status == StatusOK) {
			t.Errorf("incomplete check %+v", c)
		}
	}
	if Failed(checks) {
		t.Errorf("this machine, which runs the tests, fails: %+v", checks)
	}
	if c := found["containerd"]; c.Status != StatusOK || !strings.Contains(c.Detail, "private") {
		t.Errorf("got %+v", c)
	}
	if c := found["image of python"]; c.Status != StatusWarn || c.Fix != "optimus admin images pull python" {
		t.Errorf("got %+v", c)
	}
	assertNothingLeft(t, o.Dir)
}

func TestDoctorWithoutContainerd(t *testing.T) {
	t.Parallel()
	checks := Doctor(t.Context(), DoctorOptions{DataDir: t.TempDir(), Daemon: DaemonOptions{Mode: "/absent/containerd.sock"}})
	last := checks[len(checks)-1]
	if !Failed(checks) || last.Name != "containerd" || last.Status != StatusFail {
		t.Errorf("got %+v", last)
	}
}

// A kernel that can't make boxes is told before anything is tried, in the doctor's words.
func TestUnsupportedKernel(t *testing.T) {
	t.Parallel()
	if err := unsupported(machine(nil)); err != nil {
		t.Errorf("a healthy machine: %v", err)
	}
	err := unsupported(machine(map[string]string{"proc/sys/kernel/osrelease": "4.19.0", "proc/sys/kernel/seccomp/actions_avail": ""}))
	for _, want := range []string{"kernel: Linux 4.19.0: install Linux 5.11", "seccomp: not available: kill_process", "CONFIG_SECCOMP_FILTER"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it says %v, want %q in it", err, want)
		}
	}
}

// k3s, k0s and MicroK8s bring the runc of their containerd, which is on nobody's PATH; a container sees none of
// its host's programs.
func TestToolsOfOthers(t *testing.T) {
	t.Parallel()
	here, nothing := t.TempDir(), t.TempDir()
	if err := os.Symlink("/bin/true", filepath.Join(here, "containerd")); err != nil {
		t.Fatal(err)
	}
	const system = "/run/containerd/containerd.sock"
	for _, c := range []struct {
		search, socket string
		wanted         bool
	}{
		{here, "", true},
		{nothing, "", true},
		{here, system, true},
		{nothing, system, false},
		{here, "/run/k3s/containerd/containerd.sock", false},
		{here, "/run/k0s/containerd.sock", false},
		{here, "/var/snap/microk8s/common/run/containerd.sock", false},
	} {
		checks := checkTools(t.Context(), machine(nil), c.search, c.socket)
		if got := slices.ContainsFunc(checks, func(c Check) bool { return c.Name == "runc" }); got != c.wanted {
			t.Errorf("%+v: runc is looked for: %v", c, got)
		}
		if last := checks[len(checks)-1]; !strings.Contains(last.Fix, "images export and import") {
			t.Errorf("without apt-get it says %+v", last)
		}
	}
}
