// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/seccomp/internal/wire"
)

func sampleAnswer(n int) *wire.Answer {
	return &wire.Answer{BPF: bytes.Repeat([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}, n), Unknown: []string{"newcall"}}
}

func TestEntryRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if a, err := loadEntry(dir, []byte("x")); a != nil || err != nil {
		t.Fatalf("missing directory: %v, %v", a, err)
	}
	want := sampleAnswer(100)
	if err := storeEntry(dir, []byte("x"), want); err != nil {
		t.Fatal(err)
	}
	if a, err := loadEntry(dir, []byte("y")); a != nil || err != nil {
		t.Fatalf("missing entry: %v, %v", a, err)
	}
	got, err := loadEntry(dir, []byte("x"))
	if err != nil || got == nil {
		t.Fatalf("%v, %v", got, err)
	}
	if !bytes.Equal(got.BPF, want.BPF) || len(got.Unknown) != 1 || got.Unknown[0] != "newcall" {
		t.Errorf("got %v", got)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v: want one file", list, err)
	}
}

// TestEntryDamaged cuts an entry short at every place, and changes every byte:
// each time there is no entry, and it can be written anew.
func TestEntryDamaged(t *testing.T) {
	whole := encodeEntry(sampleAnswer(4), []byte("key"))
	if _, err := decodeEntry(whole, []byte("key")); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if a, err := decodeEntry(whole[:n], []byte("key")); err == nil {
			t.Fatalf("cut at %d: %v", n, a)
		}
		bad := bytes.Clone(whole)
		bad[n] ^= 0x10
		if a, err := decodeEntry(bad, []byte("key")); err == nil {
			t.Fatalf("byte %d changed: %v", n, a)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, entryName([]byte("x")))
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := loadEntry(dir, []byte("x")); a != nil || err != nil {
		t.Fatalf("half-written: %v, %v", a, err)
	}
	if err := storeEntry(dir, []byte("x"), sampleAnswer(1)); err != nil {
		t.Fatal(err)
	}
	if a, err := loadEntry(dir, []byte("x")); a == nil || err != nil {
		t.Fatalf("written anew: %v, %v", a, err)
	}
}

// TestEntryOfAnotherKey: two keys of one name, as any two may have it.
func TestEntryOfAnotherKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	mine, theirs := []byte("mine"), []byte("theirs")
	if err := storeEntry(dir, mine, sampleAnswer(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, entryName(mine)), filepath.Join(dir, entryName(theirs))); err != nil {
		t.Fatal(err)
	}
	if a, err := loadEntry(dir, theirs); a != nil || err != nil {
		t.Errorf("%v, %v: want none", a, err)
	}
	// A key that goes on in the answer is another one, too.
	entry := encodeEntry(sampleAnswer(1), []byte("key"))
	if a, err := decodeEntry(entry, []byte("ke")); err == nil {
		t.Errorf("a shorter key: %v", a)
	}
}

// TestEntryUntrusted plants entries as an attacker could; none may be used.
func TestEntryUntrusted(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(dir, entry string) error
		want  string
		root  bool
	}{
		{"directory for the group to write", func(dir, _ string) error { return os.Chmod(dir, 0o770) }, "others can write it", false},
		{"directory for all to write", func(dir, _ string) error { return os.Chmod(dir, 0o703) }, "others can write it", false},
		{"directory of another", func(dir, _ string) error { return os.Chown(dir, 12345, 0) }, "belongs to user 12345", true},
		{"directory behind a link", func(dir, _ string) error {
			if err := os.Rename(dir, dir+".real"); err != nil {
				return err
			}
			return os.Symlink(dir+".real", dir)
		}, "not a directory", false},
		{"entry for all to write", func(_, entry string) error { return os.Chmod(entry, 0o666) }, "others can write it", false},
		{"entry of another", func(_, entry string) error { return os.Chown(entry, 12345, 0) }, "belongs to user 12345", true},
		{"entry behind a link", func(_, entry string) error {
			if err := os.Rename(entry, entry+".real"); err != nil {
				return err
			}
			return os.Symlink(entry+".real", entry)
		}, "too many levels of symbolic links", false},
		{"entry is a directory", func(_, entry string) error {
			if err := os.Remove(entry); err != nil {
				return err
			}
			return os.Mkdir(entry, 0o700)
		}, "not the type of file", false},
		{"entry without end", func(_, entry string) error { return os.Truncate(entry, 1<<30) }, "too large", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				missing(t, "root")
			}
			dir := filepath.Join(t.TempDir(), "cache")
			if err := storeEntry(dir, []byte("x"), sampleAnswer(1)); err != nil {
				t.Fatal(err)
			}
			if err := c.plant(dir, filepath.Join(dir, entryName([]byte("x")))); err != nil {
				t.Fatal(err)
			}
			a, err := loadEntry(dir, []byte("x"))
			if a != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v; want an error with %q", a, err, c.want)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tmp-left-by-a-crash"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var last []byte
	for i := range maxEntries + 10 {
		last = fmt.Appendf(nil, "%03d", i)
		if err := storeEntry(dir, last, sampleAnswer(1)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) > maxEntries || len(list) < maxEntries/4 {
		t.Errorf("%d entries are left", len(list))
	}
	if _, err := os.Stat(filepath.Join(dir, "tmp-left-by-a-crash")); err == nil {
		t.Error("what the crash left is still there")
	}
	if a, err := loadEntry(dir, last); a == nil || err != nil {
		t.Errorf("the newest entry: %v, %v", a, err)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(encodeEntry(sampleAnswer(2), []byte("key")))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeEntry(b, []byte("key"))
		if err != nil {
			return
		}
		again, err := decodeEntry(encodeEntry(a, []byte("key")), []byte("key"))
		if err != nil || !bytes.Equal(again.BPF, a.BPF) || !slices.Equal(again.Unknown, a.Unknown) {
			t.Errorf("%v became %v, %v", a, again, err)
		}
	})
}
