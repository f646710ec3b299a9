package containerd

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"optimus/sandbox/wire"
)

// TestStandardStreamsCarryTheConversation: the other ends are opened as a runtime's shim opens them.
func TestStandardStreamsCarryTheConversation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	s, err := openStdio(t.Context(), dir, log, "c")
	if err != nil {
		t.Fatal(err)
	}
	host := wire.New(s)
	if host.PassesFiles() {
		t.Error("pipes are said to pass descriptors")
	}
	config := s.Config()
	in, out, words := open(t, config.Stdin, os.O_RDONLY), open(t, config.Stdout, os.O_WRONLY), open(t, config.Stderr, os.O_WRONLY)
	agent := wire.NewAgent(in)

	if err := host.SendJSON(wire.KindHello, 0, wire.Hello{Slots: 2, Cgroups: true}); err != nil {
		t.Fatal(err)
	}
	if f, err := agent.Read(); err != nil || f.Kind != wire.KindHello {
		t.Fatalf("the agent hears %v, %v", f.Kind, err)
	}
	if _, err := out.Write([]byte{0, 0, 0, 0, byte(wire.KindIdle), 7, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if f, err := host.Read(); err != nil || f.Kind != wire.KindIdle || f.ID != 7 {
		t.Errorf("the host hears %+v, %v", f, err)
	}

	// An agent that never stops talking fills neither a disk nor its pipe.
	if _, err := words.Write(bytes.Repeat([]byte{'x'}, 4*maxAgentLog)); err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, func() bool { info, err := os.Stat(log); return err == nil && info.Size() == maxAgentLog })

	for range 2 { // by the conversation and by containerd
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(config.Stdin); !os.IsNotExist(err) {
		t.Errorf("the pipes are left: %v", err)
	}
}

func open(t *testing.T, name string, flag int) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
