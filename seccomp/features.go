// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"

	"github.com/berth-run/berth/seccomp/internal/syscalls"
)

// Actions returns the actions that Compile accepts, by the spec's names, sorted.
func Actions() []string {
	list := make([]string, 0, len(actionNames))
	for _, a := range actionNames {
		list = append(list, string(a.name))
	}
	return list
}

// Operators returns the operators of argument checks that Compile accepts, by the spec's names,
// sorted.
func Operators() []string {
	list := make([]string, 0, len(opNames))
	for _, o := range opNames {
		list = append(list, string(o.name))
	}
	return list
}

// Archs returns the architectures that Compile accepts, by the spec's names, sorted: all in the
// spec. There are none in a build without system call tables.
func Archs() []string {
	if !Enabled() {
		return nil
	}
	return slices.Clone(syscalls.ArchNames())
}

// Syscalls returns the names of the system calls that a profile can restrict on this
// architecture, sorted.
func Syscalls() []string {
	var list []string
	for i := range syscalls.All() {
		if c := &syscalls.All()[i]; runs(c) {
			list = append(list, c.Name)
		}
	}
	return list
}

func runs(c *syscalls.Call) bool {
	for i := range syscalls.Runnable() {
		a := &syscalls.Runnable()[i]
		if _, ok := c.Number(a); ok {
			return true
		}
		if slices.ContainsFunc(a.Multiplexed(), func(m syscalls.Multiplexed) bool { return m.Name == c.Name }) {
			return true
		}
	}
	return false
}

// KnownFlags returns the flags that Compile knows, by the spec's names, sorted.
func KnownFlags() []string {
	list := make([]string, 0, len(filterFlagNames))
	for _, f := range filterFlagNames {
		list = append(list, string(f.name))
	}
	return list
}

// SupportedFlags returns those of KnownFlags that the running kernel certainly has.
func SupportedFlags() []string {
	list := make([]string, 0, len(filterFlagNames))
	for _, f := range filterFlagNames {
		if haveFlags(f.probe) == nil {
			list = append(list, string(f.name))
		}
	}
	return list
}
