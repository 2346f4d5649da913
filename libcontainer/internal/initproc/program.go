// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/program"
	"github.com/berth-run/berth/libcontainer/nearest"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/seccomp"
	"golang.org/x/sys/unix"
)

// Engines choose an exit status by phrases anywhere in an error: "permission denied", "operation
// not permitted", "no such file or directory", "executable file not found", "is a directory". So
// the explanations of this file use none of them (TestProgramPhrases).

// ExplainProgram adds to a program that could not be found or executed what init has seen of it. It
// returns any other error unchanged. p is nil if it is not known, and m without a user namespace. filter
// is the one that init had loaded.
func ExplainProgram(err error, p *configs.Process, m *Mapping, filter []byte) error {
	var step *nsenter.StepError
	if !errors.As(err, &step) {
		return err
	}
	err = codes.With(codeOf(step), err)
	if step.IsExec() && len(filter) > 0 && seccomp.Denies(filter, "execve") {
		return fmt.Errorf("%w (linux.seccomp denies execve)", err)
	}
	if why := programReason(step, p, m); why != "" {
		return fmt.Errorf("%w (%s)", err, why)
	}
	return err
}

// programReason explains why a program could not be found or executed; "" if it is clear, or there
// is no way to tell.
func programReason(step *nsenter.StepError, p *configs.Process, m *Mapping) string {
	switch {
	case !step.AboutProgram():
		return ""
	case step.IsLookUp():
		return searchReason(step, p, m)
	case step.Errno == unix.E2BIG:
		return "process.args and process.env are larger than the kernel allows: 128 KiB each, and a quarter of RLIMIT_STACK together"
	case step.Errno == unix.ETXTBSY:
		return "somebody has it open for writing"
	case step.Errno == unix.ENOEXEC && wrongMachine(step.Facts) != nil:
		f := wrongMachine(step.Facts)
		return subject(f, step) + " " + program.Format(f.Head)
	case step.IsExec() && step.Errno == unix.ELOOP:
		return "the interpreters are scripts themselves, on too many levels"
	case len(step.Facts) == 0:
		return ""
	case step.Step == nsenter.StepChdir && step.Facts[len(step.Facts)-1].Mode&unix.S_IFMT == unix.S_IFREG:
		return ""
	}
	last := &step.Facts[len(step.Facts)-1]
	user, parent := candidate{p, m, last, step.Errno}, parentOf(step.Facts)
	if parent == nil {
		why := user.reason(subject(last, step))
		if last.Path != step.Detail && last.Errno == unix.ENOENT && !strings.HasPrefix(why, quote(last.Path)) {
			why = strings.TrimSuffix("there is no "+quote(last.Path)+": "+why, ": ")
		}
		return why
	}
	return user.interpreterReason(parent, parent == firstFile(step.Facts))
}

// subject names a file in an explanation, which follows the path of the program itself.
func subject(f *nsenter.Fact, step *nsenter.StepError) string {
	if f.Path == step.Detail {
		return "it"
	}
	return quote(f.Path)
}

// searchReason explains why a name is not found in PATH.
func searchReason(step *nsenter.StepError, p *configs.Process, m *Mapping) string {
	var names []string
	for i := range step.Facts {
		f := &step.Facts[i]
		if f.Path != "" && f.Mode != 0 {
			if why := (candidate{p, m, f, step.Errno}).reason(quote(f.Path)); why != "" {
				return why
			}
		}
		names = append(names, f.Names...)
	}
	if step.Detail == "" {
		return "the name of the program is empty"
	}
	var why []string
	if near := nearest.Of(step.Detail, names); near != "" {
		why = append(why, fmt.Sprintf("did you mean %q?", near))
	}
	if p != nil {
		why = append(why, describePath(p.Env))
	}
	return strings.Join(why, " ")
}

func describePath(env []string) string {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok && value != "" {
			return "PATH is " + quote(value)
		} else if ok {
			return "PATH is empty"
		}
	}
	return "process.env has no PATH"
}

// parentOf returns the file whose interpreter the last facts are about; nil if they are about the
// program itself.
func parentOf(facts []nsenter.Fact) *nsenter.Fact {
	for i := len(facts) - 2; i >= 0; i-- {
		if facts[i].Next != "" {
			return &facts[i]
		}
	}
	return nil
}

func firstFile(facts []nsenter.Fact) *nsenter.Fact {
	for i := range facts {
		if facts[i].Next != "" {
			return &facts[i]
		}
	}
	return nil
}

// candidate is the last thing that init has come to.
type candidate struct {
	process *configs.Process
	mapping *Mapping
	last    *nsenter.Fact
	errno   unix.Errno // of the exec
}

