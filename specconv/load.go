// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// configFile is the name of the config in a bundle (runtime-spec: bundle.md).
const configFile = "config.json"

// Load reads config.json from the bundle directory. process is the text of the document's
// process, for DecodeProcess. A missing file, invalid JSON (with line and column) and a wrong
// type (with the field) are reported in one line. Unknown keys are ignored, as the runtime-spec
// demands (config.md, Extensibility), with a warning, as are keys that occur twice. warn may be
// nil.
func Load(bundle string, warn Warn) (spec *specs.Spec, process string, err error) {
	document, err := readConfig(filepath.Join(bundle, configFile))
	if err != nil {
		return nil, "", err
	}
	return decodeConfig(document, configFile, warn)
}

// Warn formats and reports a warning.
type Warn func(format string, args ...any)

// of warns of mistakes in the document of that name.
func (w Warn) of(name string, notices []codec.Notice) {
	if w == nil {
		return
	}
	for _, n := range notices {
		w("%s: %s", name, n)
	}
}

// LoadFile is like Load, but reads the file that the caller names.
func LoadFile(path string, warn Warn) (spec *specs.Spec, process string, err error) {
	document, err := document.Read(path, document.WaitForWriter)
	if err != nil {
		return nil, "", codes.With(codes.ConfigMissing, access.ExplainMissing(path, err))
	}
	return decodeConfig(document, path, warn)
}

func decodeConfig(document, name string, warn Warn) (spec *specs.Spec, process string, err error) {
	spec, process, notices, err := ocispec.Spec(document)
	if err != nil {
		return nil, "", codes.With(codes.ConfigInvalid, fmt.Errorf("%s: %w", name, err))
	}
	warn.of(name, notices)
	return spec, process, nil
}

// LoadProcess reads the document of one process, as engines pass it to exec: from a file, or
// from a pipe such as a shell's <(…), for whose writer it waits. Errors are like those of Load.
func LoadProcess(path string, warn Warn) (*specs.Process, error) {
	document, err := document.Read(path, document.WaitForWriter)
	if err != nil {
		return nil, codes.With(codes.ConfigMissing, err)
	}
	p, notices, err := ocispec.Process(document)
	if err != nil {
		return nil, codes.With(codes.ConfigInvalid, fmt.Errorf("%s: %w", path, err))
	}
	warn.of(path, notices)
	return p, nil
}

// DecodeProcess parses the text of a process that Load has returned.
func DecodeProcess(document string) (*specs.Process, error) {
	p, _, err := ocispec.Process(document)
	return p, err
}

// readConfig reads the config.json of a bundle.
func readConfig(path string) (string, error) {
	document, err := document.Read(path, document.OnlyRegular)
	if errors.Is(err, unix.ENOENT) {
		// Engines match this text. The path comes after it. The text of ENOENT is left out:
		// Podman would take it for a missing program.
		return "", codes.With(codes.ConfigMissing, fmt.Errorf("JSON specification file %s not found: %s", configFile, path))
	}
	return document, err
}
