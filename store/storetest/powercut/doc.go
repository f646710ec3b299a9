// Package powercut shows what a power cut leaves of a file system. [Record] has a file system in
// which every write, growth, new name and sync is recorded, in the order in which the kernel saw
// them. [Recording.Cuts] then gives, for a cut after any of these, what may be on the disk: all that
// was synced, and of the rest whatever the disk had come to: nothing, all, or any parts of it.
//
// The program that is recorded runs in another process: one that maps files which it serves itself
// stops for ever when a page of them is missing while the garbage collector waits for the thread.
// What it writes to the file [Notes] is never lost and is no part of the disk: with it, it tells
// between which two writes it made a promise.
package powercut
