// SPDX-License-Identifier: Apache-2.0

// Package seccomp turns the seccomp profile of a config.json into the BPF
// program that init loads.
package seccomp

import (
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Program is a compiled filter.
type Program struct {
	// BPF is an array of struct sock_filter in the machine's byte order.
	BPF []byte
	// Flags are those of seccomp(2) with SECCOMP_SET_MODE_FILTER.
	Flags uint32
}

// Enabled says whether this binary can compile filters.
func Enabled() bool { return false }

// Compile compiles a profile; cacheDir, if not "", keeps programs by the hash of
// the profile. A nil program means that the profile filters nothing.
func Compile(profile *specs.LinuxSeccomp, cacheDir string) (*Program, error) {
	return nil, errors.ErrUnsupported
}
