// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// haveTreeNamespace reports whether the kernel makes a mount namespace of a tree. A kernel that does
// refuses the descriptor, an older one the flag.
func haveTreeNamespace() bool {
	const openTreeNamespace = 2 // OPEN_TREE_NAMESPACE
	_, err := unix.OpenTree(-1, "", openTreeNamespace|unix.AT_EMPTY_PATH)
	return errors.Is(err, unix.EBADF)
}

// TestOwnTree: where the kernel can do that, the mount namespace is made of the root file system
// alone, unless something needs the host's mounts in there. Either way the container is the same.
func TestOwnTree(t *testing.T) {
	onlyBerth(t)
	const phase = "make a mount namespace of the root file system"
	for _, tc := range []struct {
		name string
		// change is what the container has besides; own reports whether it has such a namespace.
		change func(c *container)
		own    bool
	}{
		{"plain", func(*container) {}, true},
		{"binds", func(c *container) {
			c.mount("/a", "bind", c.path("volume"), "bind", "rslave")
			c.mount("/b", "bind", "/etc/hostname", "rbind", "ro")
		}, true},
		{"private", func(c *container) { c.spec.Linux.RootfsPropagation = "rprivate" }, true},
		{"shared", func(c *container) { c.spec.Linux.RootfsPropagation = "rshared" }, false},
		{"createContainer hook", func(c *container) {
			c.spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/true"}}}
		}, false},
		{"prestart hook", func(c *container) {
			c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}}
		}, false},
		{"source in the rootfs", func(c *container) {
			c.mount("/c", "bind", c.path("rootfs/bin"), "bind", "rslave")
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			if err := os.Mkdir(c.path("volume"), 0o777); err != nil {
				t.Fatal(err)
			}
			tc.change(c)
			c.sh("cut -d' ' -f5 /proc/self/mountinfo")
			file := c.traceFile()
			c.global = []string{"--trace", file}
			r := c.run().must()
			own := false
			for _, command := range readTrace(t, file) {
				own = own || slices.ContainsFunc(command.tracks["runtime"], func(e traceEvent) bool { return e.Name == phase })
			}
			mapped := suite.users.name != "root"
			if want := tc.own && haveTreeNamespace() && !mapped; own != want {
				t.Errorf("a mount namespace of the root file system alone: %t, want %t", own, want)
			}
			// Nothing of the host is there.
			if strings.Contains(r.out, c.dir) || !slices.Contains(strings.Split(r.out, "\n"), "/") {
				t.Errorf("mounts of the container: %q", r.out)
			}
		})
	}
}
