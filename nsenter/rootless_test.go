// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asUser runs f on a thread of an ordinary user without capabilities.
func asUser(t *testing.T, uid uintptr, f func()) {
	t.Helper()
	onThread(func() {
		for _, call := range [][2]uintptr{{unix.SYS_SETGROUPS, 0}, {unix.SYS_SETRESGID, uid}, {unix.SYS_SETRESUID, uid}} {
			args := [3]uintptr{call[1], call[1], call[1]}
			if _, _, errno := unix.RawSyscall(call[0], args[0], args[1], args[2]); errno != 0 {
				t.Errorf("system call %d: %v", call[0], errno)
				return
			}
		}
		f()
	})
}

// mapSelf is a MapIDs for an ordinary user, who becomes root.
func mapSelf(pid int) error {
	for _, m := range [][2]string{{"setgroups", "deny"}, {"uid_map", "0 1000 1"}, {"gid_map", "0 1000 1"}} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, m[0]), []byte(m[1]), 0); err != nil {
			return err
		}
	}
	return nil
}

// An ordinary user's container: the maps are written by that user, while init
// waits, and init is root in its namespaces.
func TestRootless(t *testing.T) {
	requireInit(t)
	if os.Getenv("NSENTER_TEST_CHILD") == "" {
		runSelf(t, "exec \"$0\" \"$@\"") // the change of ids affects the whole process
		return
	}
	asUser(t, 1000, func() {
		r, w := pipe(t)
		o := &Options{NewNamespaces: allNew | unix.CLONE_NEWUSER, ProcContexts: 1, NamespaceFDs: true, MapIDs: mapSelf}
		o.Stdio[1] = w
		i := start(t, o)
		w.Close()
		inside, err := i.Namespaces()
		if err != nil {
			t.Error(err)
			return
		}
		defer inside.Close()
		if len(inside.Namespaces) != 6 || len(inside.ProcContexts) != 1 {
			t.Errorf("%+v", inside)
		}
		all := uint64(1)<<(unix.CAP_LAST_CAP+1) - 1
		p := &Plan{
			Args: []string{"/bin/sh", "-c", "id -u; cat /proc/self/status; read line </dev/zero"}, Cwd: "/",
			Env: []string{"PATH=/bin:/usr/bin"}, Bounding: all &^ 1, Effective: 2, Permitted: 2,
		}
		if err := i.Configure(p); err != nil {
			t.Error(err)
			return
		}
		if err := i.Proceed(); err != nil {
			t.Error(err)
			return
		}
		buf := make([]byte, 1<<16)
		var out strings.Builder
		for !strings.Contains(out.String(), "nonvoluntary") {
			n, err := r.Read(buf)
			if err != nil {
				t.Errorf("%v after %q", err, out.String())
				return
			}
			out.Write(buf[:n])
		}
		status := parseStatus(out.String())
		if !strings.HasPrefix(out.String(), "0\n") || status["CapInh"] != "0000000000000000" || status["CapAmb"] != "0000000000000000" {
			t.Errorf("output %q", out.String())
		}
		if got := parseHex(t, status["CapBnd"]); got != all&^1 {
			t.Errorf("bounding set %#x", got)
		}
	})
}

// The files of a process in /proc belong to root as long as it is undumpable.
func TestInitIsNotDumpable(t *testing.T) {
	requireInit(t)
	if os.Getenv("NSENTER_TEST_CHILD") == "" {
		runSelf(t, "exec \"$0\" \"$@\"")
		return
	}
	asUser(t, 1000, func() {
		i := start(t, &Options{})
		for _, state := range []struct {
			name string
			wait func() error
			want uint32
		}{
			{"waits for the plan", func() error { _, err := i.Namespaces(); return err }, 0},
			{"waits for the exec", func() error {
				return i.Configure(&Plan{Args: []string{"/bin/sleep", "100"}, Cwd: "/", KeepCredentials: true})
			}, 0},
			{"has become the program", i.Proceed, 1000},
		} {
			if err := state.wait(); err != nil {
				t.Errorf("%s: %v", state.name, err)
				return
			}
			var st unix.Stat_t
			if err := unix.Stat(fmt.Sprintf("/proc/%d/environ", i.PID), &st); err != nil || st.Uid != state.want {
				t.Errorf("%s: files belong to %d, want %d (%v)", state.name, st.Uid, state.want, err)
			}
		}
	})
}
