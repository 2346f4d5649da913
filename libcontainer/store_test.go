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

	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/testlog"
	"golang.org/x/sys/unix"
)

func TestLoadSaysWhatIsMissing(t *testing.T) {
	s := Open(t.TempDir())
	if _, err := s.Load("nobody"); !errors.Is(err, record.ErrNotExist) {
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
		if err := os.WriteFile(filepath.Join(dir, record.StateFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load("broken"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", content, err, want)
		}
	}
}

// TestIDs: a valid id is listed, whatever its first character is. The cache directory is not a
// container.
func TestIDs(t *testing.T) {
	s := Open(t.TempDir())
	want := []string{".hidden", "a"}
	for _, dir := range append(want, filepath.Join(record.CacheName, "seccomp")) {
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

// TestListOrder: states and warnings are in the order of the ids, also of so many containers that
// several threads read them.
func TestListOrder(t *testing.T) {
	s := Open(t.TempDir())
	var ids, broken []string
	for i := range 200 {
		id, text := fmt.Sprintf("c%03d", i), `{"format":77}`
		if i%3 == 0 {
			broken = append(broken, id)
		} else {
			ids = append(ids, id)
			// No process has this pid.
			text = fmt.Sprintf(`{"format":1,"id":%q,"ociVersion":"1.0.0","pid":4194305,"startTime":1}`, id)
		}
		if err := os.Mkdir(s.dir(id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir(id), record.StateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log warnings
	states, err := s.List(&log)
	if err != nil {
		t.Fatal(err)
	}
	var got, warned []string
	for _, st := range states {
		got = append(got, st.ID)
	}
	for _, text := range log {
		id, _, _ := strings.Cut(strings.TrimPrefix(text, `container "`), `"`)
		warned = append(warned, id)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("listed %q, want %q", got, ids)
	}
	if !slices.Equal(warned, broken) {
		t.Errorf("warned of %q, want %q", warned, broken)
	}
}

func TestDeleteOfRemains(t *testing.T) {
	s := Open(t.TempDir())
	if err := s.Delete("x", true, testlog.Log{T: t}); err != nil {
		t.Errorf("delete --force of nothing: %v", err)
	}
	if err := s.Delete("x", false, testlog.Log{T: t}); !errors.Is(err, record.ErrNotExist) {
		t.Errorf("delete of nothing: %v", err)
	}
	if err := os.Mkdir(s.dir("x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("x", false, testlog.Log{T: t}); !errors.Is(err, record.ErrNotExist) {
		t.Errorf("delete of an empty directory: %v", err)
	}
	if err := s.Delete("x", true, testlog.Log{T: t}); err != nil {
		t.Errorf("delete --force of an empty directory: %v", err)
	}
	if _, err := os.Stat(s.dir("x")); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}

// TestDeleteOfBrokenState: delete --force removes a state that cannot be parsed, with a warning,
// but not a state that another version has written.
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
		if err := os.WriteFile(filepath.Join(s.dir("x"), record.StateFile), []byte(test.state), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete("x", false, testlog.Log{T: t}); err == nil || errors.Is(err, record.ErrNotExist) {
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

// TestDeleteOfUnreadableState: if the state cannot be read at the moment, the container may still
// be running.
func TestDeleteOfUnreadableState(t *testing.T) {
	s := Open(t.TempDir())
	// A directory cannot be read as a file.
	if err := os.MkdirAll(filepath.Join(s.dir("x"), record.StateFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("x", true, testlog.Log{T: t}); !errors.Is(err, unix.EISDIR) {
		t.Errorf("delete --force: %v", err)
	}
	if _, err := os.Stat(s.dir("x")); err != nil {
		t.Error(err)
	}
}

// warnings collects warnings.
type warnings []string

func (w *warnings) Warnf(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }
func (*warnings) Debugf(string, ...any)              {}
func (*warnings) Debugging() bool                    { return false }
