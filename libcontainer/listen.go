// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"strconv"

	"github.com/berth-run/berth/nsenter"
)

// ListenFDs are the sockets of socket activation that the caller was started with
// (sd_listen_fds(3)): fds 3 to 3+Count-1.
type ListenFDs struct {
	Count int
	// Names are those of the sockets, divided by colons; "" for none.
	Names string
}

// addTo replaces what the environment of a plan says of such sockets. Init completes the
// pid that they are for.
func (l ListenFDs) addTo(p *nsenter.Plan) {
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
