// SPDX-License-Identifier: Apache-2.0

// Package program finds out why a file cannot be executed in a container: what execve(2) answers
// with ENOENT, EACCES or ENOEXEC has a dozen reasons, and most of them are in the file. It is used
// after something has failed, or before a container is created, and changes nothing.
//
// The files belong to the container, and are as hostile as it likes. Paths are resolved by
// openat2(2) in the root without links (the package follows these itself). A file is read only if
// it is regular, without waiting for anybody, and never more than a few kilobytes of it. Nothing
// of a file is repeated without being quoted.
package program

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Look is where to look for a program, and for whom.
type Look struct {
	// Root is a descriptor of the container's root directory. It stays the caller's.
	Root int
	// Dir is the working directory, for a name that is relative. "" is "/".
	Dir string
	// SearchPath is the process's PATH.
	SearchPath string
	// User is who executes the program. Without one, only what holds for everybody is found.
	User *User
	// Mounts will be mounted in the root, but are not yet, in their order.
	Mounts []Mount
	// Denied is set when this process itself has no right to look at something. A process in the
	// container may have it.
	Denied bool
}

// User has ids as the files have them, so those of the host.
type User struct {
	UID, GID uint32
	Groups   []uint32
	// Override is set for a process with CAP_DAC_OVERRIDE over the files.
	Override bool
}

// Mount is one that the root does not have yet.
type Mount struct {
	// Destination is an absolute path without links.
	Destination string
	// Tree is a descriptor of what is mounted, a directory or a file; -1 if its content is not known.
	Tree int
	// Noexec is the mount's option.
	Noexec bool
}

// DefaultPath is where a process without PATH looks.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// scripts is how often the kernel lets the interpreter be a script.
const scripts = 5

// Explain returns why the program name cannot be executed in the root directory, or "" if there is
// nothing to be seen. The text continues a sentence that has begun with the name: "is empty".
// dir is the working directory, for a relative name. user may be nil.
func Explain(root int, dir, name string, user *User) string {
	l := Look{Root: root, Dir: dir, User: user}
	return l.Explain(name)
}

// Explain is the function Explain for a Look. The name has a slash: see Find.
func (l *Look) Explain(name string) string {
	if !path.IsAbs(name) {
		name = path.Join("/", l.Dir) + "/" + name
	}
	return l.explain(name, scripts)
}

// Find returns the path at which a process finds the program name: name itself if it has a slash,
// otherwise the first in SearchPath. why says what is wrong with that file, or where it was not
// found; it is "" for a program that can be executed, as far as can be told.
func (l *Look) Find(name string) (found, why string) {
	if strings.Contains(name, "/") {
		return name, l.Explain(name)
	}
	if name == "" {
		return "", "is empty"
	}
	found, why = "", fmt.Sprintf("is in no directory of PATH: %s", quoted(l.SearchPath))
	for dir := range strings.SplitSeq(l.SearchPath, ":") {
		if l.SearchPath == "" {
			break
		}
		at := path.Join("/", l.Dir, dir, name)
		if path.IsAbs(dir) {
			at = path.Join(dir, name)
		}
		f, p := l.open(at)
		switch {
		case p == nil:
			f.close()
			reason := l.explain(at, scripts)
			if reason == "" {
				return at, ""
			}
			if found == "" { // the search goes on, but this is the one that was meant
				found, why = at, reason
			}
		case p.unknown:
			return at, ""
		case found == "" && !p.missing:
			found, why = at, p.text
		}
	}
	return found, why
}

// explain is Explain for an absolute path that may be followed by more scripts.
func (l *Look) explain(name string, more int) string {
	f, p := l.open(name)
	if p != nil {
		return p.text
	}
	defer f.close()
	if why := l.refused(f); why != "" {
		return why
	}
	head, size, err := f.head()
	if err != nil { // unreadable, which need not prevent its execution
		return ""
	}
	return l.content(f, head, size, more)
}

// content explains what is in the file.
func (l *Look) content(f *file, head []byte, size int64, more int) string {
	switch {
	case size == 0:
		return "is empty"
	case bytes.HasPrefix(head, []byte("#!")):
		return l.script(head, more)
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return l.elf(f, head)
	case registered(head):
		return ""
	}
	return foreign(head)
}

// foreign names what is neither a script nor an ELF file.
func foreign(head []byte) string {
	for _, kind := range [...]struct{ magic, text string }{
		{"\xef\xbb\xbf#!", "begins with a byte order mark (EF BB BF) before its #! line"},
		{"MZ", "is a program for Windows"},
		{"\xcf\xfa\xed\xfe", "is a program for macOS"},
		{"\xce\xfa\xed\xfe", "is a program for macOS"},
		{"\xca\xfe\xba\xbe", "is a program for macOS, or a Java class"},
		{"\xff\xfe", "is text in UTF-16, which is no program"},
		{"\xfe\xff", "is text in UTF-16, which is no program"},
		{"PK\x03\x04", "is a zip or jar file, which is no program"},
		{"\x1f\x8b", "is compressed by gzip"},
		{"version https://git-lfs", "is a reference of Git LFS, and not the file itself"},
	} {
		if bytes.HasPrefix(head, []byte(kind.magic)) {
			return kind.text
		}
	}
	if bytes.IndexByte(head, 0) < 0 {
		return "has no shebang line (such as #!/bin/sh) and is no ELF program"
	}
	return "is no ELF program, and no script"
}

