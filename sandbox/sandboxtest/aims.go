package sandboxtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Aim is what an attacker wants.
type Aim string

// Honest is the aim of a program that attacks nothing.
const Honest Aim = "honest"

// aims says of each what it is.
func aims() map[Aim]string {
	return map[Aim]string{
		Honest:      "nothing: a program, right or wrong, that its author means well",
		"cheat":     "a verdict, or figures, that the program has not earned",
		"time":      "more processor or real time than was given",
		"memory":    "more memory than was given, or another's",
		"output":    "to flood the host with output",
		"processes": "more processes than were given, or processes that outlive the run",
		"disk":      "to fill the disk, or the memory that stands for it",
		"network":   "to reach the host, another run or the world",
		"snooping":  "to read what belongs to the host, to another run or to the judge",
		"privilege": "to become root, or to gain any right that a run does not have",
		"escape":    "out of the box: to change the host, the image or the kernel",
		"traces":    "to leave something for the next run",
	}
}

// Layer is a part of Optimus that is in an attacker's way, or decides a verdict.
type Layer string

// layers says of each what it is.
func layers() map[Layer]string {
	return map[Layer]string{
		"namespaces": "fresh PID, mount, IPC, UTS and cgroup namespaces for each run, and the slot's network namespace, in which there is nothing",
		"mounts":     "a read-only image, one bounded tmpfs behind all that may be written, a minimal `/dev`, the run's own masked `/proc`",
		"user":       "the slot's user id, no capability, no way to gain one",
		"seccomp":    "the filter of system calls",
		"cgroup":     "limits and accounts of memory, processes and CPU time, made and read by the host",
		"rlimits":    "the kernel's limits of a process: files, stack, dumps",
		"agent":      "the box's end, its clock and its output's cap, inside the container",
		"host":       "what the host measures, caps and ends by itself, whatever the agent says",
		"judge":      "the verdict, from what was measured; the comparison of output",
		"language":   "the language's command in the catalogue, which bounds its runtime",
	}
}

// LayersTable says of each layer what it is, as Markdown.
func LayersTable() string {
	var b strings.Builder
	b.WriteString("| layer | is |\n|---|---|\n")
	all := layers()
	for _, l := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| %s | %s |\n", l, all[l])
	}
	return b.String()
}

// SecurityTable lists for each aim the programs of the catalogue that have it and the layers in
// their way, as Markdown.
func SecurityTable(cases []Case) string {
	var b strings.Builder
	names := aims()
	delete(names, Honest)
	for _, aim := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&b, "### %s%s: %s\n\n| program | stopped by | what it is about |\n|---|---|---|\n", strings.ToUpper(string(aim[:1])), aim[1:], names[aim])
		seen := map[string]bool{}
		for _, c := range cases {
			if c.Aim != aim || seen[c.File] {
				continue
			}
			seen[c.File] = true
			layers := make([]string, len(c.Layers))
			for i, l := range c.Layers {
				layers[i] = string(l)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.File, strings.Join(layers, ", "), strings.ReplaceAll(c.Why, "|", "\\|"))
		}
		b.WriteString("\n")
	}
	return b.String()
}
