// Package sandboxtest holds what the tests of runs need: [Run], the suite that every
// [sandbox.Runner] must pass on real containers, and [Fake], a Runner that follows a script.
package sandboxtest
