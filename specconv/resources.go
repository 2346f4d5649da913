// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Resources parses and checks the object linux.resources of a config.json, as engines pass it
// to `update`. name is that of the document, for warnings. Errors are like those of Load and Convert, and so are warnings; warn may be nil.
func Resources(document, name string, warn Warn) (*specs.LinuxResources, error) {
	r, notices, err := ocispec.Resources(document)
	if err != nil {
		return nil, err
	}
	warn.of(name, notices)
	return r, fileNames(r)
}
