// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

func TestParseProcStat(t *testing.T) {
	const tail = " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
	for in, want := range map[string]procStat{
		"7 (sh) S" + tail + "4711 99 1":                    {"sh", 'S', 1, 4194560, 4711},
		"7 (a) (b) Z 9) R" + tail + "18446744073709551615": {"a) (b) Z 9", 'R', 1, 4194560, 1<<64 - 1},
		"7 (\n) Z" + tail + "1 2":                          {"\n", 'Z', 1, 4194560, 1},
	} {
		got, err := parseProcStat([]byte(in))
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "7 (sh", "7 sh) S" + tail + "1", "7 )(sh S" + tail + "1", "7 (sh) S 1 2", "7 (sh) S" + tail + "x", "7 (sh) S x" + tail + "1", "7 (sh) S 1 1 1 0 -1 x 1", "7 (sh) \x00" + tail + "1", "7 (sh) SS" + tail + "1"} {
		if got, err := parseProcStat([]byte(in)); err == nil {
			t.Errorf("%q: got %+v and no error", in, got)
		}
	}
}

func FuzzParseProcStat(f *testing.F) {
	f.Add([]byte("7 (sh) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if p, err := parseProcStat(in); err == nil && p.state == 0 {
			t.Errorf("%q: parsed without a state", in)
		}
	})
}

// A process number alone does not make the container run: the start time must match.
func TestOpenInitIsNotFooledByPidReuse(t *testing.T) {
	child := exec.Command("/bin/sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := child.Process.Pid
	st, err := readProcStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	c := &Container{&record{saved: savedState{PID: pid, StartTime: st.startTime}}}
	pidfd, err := c.openInit()
	if err != nil {
		t.Fatalf("the true init is not found: %v", err)
	}
	_ = pidfd.Close()
	c.saved.StartTime++
	if _, err := c.openInit(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("another process with init's number: %v", err)
	}
	c.saved.StartTime--
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := child.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.openInit(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a dead init: %v", err)
	}
	if _, err := readProcStat(pid); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat of a dead process: %v", err)
	}
}
