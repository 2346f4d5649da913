// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// elf returns the first bytes of an ELF file.
func elf(data, kind, machine byte) []byte {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02")
	head[5], head[16], head[18] = data, kind, machine
	if data == 2 {
		head[16], head[17], head[18], head[19] = 0, kind, 0, machine
	}
	return head
}

// thisMachine is what the tests run on.
var thisMachine = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]

const (
	regular = unix.S_IFREG
	folder  = unix.S_IFDIR
)

// The facts of a way: the root directory, and a program that may be executed.
func onWay(facts ...nsenter.Fact) []nsenter.Fact {
	return append([]nsenter.Fact{{Path: "/", Mode: folder | 0o755}}, facts...)
}

var programCases = []struct {
	name  string
	step  string
	errno unix.Errno
	facts []nsenter.Fact
	want  string
}{
	{"nothing known", "exec", unix.ENOENT, nil, ""},
	{
		"Windows", "exec", unix.ENOENT,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/bin/sh\r\n"), Next: "/bin/sh\r"}, nsenter.Fact{Path: "/bin/sh\r", Errno: unix.ENOENT, Names: []string{"sh"}}),
		`the script wants the interpreter "/bin/sh\r": Windows line endings`,
	},
	{
		"interpreter", "exec", unix.ENOENT,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/bin/pythn\n"), Next: "/bin/pythn"}, nsenter.Fact{Path: "/bin/pythn", Errno: unix.ENOENT, Names: []string{"python", "sh"}}),
		"the script wants the interpreter /bin/pythn, which is not there: did you mean /bin/python?",
	},
	{
		"directory of the interpreter", "exec", unix.ENOENT,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/opt/x/sh\n"), Next: "/opt/x/sh"}, nsenter.Fact{Path: "/opt", Errno: unix.ENOENT, Names: []string{"bin"}}),
		"the script wants the interpreter /opt/x/sh, which is not there",
	},
	{
		"interpreter is a link", "exec", unix.ENOENT,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/bin/sh\n"), Next: "/bin/sh"}, nsenter.Fact{Path: "/bin/sh", Errno: unix.ENOENT, Link: "bash"}),
		"the script wants the interpreter /bin/sh, which is not there: /bin/sh is a symbolic link to bash, which is not there",
	},
	{
		"loader", "exec", unix.ENOENT,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: elf(1, 2, 62), Next: "/lib64/ld-linux-x86-64.so.2"}, nsenter.Fact{Path: "/lib64", Errno: unix.ENOENT}),
		"it needs the loader /lib64/ld-linux-x86-64.so.2, which is not there",
	},
	{
		"musl", "exec", unix.ENOENT,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: elf(1, 2, 183), Next: "/lib/ld-linux-aarch64.so.1"}, nsenter.Fact{Path: "/lib/ld-linux-aarch64.so.1", Errno: unix.ENOENT, Names: []string{"ld-musl-aarch64.so.1"}}),
		"it needs the loader /lib/ld-linux-aarch64.so.1, which is not there: the program was built for glibc, and this is musl",
	},
	{
		"loader of the interpreter", "exec", unix.ENOENT,
		onWay(
			nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/sh\n"), Next: "/sh"},
			nsenter.Fact{Path: "/sh", Mode: regular | 0o755, Head: elf(1, 2, 62), Next: "/lib/ld.so"},
			nsenter.Fact{Path: "/lib/ld.so", Errno: unix.ENOENT},
		),
		"its interpreter /sh needs the loader /lib/ld.so, which is not there",
	},
	{
		"interpreter without the right", "exec", unix.EACCES,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/sh\n"), Next: "/sh"}, nsenter.Fact{Path: "/sh", Mode: regular | 0o644, Errno: unix.EACCES}),
		"the script wants the interpreter /sh: /sh has mode 0644, which lets nobody execute it",
	},
	{"empty", "exec", unix.ENOEXEC, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte{}}), "it is empty"},
	{"no script", "exec", unix.ENOEXEC, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("echo")}), "it has no shebang line (such as #!/bin/sh) and is no ELF program"},
	{"unreadable", "exec", unix.ENOEXEC, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o711}), ""},
	{
		"loader for another machine", "exec", unix.ENOEXEC,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: elf(1, 2, 22), Next: "/lib/ld.so"}, nsenter.Fact{Path: "/lib", Errno: unix.ENOENT}),
		"it is for s390x, this machine is " + thisMachine,
	},
	{
		"interpreter for another machine", "exec", unix.ENOEXEC,
		onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/sh"), Next: "/sh"}, nsenter.Fact{Path: "/sh", Mode: regular | 0o755, Head: elf(1, 2, 22)}),
		"/sh is for s390x, this machine is " + thisMachine,
	},
	{"levels", "exec", unix.ELOOP, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/p")}), "the interpreters are scripts themselves, on too many levels"},
	{"security module", "exec", unix.EPERM, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Head: []byte("#!/p")}), "the files allow it, but a security module or linux.seccomp may not"},
	{"busy", "exec", unix.ETXTBSY, nil, "somebody has it open for writing"},
	{"too long", "exec", unix.E2BIG, nil, "process.args and process.env are larger than the kernel allows: 128 KiB each, and a quarter of RLIMIT_STACK together"},
	{"near name", "stat", unix.ENOENT, onWay(nsenter.Fact{Path: "/p", Errno: unix.ENOENT, Names: []string{"q", "pp"}}), ""},
	{"no directory", "stat", unix.ENOENT, onWay(nsenter.Fact{Path: "/binn", Errno: unix.ENOENT, Names: []string{"bin"}}), "there is no /binn: did you mean /bin?"},
	{"dead link", "stat", unix.ENOENT, onWay(nsenter.Fact{Path: "/p", Errno: unix.ENOENT, Link: "/x y"}), "it is a symbolic link to /x y, which is not there"},
	{"circle", "stat", unix.ELOOP, onWay(nsenter.Fact{Path: "/p", Errno: unix.ELOOP}), "the symbolic links on the way to /p lead in a circle"},
	{"file on the way", "stat", unix.ENOTDIR, onWay(nsenter.Fact{Path: "/a", Mode: regular | 0o755}, nsenter.Fact{Path: "/a/b", Errno: unix.ENOTDIR}), "/a is a file"},
	{"closed", "stat", unix.EACCES, onWay(nsenter.Fact{Path: "/a", Mode: folder | 0o700, UID: 1, GID: 2, Errno: unix.EACCES}), "the directory /a, of user 1 and group 2 with mode 0700, may not be entered"},
	{
		"not mapped", "stat", unix.EACCES, onWay(nsenter.Fact{Path: "/a", Mode: folder | 0o700, UID: 65534, GID: 65534, Errno: unix.EACCES}),
		"the directory /a, of user 65534 and group 65534 with mode 0700, may not be entered; its owner may not be mapped in the user namespace",
	},
	{"filtered", "stat", unix.EPERM, onWay(nsenter.Fact{Path: "/p", Errno: unix.EPERM}), ""},
	{"noexec", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o755, Errno: unix.EACCES, Noexec: true}), "it is on a mount with the option noexec"},
	{"no x", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o644, Errno: unix.EACCES}), "it has mode 0644, which lets nobody execute it"},
	{"another user", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o700, Errno: unix.EACCES}), "it has mode 0700 and belongs to user 0 and group 0, but the process has user 5 and group 6"},
	{"own, and forbidden", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o100, UID: 5, Errno: unix.EACCES}), "its mode 0100 allows it, but a security module may not"},
	{"group", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o010, GID: 7, Errno: unix.EACCES}), "its mode 0010 allows it, but a security module may not"},
	{"folder", "check executable", unix.EISDIR, onWay(nsenter.Fact{Path: "/p", Mode: folder | 0o755}), ""},
	{"device", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: unix.S_IFCHR | 0o755}), "it is a device, and no file with a program"},
	{"socket", "check executable", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: unix.S_IFSOCK | 0o755}), "it is a socket, and no file with a program"},
	{"search", "look up", unix.ENOENT, []nsenter.Fact{{Names: []string{"pq", "x"}}}, "PATH is /bin:/usr/bin"},
	{"found, but not executable", "look up", unix.ENOENT, []nsenter.Fact{{Path: "/bin/p", Mode: regular | 0o644, Errno: unix.EACCES}}, "/bin/p has mode 0644, which lets nobody execute it"},
	{"directory is a file", "chdir", unix.ENOTDIR, onWay(nsenter.Fact{Path: "/p", Mode: regular | 0o644, Errno: unix.EACCES}), ""},
	{"directory", "chdir", unix.EACCES, onWay(nsenter.Fact{Path: "/p", Mode: folder | 0o700, Errno: unix.EACCES}), "the directory /p, of user 0 and group 0 with mode 0700, may not be entered"},
	{"no step of a program", "setuid", unix.ENOENT, onWay(nsenter.Fact{Path: "/p", Errno: unix.ENOENT, Link: "x"}), ""},
}

