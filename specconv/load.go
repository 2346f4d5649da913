// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// configFile is the name of the config in a bundle (runtime-spec: bundle.md).
const configFile = "config.json"

// Load reads config.json from the bundle directory. process is the text of the document's
// process, for DecodeProcess. A missing file, invalid JSON (with line and column) and a wrong
// type (with the field) are reported in one line. Unknown keys are ignored.
func Load(bundle string) (spec *specs.Spec, process string, err error) {
	document, err := readConfig(filepath.Join(bundle, configFile))
	if err != nil {
		return nil, "", err
	}
	return decodeConfig(document, configFile)
}

// LoadFile is like Load, but reads the file that the caller names.
func LoadFile(path string) (spec *specs.Spec, process string, err error) {
	document, err := document.Read(path, document.WaitForWriter)
	if err != nil {
		return nil, "", err
	}
	return decodeConfig(document, path)
}

func decodeConfig(document, name string) (spec *specs.Spec, process string, err error) {
	spec, process, err = ocispec.Spec(document)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	return spec, process, nil
}

// LoadProcess reads the document of one process, as engines pass it to exec: from a file, or
// from a pipe such as a shell's <(…), for whose writer it waits. Errors are like those of Load.
func LoadProcess(path string) (*specs.Process, error) {
	document, err := document.Read(path, document.WaitForWriter)
	if err != nil {
		return nil, err
	}
	p, err := ocispec.Process(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// DecodeProcess parses the text of a process that Load has returned.
func DecodeProcess(document string) (*specs.Process, error) {
	return ocispec.Process(document)
}

// readConfig reads the config.json of a bundle.
func readConfig(path string) (string, error) {
	document, err := document.Read(path, document.OnlyRegular)
	if errors.Is(err, unix.ENOENT) {
		// Engines match this text. The path comes after it. The text of ENOENT is left out:
		// Podman would take it for a missing program.
		return "", fmt.Errorf("JSON specification file %s not found: %s", configFile, path)
	}
	return document, err
}
