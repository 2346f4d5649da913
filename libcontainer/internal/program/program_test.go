// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// elf64 returns an ELF file for a machine, with a loader or without.
func elf64(machine, kind uint16, loader string) string {
	b := make([]byte, header64+2*segment64)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(b[elfType:], kind)
	binary.LittleEndian.PutUint16(b[elfMachine:], machine)
	binary.LittleEndian.PutUint64(b[32:], header64)
	binary.LittleEndian.PutUint16(b[54:], segment64)
	binary.LittleEndian.PutUint16(b[56:], 2)
	binary.LittleEndian.PutUint32(b[header64:], 1) // PT_LOAD
	if loader == "" {
		return string(b)
	}
	interp := b[header64+segment64:]
	binary.LittleEndian.PutUint32(interp, segmentInterp)
	binary.LittleEndian.PutUint64(interp[8:], uint64(len(b)))
	binary.LittleEndian.PutUint64(interp[32:], uint64(len(loader)+1))
	return string(b) + loader + "\x00"
}

// own and foreignMachine are ELF numbers for this machine and for another one.
func machines() (own, other uint16, otherName string) {
	if runtime.GOARCH == "arm64" {
		return 183, 22, "s390x"
	}
	return machineX86, 22, "s390x"
}

// tree makes a root with files: a name that ends with / is a directory, one with @ a link.
func tree(t *testing.T, files map[string]string) int {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, strings.TrimSuffix(name, "@"))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(at, 0o755)
		case strings.HasSuffix(name, "@"):
			err = os.Symlink(content, at)
		default:
			err = os.WriteFile(at, []byte(content), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestExplain(t *testing.T) {
	own, other, otherName := machines()
	static := elf64(own, typeExec, "")
	root := tree(t, map[string]string{
		"bin/static":     static,
		"bin/sh":         static,
		"bin/link@":      "/bin/static",
		"bin/dangling@":  "../none/busybox",
		"bin/loop@":      "loop",
		"bin/out@":       "../../../../bin/static",
		"bin/good":       "#!/bin/sh\necho\n",
		"bin/spaces":     "#! \t /bin/sh -e \necho\n",
		"bin/noend":      "#!/bin/sh",
		"bin/dos":        "#!/bin/sh\r\necho\r\n",
		"bin/dosenv":     "#!/usr/bin/env sh\r\n",
		"usr/bin/env":    static,
		"bin/python":     "#!/usr/bin/python3 -u\n",
		"bin/viadangle":  "#!/bin/dangling\n",
		"bin/nested":     "#!/bin/python\n",
		"bin/self":       "#!/bin/self\n",
		"bin/nothing":    "#!\n",
		"bin/long":       "#!/" + strings.Repeat("x", 300) + "\n",
		"bin/escape":     "#!/bin/\x1b[31m\n",
		"bin/empty":      "",
		"bin/text":       "echo hello\n",
		"bin/bom":        "\xef\xbb\xbf#!/bin/sh\n",
		"bin/exe":        "MZ\x90\x00",
		"bin/blob":       "\x01\x00\x02",
		"bin/other":      elf64(other, typeExec, ""),
		"bin/object":     elf64(own, 1, ""),
		"bin/short":      static[:30],
		"bin/cut":        static[:70],
		"bin/dynamic":    elf64(own, typeDyn, "/lib64/ld-linux-x86-64.so.2"),
		"bin/musl":       elf64(own, typeDyn, "/lib/ld-musl-x86_64.so.1"),
		"bin/loaded":     elf64(own, typeDyn, "/lib/good.so"),
		"bin/badloader":  elf64(own, typeDyn, "/lib/text.so"),
		"bin/farloader":  elf64(own, typeDyn, "/lib/other.so"),
		"bin/cutloader":  strings.TrimSuffix(elf64(own, typeDyn, "/lib/good.so"), "od.so\x00"),
		"lib/good.so":    elf64(own, typeDyn, ""),
		"lib/text.so":    "text",
		"lib/other.so":   elf64(other, typeDyn, ""),
		"bin/directory/": "",
	})
	noLinks, _ := unix.FcntlInt(uintptr(root), unix.F_DUPFD_CLOEXEC, 0)
	defer unix.Close(noLinks)
	for _, test := range []struct{ name, want string }{
		{"/bin/static", ""},
		{"/bin/link", ""},
		{"/bin/out", ""},
		{"bin/static", ""},
		{"/bin/good", ""},
		{"/bin/spaces", ""},
		{"/bin/noend", ""},
		{"/bin/loaded", ""},
		{"/bin/none", "is not in the container"},
		{"/none/sh", "is not in the container (there is no /none)"},
		{"/bin/sh/x", "is not in the container (/bin/sh is not a directory)"},
		{"/bin/dangling", "is not in the container (/bin/dangling is a link to ../none/busybox)"},
		{"/bin/loop", "leads through too many links"},
		{"/bin/dos", `the script wants "/bin/sh\r": Windows line endings`},
		{"/bin/dosenv", `the script wants "sh\r" of /usr/bin/env: Windows line endings`},
		{"/bin/python", "its interpreter /usr/bin/python3 is not in the container"},
		{"/bin/viadangle", "its interpreter /bin/dangling is not in the container (/bin/dangling is a link to ../none/busybox)"},
		{"/bin/nested", "its interpreter /bin/python: its interpreter /usr/bin/python3 is not in the container"},
		{"/bin/nothing", "has a shebang line (#!) without an interpreter"},
		{"/bin/long", "has a shebang line (#!) that is longer than the 255 bytes that the kernel reads"},
		{"/bin/escape", `its interpreter "/bin/\x1b[31m" is not in the container`},
		{"/bin/empty", "is empty"},
		{"/bin/text", "has no shebang line (such as #!/bin/sh) and is no ELF program"},
		{"/bin/bom", "begins with a byte order mark (EF BB BF) before its #! line"},
		{"/bin/exe", "is a program for Windows"},
		{"/bin/blob", "is no ELF program, and no script"},
		{"/bin/other", "is for " + otherName + ", this machine is " + machineName()},
		{"/bin/object", "is an ELF file, but no program (an object file or a core dump)"},
		{"/bin/short", "is cut off: an ELF file of 30 bytes"},
		{"/bin/cut", "is cut off: an ELF file without its program headers"},
		{"/bin/cutloader", "is cut off: an ELF file without the name of its loader"},
		{"/bin/dynamic", "needs the loader /lib64/ld-linux-x86-64.so.2, which is not there (there is no /lib64)" +
			" (it was built for glibc: link it statically, or use a root file system with glibc)"},
		{"/bin/musl", "needs the loader /lib/ld-musl-x86_64.so.1, which is not there (it was built for musl, as Alpine has it)"},
		{"/bin/badloader", "needs the loader /lib/text.so, which is no ELF file"},
		{"/bin/farloader", "needs the loader /lib/other.so, which is for " + otherName + ", and this machine is " + machineName()},
		{"/bin/directory", "is a directory"},
		{"/bin/a\x00b", `is no path: "/bin/a\x00b"`},
	} {
		if got := Explain(root, "", test.name, nil); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if got := Explain(root, "", "/bin/self", nil); !strings.HasSuffix(got, "is a script whose interpreters are scripts, too many times") {
		t.Errorf("a script that is its own interpreter: %q", got)
	}
	if got := Explain(root, "/usr", "bin/env", nil); got != "" {
		t.Errorf("a relative path: %q", got)
	}
}

// TestRights: who may not execute a file, or go to it.
func TestRights(t *testing.T) {
	own, _, _ := machines()
	root := tree(t, map[string]string{"bin/sh": elf64(own, typeExec, ""), "closed/sh": elf64(own, typeExec, ""), "bin/data": "#!/bin/sh\n"})
	chmod := func(name string, mode uint32) {
		t.Helper()
		if err := unix.Fchmodat(root, name, mode, 0); err != nil {
			t.Fatal(err)
		}
	}
	chmod("bin/data", 0o644)
	chmod("bin/sh", 0o700)
	chmod("closed", 0o700)
	chmod(".", 0o755)
	other := &User{UID: uint32(os.Getuid()) + 1, GID: uint32(os.Getgid()) + 1}
	for _, test := range []struct {
		name string
		user *User
		want string
	}{
		{"/bin/data", nil, "is not executable: its mode is 0644 (chmod +x)"},
		{"/bin/data", &User{Override: true}, "is not executable: its mode is 0644 (chmod +x)"},
		{"/bin/sh", nil, ""},
		{"/bin/sh", &User{UID: uint32(os.Getuid())}, ""},
		{"/bin/sh", &User{UID: other.UID, Override: true}, ""},
		{"/bin/sh", other, "may not be executed by user"},
		{"/closed/sh", other, "cannot be reached by user"},
	} {
		got := Explain(root, "", test.name, test.user)
		if test.want == "" && got != "" || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s by %v: %q, want %q", test.name, test.user, got, test.want)
		}
	}
}

// TestNotRegular: a FIFO does not block, and a device is not opened.
func TestNotRegular(t *testing.T) {
	root := tree(t, map[string]string{"bin/": ""})
	if err := unix.Mkfifoat(root, "bin/fifo", 0o777); err != nil {
		t.Fatal(err)
	}
	if got := Explain(root, "", "/bin/fifo", nil); got != "is no regular file, but a FIFO" {
		t.Errorf("%q", got)
	}
}

func TestFind(t *testing.T) {
	own, _, _ := machines()
	root := tree(t, map[string]string{
		"usr/bin/a": "#!/none\n", "bin/a": elf64(own, typeExec, ""), "usr/bin/b": "", "work/c": elf64(own, typeExec, ""),
		"usr/bin/env": elf64(own, typeExec, ""), "bin/e": "#!/usr/bin/env python3\n", "bin/f": "#!/usr/bin/env a\n",
	})
	l := &Look{Root: root, Dir: "/work", SearchPath: "/usr/bin:/bin:"}
	for _, test := range []struct{ name, found, why string }{
		{"a", "/bin/a", ""},
		{"b", "/usr/bin/b", "is empty"},
		{"c", "/work/c", ""},
		{"e", "/bin/e", `its interpreter python3, which /usr/bin/env is to find, is in no directory of PATH: "/usr/bin:/bin:"`},
		{"f", "/bin/f", ""},
		{"./c", "./c", ""},
		{"none", "", `is in no directory of PATH: "/usr/bin:/bin:"`},
		{"", "", "is empty"},
	} {
		if found, why := l.Find(test.name); found != test.found || why != test.why {
			t.Errorf("%q: %q, %q, want %q, %q", test.name, found, why, test.found, test.why)
		}
	}
	l.SearchPath = ""
	if found, _ := l.Find("a"); found != "" {
		t.Errorf("without PATH: %q", found)
	}
}

// TestMounts: what will be mounted hides what is there.
func TestMounts(t *testing.T) {
	own, _, _ := machines()
	static := elf64(own, typeExec, "")
	root := tree(t, map[string]string{"bin/sh": static, "usr/": "", "tmp/x": static, "bin/file": "", "link@": "usr/bin/tool"})
	usr := tree(t, map[string]string{"bin/tool": static, "bin/dyn": elf64(own, typeDyn, "/lib/l.so")})
	file, err := unix.Openat(usr, "bin/tool", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(file)
	l := &Look{Root: root, Mounts: []Mount{
		{Destination: "/usr", Tree: usr},
		{Destination: "/tmp", Tree: -1},
		{Destination: "/bin/file", Tree: file},
		{Destination: "/lib", Tree: -1},
		{Destination: "/opt", Tree: usr, Noexec: true},
	}}
	for name, want := range map[string]string{
		"/usr/bin/tool": "", "/usr/bin/dyn": "", "/tmp/x": "", "/tmp/y": "", "/bin/file": "", "/link": "", "/bin/sh": "",
		"/usr/bin/none": "is not in the container", "/opt/bin/tool": "/opt is mounted noexec", "/bin/none": "is not in the container",
	} {
		if got := l.Explain(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := l.Resolve("/link"); got != "/usr/bin/tool" {
		t.Errorf("Resolve: %q", got)
	}
}

func TestBinfmt(t *testing.T) {
	entry := "enabled\ninterpreter /usr/bin/qemu-s390x\nflags: F\noffset 0\nmagic 7f454c4602\nmask ffffffff00\n"
	for _, test := range []struct {
		entry, head string
		want        bool
	}{
		{entry, "\x7fELF\x01", true},
		{entry, "\x7fELf\x02", false},
		{entry, "\x7fEL", false},
		{strings.Replace(entry, "enabled", "disabled", 1), "\x7fELF\x02", false},
		{strings.Replace(entry, "offset 0", "offset -3", 1), "\x7fELF\x02", false},
		{strings.Replace(entry, "magic 7f", "magic 7", 1), "\x7fELF\x02", false},
		{"", "x", false},
	} {
		if got := binfmtMatches(test.entry, []byte(test.head)); got != test.want {
			t.Errorf("%q with %q: %v", test.entry, test.head, got)
		}
	}
}

// FuzzContent: whatever a file has in it, nothing is read that is not there.
func FuzzContent(f *testing.F) {
	own, other, _ := machines()
	for _, s := range []string{elf64(own, typeDyn, "/l"), elf64(other, typeExec, ""), "#!/bin/sh -e\n", "#!", "\x7fELF\x01\x02", "MZ"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		root := tree(t, map[string]string{"p": string(content)})
		why := Explain(root, "", "/p", nil)
		if strings.ContainsAny(why, "\n\x1b\x00") {
			t.Errorf("%q", why)
		}
	})
}
