package storetest

import (
	"pgregory.net/rapid"

	"optimus/store"
)

func (m *model) unfinishedOf(tenant string) (n int) {
	for _, j := range m.jobs {
		if j.n.Tenant == tenant && !j.state.Terminal() {
			n++
		}
	}
	return n
}

func (m *model) queueState(t *rapid.T) {
	states := []store.QueueState{store.QueuePaused, store.QueueDraining, store.QueueRunning, store.QueueRunning, store.QueueRunning}
	state := rapid.SampledFrom(states).Draw(t, "state")
	err := m.e.s.SetQueueState(m.e.ctx(), queueName, state)
	if len(m.order) == 0 {
		m.agree(err, store.ErrNotFound, "queue state")
		return
	}
	m.agree(err, nil, "queue state")
	m.queue = state
}

// relocate moves the model's store into another one, by way of a text and of an import that breaks
// off, and goes on there.
func (m *model) relocate(t *rapid.T) {
	from, text := m.e, m.e.export()
	to := from.sibling()
	defer to.close()
	cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
	if _, err := to.load(text[:cut]); (err == nil) != (cut == len(text)) {
		m.fail("an import of %d of %d bytes gave %v", cut, len(text), err)
	}
	if _, err := to.load(text); err != nil {
		m.fail("import: %v", err)
	}
	m.e = to
	for _, j := range m.order {
		if m.jobs[j.id] == j && j.state == store.Running {
			m.back(j, false)
		}
	}
	m.compare()
	m.pass(t)
	if len(m.order) > 0 {
		m.agree(to.s.SetQueueState(to.ctx(), queueName, store.QueueRunning), nil, "resume")
		m.queue = store.QueueRunning
	}
	for len(m.claimable([]store.Lane{python(), rust()})) > 0 {
		m.claim(t)
	}
	m.submit(t)
	m.compare()
	to.checkInvariants()
	m.e = from // which its own end closes
}
