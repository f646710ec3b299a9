// Pause holds a pod's namespaces until it is told to stop.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM)
	signal.Ignore(syscall.SIGCHLD) // the kernel then reaps what is orphaned
	<-told
}
