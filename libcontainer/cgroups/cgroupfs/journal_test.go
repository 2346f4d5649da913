// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRestoring(t *testing.T) {
	for _, test := range []struct {
		file, old string
		written   []string
		want      []string
	}{
		{"memory.max", "max", []string{"1024"}, []string{"max"}},
		{"cpu.max", "max 100000", []string{"5000 100000"}, []string{"max 100000"}},
		{"cpuset.cpus", "", []string{"0"}, []string{"\n"}},
		{"memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 0", []string{"0"}, []string{"1"}},
		{"io.max", "", []string{"8:0 rbps=1"}, []string{"8:0 rbps=max wbps=max riops=max wiops=max"}},
		{"io.max", "8:0 rbps=2 wbps=max riops=max wiops=max", []string{"8:0 rbps=1"}, []string{"8:0 rbps=2 wbps=max riops=max wiops=max"}},
		{"io.max", "8:16 rbps=2", []string{"8:1 rbps=1"}, []string{"8:16 rbps=2", "8:1 rbps=max wbps=max riops=max wiops=max"}},
		{"io.bfq.weight", "default 100", []string{"default 200"}, []string{"default 100"}},
		{"io.bfq.weight", "default 100", []string{"8:0 200"}, []string{"default 100", "8:0 default"}},
		{"io.weight", "default 100\n8:16 50", []string{"8:0 200", "8:16 9"}, []string{"default 100", "8:16 50", "8:0 default"}},
		{"blkio.throttle.read_bps_device", "8:0 5", []string{"8:0 7", "8:1 7"}, []string{"8:0 5", "8:1 0"}},
		{"rdma.max", "", []string{"mlx0 hca_handle=1"}, []string{"mlx0 hca_handle=max hca_object=max"}},
	} {
		if got := restoring(test.file, test.old, test.written); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q after %q: got %q, want %q", test.file, test.written, test.old, got, test.want)
		}
	}
}

// TestJournal: undo restores the first content, whatever was written after it.
func TestJournal(t *testing.T) {
	d := Dir(t.TempDir())
	path := filepath.Join(string(d), "pids.max")
	if err := os.WriteFile(path, []byte("11"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := new(Journal)
	k := Knobs{Dir: d, Journal: j}
	k.Write("pids.limit", "pids.max", "22")
	k.Write("pids.limit", "pids.max", "33")
	k.Write("pids.limit", "missing", "44")
	if k.Err == nil {
		t.Error("wrote to a missing file")
	}
	cause := errors.New("cause")
	if err := j.Undo(cause); err != cause { //nolint:errorlint // the same, with nothing added
		t.Errorf("undo: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "11" {
		t.Errorf("%q, %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := j.Undo(cause); !errors.Is(err, cause) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "pids.max") {
		t.Errorf("undo that fails: %v", err)
	}
}

// TestJournalUnchanged: undo does not write to a file that has its first content again, because
// the kernel may refuse even that.
func TestJournalUnchanged(t *testing.T) {
	d := Dir(t.TempDir())
	path := filepath.Join(string(d), "cpu.shares")
	if err := os.WriteFile(path, []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Unix(1000000, 0)
	j := new(Journal)
	j.note(d, "cpu.shares", []string{"100"})
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("cause")
	if err := j.Undo(cause); err != cause { //nolint:errorlint // the same, with nothing added
		t.Errorf("undo: %v", err)
	}
	if at := modified(t, path); !at.Equal(past) {
		t.Errorf("written at %v", at)
	}
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.ModTime()
}
