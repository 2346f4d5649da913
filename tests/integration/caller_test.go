// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests are about what the caller of the runtime passes by path, and keeps.

// pidFiles are files other than regular files to which a pid can be written.
var pidFiles = []struct {
	name string
	// make creates the file at path. It returns the argument of --pid-file, and a function that
	// returns what has been written; nil if that cannot be read.
	make func(c *container, path string) (option string, written func() string)
}{
	{"character device", func(c *container, path string) (string, func() string) {
		// The directory for temporary files may be mounted with nodev.
		path += ".d/null"
		dir := filepath.Dir(path)
		if err := errors.Join(os.Mkdir(dir, 0o755), unix.Mount("devices", dir, "tmpfs", 0, "mode=755")); err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				c.t.Error(err)
			}
		})
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
			c.t.Fatal(err)
		}
		suite.users.chownToCaller(c.t, path)
		return path, nil
	}},
	{"fifo", func(c *container, path string) (string, func() string) {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			c.t.Fatal(err)
		}
		suite.users.chownToCaller(c.t, path)
		f := openStream(c.t, path, unix.O_RDWR|unix.O_NONBLOCK)
		return path, func() string { return readSome(c.t, f) }
	}},
	{"link to a file", func(c *container, path string) (string, func() string) {
		target := path + ".target"
		if err := os.WriteFile(target, []byte("what was there before"), 0o600); err != nil {
			c.t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			c.t.Fatal(err)
		}
		suite.users.chownToCaller(c.t, target)
		return path, func() string { return readFile(c.t, target) }
	}},
	{"descriptor", func(c *container, path string) (string, func() string) {
		r, w, err := os.Pipe()
		if err != nil {
			c.t.Fatal(err)
		}
		c.t.Cleanup(func() { r.Close(); w.Close() })
		suite.users.chownToCaller(c.t, fmt.Sprintf("/proc/self/fd/%d", w.Fd()))
		c.files = []*os.File{w}
		if err := os.Symlink("/dev/fd/3", path); err != nil { // a name for lstat
			c.t.Fatal(err)
		}
		return "/dev/fd/3", func() string { return readSome(c.t, r) }
	}},
}

