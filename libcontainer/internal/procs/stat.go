// SPDX-License-Identifier: Apache-2.0

// Package procs asks the kernel about processes: what /proc tells of one, whether it has
// ended, and how.
package procs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Lingers reports whether process pid is as good as dead: it has released everything, but is not a
// zombie yet. The first process of a pid namespace stays in this condition until every other
// process of the namespace has been reaped. The parent of a process that was added from outside
// (exec) may never do that:
//
//	runtime's caller ──┬─ init of the container: exiting, waits for …
//	                   └─ process of an exec: a zombie, waits for the caller
//
// The kernel releases the namespaces after the files and the memory (do_exit()), so a process
// without namespaces has nothing left.
func Lingers(pid int, p Stat) bool {
	if p.Dead() || !p.Exiting() {
		return false
	}
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// Stat is what berth needs of /proc/PID/stat (proc_pid_stat(5)).
type Stat struct {
	Name      string // of the executable, or what the process has made of it
	state     byte
	Parent    int
	flags     uint64
	StartTime uint64
}

// Dead reports whether the process has ended; its parent may not have reaped it yet.
func (p Stat) Dead() bool { return p.state == 'Z' || p.state == 'X' }

// Exiting reports whether the process is exiting, or dead.
func (p Stat) Exiting() bool {
	const exiting = 0x4 // PF_EXITING
	return p.flags&exiting != 0
}

// Read reads name, state, flags and start time of a process.
func Read(pid int) (Stat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := sysfile.ReadLine(path)
	if err != nil {
		return Stat{}, err
	}
	p, err := Parse(data)
	if err != nil {
		return Stat{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse parses the content of /proc/PID/stat. The command name may contain anything, parentheses
// included, so the fields are counted from the last parenthesis.
func Parse(data []byte) (Stat, error) {
	begin, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if begin < 0 || end < begin {
		return Stat{}, errors.New("no command name in it")
	}
	const stateField, parentField, flagsField, startTimeField = 0, 1, 6, 19 // 3, 4, 9 and 22, counted from after ")"
	p := Stat{Name: string(data[begin+1 : end])}
	i := 0
	for field := range bytes.FieldsSeq(data[end+1:]) {
		switch i {
		case stateField:
			if len(field) != 1 || field[0] < 'A' || field[0] > 'z' {
				return Stat{}, fmt.Errorf("state: %q", field)
			}
			p.state = field[0]
		case parentField:
			parent, err := strconv.Atoi(string(field))
			if err != nil {
				return Stat{}, fmt.Errorf("parent: %w", err)
			}
			p.Parent = parent
		case flagsField:
			f, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return Stat{}, fmt.Errorf("flags: %w", err)
			}
			p.flags = f
		case startTimeField:
			t, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return Stat{}, fmt.Errorf("start time: %w", err)
			}
			p.StartTime = t
			return p, nil
		}
		i++
	}
	return Stat{}, errors.New("it ends before the start time")
}
