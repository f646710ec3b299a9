// Package boltstore keeps jobs and queues in one bbolt file, for a process that is server and
// worker in one.
package boltstore
