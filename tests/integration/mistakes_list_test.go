// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// mistakes are those of the table, in its order.
var mistakes = [...][]mistake{usageMistakes, stateMistakes, documentMistakes, configMistakes, programMistakes, mountMistakes}

// usage returns a mistake in the command line after the global options. ID stands for the container.
func usage(name string, args ...string) mistake {
	return mistake{name, func(c *container) *result {
		c.write()
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "ID", c.id)
		}
		return c.mistaken(args...)
	}}
}

var usageMistakes = []mistake{
	usage("a command that does not exist", "stat", "ID"),
	usage("an option that does not exist", "run", "--detatch", "ID"),
	usage("no container named", "start"),
	usage("two containers named", "state", "ID", "other"),
	usage("a signal that does not exist", "kill", "ID", "TREM"),
	{"a limit that is no number", func(c *container) *result { return c.running().mistaken("update", "--memory", "lots", c.id) }},
	usage("an id with a slash", "run", "a/b"),
	usage("a bundle that does not exist", "run", "--bundle", "rootf", "ID"),
	usage("a pid file in a directory that does not exist", "run", "--pid-file", "no/pid", "ID"),
	usage("a descriptor that is not open", "run", "--preserve-fds", "5", "ID"),
	usage("another config that does not exist", "run", "--config", "confg.json", "ID"),
	{"a terminal without a console socket", func(c *container) *result {
		c.spec.Process.Terminal = true
		c.write()
		return c.mistaken("create", c.id)
	}},
	{"a console socket that does not exist", func(c *container) *result {
		c.spec.Process.Terminal = true
		c.write()
		return c.mistaken("create", "--console-socket", c.path("no.sock"), c.id)
	}},
	{"a console socket without a terminal", func(c *container) *result {
		c.write()
		return c.mistaken("create", "--console-socket", c.path("no.sock"), c.id)
	}},
}

var stateMistakes = []mistake{
	{"state of a container that does not exist", func(c *container) *result { return c.mistaken("state", c.id) }},
	{"the same id again", func(c *container) *result { return c.create().mistaken("create", c.id) }},
	{"start of a container that runs", func(c *container) *result { return c.running().mistaken("start", c.id) }},
	{"start of a container that has stopped", func(c *container) *result { return c.stopped().mistaken("start", c.id) }},
	{"exec in a container that has stopped", func(c *container) *result { return c.stopped().mistaken("exec", c.id, "true") }},
	{"kill of a container that has stopped", func(c *container) *result { return c.stopped().mistaken("kill", c.id, "TERM") }},
	{"pause of a container that has stopped", func(c *container) *result { return c.stopped().mistaken("pause", c.id) }},
	{"update of a container that has stopped", func(c *container) *result { return c.stopped().mistaken("update", "--pids-limit", "9", c.id) }},
	{"resume of a container that runs", func(c *container) *result { return c.running().mistaken("resume", c.id) }},
	{"exec in a paused container", func(c *container) *result {
		c.running().command("pause", c.id).must()
		return c.mistaken("exec", c.id, "true")
	}},
	{"delete of a container that runs", func(c *container) *result { return c.running().mistaken("delete", c.id) }},
	{"exec without a program", func(c *container) *result { return c.running().mistaken("exec", c.id) }},
	{"a damaged state.json", func(c *container) *result {
		c.create()
		path := c.state + "/" + c.id + "/state.json"
		saved, err := os.ReadFile(path)
		if err != nil {
			c.t.Fatal(err)
		}
		c.content(path, `{"format":`)
		r := c.mistaken("state", c.id)
		c.content(path, string(saved))
		return r
	}},
}

// document returns a mistake in the text of config.json.
func document(name, text string) mistake {
	return mistake{name, func(c *container) *result {
		if text != "" {
			c.content(c.path("config.json"), text)
		}
		return c.mistaken("run", c.id)
	}}
}

var documentMistakes = []mistake{
	document("no config.json", ""),
	document("a comma too many", "{\n  \"ociVersion\": \"1.0.2\",\n}"),
	document("a string for a list", `{"ociVersion": "1.0.2", "process": {"args": "sh"}}`),
	document("something after the end", `{"ociVersion": "1.0.2"} x`),
	document("no root", `{"ociVersion": "1.0.2", "process": {"args": ["sh"], "cwd": "/"}}`),
}

// config returns a mistake in a field of config.json.
func config(name string, change func(*specs.Spec)) mistake {
	return mistake{name, func(c *container) *result {
		change(c.spec)
		return c.mistakenRun()
	}}
}

func withHook(h specs.Hook) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{h}} }
}

func withNamespace(typ specs.LinuxNamespaceType, path string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: typ, Path: path})
	}
}

