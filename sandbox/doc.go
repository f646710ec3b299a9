// Package sandbox is the vocabulary of running and judging untrusted programs:
// what is submitted ([Submission], [TestCase], [Language], [Limits]), what one
// run of a program did ([Outcome]), what is said of it ([Verdict], [Report]),
// and the seam between judging and isolation ([Runner], [Program]).
//
// It imports the standard library alone, holds no behaviour beyond pure
// functions, and is imported by every other package.
package sandbox
