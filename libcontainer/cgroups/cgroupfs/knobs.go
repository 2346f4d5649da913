// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"golang.org/x/sys/unix"
)

// Knobs writes the files of one controller in one cgroup, each for a field of linux.resources.
// After the first failure, which is in Err, further calls do nothing, so that settings can be
// written as a simple list of calls.
type Knobs struct {
	Dir Dir
	// Missing is the reason why the cgroup does not have the controller, nil if it has.
	Missing error
	// Absent explains the error for a missing file of the controller. nil means the default
	// explanation.
	Absent func(err error) error
	// Journal, if not nil, records what is overwritten.
	Journal *Journal
	// Draft, if not nil, receives what would be written, and nothing is.
	Draft *Draft
	Err   error
}

// Put writes to file, each value with its own call. It is for functions passed to Do, which
// return the error.
func (k *Knobs) Put(file string, values ...string) error {
	if k.Draft != nil {
		k.Draft.add(k.Dir, file, values)
		return nil
	}
	if k.Journal != nil {
		k.Journal.note(k.Dir, file, values)
	}
	return k.Dir.WriteEach(file, values...)
}

// Write writes value to file for field, named as below linux.resources.
func (k *Knobs) Write(field, file, value string) {
	k.Do(field, func() error { return k.Put(file, value) })
}

// Each writes every value with its own call.
func (k *Knobs) Each(field, file string, values ...string) {
	if len(values) > 0 {
		k.Do(field, func() error { return k.Put(file, values...) })
	}
}

// Do runs f for field, if Write is not enough.
func (k *Knobs) Do(field string, f func() error) {
	if k.Err != nil {
		return
	}
	if k.Draft != nil {
		k.Draft.do(k, field, f)
		return
	}
	err := k.Missing
	if err == nil {
		err = f()
	}
	if err == nil {
		return
	}
	var explained absence
	if k.Missing == nil && errors.Is(err, unix.ENOENT) && !errors.As(err, &explained) {
		if k.Absent != nil {
			err = k.Absent(err)
		} else {
			err = Absence(err, "the kernel does not have this limit")
		}
	}
	k.Err = fmt.Errorf("linux.resources.%s: %w", field, err)
}

// absence is ENOENT with the reason in the place of its text, which engines would read as that of
// a program that does not exist.
type absence struct{ reason error }

func (e absence) Error() string   { return e.reason.Error() }
func (e absence) Unwrap() []error { return []error{e.reason, unix.ENOENT} }

// Absence gives err, of a missing file, its reason.
func Absence(err error, format string, args ...any) error {
	why := absence{fmt.Errorf(format, args...)}
	var p *fs.PathError
	if errors.As(err, &p) {
		return &fs.PathError{Op: p.Op, Path: p.Path, Err: why}
	}
	return why
}

// First writes to the first of files that exists: the names depend on the kernel and the I/O
// scheduler.
func (k *Knobs) First(field, value string, files ...string) {
	k.Do(field, func() error {
		var err error
		for _, file := range files {
			if err = k.Put(file, value); !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		return err
	})
}

// Setting is one file to write for one field.
type Setting struct {
	Field, File, Value string
	// Optional means that the setting is left out where the file, the controller or the cgroup is
	// missing, because the value is what holds without it, like none for a limit.
	Optional bool
	// Explain, if not nil, adds to an error what it may mean here.
	Explain func(error) error
}

// Settle writes settings that the kernel checks against each other. Those it refuses (EINVAL)
// are tried again after the others, as long as there is progress. The given order must fit a
// new cgroup, so that there one round is enough.
func (k *Knobs) Settle(settings ...Setting) {
	for len(settings) > 0 && k.Err == nil {
		var refused []Setting
		var first error
		for _, s := range settings {
			if s.Optional && k.Missing != nil {
				continue
			}
			k.Do(s.Field, func() error {
				err := k.Put(s.File, s.Value)
				switch {
				case s.Optional && errors.Is(err, unix.ENOENT):
					return nil
				case err != nil && s.Explain != nil:
					err = s.Explain(err)
				}
				if !errors.Is(err, unix.EINVAL) {
					return err
				}
				if first == nil {
					first = err
				}
				refused = append(refused, s)
				return nil
			})
		}
		if len(refused) == len(settings) {
			k.Do(refused[0].Field, func() error { return first })
		}
		settings = refused
	}
}

// Limit writes a limit for field, or that there is none.
func (k *Knobs) Limit(field, file, value string, none bool) {
	k.Settle(Setting{Field: field, File: file, Value: value, Optional: none})
}

// Set reports whether a limit is to be set: it is neither absent nor zero. Engines send zeros
// for limits that they do not want to change.
func Set[T int64 | uint64 | uint32 | uint16](p *T) bool { return p != nil && *p != 0 }

// Itoa returns the decimal form of a limit.
func Itoa[T int64 | uint64 | uint32 | uint16](p *T) string {
	if *p < 0 {
		return strconv.FormatInt(int64(*p), 10)
	}
	return strconv.FormatUint(uint64(*p), 10)
}

// CheckUsage implements checkBeforeUpdate: it refuses a memory limit below the present usage in
// file, which would end in an out-of-memory kill.
func (d Dir) CheckUsage(file string, limit int64) error {
	if limit < 0 {
		return nil
	}
	text, err := d.Read(file)
	if err != nil {
		return err
	}
	usage, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s: not a number: %q", file, text)
	}
	if uint64(limit) < usage {
		return fmt.Errorf("%d is below the present usage of %d (checkBeforeUpdate)", limit, usage)
	}
	return nil
}
