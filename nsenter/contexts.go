// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// OpenProcContexts has a process in a pid namespace open n contexts for a procfs
// (fsopen(2)), each good for one mount, which shows that namespace. joins lead there. The
// process is init's program, and in a pid namespace that it joins it has no rights, files or
// memory of the host's (init/opener.c). Who traces it may have it send other files: what is mounted with them
// is to be looked at. The files are the caller's.
func OpenProcContexts(n int, joins []Join) ([]*os.File, error) {
	if n == 0 {
		return nil, nil
	}
	o := &Options{ProcContexts: n, Joins: joins}
	o.opener = o.joins(unix.CLONE_NEWPID)
	init, err := Start(o)
	if err != nil {
		return nil, err
	}
	inside, err := init.Namespaces()
	if err == nil && o.opener {
		// It has nothing more to do but to collect its child. Somebody may have stopped that.
		const moment = 1000 // milliseconds
		_, err = readableWithin(init.PIDFD, moment)
	}
	if err = errors.Join(err, init.Abort(), init.Close()); err != nil {
		if inside != nil {
			_ = inside.Close()
		}
		return nil, err
	}
	return inside.ProcContexts, nil
}
