// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// OpenProcContexts starts a process in a pid namespace that opens n contexts for a procfs
// (fsopen(2)). Each can be used for one mount, which shows that namespace. joins lead there.
// The process runs init's program, and in a pid namespace that it joins it has no rights, files
// or memory of the host (init/opener.c). A process that traces it can make it send other files,
// so the caller has to check what is mounted with them. The caller owns the files.
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
		// It only has to wait for its child, but somebody may have stopped that.
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
