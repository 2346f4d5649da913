// SPDX-License-Identifier: Apache-2.0

package cli

import (
	_ "embed" // VERSION
	"fmt"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// versionFile is VERSION, which is the only place that has berth's version. VERSION in the top folder
// is a link to it, since a package can only embed files of its own folder.
//
//go:embed VERSION
var versionFile string

// Version returns berth's version (semver.org).
func Version() string { return strings.TrimSpace(versionFile) }

// printVersion prints the version in lines that engines parse. containerd accepts it only if
// the first word is "runc".
func (a *app) printVersion() error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s version %s\n", a.name, Version())
	if a.commit != "" {
		fmt.Fprintf(&b, "commit: %s\n", a.commit)
	}
	fmt.Fprintf(&b, "spec: %s\ngo: %s\n", specs.Version, runtime.Version())
	return a.print(b.String())
}
