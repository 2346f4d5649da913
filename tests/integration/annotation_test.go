// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// annotate sets an annotation.
func (c *container) annotate(key, value string) *container {
	if c.spec.Annotations == nil {
		c.spec.Annotations = map[string]string{}
	}
	c.spec.Annotations[key] = value
	return c
}

// runWithGroups runs the container from a process with the given groups.
func (c *container) runWithGroups(groups string) string {
	c.t.Helper()
	c.write()
	r := c.shell(`exec setpriv --groups `+groups+` "$@"`, suite.runtime, "--root", c.state, "run", c.id).must()
	return squeeze(r.out)
}

func TestKeepOriginalGroups(t *testing.T) {
	c := newContainer(t).args("grep", "^Groups", "/proc/self/status")
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{77}}
	if out := c.runWithGroups("5,4242"); strings.Contains(out, "4242") || !strings.Contains(out, "77") {
		t.Errorf("without the annotation: %q", out)
	}
	c.annotate("run.oci.keep_original_groups", "1")
	if out := c.runWithGroups("5,4242"); !strings.Contains(out, "5 4242") || strings.Contains(out, "77") {
		t.Errorf("with the annotation: %q", out)
	}
}

// TestHookFiles: all six kinds write to the files of the annotations.
func TestHookFiles(t *testing.T) {
	c := newContainer(t).args("true")
	say := func(kind string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + kind + "; echo not " + kind + " >&2"}}}
	}
	c.spec.Hooks = &specs.Hooks{
		Prestart:        say("prestart"), //nolint:staticcheck // deprecated, not gone
		CreateRuntime:   say("createRuntime"),
		CreateContainer: say("createContainer"),
		StartContainer:  say("startContainer"),
		Poststart:       say("poststart"),
		Poststop:        say("poststop"),
	}
	c.annotate("run.oci.hooks.stdout", c.path("hooks.out")).annotate("run.oci.hooks.stderr", c.path("hooks.err"))
	c.run().must().silent()
	for file, prefix := range map[string]string{"hooks.out": "", "hooks.err": "not "} {
		got, err := os.ReadFile(c.path(file))
		if err != nil {
			t.Fatal(err)
		}
		// Sorted: crun runs startContainer and poststart at the same time.
		lines := strings.Split(strings.TrimSpace(string(got)), "\n")
		slices.Sort(lines)
		all := []string{"createContainer", "createRuntime", "poststart", "poststop", "prestart", "startContainer"}
		want(t, file, strings.Join(lines, ","), prefix+strings.Join(all, ","+prefix))
	}
}

// TestHookFileFails: a file that cannot be opened is the caller's mistake.
func TestHookFileFails(t *testing.T) {
	c := newContainer(t).annotate("run.oci.hooks.stdout", "/no/such/directory/file")
	c.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}}
	c.run().fails("run.oci.hooks.stdout: open /no/such/directory/file: no such file or directory", "")
}

// TestPIDFDReceiver: the socket of the annotation gets a pidfd of the first process.
func TestPIDFDReceiver(t *testing.T) {
	c := newContainer(t).args("sleep", "1000")
	path := c.path("receiver")
	accept := listenForFD(t, path)
	c.annotate("run.oci.pidfd_receiver", path).create()
	fd := int(accept().Fd())
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil || !strings.Contains(squeeze(string(info)), "Pid: "+strconv.Itoa(c.pid)+" ") {
		t.Errorf("fd %q (%v) is not a pidfd of %d", info, err, c.pid)
	}
}

// listenForFD listens on a unix socket; accept waits for one descriptor from it.
func listenForFD(t *testing.T, path string) (accept func() *os.File) {
	t.Helper()
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(sock) })
	if err := unix.Bind(sock, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(sock, 1); err != nil {
		t.Fatal(err)
	}
	return func() *os.File {
		t.Helper()
		if err := pollIn(sock); err != nil {
			t.Fatal(err)
		}
		conn, _, err := unix.Accept4(sock, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(conn)
		buf, oob := make([]byte, 256), make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := unix.Recvmsg(conn, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err != nil || len(messages) != 1 {
			t.Fatalf("control messages %v, %v", messages, err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			t.Fatalf("fds %v, %v", fds, err)
		}
		f := os.NewFile(uintptr(fds[0]), "received")
		t.Cleanup(func() { f.Close() })
		return f
	}
}

// TestUnknownAnnotations only go into the state.
func TestUnknownAnnotations(t *testing.T) {
	c := newContainer(t).args("true").annotate("org.example.a", "1").annotate("", "empty").annotate("é", "\n")
	c.create()
	got := c.stateJSON().Annotations
	if got["org.example.a"] != "1" || got["é"] != "\n" {
		t.Errorf("annotations %q", got)
	}
}
