// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
	"unsafe"

	"github.com/berth-run/berth/nsenter/internal/wire"
)

const (
	reportSize = int(unsafe.Sizeof(wire.Report{}))
	reportMax  = reportSize + wire.MaxDetail
)

var errBadReport = errors.New("malformed message of init")

// parseReport parses one record at the beginning of data. It returns a nil record if data ends
// before the record does.
func parseReport(data []byte) (r *wire.Report, detail string, rest []byte, err error) {
	if len(data) < reportSize {
		return nil, "", data, nil
	}
	r = new(wire.Report)
	copy(wire.Bytes(r), data)
	if r.Magic != wire.Magic || r.DetailSize > wire.MaxDetail {
		return nil, "", data, errBadReport
	}
	end := reportSize + int(r.DetailSize)
	if len(data) < end {
		return nil, "", data, nil
	}
	return r, string(data[reportSize:end]), data[end:], nil
}

// fileNames has the names of files that init knows only by their index in a list.
type fileNames struct{ tasks, joins []string }

func (o *Options) fileNames() fileNames {
	var n fileNames
	for _, f := range slices.Concat(o.CgroupTasks, o.ChildTasks) {
		n.tasks = append(n.tasks, f.Name())
	}
	for _, j := range o.Joins {
		n.joins = append(n.joins, j.FD.Name())
	}
	return n
}

// stepError returns the error for a failure record.
func (n *fileNames) stepError(r *wire.Report, detail string) *StepError {
	e := &StepError{Step: "step " + strconv.Itoa(int(r.Step)), Detail: printable(detail), Errno: syscall.Errno(r.Error)}
	if r.Step < uint32(len(steps)) && steps[r.Step] != "" {
		e.Step = steps[r.Step]
	}
	switch index := int(r.Index); {
	case e.Detail != "":
	case r.Step == stepCgroup && index < len(n.tasks):
		e.Detail = n.tasks[index]
	case r.Step == stepJoin && index < len(n.joins):
		e.Detail = n.joins[index]
	case r.Step == stepBounding || r.Step == stepAmbient || r.Step == stepRlimit:
		e.Detail = strconv.Itoa(index)
	}
	return e
}

// printable escapes control characters, which could attack a terminal or a log: a detail may be
// a path from the image or the output of a hook. White space at the end is removed.
func printable(s string) string {
	s = strings.TrimRight(s, " \t\r\n")
	clean := func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }
	if strings.IndexFunc(s, clean) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if clean(r) {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// StepError is a failure that init has reported.
type StepError struct {
	// Step is what init was doing: "setgroups", "chdir", "exec".
	Step string
	// Detail is the path or name concerned, possibly empty.
	Detail string
	// Errno is 0 if the detail is enough (a hook's exit status).
	Errno syscall.Errno
	// Facts are what init has seen of a program that it could not find or execute, in this order.
	// A hostile container may have made them up.
	Facts []Fact
}

// AboutProgram reports whether the program could not be found or executed, or its directory not
// entered. Then there may be facts.
func (e *StepError) AboutProgram() bool {
	switch e.Step {
	case StepChdir, steps[stepLookUp], steps[stepStat], steps[stepExecutable], steps[stepExec]:
		return true
	}
	return false
}

// IsExec reports whether it was execve(2) that failed.
func (e *StepError) IsExec() bool { return e.Step == steps[stepExec] }

// IsLookUp reports whether the program was not found in PATH.
func (e *StepError) IsLookUp() bool { return e.Step == steps[stepLookUp] }

// Error names the step, what it was about and the errno. If the program is not found, the text
// is that of Go's os/exec, which engines match literally to choose between the exit statuses
// 126 and 127.
func (e *StepError) Error() string {
	switch e.Step {
	case steps[stepLookUp]:
		return "exec: " + strconv.Quote(e.Detail) + ": executable file not found in $PATH"
	case steps[stepStat]:
		return "exec: " + strconv.Quote(e.Detail) + ": stat " + e.Detail + ": " + e.Errno.Error()
	case steps[stepExecutable]:
		text := "exec: " + strconv.Quote(e.Detail) + ": " + e.Errno.Error()
		if e.Errno == syscall.EISDIR {
			// The error of execve, from which dockerd 20.10 derives status 126.
			text += ": " + syscall.EACCES.Error()
		}
		return text
	case steps[stepVerifyCwd]:
		if e.Errno == syscall.EXDEV || e.Errno == syscall.ENOENT {
			return "cwd " + strconv.Quote(e.Detail) + " is outside of the container's root: possible breakout attempt"
		}
	}
	text := e.Step
	if e.Detail != "" {
		text += " " + e.Detail
	}
	if e.Errno != 0 {
		text += ": " + e.Errno.Error()
	}
	return text
}

// Unwrap returns the errno, for errors.Is(err, os.ErrNotExist) and similar checks.
func (e *StepError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}
