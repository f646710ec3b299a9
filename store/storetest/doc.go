// Package storetest is the suite that every backend of [store.Store] is held to. A backend's
// test is
//
//	storetest.Run(t, func(t *testing.T, o store.Options) store.Store { … })
//
// or, where its store can be opened anew, a [Harness]. The suite knows nothing of any backend:
// it injects the clock through Options.Now and looks at the store through its interface alone.
// After each check it compares the queues' figures, the lists and every single job with each
// other ([Harness.Run]). [RunModel] compares a backend with a simple model in random walks, and
// [RunBroken] shows that the suite finds the faults that matter, by breaking the backend.
package storetest
