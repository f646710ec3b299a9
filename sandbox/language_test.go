package sandbox_test

import (
	"slices"
	"testing"

	"optimus/sandbox"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	src := sandbox.Source{Files: []sandbox.File{{Name: "src/Main.java"}, {Name: "Util.java"}, {Name: "notes.txt"}, {Name: "java"}}}
	args := []string{"a b", "{source}"}
	tests := []struct {
		name    string
		command []string
		lim     sandbox.Limits
		want    []string
	}{
		{"source", []string{"run", "{source}"}, sandbox.Limits{}, []string{"run", "src/Main.java", "a b", "{source}"}},
		{"main", []string{"run", "-cp", "x/{main}.jar"}, sandbox.Limits{}, []string{"run", "-cp", "x/src/Main.jar", "a b", "{source}"}},
		{"args where they belong", []string{"run", "{args}", "end"}, sandbox.Limits{}, []string{"run", "a b", "{source}", "end"}},
		{"sources", []string{"run", "{sources}", "{args}"}, sandbox.Limits{}, []string{"run", "src/Main.java", "Util.java", "a b", "{source}"}},
		{"memory less the overhead", []string{"-Xmx{memory_mb}m", "{args}"}, sandbox.Limits{Memory: 256 * mib}, []string{"-Xmx192m", "a b", "{source}"}},
		{"memory below the overhead", []string{"-Xmx{memory_mb}m", "{args}"}, sandbox.Limits{Memory: 32 * mib}, []string{"-Xmx8m", "a b", "{source}"}},
		{"stack as memory", []string{"-Xss{stack_mb}m", "{args}"}, sandbox.Limits{Memory: 256 * mib}, []string{"-Xss256m", "a b", "{source}"}},
		{"stack stated", []string{"-Xss{stack_mb}m", "{args}"}, sandbox.Limits{Memory: 256 * mib, Stack: 16 * mib}, []string{"-Xss16m", "a b", "{source}"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lang := sandbox.Language{Run: tt.command, Compile: tt.command, MemoryOverhead: 64 * mib}
			if got := lang.RunCommand(src, args, tt.lim); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			without := slices.DeleteFunc(slices.Clone(tt.want), func(w string) bool { return slices.Contains(args, w) })
			if got := lang.CompileCommand(src, tt.lim); !slices.Equal(got, without) {
				t.Errorf("compile: got %q, want %q", got, without)
			}
		})
	}
}
