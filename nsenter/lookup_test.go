// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The texts are those of Go's os/exec: engines match them literally.
func TestLookUpErrors(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := reachableDir(t)
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "plain"), []byte("#!/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "root-only"), []byte("#!/bin/sh\n"), 0o700),
		os.Mkdir(filepath.Join(dir, "hidden"), 0o700),
		os.WriteFile(filepath.Join(dir, "hidden/tool"), []byte("#!/bin/sh\n"), 0o755),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o777),
		os.Symlink("loop", filepath.Join(dir, "loop")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const notFound = `exec: %q: executable file not found in $PATH`
	for _, tt := range []struct {
		name, arg string
		env       []string
		want      string // with %q or %s for the argument
		errno     syscall.Errno
	}{
		{"not in PATH", "nope", []string{"PATH=/bin:/usr/bin"}, notFound, syscall.ENOENT},
		{"not in the default PATH", "nope", nil, notFound, syscall.ENOENT},
		{"empty PATH", "sh", []string{"PATH="}, notFound, syscall.ENOENT},
		{"PATH of one that is not there", "sh", []string{"PATH=/nope"}, notFound, syscall.ENOENT},
		{"only a directory in PATH", "hidden", []string{"PATH=" + dir}, notFound, syscall.ENOENT},
		{"only a plain file in PATH", "plain", []string{"PATH=" + dir}, notFound, syscall.ENOENT},
		{"empty name", "", []string{"PATH=/bin"}, notFound, syscall.ENOENT},
		{"another variable", "sh", []string{"XPATH=/bin", "PATH=/nope"}, notFound, syscall.ENOENT},
		{"long PATH", "sh", []string{"PATH=/" + strings.Repeat("x", 5000)}, notFound, syscall.ENOENT},
		{"no such file", "/nope", nil, "exec: %q: stat %s: no such file or directory", syscall.ENOENT},
		{"below a file", "/etc/passwd/x", nil, "exec: %q: stat %s: not a directory", syscall.ENOTDIR},
		{"loop of links", dir + "/loop", nil, "exec: %q: stat %s: too many levels of symbolic links", syscall.ELOOP},
		{"a directory", "/etc", nil, "exec: %q: is a directory: permission denied", syscall.EISDIR},
		{"not executable", "/etc/passwd", nil, "exec: %q: permission denied", syscall.EACCES},
		{"a fifo", dir + "/pipe", nil, "exec: %q: permission denied", syscall.EACCES},
		{"not for this user", dir + "/root-only", nil, "exec: %q: permission denied", syscall.EACCES},
		{"in a directory of others", dir + "/hidden/tool", nil, "exec: %q: stat %s: permission denied", syscall.EACCES},
		{"relative", "./nope", nil, "exec: %q: stat %s: no such file or directory", syscall.ENOENT},
		{"quoted", "/no\npe\x1b", nil, `exec: "/no\\npe\\x1b": stat /no\npe\x1b: no such file or directory`, syscall.ENOENT},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &Plan{Args: []string{tt.arg}, Env: tt.env, Cwd: "/", UID: 1000, GID: 1000}
			step := configureError(t, nil, p)
			want := tt.want
			if strings.Contains(want, "%") {
				want = strings.ReplaceAll(strings.ReplaceAll(want, "%q", `"`+tt.arg+`"`), "%s", tt.arg)
			}
			if step.Error() != want {
				t.Errorf("error %s\nwant  %s", step, want)
			}
			if !errors.Is(step, tt.errno) {
				t.Errorf("errno %v, want %v", step.Errno, tt.errno)
			}
		})
	}
}

func TestLookUp(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a": 0o755, "b": 0o755, "off": 0o644} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, "tool"), []byte("#!/bin/sh\necho "+name+" $0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(sub, "tool"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, arg, path, want string }{
		{"first one", "tool", dir + "/a:" + dir + "/b", "a " + dir + "/a/tool"},
		{"skips what cannot be executed", "tool", dir + "/nope:" + dir + "/off:" + dir + "/b", "b " + dir + "/b/tool"},
		{"empty element", "tool", ":" + dir + "/b", "a ./tool"},
		{"empty last element", "tool", dir + "/off:", "a ./tool"},
		{"with a slash", "../b/tool", dir + "/a", "b ../b/tool"},
		{"absolute", dir + "/b/tool", "", "b " + dir + "/b/tool"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := rootPlan(t, tt.arg)
			p.Env, p.Cwd = []string{"PATH=" + tt.path}, dir+"/a"
			if out := run(t, nil, p); out != tt.want {
				t.Errorf("output %q, want %q", out, tt.want)
			}
		})
	}
	p := rootPlan(t, "sh", "-c", "echo found")
	p.Env = nil
	if out := run(t, nil, p); out != "found" {
		t.Errorf("default PATH: %q", out)
	}
}

// An old profile, which does not know faccessat2, must not break the look-up.
func TestLookUpWithoutFaccessat2(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		p := rootPlan(t, "true")
		p.Seccomp = filter(unix.SYS_FACCESSAT2, refuse(errno))
		run(t, nil, p)
		p.Args = []string{"/etc/passwd"}
		if step := configureError(t, nil, p); !errors.Is(step, unix.EACCES) {
			t.Errorf("error %v", step)
		}
	}
}
