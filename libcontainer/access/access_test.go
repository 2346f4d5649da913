// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"golang.org/x/sys/unix"
)

// asNobody calls f on a thread without capabilities over files.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	done := make(chan error)
	osthread.Go(func() {
		err := unix.Setfsuid(65534)
		if err == nil {
			f()
		}
		done <- err
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestExplain(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"open/closed/in", "open/full"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.Chmod(filepath.Join(dir, "open/closed"), 0o600),
		os.Chmod(filepath.Join(dir, "open/full"), 0o555),
		os.Symlink("closed", filepath.Join(dir, "open/link")),
	); err != nil {
		t.Fatal(err)
	}
	reason := func(name, mode, verb string) string {
		return fmt.Sprintf("permission denied (the directory %s, of user %d and group %d with mode %s, may not be %s)",
			filepath.Join(dir, name), os.Getuid(), os.Getgid(), mode, verb)
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"open/closed/in/x", unix.EACCES, reason("open/closed", "0600", "entered")},
		{"open/link/in", unix.EACCES, reason("open/link", "0600", "entered")},
		{"open/full/new", unix.EACCES, reason("open/full", "0555", "written to")},
		{"open/closed/in/x", unix.ENOENT, "no such file or directory"},
		{"open/closed/in/x", fmt.Errorf("mount: %w", unix.EACCES), "mount: " + reason("open/closed", "0600", "entered")},
	} {
		asNobody(t, func() {
			if got := access.Explain(filepath.Join(dir, c.name), c.err); got.Error() != c.want || !errors.Is(got, errors.Unwrap(c.err)) && !errors.Is(got, c.err) {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		})
	}
	// With all capabilities no path is closed.
	if os.Getuid() == 0 {
		if got := access.Explain(filepath.Join(dir, "open/closed/in"), unix.EACCES); got.Error() != unix.EACCES.Error() {
			t.Errorf("as root: %v", got)
		}
	}
}
