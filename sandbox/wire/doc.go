// Package wire is the protocol between the host and the agent of a container: frames over one
// byte stream, each side treating the other as hostile.
//
// A frame is an 11-byte header and a payload:
//
//	4 bytes  length of the payload, little endian, at most [MaxPayload]
//	1 byte   kind
//	4 bytes  id of the run or program that it speaks of, little endian
//	1 byte   number of descriptors that come with it, at most [MaxFiles]
//	1 byte   stream of an output frame: 1 standard output, 2 standard error
//
// What the host sends, and what the agent answers:
//
//	hello    JSON Hello                   → ready  JSON Ready
//	program  JSON ProgramSpec             (no answer; a fault shows at seal or at the first run)
//	file     name, NUL, a piece of content (appended)
//	seal                                  → sealed JSON Answer
//	drop                                  (no answer)
//	stdin    a piece of the next run's standard input
//	start    JSON RunSpec, descriptors    → output … exit JSON Exit, then idle
//	kill                                  (the run's exit follows)
//	spent                                 (likewise, once the container's kernel finds its CPU time spent too)
//
// exit tells what the run did as soon as its processes have ended; idle tells that nothing of it
// is left in the container, so that its slot is free.
package wire