func TestProgramReason(t *testing.T) {
	p := &configs.Process{UID: 5, GID: 6, AdditionalGIDs: []uint32{7}, Env: []string{"PATH=/bin:/usr/bin"}}
	for _, c := range programCases {
		detail := "/p"
		if c.step == "look up" {
			detail = "p"
		}
		step := &nsenter.StepError{Step: c.step, Detail: detail, Errno: c.errno, Facts: c.facts}
		err := ExplainProgram(step, p, &Mapping{Root: "/nonexistent"}, nil)
		want := step.Error()
		if c.want != "" {
			want += " (" + c.want + ")"
		}
		if err.Error() != want || !errors.Is(err, c.errno) {
			t.Errorf("%s: %v\nwant %s", c.name, err, want)
		}
		_ = ExplainProgram(step, nil, nil, nil)
		// Anybody who traces init can send anything.
		for i := range c.facts {
			_ = ExplainProgram(&nsenter.StepError{Step: c.step, Errno: c.errno, Facts: c.facts[i:]}, p, nil, nil)
		}
	}
}

// TestProgramPhrases: engines choose an exit status by these, so an explanation must not have them.
func TestProgramPhrases(t *testing.T) {
	for _, c := range programCases {
		for _, phrase := range []string{
			"permission denied", "operation not permitted", "no such file or directory", "executable file not found",
			"is a directory", "not a directory", "system cannot find the file specified", "failed to run",
		} {
			if strings.Contains(strings.ToLower(c.want), phrase) {
				t.Errorf("%s: %q contains %q", c.name, c.want, phrase)
			}
		}
	}
}

func TestSearchReason(t *testing.T) {
	facts := []nsenter.Fact{{Names: []string{"python3", "sh"}}}
	for env, want := range map[string]string{
		"PATH=/bin": `did you mean "python3"? PATH is /bin`,
		"PATH=":     `did you mean "python3"? PATH is empty`,
		"A=":        `did you mean "python3"? process.env has no PATH`,
	} {
		step := &nsenter.StepError{Step: "look up", Detail: "pyton3", Errno: unix.ENOENT, Facts: facts}
		if got := programReason(step, &configs.Process{Env: []string{env}}, nil); got != want {
			t.Errorf("%s: %q, want %q", env, got, want)
		}
	}
	if got := programReason(&nsenter.StepError{Step: "look up", Errno: unix.ENOENT}, nil, nil); got != "the name of the program is empty" {
		t.Errorf("an empty name: %q", got)
	}
}