var configMistakes = []mistake{
	config("a root file system that does not exist", func(s *specs.Spec) { s.Root.Path = "rotfs" }),
	config("no args", func(s *specs.Spec) { s.Process.Args = nil }),
	config("a relative cwd", func(s *specs.Spec) { s.Process.Cwd = "tmp" }),
	config("a variable without a value", func(s *specs.Spec) { s.Process.Env = []string{"DEBUG"} }),
	config("a type of namespace that does not exist", withNamespace("netwok", "")),
	config("a namespace twice", withNamespace(specs.PIDNamespace, "")),
	config("a namespace file that does not exist", func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/no/netns/web" }),
	config("a namespace file of another type", func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/proc/self/ns/uts" }),
	config("a host name without a UTS namespace", func(s *specs.Spec) { s.Linux.Namespaces = append(s.Linux.Namespaces[:3], s.Linux.Namespaces[4:]...) }),
	config("a user namespace without maps", withNamespace(specs.UserNamespace, "")),
	{"a user who is not mapped", func(c *container) *result {
		c.userNamespace().spec.Process.User.UID = 70000
		return c.mistakenRun()
	}},
	config("an rlimit that does not exist", func(s *specs.Spec) {
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILES", Soft: 1, Hard: 1}}
	}),
	config("a soft limit above the hard one", func(s *specs.Spec) {
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 20, Hard: 10}}
	}),
	config("effective capabilities that are not permitted", func(s *specs.Spec) {
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}}
	}),
	config("a sysctl that does not exist", func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forwrad": "1"} }),
	config("a sysctl of the host", func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"vm.swappiness": "1"} }),
	config("an OOM score out of range", func(s *specs.Spec) { n := 1001; s.Process.OOMScoreAdj = &n }),
	{"CPU shares out of range", func(c *container) *result {
		only(c.t, !suite.unified, "cgroup v1")
		n := uint64(1)
		c.spec.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: &n}}
		return c.mistakenRun()
	}},
	{"a file of cgroup v2 that does not exist", func(c *container) *result {
		only(c.t, suite.unified, "cgroup v2")
		c.spec.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"nope.max": "1"}}
		return c.mistakenRun()
	}},
	config("a seccomp action that does not exist", func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_DENY"}
	}),
	config("a device of no type", func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "z"}} }),
	config("a device below a file", func(s *specs.Spec) {
		s.Linux.Devices = []specs.LinuxDevice{{Path: "/bin/busybox/x", Type: "c", Major: 1, Minor: 3}}
	}),
	config("a hook with a relative path", withHook(specs.Hook{Path: "bin/notify"})),
	config("a hook that does not exist", withHook(specs.Hook{Path: "/no/such/hook"})),
	config("a hook that fails", withHook(specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "echo no bridge br7 >&2; exit 3"}})),
}

// program returns a mistake with the file /prog of the container, which runs it.
func program(name, content string, mode os.FileMode) mistake {
	return mistake{name, func(c *container) *result {
		c.file("prog", content, mode)
		return c.args("/prog").mistakenRun()
	}}
}

// file makes a file in the container.
func (c *container) file(path, content string, mode os.FileMode) {
	c.t.Helper()
	if err := os.WriteFile(c.rootfs(path), []byte(content), mode); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(c.rootfs(path), mode); err != nil {
		c.t.Fatal(err)
	}
}

// args returns a mistake in the command line of the container.
func args(name string, args ...string) mistake {
	return mistake{name, func(c *container) *result { return c.args(args...).mistakenRun() }}
}

// elfFor returns an ELF file of 64 bits, for a machine (elf.h), with the loader that it names.
func elfFor(machine uint16, loader string) string {
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9))
	const executable, current, headerSize, programSize, interp = 2, 1, 64, 56, 3
	for _, v := range []any{
		uint16(executable), machine, uint32(current), uint64(0), uint64(headerSize), uint64(0), uint32(0),
		uint16(headerSize), uint16(programSize), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(interp), uint32(4), uint64(headerSize + programSize), uint64(0), uint64(0),
		uint64(len(loader) + 1), uint64(len(loader) + 1), uint64(1),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer never fails
	}
	return b.String() + loader + "\x00"
}

// asUser makes the container run a program as an ordinary user.
func (c *container) asUser(args ...string) *container {
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	c.spec.Process.Capabilities = &specs.LinuxCapabilities{}
	return c.args(args...)
}

// closed makes a directory that only root may enter.
func (c *container) closed(name string) {
	c.t.Helper()
	if err := os.Mkdir(c.rootfs(name), 0o700); err != nil {
		c.t.Fatal(err)
	}
}

