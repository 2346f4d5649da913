// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/configs"
)

const defaultRoot = "/run/berth"

// openStore opens the store that the global options name. What it says of processes it
// knows from /proc.
func (a *app) openStore() (*libcontainer.Store, error) {
	root, err := a.root()
	if err != nil {
		return nil, err
	}
	if err := libcontainer.CheckProc(); err != nil {
		return nil, err
	}
	return libcontainer.Open(root).LogTo(a.log), nil
}

// root is the state directory, absolute.
func (a *app) root() (string, error) {
	root := a.global.root
	if root == "" {
		return defaultRootFor(os.Geteuid(), os.Getenv, libcontainer.InUserNamespace, isOwnDir), nil
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
		return "", fmt.Errorf("--root: %s resolves to / and would make every directory a container (%s)", a.global.root, configs.PhraseRootIsSlash)
	}
	return root, nil
}

// defaultRootFor is the state directory when no --root is given. It is the
// user's own for everybody who is not root on the host, if there is one: a relative path
// is none (XDG Base Directory Specification), and where there is no variable, as below
// sudo and in cron, the directory is there all the same while the user has a session.
func defaultRootFor(euid int, getenv func(string) string, inUserNS func() bool, isOwn func(string) bool) string {
	if !isRootless(euid, getenv, inUserNS) {
		return defaultRoot
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "berth")
	}
	if dir := sessionDir(euid); euid != 0 && isOwn(dir) {
		return filepath.Join(dir, "berth")
	}
	return defaultRoot
}

// sessionDir is where a login makes a user's runtime directory (pam_systemd(8)).
func sessionDir(uid int) string { return "/run/user/" + strconv.Itoa(uid) }

// isOwnDir says whether a path is a directory of the caller's.
func isOwnDir(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
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
	if a.global.root != "" {
		return nil
	}
	root, err := a.root()
	if err != nil {
		return err
	}
	if root == defaultRoot {
		return checkDefaultRoot(os.Geteuid())
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(root, 0o700|os.ModeSticky)
}

// checkDefaultRoot tells a user without a directory of its own how to get one: that of the
// host's root is closed, unless somebody has opened it.
func checkDefaultRoot(euid int) error {
	if euid == 0 || unix.Access(defaultRoot, unix.W_OK) == nil {
		return nil
	}
	return fmt.Errorf("no directory for the state of containers: XDG_RUNTIME_DIR is %q, and %s is no directory of yours (set it, or give --root)",
		os.Getenv("XDG_RUNTIME_DIR"), sessionDir(euid))
}
