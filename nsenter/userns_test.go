// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mapping returns an id map of n ids from first on.
func mapping(first, n int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: first, HostID: 100000 + first, Size: n}}
}

// words runs the script and returns its output, with single spaces.
func words(t *testing.T, o *Options, p *Plan) string {
	t.Helper()
	return strings.Join(strings.Fields(run(t, o, p)), " ")
}

// Everything created in a new user namespace belongs to its owner. The example is the root
// directory of mqueue, which the kernel creates with the ipc namespace.
func TestOwner(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	const script = "mount -t mqueue none /mnt; stat -c %u:%g /mnt; echo $$"
	for _, test := range []struct {
		name string
		o    Options
		uid  uint32
		want string
	}{
		{"root", Options{UIDMappings: mapping(0, 65536), GIDMappings: mapping(0, 65536)}, 0, "0:0 1"},
		{"no root", Options{
			UIDMappings: mapping(5, 1), GIDMappings: mapping(6, 1), OwnerUID: 5, OwnerGID: 6,
		}, 5, "5:6 1"},
		{"mapped later", Options{MapIDs: mapBoth("0 100000 65536")}, 0, "0:0 1"},
		{"no root, mapped later", Options{MapIDs: mapBoth("5 100000 2"), OwnerUID: 5, OwnerGID: 6}, 5, "5:6 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.o
			o.NewNamespaces = allNew | unix.CLONE_NEWUSER
			p := shell(t, script)
			p.UID, p.GID = test.o.OwnerUID, test.o.OwnerGID
			// Ambient, because an exec gives capabilities only to root.
			p.Inheritable, p.Ambient = p.Permitted, p.Permitted
			if got := words(t, &o, p); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestMapIDsFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	why := errors.New("no ranges")
	_, err := Start(&Options{NewNamespaces: unix.CLONE_NEWUSER, MapIDs: func(int) error { return why }})
	if !errors.Is(err, why) {
		t.Errorf("Start: %v", err)
	}
}

// New namespaces belong to the user namespace that is joined, and a new pid
// namespace has init, forked once, as its first process.
func TestJoinUserNamespace(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	owner := start(t, &Options{
		NewNamespaces: unix.CLONE_NEWUSER, UIDMappings: mapping(0, 65536), GIDMappings: mapping(0, 65536),
	})
	inside, err := owner.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	user := openNamespace(t, owner.PID, "user")
	i := start(t, &Options{
		NewNamespaces: allNew | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME,
		Joins:         []Join{{Type: unix.CLONE_NEWUSER, FD: user}}, NamespaceFDs: true,
	})
	inner, err := i.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	for kind, file := range inner.Namespaces {
		if kind == unix.CLONE_NEWUSER {
			continue
		}
		if got := ownerOf(t, file); got != namespaceOf(t, owner.PID, "user") {
			t.Errorf("%#x: owned by %s", kind, got)
		}
	}
	if err := i.Abort(); err != nil {
		t.Fatal(err)
	}

	const script = "mount -t mqueue none /mnt; stat -c %u:%g /mnt; echo $$"
	o := &Options{NewNamespaces: allNew, Joins: []Join{{Type: unix.CLONE_NEWUSER, FD: user}}}
	if got := words(t, o, shell(t, script)); got != "0:0 1" {
		t.Errorf("new pid namespace: %q", got)
	}
}

// ownerOf returns the user namespace that owns the namespace f, by its name in /proc.
func ownerOf(t *testing.T, f *os.File) string {
	t.Helper()
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// If init joins a pid namespace, it forks into it last, when only the exec of the program is
// left. It finds paths that only exist in that namespace.
func TestJoinPIDNamespaceByFork(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	target := container(t, unix.CLONE_NEWPID)
	o := &Options{Joins: []Join{{Type: unix.CLONE_NEWPID, FD: openNamespace(t, target.PID, "pid")}}}
	out := words(t, o, shell(t, "echo $$; readlink /proc/self/ns/pid"))
	if want := "2 " + namespaceOf(t, target.PID, "pid"); out != want {
		t.Errorf("%q, want %q", out, want)
	}
	o.TimeOffsets, o.NewNamespaces = "monotonic yes\n", unix.CLONE_NEWTIME
	o.Stdio = [3]*os.File{}
	if step := configureError(t, o, shell(t, "")); step.Error() != "write /proc/self/timens_offsets: invalid argument" {
		t.Errorf("failure before the fork: %v", step)
	}
}

// If setgroups(2) is denied, groups cannot be dropped, but also not set.
func TestSetgroupsDenied(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	o := &Options{
		NewNamespaces: unix.CLONE_NEWUSER, DenySetgroups: true,
		UIDMappings: mapping(0, 65536), GIDMappings: mapping(0, 65536),
	}
	p := shell(t, "cat /proc/self/setgroups")
	if got := words(t, o, p); got != "deny" {
		t.Errorf("setgroups is %q", got)
	}
	o.Stdio = [3]*os.File{}
	p.Groups = []uint32{5}
	if step := configureError(t, o, p); step.Error() != "setgroups: operation not permitted" {
		t.Errorf("error %v", step)
	}
}

// Only the child in the joined pid namespace finds its own directory in /proc.
func TestJoinPIDNamespaceAndSelf(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	r, w := pipe(t)
	target := start(t, &Options{NewNamespaces: allNew, Stdio: [3]*os.File{nil, w, w}})
	w.Close()
	p := shell(t, "mount -t proc proc /proc && echo up; exec sleep 100")
	if err := errors.Join(target.Configure(p), target.Proceed()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	join := Join{Type: unix.CLONE_NEWPID | unix.CLONE_NEWNS, FD: target.PIDFD}
	for _, nnp := range []bool{false, true} {
		p := shell(t, "pwd -P")
		p.NoNewPrivileges, p.Cwd = nnp, "/proc/self"
		if out := run(t, &Options{Joins: []Join{join}}, p); !strings.HasPrefix(out, "/proc/") {
			t.Errorf("working directory %q", out)
		}
		p = rootPlan(t, "/proc/self/root/bin/echo", "found")
		p.NoNewPrivileges = nnp
		if out := run(t, &Options{Joins: []Join{join}}, p); out != "found" {
			t.Errorf("program: %q", out)
		}
		p.Args[0] = "/proc/self/root/bin/none"
		if step := configureError(t, &Options{Joins: []Join{join}}, p); step.Step != "stat" {
			t.Errorf("no program: %v", step)
		}
		p.Cwd = "/proc/self/none"
		if step := configureError(t, &Options{Joins: []Join{join}}, p); step.Step != "chdir" {
			t.Errorf("no directory: %v", step)
		}
	}
}
