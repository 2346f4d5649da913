// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readOnly returns a Landlock ruleset that allows writing only to the file.
func readOnly(t *testing.T, writable *os.File) *os.File {
	t.Helper()
	attr := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_WRITE_FILE}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), 8, 0)
	if errno != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal(errno)
		}
		t.Skip(errno)
	}
	ruleset := os.NewFile(fd, "ruleset")
	t.Cleanup(func() { ruleset.Close() })
	if writable != nil {
		rule := unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_WRITE_FILE, Parent_fd: int32(writable.Fd())}
		_, _, errno = unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	return ruleset
}

// Init can confine itself with either of the two privileges that this needs, and the program does
// not keep one.
func TestLandlock(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for name, change := range map[string]func(*Plan){
		"no_new_privs": func(p *Plan) { p.NoNewPrivileges = true },
		"capabilities": func(*Plan) {},
		"with a filter": func(p *Plan) {
			p.Seccomp = filter(unix.SYS_LANDLOCK_RESTRICT_SELF, refuse(unix.EPERM))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := shell(t, "grep CapEff /proc/self/status; ls -l /proc/self/fd; echo >/dev/null || echo refused")
			p.UID, p.Effective, p.Permitted = 1000, 0, 0
			change(p)
			p.Landlock = readOnly(t, nil)
			out := run(t, nil, p)
			if !strings.HasSuffix(out, "Permission denied\nrefused") || !strings.Contains(out, "CapEff:\t0000000000000000") || strings.Contains(out, "landlock") {
				t.Errorf("output %q", out)
			}
		})
	}
}

func TestLandlockRefused(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	r, _ := pipe(t)
	p := rootPlan(t, "true")
	p.Landlock = r
	if step := configureError(t, nil, p); step.Error() != "landlock_restrict_self: file descriptor in bad state" {
		t.Errorf("error %v", step)
	}
}
