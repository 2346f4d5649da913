// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lingers says that process pid is as good as dead: it has released all it had, but is
// no zombie yet. The first process of a pid namespace stays so until every other one in
// it has been collected, and one that somebody has put there from outside (exec) may
// have a parent that never does that:
//
//	runtime's caller ──┬─ init of the container: exiting, waits for …
//	                   └─ process of an exec: a zombie, waits for the caller
//
// The namespaces go after the files and the memory (do_exit() of the kernel), so that
// whoever has none left has nothing.
func lingers(pid int, p procStat) bool {
	if p.dead() || !p.exiting() {
		return false
	}
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// procStat is what berth needs of /proc/PID/stat (proc_pid_stat(5)).
type procStat struct {
	name      string // of the executable, or what the process has made of it
	state     byte
	parent    int
	flags     uint64
	startTime uint64
}

func (p procStat) dead() bool { return p.state == 'Z' || p.state == 'X' }

// exiting says that the process is on its way out, or dead.
func (p procStat) exiting() bool {
	const exiting = 0x4 // PF_EXITING
	return p.flags&exiting != 0
}

// readProcStat reads name, state, flags and start time of a process.
func readProcStat(pid int) (procStat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := readFile(path)
	if err != nil {
		return procStat{}, err
	}
	p, err := parseProcStat(data)
	if err != nil {
		return procStat{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// parseProcStat parses the content of /proc/PID/stat. The command name in
// parentheses may hold anything, parentheses included, so the fields count from the
// last one.
func parseProcStat(data []byte) (procStat, error) {
	begin, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if begin < 0 || end < begin {
		return procStat{}, errors.New("no command name in it")
	}
	const stateField, parentField, flagsField, startTimeField = 0, 1, 6, 19 // 3, 4, 9 and 22, counted from after ")"
	p := procStat{name: string(data[begin+1 : end])}
	i := 0
	for field := range bytes.FieldsSeq(data[end+1:]) {
		switch i {
		case stateField:
			if len(field) != 1 || field[0] < 'A' || field[0] > 'z' {
				return procStat{}, fmt.Errorf("state: %q", field)
			}
			p.state = field[0]
		case parentField:
			parent, err := strconv.Atoi(string(field))
			if err != nil {
				return procStat{}, fmt.Errorf("parent: %w", err)
			}
			p.parent = parent
		case flagsField:
			f, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return procStat{}, fmt.Errorf("flags: %w", err)
			}
			p.flags = f
		case startTimeField:
			t, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return procStat{}, fmt.Errorf("start time: %w", err)
			}
			p.startTime = t
			return p, nil
		}
		i++
	}
	return procStat{}, errors.New("it ends before the start time")
}
