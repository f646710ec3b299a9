// Package agent runs inside a container as its PID 1 and carries out runs for the host: each in a
// box, fresh namespaces and a fresh root made for it and used once.
//
// All that a box is stands in three files: setup.go makes once what boxes share (the read-only
// image, the devices, the slots' network namespaces), box.go states a box as a plan, a list of
// system calls, and seccomp.go the filter of its system calls. The tiny init (init/init.c)
// carries the plan out; run.go starts it, feeds it, watches it and reports.
//
// The agent trusts the host and nothing that runs in a box.
package agent

//go:generate init/generate.sh
