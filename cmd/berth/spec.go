// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/specconv"
)

func specCommand() *command {
	bundle, rootless := ".", false
	return &command{
		name: "spec", synopsis: "", min: 0, max: 0,
		summary: "write a config.json to start from",
		details: `Writes config.json into the bundle directory; one that is there already is left
alone and an error.`,
		options: []option{
			{long: "bundle", short: "b", value: &bundle, arg: "DIR", usage: "the bundle directory"},
			{long: "rootless", value: &rootless, usage: "write one that an ordinary user can run"},
		},
		run: func(*app, []string) (int, error) {
			spec := specconv.Example()
			if rootless {
				specconv.ToRootless(spec, uint32(os.Geteuid()), uint32(os.Getegid()))
			}
			text, err := json.MarshalIndent(spec, "", "\t")
			if err != nil {
				return exitFailure, fmt.Errorf("encode JSON: %w", err)
			}
			return 0, writeNewFile(filepath.Join(bundle, "config.json"), append(text, '\n'))
		},
	}
}

// writeNewFile writes a file that must not be there yet.
func writeNewFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: remove it first", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
