// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestCompileNothing(t *testing.T) {
	for name, p := range map[string]*specs.LinuxSeccomp{
		"nil": nil, "empty": {}, "only architectures": {Architectures: []specs.Arch{specs.ArchX86}},
	} {
		if program, err := Compile(p, ""); program != nil || err != nil {
			t.Errorf("%s: %v, %v", name, program, err)
		}
	}
}

func TestCompileWithoutCompiler(t *testing.T) {
	if Enabled() {
		t.Skip("requires a build without the compiler")
	}
	_, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, "")
	if err == nil || err.Error() != "seccomp: this build has no filter compiler" {
		t.Errorf("%v", err)
	}
	if Archs() != nil || LibraryVersion() != "" {
		t.Error("features are told of a compiler that is not there")
	}
}

func TestCompileCached(t *testing.T) {
	requireCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	profile := readProfile(t, "testdata/default.json")
	first, err := Compile(profile, dir)
	if err != nil {
		t.Fatal(err)
	}
	if first.CacheErr != nil {
		t.Error(first.CacheErr)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v: want one entry", list, err)
	}
	// The entry is replaced by another program, to see that it is used.
	other := sampleAnswer(3)
	c, err := openCompiler()
	if err != nil {
		t.Fatal(err)
	}
	req, err := newRequest(profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := storeEntry(dir, c.entryKey(req.Encode()), other); err != nil {
		t.Fatal(err)
	}
	second, err := Compile(profile, dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second.BPF, other.BPF) || !slices.Equal(second.Unknown, other.Unknown) {
		t.Error("the cache was not used")
	}
	profile.Syscalls[0].Names = profile.Syscalls[0].Names[1:]
	third, err := Compile(profile, dir)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(third.BPF, other.BPF) {
		t.Error("another profile got the same entry")
	}
}

// TestCompileBadCache checks that a cache that cannot be trusted is told of, not
// used, and no obstacle.
func TestCompileBadCache(t *testing.T) {
	requireCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	profile := readProfile(t, "testdata/default.json")
	if _, err := Compile(profile, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	program, err := Compile(profile, dir)
	if err != nil || len(program.BPF) == 0 {
		t.Fatalf("%v, %v", program, err)
	}
	if program.CacheErr == nil {
		t.Error("nothing is said about the cache")
	}
}

func TestCompileConcurrently(t *testing.T) {
	requireCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	profile := readProfile(t, "testdata/default.json")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if p, err := Compile(profile, dir); err != nil || p.CacheErr != nil {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
	wg.Wait()
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v: want one entry", list, err)
	}
}

func TestCompileUnknownNames(t *testing.T) {
	requireCompiler(t)
	p, err := Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "no_such_call", "read\x00junk"}, Action: specs.ActAllow},
			{Names: []string{"no_such_call"}, Action: specs.ActLog},
			{Names: []string{"nor_this"}, Action: specs.ActErrno},
		},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"no_such_call", "read\x00junk", "nor_this"}; !slices.Equal(p.Unknown, want) {
		t.Errorf("%q, want %q", p.Unknown, want)
	}
}

func TestCompileNotify(t *testing.T) {
	requireCompiler(t)
	const kill = uint32(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if haveFlags(kill|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER) != nil {
		missing(t, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19)")
	}
	for _, c := range []struct {
		name, call string
		action     specs.LinuxSeccompAction
		want       uint32
	}{
		{"notifies", "mkdir", specs.ActNotify, kill | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER},
		{"notifies nothing that exists", "no_such_call", specs.ActNotify, 0},
		{"does not", "mkdir", specs.ActLog, 0},
	} {
		p, err := Compile(&specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, ListenerPath: "/agent",
			Flags:    []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
			Syscalls: []specs.LinuxSyscall{{Names: []string{c.call}, Action: c.action}},
		}, "")
		if err != nil {
			t.Fatal(err)
		}
		if p.Flags != c.want || p.NewListener() != (c.want != 0) {
			t.Errorf("%s: flags %#x, listener %v; want %#x", c.name, p.Flags, p.NewListener(), c.want)
		}
	}
}

// TestCompileTooLong has more checks than a program may have instructions.
func TestCompileTooLong(t *testing.T) {
	requireCompiler(t)
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range uint64(2000) {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
			Names: []string{"read"}, Action: specs.ActLog,
			Args: []specs.LinuxSeccompArg{{Value: i, Op: specs.OpEqualTo}},
		})
	}
	_, err := Compile(p, "")
	if err == nil || !strings.HasPrefix(err.Error(), "linux.seccomp: the filter has ") {
		t.Errorf("%v", err)
	}
}

func BenchmarkCompile(b *testing.B) {
	requireCompiler(b)
	profile := readProfile(b, "testdata/default.json")
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile(profile, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	dir := filepath.Join(b.TempDir(), "cache")
	b.Run("hit", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile(profile, dir); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hash", func(b *testing.B) {
		c, err := openCompiler()
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			req, err := newRequest(profile)
			if err != nil {
				b.Fatal(err)
			}
			entryName(c.entryKey(req.Encode()))
		}
	})
}