// script explains a script whose interpreter cannot run it.
func (l *Look) script(head []byte, more int) string {
	interpreter, arg, _ := shebang(head)
	switch why := shebangFault(head); {
	case why != "":
		return why
	case strings.HasSuffix(interpreter, "\r"):
		return fmt.Sprintf("the script wants %s: Windows line endings", quoted(interpreter))
	case more == 0:
		return "is a script whose interpreters are scripts, too many times"
	}
	at := interpreter
	if !path.IsAbs(at) {
		at = path.Join("/", l.Dir, at)
	}
	f, p := l.open(at)
	switch {
	case p == nil:
		f.close()
	case p.missing:
		return fmt.Sprintf("its interpreter %s is not in the container%s", plain(interpreter), p.detail)
	}
	if why := l.explain(at, more-1); why != "" {
		return fmt.Sprintf("its interpreter %s: %s", plain(interpreter), why)
	}
	return l.env(interpreter, arg)
}

// env explains a script for `/usr/bin/env NAME`. The exec itself succeeds, and env fails.
func (l *Look) env(interpreter, arg string) string {
	if path.Base(interpreter) != "env" || arg == "" {
		return ""
	}
	if strings.HasSuffix(arg, "\r") {
		return fmt.Sprintf("the script wants %s of %s: Windows line endings", quoted(arg), plain(interpreter))
	}
	if strings.HasPrefix(arg, "-") || strings.ContainsAny(arg, " \t=/") || l.SearchPath == "" {
		return ""
	}
	if found, why := l.Find(arg); found == "" {
		return fmt.Sprintf("its interpreter %s, which %s is to find, %s", plain(arg), plain(interpreter), why)
	}
	return ""
}

// shebang returns the interpreter and its argument as the kernel finds them (execve(2)). ok is
// false if the kernel would not know where the interpreter's name ends.
func shebang(head []byte) (interpreter, arg string, ok bool) {
	const kernelReads = 256
	if len(head) > kernelReads {
		head = head[:kernelReads]
	}
	line, _, ended := bytes.Cut(head[2:], []byte("\n"))
	if i := bytes.IndexByte(line, 0); i >= 0 {
		line, ended = line[:i], true
	}
	line = bytes.TrimLeft(line, " \t")
	i := bytes.IndexAny(line, " \t")
	if i < 0 {
		return string(line), "", ended || len(head) < kernelReads
	}
	return string(line[:i]), string(bytes.Trim(line[i:], " \t")), true
}

// plain returns a name for a message: as it is if it is ordinary, otherwise quoted.
func plain(name string) string {
	if q := quoted(name); q != `"`+name+`"` || name == "" || strings.ContainsAny(name, " ,:") {
		return q
	}
	return name
}

// quoted quotes what comes from a file, and cuts it off where it is too long for a message.
func quoted(s string) string {
	const enough = 200
	if len(s) > enough {
		return fmt.Sprintf("%q…", s[:enough])
	}
	return fmt.Sprintf("%q", s)
}

// refused explains why the file may not be executed, whatever is in it.
func (l *Look) refused(f *file) string {
	switch f.stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return "is a directory"
	default:
		return "is no regular file, but " + kindOf(f.stat.Mode)
	}
	if at := f.noexec(l); at != "" {
		return at + " is mounted noexec"
	}
	if f.stat.Mode&0o111 == 0 {
		return fmt.Sprintf("is not executable: its mode is %04o (chmod +x)", f.stat.Mode&0o7777)
	}
	if l.User != nil && !l.User.may(&f.stat) {
		return fmt.Sprintf("may not be executed by user %d and group %d: it is of user %d and group %d, with mode %04o",
			l.User.UID, l.User.GID, f.stat.Uid, f.stat.Gid, f.stat.Mode&0o7777)
	}
	return ""
}

func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		return "a device"
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "something else"
}

// may reports whether the user may execute a file, or enter a directory, by its mode. An access
// control list shows in the mode as the group's rights, and may give the user more: then the
// answer is yes, as nobody can tell.
func (u *User) may(st *unix.Stat_t) bool {
	mode := st.Mode
	if u.Override && (mode&0o111 != 0 || mode&unix.S_IFMT == unix.S_IFDIR) {
		return true
	}
	switch {
	case st.Uid == u.UID:
		return mode&0o100 != 0
	case st.Gid == u.GID || contains(u.Groups, st.Gid):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

func contains(list []uint32, v uint32) bool {
	for _, e := range list {
		if e == v {
			return true
		}
	}
	return false
}
