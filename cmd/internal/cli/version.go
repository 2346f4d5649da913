// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// version is berth's version (semver.org).
const version = "0.1.0-dev"

// Version returns berth's version.
func Version() string { return version }

// printVersion prints the version in lines that engines parse. containerd accepts it only if
// the first word is "runc".
func (a *app) printVersion() error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s version %s\n", a.name, version)
	if a.commit != "" {
		fmt.Fprintf(&b, "commit: %s\n", a.commit)
	}
	fmt.Fprintf(&b, "spec: %s\ngo: %s\n", specs.Version, runtime.Version())
	return a.print(b.String())
}
