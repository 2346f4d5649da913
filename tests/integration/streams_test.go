// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ownerships are the cases in which the container's user is not the caller.
var ownerships = []struct {
	name   string
	userns func(t *testing.T, c *container)
}{
	{"no user namespace", func(*testing.T, *container) {}},
	{"user namespace", func(_ *testing.T, c *container) { c.userns() }},
	{"joined user namespace", func(t *testing.T, c *container) {
		c.userns().namespace(specs.UserNamespace, pinned(t))
		c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = nil, nil
	}},
}

// throughPipes are the ways to start a process with pipes as stdin, stdout and stderr.
var throughPipes = []struct {
	name  string
	start func(c *container, user uint32, script string, run func(args ...string))
}{
	{"run", func(c *container, user uint32, script string, run func(args ...string)) {
		c.sh(script).spec.Process.User.UID = user
		c.write()
		run("run", c.id)
	}},
	{"create", func(c *container, user uint32, script string, run func(args ...string)) {
		c.sh(script).spec.Process.User.UID = user
		c.write()
		run("create", "--pid-file", c.path("pid"), c.id)
		c.pid = c.readPID()
		c.start()
		c.wait()
	}},
	{"exec", func(c *container, user uint32, script string, run func(args ...string)) {
		c.running()
		run("exec", "--user", fmt.Sprint(user), c.id, "/bin/sh", "-c", script)
	}},
}

// TestStreamsOpenAgain: a pipe belongs to the container's user, whoever that is and whatever the
// maps of its user namespace are. Programs open /dev/stdout, which opens the pipe again.
func TestStreamsOpenAgain(t *testing.T) {
	for _, o := range ownerships {
		for _, p := range throughPipes {
			for _, user := range []uint32{0, 1000} {
				t.Run(fmt.Sprintf("%s/%s/%d", o.name, p.name, user), func(t *testing.T) {
					c := newContainer(t)
					o.userns(t, c)
					s := newStreams(t)
					p.start(c, user, "cat </dev/stdin >/dev/stdout; echo err >/dev/stderr; echo last", func(args ...string) {
						s.run(c, args...)
					})
					want(t, "stdout", s.read(s.out), "in\nlast\n")
					want(t, "stderr", s.read(s.stderr), "err\n")
				})
			}
		}
	}
}

// streams are the pipes of a process, with one line of input. The output must be small.
type streams struct {
	t               *testing.T
	in, out, stderr *os.File
	inside          [3]*os.File
}

func newStreams(t *testing.T) *streams {
	t.Helper()
	s := &streams{t: t}
	for n, outside := range []**os.File{&s.in, &s.out, &s.stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if *outside, s.inside[n] = r, w; n == 0 {
			*outside, s.inside[n] = w, r
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		suite.users.chownToCaller(t, fmt.Sprintf("/proc/self/fd/%d", s.inside[n].Fd()))
	}
	if _, err := s.in.WriteString("in\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.in.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs the runtime, which may end before its container.
func (s *streams) run(c *container, args ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suite.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, suite.runtime, slices.Concat(c.globals(), args)...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, s.inside[0], s.inside[1], s.inside[2]
	suite.users.command(cmd)
	err := cmd.Run()
	for _, f := range s.inside {
		_ = f.Close()
	}
	if err != nil {
		s.t.Fatalf("%s: %v; stderr %q", strings.Join(args, " "), err, s.read(s.stderr))
	}
}

func (s *streams) read(f *os.File) string {
	s.t.Helper()
	data, err := io.ReadAll(f)
	if err != nil {
		s.t.Error(err)
	}
	return string(data)
}

// foreign are files of the caller that a container may be given as a stream.
var foreign = []struct {
	name string
	open func(t *testing.T, dir string) *os.File
}{
	{"file 0644", func(t *testing.T, dir string) *os.File { return streamFile(t, dir, 0o644) }},
	{"file 0600", func(t *testing.T, dir string) *os.File { return streamFile(t, dir, 0o600) }},
	{"directory", func(t *testing.T, dir string) *os.File { return openStream(t, dir, unix.O_RDONLY) }},
	{"fifo", func(t *testing.T, dir string) *os.File {
		path := filepath.Join(dir, "fifo")
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return openStream(t, path, unix.O_RDWR)
	}},
	{"terminal", func(t *testing.T, _ string) *os.File {
		master := openStream(t, "/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY)
		if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
			t.Fatal(err)
		}
		n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
		if err != nil {
			t.Fatal(err)
		}
		return openStream(t, fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY)
	}},
}

func openStream(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// streamOwner owns the caller's file. It is neither the caller's id nor one of the container.
const streamOwner = 4321

func streamFile(t *testing.T, dir string, mode os.FileMode) *os.File {
	t.Helper()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("the caller's\n"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, streamOwner, streamOwner); err != nil {
		t.Fatal(err)
	}
	return openStream(t, path, unix.O_RDONLY)
}

// TestStreamsStayTheCallers: a file with a name on the host keeps its owner. The container can
// thus not change its content by opening it again, neither as a user nor as root without
// capabilities.
func TestStreamsStayTheCallers(t *testing.T) {
	only(t, suite.users.name == "root", "the mode in which a file can belong to another user")
	for _, o := range ownerships {
		for _, p := range throughPipes {
			for _, f := range foreign {
				for _, user := range []uint32{0, 1000} {
					t.Run(fmt.Sprintf("%s/%s/%s/%d", o.name, p.name, f.name, user), func(t *testing.T) {
						c := newContainer(t)
						o.userns(t, c)
						c.spec.Process.Capabilities = nil
						checkKept(t, f.open(t, t.TempDir()), func(stream *os.File) {
							p.start(c, user, "(echo mine >/proc/self/fd/0) 2>/dev/null; true", func(args ...string) {
								c.commandWithStdin(stream, args...).must()
							})
						})
					})
				}
			}
		}
	}
}

// checkKept checks that do changes neither owner, mode nor content of a stream.
func checkKept(t *testing.T, stream *os.File, do func(stream *os.File)) {
	t.Helper()
	before := describeStream(t, stream)
	do(stream)
	want(t, "the stream of the caller", describeStream(t, stream), before)
}

func describeStream(t *testing.T, f *os.File) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	var content []byte
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		var err error
		if content, err = os.ReadFile(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%d:%d %o %q", st.Uid, st.Gid, st.Mode, content)
}
