// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestMountOntoRoot: the new root is the only root, and has the flags of the mount, with and
// without mount_setattr(2) and pivot_root(2). Later mounts in the list and the devices are in it.
func TestMountOntoRoot(t *testing.T) {
	for _, setattr := range []bool{true, false} {
		for _, noPivot := range []bool{false, true} {
			t.Run(fmt.Sprintf("setattr=%v,noPivot=%v", setattr, noPivot), func(t *testing.T) {
				inChild(t, func(t *testing.T, dir string) {
					c := plan(image(t, dir))
					c.NoPivotRoot, c.Rootfs.Readonly = noPivot, false
					v := volume(t, dir)
					other := image(t, filepath.Join(v, "other"))
					late := configs.Mount{Destination: "/late", Type: "tmpfs", Flags: unix.MS_RDONLY}
					onto := configs.Mount{Destination: "/", Type: "bind", Source: other, Flags: unix.MS_BIND | unix.MS_RDONLY | unix.MS_NODEV}
					// The first mount is on the old root, and disappears with it.
					c.Mounts = append([]configs.Mount{late, onto}, c.Mounts...)
					number(c)
					b := start(t, c)
					b.attacher.Early = setattr
					build(t, b)
					var roots, lateMounts int
					for _, m := range mountTable(t, b) {
						switch m.point {
						case "/":
							roots++
							if m.options != "ro,nodev,noatime" || !strings.HasSuffix(m.root, "/other/rootfs") {
								t.Errorf("root %+v", m)
							}
						case "/late":
							lateMounts++
						}
					}
					// Without pivot_root(2), the host's root is below the new one.
					if roots != 1 && !noPivot || lateMounts != 0 {
						t.Errorf("%d roots, %d mounts of the old one", roots, lateMounts)
					}
					if _, err := os.Stat("/dev/null"); err != nil && !noPivot {
						t.Error(err)
					}
				})
			})
		}
	}
}
