// SPDX-License-Identifier: Apache-2.0

package main

func killCommand() *command {
	all := false
	return &command{
		name: "kill", synopsis: "<container-id> [signal]", min: 1, max: 2,
		summary: "send a signal to a container's init process",
		details: `The signal is a number or a name, with or without SIG, in any case; RTMIN+n and
RTMAX-n are names, too. The default is TERM.`,
		options: []option{
			{long: "all", short: "a", value: &all, usage: "signal every process of the container; a stopped container is no error then"},
		},
		run: func(a *app, args []string) (int, error) {
			name := "TERM"
			if len(args) > 1 {
				name = args[1]
			}
			sig, err := parseSignal(name)
			if err != nil {
				return exitFailure, err
			}
			c, err := a.load(args[0])
			if err != nil {
				return exitFailure, err
			}
			return 0, c.Signal(sig, all)
		},
	}
}