// interpreterReason explains what is wrong with the interpreter or loader of a file. first is set
// if the file is the program itself.
func (u candidate) interpreterReason(file *nsenter.Fact, first bool) string {
	wants := "it needs the loader "
	switch script := program.IsScript(file.Head); {
	case script && first:
		wants = "the script wants the interpreter "
	case script:
		wants = "its interpreter " + quote(file.Path) + " is a script, which wants "
	case !first:
		wants = "its interpreter " + quote(file.Path) + " needs the loader "
	}
	wants += quote(file.Next)
	if u.last.Errno != unix.ENOENT {
		why := u.reason(quote(u.last.Path))
		if why == "" {
			return ""
		}
		return wants + ": " + why
	}
	if strings.HasSuffix(file.Next, "\r") {
		return wants + ": Windows line endings"
	}
	wants += ", which is not there"
	switch why := u.missing(); {
	case isOtherLibrary(file.Next, u.last.Names):
		return wants + ": the program was built for glibc, and this is musl"
	case why != "" && (u.last.Path != file.Next || u.last.Link != ""):
		return wants + ": " + quote(u.last.Path) + " " + why
	case why != "" && !strings.HasPrefix(why, "is "):
		return wants + ": " + why
	}
	return wants
}

// isOtherLibrary reports whether the loader is glibc's, and there is the one of musl instead.
func isOtherLibrary(loader string, names []string) bool {
	return strings.Contains(loader, "/ld-linux") &&
		slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "ld-musl") })
}

// reason explains what is wrong with the last path, which is called name.
func (u candidate) reason(name string) string {
	f := u.last
	owner := fmt.Sprintf("user %d and group %d", f.UID, f.GID)
	switch {
	case f.Mode == 0 && f.Errno == unix.ENOENT:
		why := u.missing()
		if why == "" || !strings.HasPrefix(why, "is ") {
			return why
		}
		return name + " " + why
	case f.Mode == 0 && f.Errno == unix.ELOOP:
		return "the symbolic links on the way to " + quote(f.Path) + " lead in a circle"
	case f.Mode == 0 && f.Errno == unix.ENOTDIR:
		return quote(path.Dir(f.Path)) + " is a file"
	case f.Mode == 0:
		return ""
	case f.Mode&unix.S_IFMT == unix.S_IFDIR && f.Errno == unix.EACCES:
		return fmt.Sprintf("the directory %s, of %s with mode %04o, may not be entered%s", quote(f.Path), owner, f.Mode&0o7777, u.mapping.explain(f))
	case f.Mode&unix.S_IFMT == unix.S_IFDIR:
		return ""
	case f.Mode&unix.S_IFMT != unix.S_IFREG:
		return name + " is " + kind(f.Mode) + ", and no file with a program"
	case f.Errno == unix.EACCES && f.Noexec:
		return name + " is on a mount with the option noexec"
	case f.Errno == unix.EACCES && f.Mode&0o111 == 0:
		return fmt.Sprintf("%s has mode %04o, which lets nobody execute it", name, f.Mode&0o7777)
	case f.Errno == unix.EACCES && u.mayExecute():
		return fmt.Sprintf("its mode %04o allows it, but %s may not", f.Mode&0o7777, u.guard())
	case f.Errno == unix.EACCES:
		return fmt.Sprintf("%s has mode %04o and belongs to %s%s%s", name, f.Mode&0o7777, owner, u.who(), u.mapping.explain(f))
	case f.Errno != 0:
		return ""
	}
	return u.formatReason(name)
}

// missing returns what is there instead of a path that does not exist; "" if nothing is near.
func (u candidate) missing() string {
	f := u.last
	if f.Link != "" {
		return "is a symbolic link to " + quote(f.Link) + ", which is not there"
	}
	if near := nearest.Of(path.Base(f.Path), f.Names); near != "" {
		return fmt.Sprintf("did you mean %s?", quote(path.Join(path.Dir(f.Path), near)))
	}
	return ""
}

// who returns the user that is to execute the program.
func (u candidate) who() string {
	if u.process == nil {
		return ""
	}
	return fmt.Sprintf(", but the process has user %d and group %d", u.process.UID, u.process.GID)
}

// mayExecute reports whether the permissions of the file let the process execute it.
func (u candidate) mayExecute() bool {
	p, f := u.process, u.last
	switch {
	case p == nil || f.Mode&0o111 == 0o111:
		return f.Mode&0o111 == 0o111
	case f.UID == p.UID:
		return f.Mode&0o100 != 0
	case f.GID == p.GID || slices.Contains(p.AdditionalGIDs, f.GID):
		return f.Mode&0o010 != 0
	}
	return f.Mode&0o001 != 0
}

// guard returns what may forbid an exec that the permissions of the file allow.
func (u candidate) guard() string {
	p := u.process
	var all []string
	if p != nil && p.Landlock != nil {
		all = append(all, "Landlock")
	}
	if p != nil && p.AppArmorProfile != "" {
		all = append(all, "the AppArmor profile "+quote(p.AppArmorProfile))
	}
	if p != nil && p.SELinuxLabel != "" {
		all = append(all, "SELinux with the label "+p.SELinuxLabel)
	}
	if len(all) == 0 {
		return "a security module"
	}
	return strings.Join(all, " or ")
}

func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "a device"
	}
	return "something else"
}

// quote returns a path as it is if that can be read, and as a Go string otherwise.
func quote(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` || strings.ContainsAny(s, " ,;:()") && !strings.HasPrefix(s, "/") || s == "" {
		return q
	}
	return s
}
