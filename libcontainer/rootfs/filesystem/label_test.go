// SPDX-License-Identifier: Apache-2.0

package filesystem

import (
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
)

// TestLabelOption: the SELinux label is set by the option in the mount's config. A kernel without
// SELinux refuses all of these options, and the error names the option.
func TestLabelOption(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root, to make file systems")
	}
	if _, err := os.Stat("/sys/fs/selinux"); err == nil {
		t.Skip("only for a kernel without SELinux")
	}
	for option, name := range map[string]string{"": "context", "rootcontext": "rootcontext"} {
		tree, err := New(&configs.Mount{Type: "tmpfs"}, configs.MountLabel{Label: "a:b:c:d", Option: option})
		if err == nil {
			tree.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "fsconfig "+name+"=a:b:c:d: ") {
			t.Errorf("%q: error %v", option, err)
		}
	}
}
