// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPreserveFDs(t *testing.T) {
	c := newContainer(t).sh("cat <&3; cat <&4; ls /proc/self/fd")
	for i, text := range []string{"third\n", "fourth\n", "fifth\n"} {
		path := filepath.Join(c.dir, fmt.Sprintf("fd%d", i))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c.files = append(c.files, f)
	}
	r := c.run("--preserve-fds", "2").must()
	out := strings.Fields(r.out)
	// ls has one more descriptor open: the directory.
	if strings.Join(out, " ") != "third fourth 0 1 2 3 4 5" {
		t.Errorf("output %q", out)
	}
}

func TestPreserveFDsMissing(t *testing.T) {
	c := newContainer(t)
	c.write()
	c.command("create", "--preserve-fds", "3", c.id).fails("", "")
	c.checkNothingLeft()
}

// TestNoFDLeaks: the process has only its three standard streams.
func TestNoFDLeaks(t *testing.T) {
	for _, command := range []string{"run", "create"} {
		t.Run(command, func(t *testing.T) {
			c := newContainer(t)
			// Other descriptors that the runtime has inherited must not reach the container.
			f, err := os.Open("/dev/null")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c.files = []*os.File{f, f, f}
			c.args("ls", "-l", "/proc/self/fd")
			c.write()
			var list *running
			if command == "run" {
				list = c.launch(nil, "run", c.id)
			} else {
				list = c.launch(nil, "create", "--pid-file", c.path("pid"), c.id)
			}
			if _, err := c.finish(list); err != nil {
				t.Fatal(err)
			}
			if command == "create" {
				c.pid = c.readPID()
				c.start().wait()
			}
			data, err := os.ReadFile(list.out.Name())
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			for _, line := range lines {
				before, target, isLink := strings.Cut(line, " -> ")
				// ls itself has the directory open.
				if !isLink || strings.HasSuffix(target, "/fd") {
					continue
				}
				if n := before[strings.LastIndexByte(before, ' ')+1:]; n != "0" && n != "1" && n != "2" {
					t.Errorf("fd %s is %s in the container", n, target)
				}
			}
			if len(lines) < 4 {
				t.Errorf("list %q", lines)
			}
		})
	}
}

func TestPIDFDSocket(t *testing.T) {
	c := newContainer(t)
	r := c.receiver("s")
	c.long()
	c.write()
	create := c.launch(nil, "create", "--pid-file", c.path("pid"), "--pidfd-socket", r.path, c.id)
	pidfd, _ := r.receive()
	res, err := c.finish(create)
	if err != nil {
		t.Fatal(err)
	}
	res.must()
	c.pid = c.readPID()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	if err != nil || !strings.Contains(string(info), fmt.Sprintf("Pid:\t%d\n", c.pid)) {
		t.Errorf("fdinfo %q, %v; want pid %d", info, err, c.pid)
	}
	c.start()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	if c.wait().Signal() != 9 {
		t.Error("not killed")
	}
}

// TestDetachedStdio: a detached container gets the caller's files unchanged.
func TestDetachedStdio(t *testing.T) {
	c := newContainer(t).sh("readlink /proc/self/fd/1; echo to stderr >&2")
	c.write()
	r := c.launch(nil, "run", "--detach", "--pid-file", c.path("pid"), c.id)
	name := r.out.Name()
	if _, err := c.finish(r); err != nil {
		t.Fatal(err)
	}
	c.pid = c.readPID()
	c.wait()
	data, err := os.ReadFile(name)
	if err != nil || strings.TrimSpace(string(data)) == "" {
		t.Errorf("stdout %q, %v", data, err)
	}
	errs, err := os.ReadFile(r.stderr.Name())
	if err != nil || string(errs) != "to stderr\n" {
		t.Errorf("stderr %q, %v", errs, err)
	}
}
