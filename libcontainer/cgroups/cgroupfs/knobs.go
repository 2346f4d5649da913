// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// Knobs writes the files of one controller in one cgroup, each on behalf of a
// field of linux.resources. The first failure stays in Err and turns all that
// follows into nothing, so that a list of settings reads as a list.
type Knobs struct {
	Dir Dir
	// Missing is why the cgroup does not have the controller, nil when it has.
	Missing error
	// Absent explains that the controller's file is not there; nil for the
	// plain explanation.
	Absent func(err error) error
	// Journal, when not nil, notes what is overwritten.
	Journal *Journal
	Err     error
}

// Put writes to file, each value with a call of its own: for a function given to
// Do, which returns the error.
func (k *Knobs) Put(file string, values ...string) error {
	if k.Journal != nil {
		k.Journal.note(k.Dir, file, values)
	}
	return k.Dir.WriteEach(file, values...)
}

// Write writes value to file for field, named as below linux.resources.
func (k *Knobs) Write(field, file, value string) {
	k.Do(field, func() error { return k.Put(file, value) })
}

// Each writes every value with a call of its own.
func (k *Knobs) Each(field, file string, values ...string) {
	if len(values) > 0 {
		k.Do(field, func() error { return k.Put(file, values...) })
	}
}

// Do runs f for field: what a plain Write cannot express.
func (k *Knobs) Do(field string, f func() error) {
	if k.Err != nil {
		return
	}
	err := k.Missing
	if err == nil {
		err = f()
	}
	if err == nil {
		return
	}
	if k.Missing == nil && errors.Is(err, unix.ENOENT) {
		if k.Absent != nil {
			err = k.Absent(err)
		} else {
			err = fmt.Errorf("%w (the kernel does not have this limit)", err)
		}
	}
	k.Err = fmt.Errorf("linux.resources.%s: %w", field, err)
}

// First writes to the first of files that exists: kernels and I/O schedulers
// differ in the names.
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
	// Optional says that it does not matter if there is no such file.
	Optional bool
	// Explain, when not nil, adds to an error what it may mean here.
	Explain func(error) error
}

// Settle writes settings that the kernel checks against one another: what it
// refuses (EINVAL) as the others stand is tried again after them, for as long as
// that leads anywhere. In the given order they must fit a new cgroup, where one
// round does.
func (k *Knobs) Settle(settings ...Setting) {
	for len(settings) > 0 && k.Err == nil {
		var refused []Setting
		var first error
		for _, s := range settings {
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

// Set says whether a limit asks for something: neither absent nor zero. Engines
// send zeros for what shall be left alone.
func Set[T int64 | uint64 | uint32 | uint16](p *T) bool { return p != nil && *p != 0 }

// Itoa is the decimal form of a limit.
func Itoa[T int64 | uint64 | uint32 | uint16](p *T) string {
	if *p < 0 {
		return strconv.FormatInt(int64(*p), 10)
	}
	return strconv.FormatUint(uint64(*p), 10)
}

// CheckUsage is checkBeforeUpdate: it refuses a memory limit below what is in
// use already, as file tells, which would end in an out-of-memory kill.
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
