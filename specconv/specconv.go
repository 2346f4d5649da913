// SPDX-License-Identifier: Apache-2.0

// Package specconv turns the runtime-spec's config.json into the engine's plan
// ([configs.Config]), with every default filled in and every error naming the
// field, and writes example config.json documents.
package specconv

import (
	"errors"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options are what the command line adds to a config.json.
type Options struct {
	// Bundle is the absolute path of the bundle.
	Bundle        string
	NoPivotRoot   bool
	NoNewKeyring  bool
	SystemdCgroup bool
	// Rootless says that the runtime has no root rights over the host.
	Rootless bool
	// Warn reports what is wrong but not an error.
	Warn func(format string, args ...any)
}

// Load reads config.json from the bundle directory. A missing file, broken JSON
// (with line and column) and a wrong type (with the field) are told in one line.
func Load(bundle string) (*specs.Spec, error) { return nil, errors.ErrUnsupported }

// Convert checks spec and makes the plan of it.
func Convert(spec *specs.Spec, o *Options) (*configs.Config, error) {
	return nil, errors.ErrUnsupported
}

// ConvertProcess checks one process and makes the plan of it; field is its name
// in errors ("process").
func ConvertProcess(p *specs.Process, field string, o *Options) (*configs.Process, error) {
	return nil, errors.ErrUnsupported
}

// Example is the template that `spec` writes.
func Example() *specs.Spec { return nil }

// ToRootless changes a template so that an ordinary user can run it.
func ToRootless(spec *specs.Spec, uid, gid uint32) {}
