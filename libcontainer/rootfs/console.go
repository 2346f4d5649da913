// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/rootfs/inside"
)

// Console opens a pty on the container's devpts and binds it to /dev/console. The caller owns
// both ends. The peer's Name is its path in the container.
//
// The peer is mounted by its descriptor, which inside.Console has opened: see there.
func (b *Builder) Console() (master, peer *os.File, err error) {
	master, peer, err = inside.Console(b.root.Root)
	if err != nil {
		return nil, nil, err
	}
	if err := b.dev().Console(int(peer.Fd())); err != nil {
		err = fmt.Errorf("process.terminal: /dev/console: %w", err)
		return nil, nil, errors.Join(err, master.Close(), peer.Close())
	}
	return master, peer, nil
}
