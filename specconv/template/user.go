// SPDX-License-Identifier: Apache-2.0

package template

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/berth-run/berth/specconv/internal/account"
	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/berth-run/berth/specconv/internal/word"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// accountFiles are the paths of the host's user and group files.
type accountFiles struct{ passwd, subuid, subgid string }

// identity sets the user of the process, from the option or from the image.
func (d *draft) identity() error {
	if d.User != "" {
		d.user, d.userOption = d.User, "--user"
	}
	if d.user == "" {
		return nil
	}
	u, err := resolveUser(d.user, func(name string) (string, error) { return readInRoot(d.rootfs, name) })
	if err != nil {
		return fmt.Errorf("%s: %w", d.userOption, err)
	}
	if err := d.onlyMapped(u); err != nil {
		return fmt.Errorf("%s: %q: %w", d.userOption, d.user, err)
	}
	d.spec.Process.User = *u
	return nil
}

// resolveUser parses USER[:GROUP], each a number or a name (image-spec: config.md, User). Names
// are looked up in the root file system's own files, which read returns. Without GROUP the
// user's group is used. Only a user given by name has supplementary groups (image-spec:
// conversion.md).
func resolveUser(text string, read func(name string) (string, error)) (*specs.User, error) {
	first, second, hasGroup := strings.Cut(text, ":")
	if first == "" || hasGroup && second == "" || strings.Contains(second, ":") {
		return nil, fmt.Errorf("not of the form USER[:GROUP]: %q", text)
	}
	u := new(specs.User)
	if isNumber(first) {
		uid, err := word.ParseID(first)
		if err != nil {
			return nil, fmt.Errorf("%q: user: %w", text, err)
		}
		u.UID = uid
		if !hasGroup {
			// An image need not have a user file, or an entry for each user.
			passwd, err := read("/etc/passwd")
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return nil, fmt.Errorf("%q: %w", text, err)
			}
			known, _ := account.FindUID(passwd, uid)
			u.GID = known.GID
		}
	} else {
		passwd, err := read("/etc/passwd")
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		known, ok := account.FindUser(passwd, first)
		if !ok {
			return nil, fmt.Errorf("%q: the root file system's /etc/passwd has no user %q", text, first)
		}
		u.UID, u.GID = known.UID, known.GID
	}
	return u, resolveGroups(u, text, read)
}

// resolveGroups adds the groups to u, which already has the user and its group.
func resolveGroups(u *specs.User, text string, read func(name string) (string, error)) error {
	user, name, hasGroup := strings.Cut(text, ":")
	switch {
	case isNumber(name):
		gid, err := word.ParseID(name)
		if err != nil {
			return fmt.Errorf("%q: group: %w", text, err)
		}
		u.GID = gid
		return nil
	case !hasGroup && isNumber(user):
		return nil
	}
	group, err := read("/etc/group")
	if !hasGroup && errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if !hasGroup {
		u.AdditionalGids = account.GroupsOf(group, user)
		return nil
	}
	gid, ok := account.FindGroup(group, name)
	if !ok {
		return fmt.Errorf("%q: the root file system's /etc/group has no group %q", text, name)
	}
	u.GID = gid
	return nil
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// onlyMapped checks that the ids exist in the user namespace, if there is one. Unmapped groups
// that come only from the image's /etc/group are left out.
func (d *draft) onlyMapped(u *specs.User) error {
	l := d.spec.Linux
	if !d.Rootless {
		return nil
	}
	for _, id := range [...]struct {
		kind string
		id   uint32
		rows []specs.LinuxIDMapping
	}{{"uid", u.UID, l.UIDMappings}, {"gid", u.GID, l.GIDMappings}} {
		if !hasID(id.rows, id.id) {
			hint := "the only one with --rootless is 0; --subids adds others"
			if d.SubIDs {
				hint = "the subordinate ids are too few"
			}
			return fmt.Errorf("%s %d is not mapped: %s", id.kind, id.id, hint)
		}
	}
	u.AdditionalGids = slices.DeleteFunc(u.AdditionalGids, func(gid uint32) bool {
		lost := !hasID(l.GIDMappings, gid)
		if lost {
			d.warn("%s: group %d is left out: it is not mapped", d.userOption, gid)
		}
		return lost
	})
	return nil
}

func hasID(rows []specs.LinuxIDMapping, id uint32) bool {
	return slices.ContainsFunc(rows, func(r specs.LinuxIDMapping) bool {
		return id >= r.ContainerID && id-r.ContainerID < r.Size
	})
}

// addSubIDs maps the user's subordinate ids, from 1 upwards.
func (d *draft) addSubIDs() error {
	passwd, err := os.ReadFile(d.files.passwd)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("--subids: %w", err)
	}
	user, _ := account.FindUID(string(passwd), d.UID) // the user may have no name
	l := d.spec.Linux
	for _, m := range [...]struct {
		file string
		to   *[]specs.LinuxIDMapping
	}{{d.files.subuid, &l.UIDMappings}, {d.files.subgid, &l.GIDMappings}} {
		text, err := os.ReadFile(m.file)
		if err != nil {
			return fmt.Errorf("--subids: %w", err)
		}
		next := uint32(1)
		for _, r := range account.SubIDs(string(text), user.Name, d.UID) {
			size := min(r.Size, 1<<32-1-next)
			if size == 0 {
				break
			}
			*m.to = append(*m.to, specs.LinuxIDMapping{ContainerID: next, HostID: r.First, Size: size})
			next += size
		}
		if next == 1 {
			return fmt.Errorf("--subids: %s has none for uid %d, %q", m.file, d.UID, user.Name)
		}
	}
	return nil
}

// readInRoot reads a file of a root file system. Its symbolic links belong to the image and
// must not lead out of it.
func readInRoot(root, name string) (string, error) {
	dir, err := document.Retry(func() (int, error) {
		return unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return "", fmt.Errorf("open %s: %w", root, err)
	}
	defer unix.Close(dir)
	file := path.Join(root, name)
	fd, err := document.Retry(func() (int, error) {
		return unix.Openat2(dir, name, &unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOCTTY | document.OnlyRegular,
			Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
	})
	if err != nil {
		return "", fmt.Errorf("open %s: %w", file, err)
	}
	return document.ReadOpened(fd, file, document.OnlyRegular)
}
