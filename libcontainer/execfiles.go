// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
)

// keepForExec writes down what exec needs and config.json may no longer say by then: the
// text of its process, which costs nothing to make, and the compiled filter, so that an
// exec neither reads a profile again nor depends on a cache. It needs no care for
// readers: the state has no pid yet, so there are none.
func (cr *creation) keepForExec() error {
	if doc := cr.opts.ProcessDocument; doc != "" {
		// Not copied: a write does not change it.
		data := unsafe.Slice(unsafe.StringData(doc), len(doc))
		if err := sysfile.WriteNew(filepath.Join(cr.dir, processFile), data, 0o600); err != nil {
			return err
		}
	}
	if cr.filter == nil {
		return nil
	}
	cr.saved.Filtered, cr.saved.FilterFlags = true, cr.filter.Flags
	if cr.filter.NewListener() {
		cr.saved.ListenerPath, cr.saved.ListenerMetadata = cr.cfg.Seccomp.ListenerPath, cr.cfg.Seccomp.ListenerMetadata
	}
	return sysfile.WriteNew(filepath.Join(cr.dir, filterFile), cr.filter.BPF, 0o600)
}

// ProcessDocument is the JSON text of the process that the container was created with.
func (c *Container) ProcessDocument() (string, error) {
	data, _, err := sysfile.ReadOwned(filepath.Join(c.dir, processFile))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(c.dir); err != nil {
			return "", ErrNotExist
		}
		target, err := c.openTarget()
		if err != nil {
			return "", err // it is being created, or deleted
		}
		_ = target.Close()
		return "", fmt.Errorf("%s is missing: the container was created by a version of berth without exec", processFile)
	}
	if err != nil {
		return "", err
	}
	return sysfile.StringOf(data), nil
}

// Annotations are those of the container's config.
func (c *Container) Annotations() map[string]string { return c.saved.Annotations }
