// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"os"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
	"golang.org/x/sys/unix"
)

// TestOpenImages: the directory of the images is accessible to the namespace's root for a while.
// Then it has its old owner and mode again, with all bits.
func TestOpenImages(t *testing.T) {
	if userns.Unprivileged() {
		t.Skip("needs root, to restore a user namespace")
	}
	dir := t.TempDir()
	is := func(when string, uid, gid, mode uint32) {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != uid || st.Gid != gid || st.Mode&^unix.S_IFMT != mode {
			t.Errorf("%s: %d:%d %o, want %d:%d %o", when, st.Uid, st.Gid, st.Mode&^unix.S_IFMT, uid, gid, mode)
		}
	}
	r := &Restoration{
		Creation: create.Creation{Cfg: &configs.Config{GIDMappings: []configs.IDMap{{HostID: 70000, Size: 1}}}},
		o:        &options.Restore{CRIU: options.CRIU{ImagePath: dir}},
	}
	for _, mode := range []uint32{0o700, 0o2750, 0o1700} {
		if err := os.Chown(dir, 5, 7); err != nil {
			t.Fatal(err)
		}
		if err := unix.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		revert, err := r.openImages()
		if err != nil {
			t.Fatal(err)
		}
		is("open", 0, 70000, mode|0o110)
		if err := revert(); err != nil {
			t.Fatal(err)
		}
		is("reverted", 5, 7, mode)
	}
}

func TestCheckStatus(t *testing.T) {
	const both = "Name:\tsh\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
	for _, test := range []struct {
		status        string
		nnp, filtered bool
		err           string
	}{
		{both, true, true, ""},
		{both, false, false, ""},
		{"", false, false, ""},
		{"NoNewPrivs:\t0\nSeccomp:\t2\n", true, true, "process.noNewPrivileges"},
		{"NoNewPrivs:\t1\nSeccomp:\t0\nSeccomp_filters:\t2\n", true, true, "linux.seccomp"},
		{"Name:\tNoNewPrivs:\t1\n", true, false, "process.noNewPrivileges"},
		{"", true, false, "process.noNewPrivileges"},
	} {
		err := checkStatus(test.status, test.nnp, test.filtered)
		if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
