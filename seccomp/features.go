// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"

	"github.com/berth-run/berth/seccomp/internal/wire"
)

// Actions are the actions that Compile takes, by the spec's names, sorted.
func Actions() []string {
	list := make([]string, 0, len(actionNames))
	for _, a := range actionNames {
		list = append(list, string(a.name))
	}
	return list
}

// Operators are the operators of argument checks that Compile takes, by the
// spec's names, sorted.
func Operators() []string {
	list := make([]string, 0, len(opNames))
	for _, o := range opNames {
		list = append(list, string(o.name))
	}
	return list
}

// Archs are the architectures that Compile takes, by the spec's names, sorted:
// those of the spec that the libseccomp of this build knows. There are none in a
// build without the compiler.
func Archs() []string {
	c, err := openCompiler()
	if err != nil {
		return nil
	}
	defer c.Close()
	var list []string
	for _, a := range wire.Archs() {
		if c.header.Library.NotBefore(a.Since) {
			list = append(list, a.Name)
		}
	}
	return list
}

// KnownFlags are the flags that Compile knows, by the spec's names, sorted.
func KnownFlags() []string {
	list := make([]string, 0, len(filterFlagNames))
	for _, f := range filterFlagNames {
		list = append(list, string(f.name))
	}
	return list
}

// SupportedFlags are those of KnownFlags that the running kernel has for sure.
func SupportedFlags() []string {
	list := make([]string, 0, len(filterFlagNames))
	for _, f := range filterFlagNames {
		if haveFlags(f.probe) == nil {
			list = append(list, string(f.name))
		}
	}
	return list
}

// LibraryVersion is the version of the libseccomp in this build, "2.5.4"; "" in
// a build without the compiler.
func LibraryVersion() string {
	c, err := openCompiler()
	if err != nil {
		return ""
	}
	defer c.Close()
	v := c.header.Library
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro)
}
