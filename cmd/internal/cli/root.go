// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
)

const defaultRoot = "/run/berth"

// openStore opens the store in the state directory. It needs /proc to find out about processes.
func (a *app) openStore() (*libcontainer.Store, error) {
	root, err := a.root()
	if err != nil {
		return nil, err
	}
	if err := libcontainer.CheckProc(); err != nil {
		return nil, err
	}
	return libcontainer.Open(root).LogTo(a.log).TraceTo(a.trace), nil
}

// root returns the absolute path of the state directory.
func (a *app) root() (string, error) {
	root := a.global.root
	if root == "" {
		return defaultRootFor(os.Geteuid(), os.Getenv, libcontainer.InUserNamespace, isOwnDir), nil
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("--root: %w", err)
	}
	// Every directory in the root is taken for a container, and `delete --force` would remove
	// it.
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("--root: %w", err)
	}
	if root == "/" || resolved == "/" {
		return "", fmt.Errorf("--root: %s resolves to / and would make every directory a container (%s)", a.global.root, configs.PhraseRootIsSlash)
	}
	return root, nil
}

// defaultRootFor returns the state directory if there is no --root. For everybody but the
// host's root it is in the user's runtime directory, if there is one. A relative
// $XDG_RUNTIME_DIR is ignored (XDG Base Directory Specification). The variable is not set under
// sudo and in cron, but the directory exists while the user has a session.
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

// sessionDir returns the path of the user's runtime directory, which a login creates
// (pam_systemd(8)).
func sessionDir(uid int) string { return "/run/user/" + strconv.Itoa(uid) }

// isOwnDir reports whether path is a directory that the caller owns.
func isOwnDir(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// isRootless reports whether the caller is not root on the host: either not root, or root of a
// user namespace. A container that acts as a whole machine sets USER=root to be treated as a
// host.
func isRootless(euid int, getenv func(string) string, inUserNS func() bool) bool {
	if euid != 0 {
		return true
	}
	return getenv("USER") != "root" && inUserNS()
}

// isRootless returns the value of --rootless, and decides what auto means.
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

// prepareRoot creates the default root of a user. The sticky bit keeps it from being removed
// when $XDG_RUNTIME_DIR is cleaned up by age (XDG Base Directory Specification). The store
// creates all other roots.
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

// checkDefaultRoot explains to a user who has no runtime directory how to get one. The state
// directory of the host's root is usually not writable for others.
func checkDefaultRoot(euid int) error {
	if euid == 0 || unix.Access(defaultRoot, unix.W_OK) == nil {
		return nil
	}
	return fmt.Errorf("no directory for the state of containers: XDG_RUNTIME_DIR is %q, and %s is not a directory of yours (set it, or give --root)",
		os.Getenv("XDG_RUNTIME_DIR"), sessionDir(euid))
}

// explainRights adds to an error of an ordinary user that it is about containers of root, or that
// those are elsewhere.
func (a *app) explainRights(err error) error {
	if err == nil || os.Geteuid() == 0 {
		return err
	}
	root, rerr := a.root()
	if rerr != nil {
		return err
	}
	if errors.Is(err, libcontainer.ErrNotExist) && a.global.root == "" {
		return fmt.Errorf("%w (in %s; containers of root need sudo)", err, root)
	}
	var file *fs.PathError
	if !errors.As(err, &file) || !errors.Is(file, fs.ErrPermission) || !strings.HasPrefix(file.Path+"/", root+"/") {
		return err
	}
	return codes.With(codes.NeedsRoot, fmt.Errorf("%w (use sudo, or set XDG_RUNTIME_DIR or --root to a directory of yours)", err))
}
