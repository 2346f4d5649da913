// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer"
)

const defaultRoot = "/run/berth"

// openStore opens the store that the global options name.
func (a *app) openStore() (*libcontainer.Store, error) {
	root, err := a.root()
	if err != nil {
		return nil, err
	}
	return libcontainer.Open(root), nil
}

// root is the state directory, absolute.
func (a *app) root() (string, error) {
	root := a.global.root
	if root == "" {
		return defaultRootFor(os.Geteuid(), os.Getenv, libcontainer.InUserNamespace), nil
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("--root: %w", err)
	}
	// Every directory of the root would be taken for a container, and
	// `delete --force` removes what it takes for one.
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("--root: %w", err)
	}
	if root == "/" || resolved == "/" {
		return "", fmt.Errorf("--root: %s resolves to / and would make every directory a container", a.global.root)
	}
	return root, nil
}

// defaultRootFor is the state directory when no --root is given. It is the
// user's own for everybody who is not root on the host, if there is one: a relative path
// is none (XDG Base Directory Specification).
func defaultRootFor(euid int, getenv func(string) string, inUserNS func() bool) string {
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && isRootless(euid, getenv, inUserNS) {
		return filepath.Join(dir, "berth")
	}
	return defaultRoot
}

// isRootless says whether the caller has no root rights over the host: not
// root, or the root of a user namespace who does not pass for the host's
// ($USER is how a container that runs as a whole machine says so).
func isRootless(euid int, getenv func(string) string, inUserNS func() bool) bool {
	if euid != 0 {
		return true
	}
	return getenv("USER") != "root" && inUserNS()
}

// isRootless is the value of --rootless, with auto decided.
func (g *globalOptions) isRootless() (bool, error) {
	if g.rootless == "auto" {
		return isRootless(os.Geteuid(), os.Getenv, libcontainer.InUserNamespace), nil
	}
	b, err := strconv.ParseBool(g.rootless)
	if err != nil {
		return false, fmt.Errorf("invalid value %q for --rootless: want true, false or auto", g.rootless)
	}
	return b, nil
}

// prepareRoot makes the default root of a user. The sticky bit tells whoever
// cleans $XDG_RUNTIME_DIR up by age to leave it alone (XDG Base Directory
// Specification). All other roots are made by the store.
func (a *app) prepareRoot() error {
	if a.global.root != "" || os.Getenv("XDG_RUNTIME_DIR") == "" {
		return nil
	}
	root, err := a.root()
	if err != nil || root == defaultRoot {
		return err
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(root, 0o700|os.ModeSticky)
}
