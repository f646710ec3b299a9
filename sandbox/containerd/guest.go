package containerd

import (
	"fmt"
	"os"
	"time"

	"optimus/sandbox/wire"
)

// enter makes the run's cgroup; in a container with a kernel of its own the agent does.
func (a *active) enter() (runCgroup, error) {
	if a.c.conn.PassesFiles() {
		return a.c.cgroups.run(a.c.id, a.id, a.limits)
	}
	begun, err := a.c.cgroups.cpu(a.c.id)
	return &guestRun{c: a.c, id: a.id, begun: begun}, err
}

// guestRun is the group of a run in a container with a kernel of its own, the guest. That kernel
// limits the run and accounts for it, and tells by the agent; this machine's kernel sees but the
// container, and can end no less.
type guestRun struct {
	c     *container
	id    uint32
	begun time.Duration // what the container had used when the run began
}

func (g *guestRun) files() []*os.File { return nil }

func (g *guestRun) v2() bool { return false }

// cpu is what the container has used since the run began, so no less than the run has.
func (g *guestRun) cpu() (time.Duration, error) {
	used, err := g.c.cgroups.cpu(g.c.id)
	return used - g.begun, err
}

func (g *guestRun) own() bool { return false }

func (g *guestRun) usage() (usage, error) {
	cpu, err := g.cpu()
	return usage{cpu: cpu, memory: -1, processes: -1}, err
}

func (g *guestRun) kill() { g.c.fail(fmt.Errorf("run %d did not end at its wall limit", g.id)) }

func (g *guestRun) remove() error { return nil }

// with adds what a guest's kernel accounts. Of the two accounts of CPU time the smaller is the
// truer: the host's holds all else in the container, and the guest takes time for used in which this
// machine ran others.
func (u usage) with(guest *wire.Usage, memoryLimit int64) usage {
	if guest == nil {
		return u
	}
	if guest.CPUNS >= 0 {
		u.cpu = min(u.cpu, time.Duration(guest.CPUNS))
	}
	u.memory, u.processes = guest.Memory, guest.Processes
	u.limitHit = guest.OOMKilled || guest.Memory > memoryLimit
	return u
}
