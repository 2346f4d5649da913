// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// filter returns action for one system call and allows all others. It looks at the number only,
// which is enough for a test on the machine's own architecture.
func filter(syscall, action uint32) []byte {
	var out []byte
	for _, in := range []struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}{
		{unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, 0, 0, 0},
		{unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, 0, 1, syscall},
		{unix.BPF_RET | unix.BPF_K, 0, 0, action},
		{unix.BPF_RET | unix.BPF_K, 0, 0, unix.SECCOMP_RET_ALLOW},
	} {
		out = binary.NativeEndian.AppendUint16(out, in.code)
		out = append(out, in.jt, in.jf)
		out = binary.NativeEndian.AppendUint32(out, in.k)
	}
	return out
}

func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

func TestSeccomp(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, late := range []bool{false, true} {
		p := shell(t, "uname 2>&1; grep ^Seccomp: /proc/self/status")
		p.NoNewPrivileges, p.UID = late, 1000
		p.Effective, p.Permitted = 0, 0
		p.Seccomp = filter(unix.SYS_UNAME, refuse(unix.EXDEV))
		if out := run(t, nil, p); !strings.Contains(out, "ross-device link") || !strings.HasSuffix(out, "\t2") {
			t.Errorf("no_new_privs %v: %q", late, out)
		}
	}
}

// Without no_new_privs the filter needs CAP_SYS_ADMIN, so it applies to the capset that drops
// it, and to nothing before: not to the look-up, and not to the working directory.
func TestSeccompOrder(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.UID = 1000
	p.Seccomp = filter(unix.SYS_CAPSET, refuse(unix.EXDEV))
	if step := configureError(t, nil, p); step.Error() != "capset: invalid cross-device link" {
		t.Errorf("without no_new_privs: %v", step)
	}
	for _, nr := range []uint32{unix.SYS_GETCWD, unix.SYS_CHDIR, unix.SYS_FACCESSAT2, unix.SYS_SETRESUID} {
		p.Seccomp = filter(nr, refuse(unix.EXDEV))
		run(t, nil, p)
	}
	p.NoNewPrivileges = true
	p.Seccomp = filter(unix.SYS_CAPSET, refuse(unix.EXDEV))
	run(t, nil, p)
}

func TestSeccompIsRefused(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.Seccomp = []byte{0xff, 0xff, 0, 0, 0, 0, 0, 0}
	if step := configureError(t, nil, p); step.Error() != "load seccomp filter: invalid argument" {
		t.Errorf("error %v", step)
	}
}
