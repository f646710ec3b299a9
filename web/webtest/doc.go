// Package webtest is for tests of the HTTP layer: a store in memory with a scriptable worker, and
// a small catalogue.
package webtest
