// SPDX-License-Identifier: Apache-2.0

// Agent is what the tests run on a node. `agent serve` runs commands in a virtual machine, for
// `agent call` outside. Its other commands look at the node that they run on, and so need no
// server in a node of namespaces.
package main

import (
	"fmt"
	"os"
)

const usage = "usage: agent serve ADDRESS | call ADDRESS COMMAND [ARG...] | left [KIND...] | tidy"

func main() {
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("%s", usage))
	}
	var err error
	switch command, args := os.Args[1], os.Args[2:]; {
	case command == "serve" && len(args) == 1:
		err = serve(args[0])
	case command == "call" && len(args) > 1:
		var status int
		if status, err = call(args[0], args[1:]); err == nil {
			os.Exit(status)
		}
	case command == "left":
		err = left(args)
	case command == "tidy" && len(args) == 0:
		err = tidy()
	default:
		err = fmt.Errorf("%s", usage)
	}
	if err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "agent:", err)
	os.Exit(125)
}
