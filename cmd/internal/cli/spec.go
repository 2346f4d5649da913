// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/specconv"
)

func (a *app) specCommand() *Command {
	var bundle string
	rootless := false
	c := &Command{
		Use:   "spec [flags]",
		Short: "write a config.json to start from",
		Long: `Writes config.json into the bundle directory; one that is there already is left
alone and an error.`,
		args: a.arguments(0, 0),
		run: func([]string) error {
			spec := specconv.Example()
			if rootless {
				specconv.ToRootless(spec, uint32(os.Geteuid()), uint32(os.Getegid()))
			}
			text, err := json.MarshalIndent(spec, "", "\t")
			if err != nil {
				return fmt.Errorf("encode JSON: %w", err)
			}
			return writeNewFile(filepath.Join(bundle, "config.json"), append(text, '\n'))
		},
	}
	c.Flags().StringVarP(&bundle, "bundle", "b", ".", "write it into `DIR`")
	c.Flags().BoolVar(&rootless, "rootless", false, "write one that an ordinary user can run")
	return c
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
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // half of one would be in the way
	}
	return nil
}
