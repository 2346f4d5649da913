// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"testing"
)

// TestLinkOptions: crun's options for symbolic links of bind mounts.
func TestLinkOptions(t *testing.T) {
	for _, userns := range []bool{false, true} {
		for _, test := range []struct {
			name    string
			options []string
			// dest contains a symbolic link to /elsewhere if it is /dest.
			source, dest, script, want string
		}{
			{"copied", []string{"copy-symlink"}, "link", "/new/link", "readlink /new/link", "file"},
			{"copied, no link", []string{"copy-symlink"}, "file", "/new/link", "cat /new/link", "from the host"},
			{"copied, the same there", []string{"copy-symlink"}, "same", "/dest", "readlink /dest", "elsewhere"},
			{"source", []string{"src-nofollow"}, "link", "/new/link", "readlink /new/link", "file"},
			{"source, followed", nil, "link", "/new/link", "cat /new/link", "from the host"},
			{"destination", []string{"dest-nofollow"}, "file", "/dest", "cat /dest; test -e /elsewhere || echo none", "from the host\nnone"},
			{"destination, followed", nil, "file", "/dest", "cat /dest /elsewhere", "from the host\nfrom the host"},
			{"both", []string{"src-nofollow", "dest-nofollow"}, "link", "/dest", "readlink /dest", "file"},
		} {
			t.Run(test.name, func(t *testing.T) {
				only(t, suite.name != "runc", "crun") // runc has none of these options
				// crun 1.28 cannot mount a symbolic link on a file that it creates.
				only(t, suite.name == "berth" || test.name != "source", "berth")
				c := newContainer(t)
				if userns {
					c.userns()
				}
				dir := c.volume("vol")
				c.link("file", dir+"/link")
				c.link("elsewhere", dir+"/same")
				c.mkdir(c.rootfs("new"))
				if err := os.Chmod(c.rootfs("new"), 0o777); err != nil {
					t.Fatal(err)
				}
				c.link("elsewhere", c.rootfs("dest"))
				if test.name == "destination, followed" {
					c.content(c.rootfs("elsewhere"), "")
				}
				c.mount(test.dest, "bind", dir+"/"+test.source, append(test.options, "bind")...)
				want(t, "output", c.sh(test.script).output(), test.want)
			})
		}
	}
}

// TestLinkOptionsRefused: another symbolic link is not replaced, and only a bind mount can have
// these options.
func TestLinkOptionsRefused(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	dir := c.volume("vol")
	c.link("file", dir+"/link")
	c.link("elsewhere", c.rootfs("dest"))
	c.mount("/dest", "bind", dir+"/link", "bind", "copy-symlink")
	c.write()
	c.checkRefused("mount bind on /dest: symlinkat /dest: file exists", "")
	last := &c.spec.Mounts[len(c.spec.Mounts)-1]
	last.Type, last.Options = "tmpfs", []string{"src-nofollow"}
	c.write()
	c.checkRefused("are only for bind mounts", "")
}
