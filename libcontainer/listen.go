// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"strconv"

	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
)

// addListenFDs replaces what the environment of a plan says of such sockets. Init completes the
// pid that they are for.
func addListenFDs(p *nsenter.Plan, l options.ListenFDs) {
	if l.Count == 0 {
		return
	}
	env := p.Env
	for _, name := range [...]string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		env = withoutEnv(env, name)
	}
	env = append(env, "LISTEN_FDS="+strconv.Itoa(l.Count), "LISTEN_PID=")
	if l.Names != "" {
		env = append(env, "LISTEN_FDNAMES="+l.Names)
	}
	p.Env, p.ListenPID = env, true
}