// ownMachine is the number of ELF for this machine.
func ownMachine() uint16 {
	if runtime.GOARCH == "arm64" {
		return 183
	}
	return 62
}

// noMachine is a number of ELF for machines that run none of the tests.
const noMachine = 22 // s390

var programMistakes = []mistake{
	args("a program that is not in PATH", "busibox"),
	args("a program that is not at its path", "/bin/busybx"),
	args("a directory that does not exist", "/usr/locale/bin/app"),
	args("a directory for a program", "/bin"),
	args("a path below a file", "/bin/busybox/app"),
	args("an empty name", ""),
	program("a file that may not be executed", "#!/bin/sh\n", 0o644),
	program("a script from Windows", "#!/bin/sh\r\nexit\r\n", 0o755),
	program("an interpreter that does not exist", "#!/usr/bin/python3 -u\n", 0o755),
	program("a loader that does not exist", elfFor(ownMachine(), "/lib/ld-app.so.1"), 0o755),
	program("a program for another machine", elfFor(noMachine, "/lib/ld.so"), 0o755),
	program("an empty file", "", 0o755),
	program("a script without #!", "exit 0\n", 0o755),
	program("a byte order mark", "\xef\xbb\xbf#!/bin/sh\n", 0o755),
	{"a link that leads nowhere", func(c *container) *result {
		c.link("/opt/app/bin/app", c.rootfs("prog"))
		return c.args("/prog").mistakenRun()
	}},
	{"a program that is a FIFO", func(c *container) *result {
		c.makeFifo("prog")
		return c.args("/prog").mistakenRun()
	}},
	{"a mount with noexec", func(c *container) *result {
		c.mount("/prog", "bind", c.rootfs("bin/busybox"), "bind", "noexec")
		return c.args("/prog").mistakenRun()
	}},
	{"a closed directory on the way", func(c *container) *result {
		c.closed("secret")
		return c.asUser("/secret/app").mistakenRun()
	}},
	{"a program of another user", func(c *container) *result {
		c.file("prog", "#!/bin/sh\n", 0o700)
		return c.asUser("/prog").mistakenRun()
	}},
	{"a closed cwd", func(c *container) *result {
		c.closed("secret")
		c.spec.Process.Cwd = "/secret"
		c.spec.Process.Capabilities = &specs.LinuxCapabilities{}
		return c.userNamespace().mistakenRun()
	}},
	{"a program whose owner is not mapped", func(c *container) *result {
		c.file("prog", "#!/bin/sh\n", 0o700)
		if err := os.Chown(c.rootfs("prog"), 33, 33); err != nil {
			c.t.Fatal(err)
		}
		return c.userNamespace().args("/prog").mistakenRun()
	}},
	{"a filter that denies execve", func(c *container) *result {
		c.spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"execve"}, Action: specs.ActErrno}},
		}
		return c.mistakenRun()
	}},
	{"exec of a program that does not exist", func(c *container) *result { return c.running().mistaken("exec", c.id, "/bin/busybx") }},
	{"exec in a cwd that does not exist", func(c *container) *result {
		return c.running().mistaken("exec", "--cwd", "/tmpp", c.id, "true")
	}},
	{"exec of a script from Windows", func(c *container) *result {
		c.file("prog", "#!/bin/sh\r\nexit\r\n", 0o755)
		return c.running().mistaken("exec", c.id, "/prog")
	}},
}

// mounts returns a mistake in a mount. BUNDLE stands for the bundle.
func mounts(name, dest, typ, source string, options ...string) mistake {
	return mistake{name, func(c *container) *result {
		return c.mount(dest, typ, strings.ReplaceAll(source, "BUNDLE", c.dir), options...).mistakenRun()
	}}
}

var mountMistakes = []mistake{
	mounts("a source that does not exist", "/mnt", "bind", "BUNDLE/rootf", "bind"),
	mounts("a source in a directory that does not exist", "/mnt", "bind", "BUNDLE/volumes/data", "bind"),
	mounts("a directory on a file", "/bin/busybox", "bind", "BUNDLE/rootfs", "bind"),
	mounts("a destination below a file", "/bin/busybox/x", "bind", "BUNDLE/rootfs", "bind"),
	mounts("a file on a directory", "/bin", "bind", "BUNDLE/config.json", "bind"),
	mounts("a type of file system that does not exist", "/mnt", "tmpsf", "tmpfs"),
	mounts("an option that a tmpfs does not have", "/mnt", "tmpfs", "tmpfs", "sizes=1m"),
	mounts("a bind option that does not exist", "/mnt", "bind", "BUNDLE/rootfs", "bind", "readonly"),
	mounts("a mount inside /proc", "/proc/sys", "tmpfs", "tmpfs"),
}
