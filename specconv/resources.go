// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Resources reads a document that is the object linux.resources of a config.json, as
// engines give it to `update`. Errors are those of Load and Convert.
func Resources(document string) (*specs.LinuxResources, error) {
	r, err := ocispec.Resources(document)
	if err != nil {
		return nil, err
	}
	return r, fileNames(r)
}
