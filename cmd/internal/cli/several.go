// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/berth-run/berth/libcontainer"
)

// eachContainer calls do for each container, even if it fails for some. All failures are
// reported in one line.
func eachContainer(ids []string, do func(id string) error) error {
	if len(ids) == 1 {
		return do(ids[0])
	}
	var all error
	for _, id := range ids {
		err := do(id)
		switch {
		case err == nil:
		case all == nil:
			all = fmt.Errorf("%s: %w", id, err)
		default:
			all = fmt.Errorf("%w; %s: %w", all, id, err)
		}
	}
	return all
}

// matching returns the ids of the containers that match a POSIX extended regular expression, as
// in crun.
func (a *app) matching(store *libcontainer.Store, pattern string) ([]string, error) {
	expression, err := regexp.CompilePOSIX(pattern)
	if err != nil {
		return nil, fmt.Errorf("--regex: %w", err)
	}
	ids, err := store.IDs()
	if err != nil && (a.global.root != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id string) bool { return !expression.MatchString(id) }), nil
}
