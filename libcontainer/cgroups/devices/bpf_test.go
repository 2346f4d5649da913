// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"golang.org/x/sys/unix"
)

// cgroup creates a v2 cgroup for the duration of the test.
func cgroup(t *testing.T) *os.File {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	text, err := cgroupfs.ReadProc("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range cgroupfs.ParseMounts(text) {
		if !m.V2 || m.Root != "/" {
			continue
		}
		d := cgroupfs.Dir(fmt.Sprintf("%s/berth-test-devices-%d", m.Point, os.Getpid()))
		if err := unix.Mkdir(string(d), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Remove(time.Now().Add(time.Second)); err != nil {
				t.Error(err)
			}
		})
		f, err := d.Open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	t.Skip("requires a mounted cgroup2")
	return nil
}

// attachOld attaches n programs as other programs might have done.
func attachOld(t *testing.T, dir *os.File, n int, flags uint32) {
	t.Helper()
	for i := range n {
		// Different ones: the kernel refuses the same program twice.
		prog, err := load(program(parse(t, fmt.Sprintf("+c 1:%d r", i)), true))
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(prog)
		a := attachAttr{target: uint32(dir.Fd()), prog: uint32(prog), kind: unix.BPF_CGROUP_DEVICE, flags: flags}
		if err := a.call(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAttach(t *testing.T) {
	for _, c := range []struct {
		name  string
		old   int
		flags uint32
		rules string
		want  int
	}{
		{"none", 0, 0, "+c 1:3 r", 1},
		{"one", 1, unix.BPF_F_ALLOW_MULTI, "+c 1:3 r", 1},
		{"several", 3, unix.BPF_F_ALLOW_MULTI, "+c 1:3 r", 1},
		{"exclusive", 1, 0, "+c 1:3 r", 1},
		{"overridable", 1, unix.BPF_F_ALLOW_OVERRIDE, "+c 1:3 r", 1},
		{"none, all allowed", 0, 0, "+a *:* rwm", 0},
		{"several, all allowed", 3, unix.BPF_F_ALLOW_MULTI, "+a *:* rwm", 0},
		{"exclusive, all allowed", 1, 0, "+a *:* rwm", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := cgroup(t)
			attachOld(t, dir, c.old, c.flags)
			old, err := query(int(dir.Fd()), 0)
			if err != nil || len(old.ids) != c.old {
				t.Fatalf("before: %+v, %v", old, err)
			}
			if err := Attach(dir, parse(t, c.rules), false); err != nil {
				t.Fatal(err)
			}
			now, err := query(int(dir.Fd()), 0)
			if err != nil || len(now.ids) != c.want {
				t.Errorf("after: %+v, %v", now, err)
			}
			for _, id := range now.ids {
				for _, was := range old.ids {
					if id == was {
						t.Errorf("program %d is still attached", id)
					}
				}
			}
		})
	}
}

// TestVerifier loads every sample: the kernel must accept them all.
func TestVerifier(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	for _, text := range samples {
		fd, err := load(program(effective(parse(t, text))))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		unix.Close(fd)
	}
}

func TestVerifierLog(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	fd, err := load([]instruction{{code: opMoveReg, regs: registers(r0, 9)}, {code: opExit}})
	if err == nil {
		unix.Close(fd)
		t.Fatal("a program that reads an unset register was accepted")
	}
	if s := err.Error(); !strings.HasPrefix(s, "bpf: load device filter: permission denied: ") || !strings.Contains(s, "R9 !read_ok") {
		t.Errorf("got %s", s)
	}
}

func TestWithMemlock(t *testing.T) {
	var before, during, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: before.Max / 2, Max: before.Max}
	if before.Max == unix.RLIM_INFINITY {
		low.Cur = 4096
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Fatal(err)
	}
	fd, err := withMemlock(func() (int, error) {
		return 77, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &during)
	})
	if err != nil || fd != 77 {
		t.Errorf("got %d, %v", fd, err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &after); err != nil {
		t.Fatal(err)
	}
	if during.Cur <= low.Cur || after != low {
		t.Errorf("limit was %v, became %v and was left at %v", low, during, after)
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
}
