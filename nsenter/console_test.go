// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func openTerminal(t *testing.T) (master, peer *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a pty: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	peer = os.NewFile(fd, "pty peer")
	t.Cleanup(func() { peer.Close() })
	return master, peer
}

func TestConsole(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	master, peer := openTerminal(t)
	i := start(t, &Options{NewNamespaces: allNew})
	p := shell(t, `echo to the terminal >/dev/tty; stat -L -c "owner %u:%g" /proc/self/fd/0 /proc/self/fd/2; [ "$(readlink /proc/self/fd/0)" = "$(readlink /proc/self/fd/2)" ] && echo same; echo end`)
	p.UID, p.GID, p.NewSession, p.Console = 1000, 1000, true, peer
	p.OwnStreams[0] = true
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(peer.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if err := i.Proceed(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(out.String(), "end") {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, out.String())
		}
		out.Write(buf[:n])
	}
	want := fmt.Sprintf("to the terminal\r\nowner 1000:%d\r\nowner 1000:%d\r\nsame\r\nend\r\n", st.Gid, st.Gid)
	if out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
}

func TestConsoleFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p := rootPlan(t, "true")
	p.Console, p.NewSession = null, true
	if step := configureError(t, nil, p); step.Error() != "set controlling terminal: inappropriate ioctl for device" {
		t.Errorf("error %v", step)
	}
}

// Only the streams in the plan get the user as their owner.
func TestStdioOwner(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var before unix.Stat_t
	if err := unix.Fstat(int(null.Fd()), &before); err != nil {
		t.Fatal(err)
	}
	p := shell(t, `stat -L -c %u /proc/self/fd/0 /proc/self/fd/1; echo again >/proc/self/fd/1`)
	p.UID = 1234
	p.Effective, p.Permitted = 0, 0
	p.OwnStreams[1] = true
	o := &Options{NewNamespaces: allNew}
	o.Stdio[0] = null
	if out := run(t, o, p); out != fmt.Sprintf("%d\n1234\nagain", before.Uid) {
		t.Errorf("output %q, /dev/null was %d's", out, before.Uid)
	}
}
