// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-run/berth/libcontainer/access"
	"golang.org/x/sys/unix"
)

func TestExplainMissing(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "data/volumes"), 0o755),
		os.WriteFile(filepath.Join(dir, "data/file"), nil, 0o644),
		os.Symlink("nowhere", filepath.Join(dir, "data/link")),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"data/volume":   "did you mean " + dir + "/data/volumes?",
		"dta/volumes/x": "there is no " + dir + "/dta: did you mean " + dir + "/data?",
		"other/x":       "there is no " + dir + "/other",
		"other":         "",
		"data/file/x":   dir + "/data/file is a file",
		"data/link":     dir + "/data/link is a symbolic link to nowhere, which is not there",
		"data/link/x":   dir + "/data/link is a symbolic link to nowhere, which is not there",
		"data/volumes":  "",
	} {
		if want != "" {
			want = " (" + want + ")"
		}
		for _, errno := range []unix.Errno{unix.ENOENT, unix.ENOTDIR} {
			got := access.ExplainMissing(filepath.Join(dir, name), errno)
			if got.Error() != errno.Error()+want || !errors.Is(got, errno) {
				t.Errorf("%s: %q, want %q", name, got, errno.Error()+want)
			}
		}
		if got := access.ExplainMissing(filepath.Join(dir, name), unix.EPERM); got != error(unix.EPERM) { //nolint:errorlint // the same one
			t.Errorf("%s: %q for another error", name, got)
		}
	}
	if got := access.ExplainMissing("relative", unix.ENOENT); got != error(unix.ENOENT) { //nolint:errorlint // the same one
		t.Errorf("a relative path: %q", got)
	}
	fd, err := unix.Open(dir, unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	// Inside a root the path is the container's.
	if got, want := access.ExplainMissingAt(fd, "/dat", "/", unix.ENOENT).Error(), "no such file or directory (did you mean /data?)"; got != want {
		t.Errorf("in a root: %q, want %q", got, want)
	}
}
