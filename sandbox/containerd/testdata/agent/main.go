// Agent is the agent alone, for the runner's tests: quicker to link than the whole binary.
package main

import (
	"os"

	"optimus/sandbox/agent"
)

func main() { os.Exit(agent.Main(os.Args[2:])) }
