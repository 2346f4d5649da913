// SPDX-License-Identifier: Apache-2.0

package filesystem

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/nearest"
	"golang.org/x/sys/unix"
)

// ExplainType adds to an ENODEV for a file system of a type that the kernel does not know which one may
// have been meant.
func ExplainType(name string, err error) error {
	if !errors.Is(err, unix.ENODEV) {
		return err
	}
	data, rerr := os.ReadFile("/proc/filesystems")
	if rerr != nil {
		return err
	}
	var known []string
	for line := range strings.Lines(string(data)) {
		// "nodev" comes before the names of those that need no device.
		if words := strings.Fields(line); len(words) > 0 {
			known = append(known, words[len(words)-1])
		}
	}
	if slices.Contains(known, name) {
		return err
	}
	if near := nearest.Of(name, known); near != "" {
		return fmt.Errorf("%w (the kernel knows no file system %q: did you mean %q?)", err, name, near)
	}
	return fmt.Errorf("%w (the kernel knows no file system %q, or has not loaded its module)", err, name)
}