func readSome(t *testing.T, f *os.File) string {
	t.Helper()
	// Only a pipe has a deadline; reads from other files do not block.
	if err := f.SetReadDeadline(time.Now().Add(suite.limit / 3)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := f.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// lstat describes the file at path itself, even if it is a symbolic link.
func lstat(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("inode %d, mode %o, device %d", st.Ino, st.Mode, st.Rdev)
}

// TestPIDFileKeepsWhatIsThere: --pid-file /dev/null does not replace the device by a regular
// file.
func TestPIDFileKeepsWhatIsThere(t *testing.T) {
	for _, k := range pidFiles {
		for _, command := range []string{"create", "exec", "failing exec"} {
			t.Run(k.name+"/"+command, func(t *testing.T) {
				onlyBerth(t)
				c := newContainer(t)
				if command != "create" {
					c.running()
				}
				path := c.path("given")
				option, written := k.make(c, path)
				if strings.HasPrefix(option, c.dir+"/") {
					path = option
				}
				suite.users.chownToCaller(t, c.dir)
				before := lstat(t, path)
				var pid int
				switch command {
				case "create":
					c.args("sleep", "1000").write()
					c.command("create", "--pid-file", option, c.id).must()
					pid = c.stateJSON().Pid
					c.pid = pid
				case "exec":
					c.command("exec", "--pid-file", option, c.id, "true").must()
				default:
					c.rootfsFile("bad", "not a program", 0o755)
					c.command("exec", "--pid-file", option, c.id, "/bad").fails("exec format error", "")
				}
				want(t, "what is there", lstat(t, path), before)
				if written == nil {
					return
				}
				got := written()
				if n, err := strconv.Atoi(got); err != nil || pid != 0 && n != pid {
					t.Errorf("%q was written, want %d", got, pid)
				}
			})
		}
	}
}

// rootfsFile makes a file of the root file system.
func (c *container) rootfsFile(name, content string, mode os.FileMode) {
	c.t.Helper()
	if err := os.WriteFile(c.rootfs(name), []byte(content), mode); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(c.rootfs(name), mode); err != nil {
		c.t.Fatal(err)
	}
}

// TestPIDFileReplacesAFile: a regular file is replaced atomically, so that a reader of the old
// file never sees a part of the new content.
func TestPIDFileReplacesAFile(t *testing.T) {
	c := newContainer(t).args("sleep", "1000")
	if err := os.WriteFile(c.path("pid"), []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	suite.users.chownToCaller(t, c.dir)
	old := openStream(t, c.path("pid"), unix.O_RDONLY)
	c.create()
	want(t, "the old file", readSome(t, old), "before")
	want(t, "files beside it", strings.Join(glob(t, c.path(".pid*")), " "), "")
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRelativePaths: paths of files are relative to the caller's directory, those of sockets to
// the bundle, as with runc.
func TestRelativePaths(t *testing.T) {
	c := newContainer(t).terminal().args("sleep", "1000")
	r := c.receiver("s")
	c.write()
	elsewhere := t.TempDir()
	if err := os.Chmod(filepath.Dir(elsewhere), 0o755); err != nil {
		t.Fatal(err)
	}
	suite.users.chownToCaller(t, elsewhere)
	run := c.exec(nil, "/bin/sh", append([]string{"-c", `cd "$0" && exec "$@"`, elsewhere, suite.runtime},
		append(c.globals(), "create", "--bundle", c.dir, "--pid-file", "here", "--console-socket", "s", c.id)...)...)
	r.receive()
	res, err := c.finish(run)
	if err != nil {
		t.Fatal(err)
	}
	res.must()
	want(t, "pid file", readFile(t, filepath.Join(elsewhere, "here")), strconv.Itoa(c.stateJSON().Pid))
}

// farAway moves a socket to a path that is too long for a socket address.
func (c *container) farAway(path string) string {
	c.t.Helper()
	dir := c.path(strings.Repeat("d", 100))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	far := filepath.Join(dir, filepath.Base(path))
	if err := os.Rename(path, far); err != nil {
		c.t.Fatal(err)
	}
	return far
}

// TestLongSocketPaths: each socket that berth connects to may have a path of any length.
func TestLongSocketPaths(t *testing.T) {
	onlyBerth(t)
	t.Run("console of create", func(t *testing.T) {
		c := newContainer(t).terminal().args("sleep", "1000")
		r := c.receiver("s")
		c.write()
		run := c.launch(nil, "create", "--console-socket", c.farAway(r.path), c.id)
		r.receive()
		c.mustFinish(run).must()
	})
	t.Run("pidfd of create", func(t *testing.T) {
		c := newContainer(t).args("sleep", "1000")
		r, also := c.receiver("s"), c.receiver("also")
		c.annotate("run.oci.pidfd_receiver", c.farAway(also.path)).write()
		run := c.launch(nil, "create", "--pidfd-socket", c.farAway(r.path), c.id)
		r.receive()
		also.receive()
		c.mustFinish(run).must()
	})
	t.Run("console and pidfd of exec", func(t *testing.T) {
		c := newContainer(t).running()
		console, pidfd := c.receiver("s"), c.receiver("also")
		run := c.launch(nil, "exec", "--tty", "--detach", "--pid-file", c.path("exec.pid"), "--console-socket", c.farAway(console.path),
			"--pidfd-socket", c.farAway(pidfd.path), c.id, "true")
		console.receive()
		pidfd.receive()
		c.mustFinish(run).must()
		reapExec(c)
	})
	t.Run("seccomp agent", func(t *testing.T) {
		c := newContainer(t)
		a := newAgent(c, refuse)
		a.path = c.farAway(a.path)
		a.notify(c, "mkdir", "mkdirat")
		c.sh("mkdir /new 2>&1").run()
		a.state()
	})
	t.Run("service manager", func(t *testing.T) {
		c := newContainer(t)
		m := newServiceManager(c, false)
		last := len(c.env) - 1
		c.env[last] = "NOTIFY_SOCKET=" + c.farAway(strings.TrimPrefix(c.env[last], "NOTIFY_SOCKET="))
		c.notifies("/helper READY=1; read x </in")
		in := c.fifo("in")
		c.write()
		run := c.launch(nil, "run", c.id)
		m.ready(run.cmd.Process.Pid)
		in.send("end")
		c.mustFinish(run)
	})
}

// mustFinish waits for a command to end.
func (c *container) mustFinish(run *running) *result {
	c.t.Helper()
	r, err := c.finish(run)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// TestUsersRuntimeDir: without XDG_RUNTIME_DIR, an ordinary user gets an error that names it, or
// berth uses the directory that a login has created.
func TestUsersRuntimeDir(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).rootless().args("/bin/sleep", "1000")
	c.write()
	state := c.state
	defer func() { c.state = state }()
	c.state = ""
	c.command("create", c.id).fails("XDG_RUNTIME_DIR", "")
	for _, r := range []string{"/run/user", fmt.Sprintf("/run/user/%d", userID)} {
		if err := os.Mkdir(r, 0o755); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		} else if err == nil {
			defer os.Remove(r)
		}
	}
	dir := fmt.Sprintf("/run/user/%d", userID)
	if err := os.Chown(dir, userID, userID); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir + "/berth")
	c.command("create", c.id).must()
	defer c.command("delete", "--force", c.id)
	want(t, "state", lstat(t, dir+"/berth/"+c.id+"/state.json")[:5], "inode")
	st := c.stateJSON()
	want(t, "id", st.ID, c.id)
}
