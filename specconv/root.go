// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/document"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rootPropagations are the values of linux.rootfsPropagation.
var rootPropagations = []number[string]{
	{"private", unix.MS_PRIVATE},
	{"rprivate", unix.MS_PRIVATE | unix.MS_REC},
	{"rshared", unix.MS_SHARED | unix.MS_REC},
	{"rslave", unix.MS_SLAVE | unix.MS_REC},
	{"runbindable", unix.MS_UNBINDABLE | unix.MS_REC},
	{"shared", unix.MS_SHARED},
	{"slave", unix.MS_SLAVE},
	{"unbindable", unix.MS_UNBINDABLE},
}

// root checks the root file system.
func (c *conversion) root() error {
	if c.spec.Root == nil {
		return fault.New("root", configs.PhraseNoRoot)
	}
	var errs fault.List
	dir, err := rootPath(c.opts.Bundle, c.spec.Root)
	if err != nil {
		errs.Add(fault.New("root.path", "%s: %w", configs.PhraseInvalidRootfs, err))
	}
	c.plan.Rootfs = configs.Rootfs{Path: dir, Readonly: c.spec.Root.Readonly}
	if name := c.linux.RootfsPropagation; name != "" {
		flags, ok := lookup(rootPropagations, name)
		if !ok {
			errs.Add(fault.New("linux.rootfsPropagation", configs.PhraseRootPropagation+" (unknown propagation %q)", name, name))
		}
		// Otherwise the mounts of the host would change.
		if !c.plan.Namespaces.Contains(configs.NewMount) {
			errs.Add(fault.New("linux.rootfsPropagation", "unable to change the propagation without a private mount namespace"))
		}
		c.plan.Rootfs.Propagation = uintptr(flags)
	}
	return errs.Err()
}

// rootPath returns the directory. Symbolic links in the bundle's own path and in an absolute
// root.path belong to the caller and are followed. Those in a relative root.path belong to the
// bundle, which may be untrusted: they must not lead out of it.
func rootPath(bundle string, root *specs.Root) (string, error) {
	if root.Path == "" {
		return "", errors.New("must not be empty")
	}
	if strings.IndexByte(root.Path, 0) >= 0 {
		return "", fmt.Errorf("must not contain a NUL byte: %q", root.Path)
	}
	dir := path.Clean(root.Path)
	relative := !path.IsAbs(dir)
	if relative {
		dir = path.Join(bundle, dir)
	}
	err := checkDirectory(dir)
	if !errors.Is(err, unix.ELOOP) {
		return dir, err
	}
	if !relative {
		return resolved(dir)
	}
	base, err := filepath.EvalSymlinks(bundle)
	if err != nil {
		return "", err
	}
	dir = path.Join(base, root.Path)
	if err := checkDirectory(dir); !errors.Is(err, unix.ELOOP) {
		return dir, err
	}
	found, err := resolved(dir)
	if err == nil && found != base && !strings.HasPrefix(found, strings.TrimSuffix(base, "/")+"/") {
		return "", fmt.Errorf("a symbolic link in it must not lead out of the bundle: %s is %s", dir, found)
	}
	return found, err
}

// resolved follows the symbolic links of dir. Replacing one afterwards has no effect: the
// result is opened without following links.
func resolved(dir string) (string, error) {
	found, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	return found, checkDirectory(found)
}

// checkDirectory checks that dir is a directory whose path has no symbolic links. This needs
// one system call instead of one for each component.
func checkDirectory(dir string) error {
	fd, err := document.Retry(func() (int, error) {
		return unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{
			Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_NO_SYMLINKS,
		})
	})
	if err != nil {
		return codes.With(codes.RootfsMissing, fmt.Errorf("openat2 %s: %w", dir, access.ExplainMissing(dir, access.Explain(dir, err))))
	}
	return unix.Close(fd)
}

// paths checks linux.maskedPaths and linux.readonlyPaths. Without a mount namespace they would
// disappear from the host.
func (c *conversion) paths() error {
	var errs fault.List
	private := c.plan.Namespaces.Contains(configs.NewMount)
	for _, list := range [...]struct {
		field string
		from  []string
		to    *[]string
	}{
		{"maskedPaths", c.linux.MaskedPaths, &c.plan.MaskedPaths},
		{"readonlyPaths", c.linux.ReadonlyPaths, &c.plan.ReadonlyPaths},
	} {
		if len(list.from) == 0 {
			continue
		}
		if !private {
			errs.Add(fault.New(list.field, "unable to restrict sys entries without a private MNT namespace"))
		}
		errs.Add(fault.NoNULs(list.field, list.from))
		clean := make([]string, 0, len(list.from))
		for i, p := range list.from {
			if p == "" {
				errs.Add(fault.New(fault.Element(list.field, i), "must not be empty"))
			}
			// Leave out duplicates.
			if p = path.Join("/", p); !slices.Contains(clean, p) {
				clean = append(clean, p)
			}
		}
		*list.to = clean
	}
	return errs.Err()
}
