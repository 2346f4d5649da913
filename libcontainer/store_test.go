// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

type testLog struct{ t *testing.T }

func (l testLog) Warnf(format string, args ...any)  { l.t.Logf("warning: "+format, args...) }
func (l testLog) Debugging() bool                   { return true }
func (l testLog) Debugf(format string, args ...any) { l.t.Logf("debug: "+format, args...) }

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "A-b_c+d.e", "..a", strings.Repeat("x", maxIDLength)} {
		if err := checkID(id); err != nil {
			t.Errorf("%q is refused: %v", id, err)
		}
	}
	long := strings.Repeat("x", 1<<20)
	for _, id := range []string{"", ".", "..", "/", "a/b", "a b", "a\x00", "ä", cacheName, long} {
		err := checkID(id)
		if !errors.Is(err, ErrInvalidID) {
			t.Errorf("%.40q: got %v", id, err)
		} else if len(err.Error()) > 200 {
			t.Errorf("%.40q: the error has %d bytes", id, len(err.Error()))
		}
	}
}

func TestLoadSaysWhatIsMissing(t *testing.T) {
	s := Open(t.TempDir())
	if _, err := s.Load("nobody"); !errors.Is(err, ErrNotExist) {
		t.Errorf("no container: %v", err)
	}
	dir := s.dir("broken")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		`{"format":1,`:   "line 1, column 13: unexpected end of the file",
		`{"format":77}`:  "format 77, this berth reads format 1",
		`{"format":"a"}`: "format: expected an integer, found a string",
	} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load("broken"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", content, err, want)
		}
	}
}

func TestStateRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := savedState{Format: stateFormat, ID: "x", PID: 12, StartTime: 1 << 60, CgroupPaths: map[string]string{"": "/c"}}
	// A temporary file of a killed command must not be in the way.
	if err := os.WriteFile(filepath.Join(dir, "."+stateFile+".tmp"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.PID != want.PID || got.StartTime != want.StartTime || got.CgroupPaths[""] != "/c" {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestIDs: a valid id is listed, whatever it begins with; the cache is nobody's.
func TestIDs(t *testing.T) {
	s := Open(t.TempDir())
	want := []string{".hidden", "a"}
	for _, dir := range append(want, filepath.Join(cacheName, "seccomp")) {
		if err := os.MkdirAll(s.dir(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(s.dir("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.IDs(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestDeleteOfRemains(t *testing.T) {
	s := Open(t.TempDir())
	if err := s.Delete("x", true, testLog{t}); err != nil {
		t.Errorf("delete --force of nothing: %v", err)
	}
	if err := s.Delete("x", false, testLog{t}); !errors.Is(err, ErrNotExist) {
		t.Errorf("delete of nothing: %v", err)
	}
	if err := os.Mkdir(s.dir("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("x", false, testLog{t}); !errors.Is(err, ErrNotExist) {
		t.Errorf("delete of an empty directory: %v", err)
	}
	if err := s.Delete("x", true, testLog{t}); err != nil {
		t.Errorf("delete --force of an empty directory: %v", err)
	}
	if _, err := os.Stat(s.dir("x")); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// TestDeleteOfBrokenState: what nobody can read may go, and not in silence; what another
// version has written may not.
func TestDeleteOfBrokenState(t *testing.T) {
	for _, test := range []struct {
		state   string
		removed bool
	}{
		{"", true},
		{"{", true},
		{"{}", true},
		{"null", true},
		{strings.Repeat("\x00", 100), true},
		{`{"format": 999, "id": "x"}`, false},
		{`{"format": 999, "id": {}}`, false},
	} {
		s := Open(t.TempDir())
		if err := os.Mkdir(s.dir("x"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir("x"), stateFile), []byte(test.state), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete("x", false, testLog{t}); err == nil || errors.Is(err, ErrNotExist) {
			t.Errorf("%.20q: delete: %v", test.state, err)
		}
		var log warnings
		err := s.Delete("x", true, &log)
		_, statErr := os.Stat(s.dir("x"))
		if removed := os.IsNotExist(statErr); removed != test.removed || (err == nil) != test.removed {
			t.Errorf("%.20q: delete --force: %v, removed: %v", test.state, err, removed)
		}
		if warned := len(log) == 1 && strings.Contains(log[0], "are left"); warned != test.removed {
			t.Errorf("%.20q: warnings %q", test.state, log)
		}
	}
}

// TestDeleteOfUnreadableState: what cannot be read just now may be the state of a container
// that runs.
func TestDeleteOfUnreadableState(t *testing.T) {
	s := Open(t.TempDir())
	// A directory cannot be read as a file.
	if err := os.MkdirAll(filepath.Join(s.dir("x"), stateFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("x", true, testLog{t}); !errors.Is(err, unix.EISDIR) {
		t.Errorf("delete --force: %v", err)
	}
	if _, err := os.Stat(s.dir("x")); err != nil {
		t.Error(err)
	}
}

// warnings keeps them.
type warnings []string

func (w *warnings) Warnf(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }
func (*warnings) Debugf(string, ...any)              {}
func (*warnings) Debugging() bool                    { return false }

func TestLockSerialises(t *testing.T) {
	dir := t.TempDir()
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Fatalf("a second lock beside the first: %v", err)
	}
	order := make(chan string, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		second, err := lockDir(dir)
		if err != nil {
			t.Error(err)
			return
		}
		order <- "second"
		second.unlock()
	}()
	order <- "first"
	first.unlock()
	<-done
	if a, b := <-order, <-order; a != "first" || b != "second" {
		t.Errorf("order %s, %s", a, b)
	}
}

func TestLockOfARemovedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := lockDir(dir)
		waiting <- err
	}()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	first.unlock()
	if err := <-waiting; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock on a removed directory: %v", err)
	}
}

// What is not known to be gone is not taken for gone: creates would try for ever.
func TestLockOfAnUnreachableDirectory(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "root")
	path := filepath.Join(parent, "c")
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := checkNamed(dir, path); err != nil {
		t.Errorf("a directory that is there: %v", err)
	}
	if err := os.Rename(parent, parent+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(parent, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkNamed(dir, path); !errors.Is(err, unix.ENOTDIR) || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory below a file: %v", err)
	}
}

// TestLockByForce: who has the lock gives it back only when what it waits for is gone.
func TestLockByForce(t *testing.T) {
	dir := t.TempDir()
	first, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := lockDirByForce(dir, first.unlock)
	if err != nil {
		t.Fatal(err)
	}
	second.unlock()
}
