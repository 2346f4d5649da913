// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Draft collects the writes that limits would need, in the place of writing them. It is made by the
// same code that writes.
type Draft struct {
	Writes []Write
	// Errs are what is known to fail: the first for each field. Unlike a write, a draft goes on.
	Errs []error

	field string
}

// Write is one file to write for a field of linux.resources.
type Write struct {
	// Field is "linux.resources.memory.limit".
	Field string
	// Dir is the cgroup, and File the name of the file in it.
	Dir, File string
	// Values are written with a call for each.
	Values []string
}

func (d *Draft) add(dir Dir, file string, values []string) {
	d.Writes = append(d.Writes, Write{d.field, string(dir), file, values})
}

// do is Knobs.Do. f may read files of a cgroup that does not exist yet.
func (d *Draft) do(k *Knobs, field string, f func() error) {
	d.field = "linux.resources." + field
	err := k.Missing
	if err == nil {
		err = f()
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		d.Errs = append(d.Errs, fmt.Errorf("%s: %w", d.field, err))
	}
}
