// Package judge turns a submission into a report: it compiles once, runs the tests, checks
// what they print and adds up the score. It needs nothing but a [sandbox.Runner].
//
// # What decides a test, in this order
//
//  1. The limit that ended the run, else a status other than 0 or a signal: [sandbox.Outcome.Verdict].
//     A status that the language lists in OutOfMemoryExit is the memory limit's where the peak
//     came near it: see [OutOfMemory]. SIGXFSZ is the output limit's.
//  2. Standard output that was cut: output_limit_exceeded, for what is not known can't be accepted.
//  3. The checker: see [Check]. A test without expected output is accepted as it stands.
//
// Standard error never fails a test.
//
// # Order and stopping
//
// Tests start in the order of the submission and may end in another. With StopOnFailure no test
// starts once one has ended otherwise than accepted; those that run by then run to their end, so
// with several at once the report may hold verdicts beyond the first failure. One at a time
// (ParallelTests 1) the report is the same on every run.
package judge
