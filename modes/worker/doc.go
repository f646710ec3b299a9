// Package worker is the loop that claims jobs, judges them and reports. It knows no HTTP, no
// particular store and no particular runner.
//
// # Goroutines of a running worker
//
//	claimer   claims up to the free slots when woken, when a slot frees while none was free, and
//	          now and then unasked; slows down while the runner fails at job after job
//	keeper    owns the map of leases and renews them all at a third of their time
//	heartbeat registers the worker
//	job       one for each busy slot: judges, then reports; its slot is free when it returns, which
//	          is after the runner has returned from everything that it was asked for
//	progress  one for each job: sends its events in batches, beside the judging
//
// # How a job ends
//
//	judged                          Finish, tried again through an outage of the store
//	cancellation was asked for      judging stops; Finish with the report as far as it goes
//	lease lost                      judging stops; nothing is reported
//	the runner failed, or a panic   GiveBack, counted, with the reason and the partial report
//	worker stops, grace is over     judging stops; GiveBack, not counted
package worker
