// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/internal/record"
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
		if err := sysfile.WriteNew(filepath.Join(cr.Dir, record.ProcessFile), data, 0o600); err != nil {
			return err
		}
	}
	if cr.filter == nil {
		return nil
	}
	cr.Saved.Filtered, cr.Saved.FilterFlags = true, cr.filter.Flags
	if cr.filter.NewListener() {
		cr.Saved.ListenerPath, cr.Saved.ListenerMetadata = cr.cfg.Seccomp.ListenerPath, cr.cfg.Seccomp.ListenerMetadata
	}
	return sysfile.WriteNew(filepath.Join(cr.Dir, record.FilterFile), cr.filter.BPF, 0o600)
}

// ProcessDocument is the JSON text of the process that the container was created with.
func (c *Container) ProcessDocument() (string, error) {
	data, _, err := sysfile.ReadOwned(filepath.Join(c.rec.Dir, record.ProcessFile))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(c.rec.Dir); err != nil {
			return "", record.ErrNotExist
		}
		target, err := openTarget(c.rec)
		if err != nil {
			return "", err // it is being created, or deleted
		}
		_ = target.Close()
		return "", fmt.Errorf("%s is missing: the container was created by a version of berth without exec", record.ProcessFile)
	}
	if err != nil {
		return "", err
	}
	return sysfile.StringOf(data), nil
}

// Annotations are those of the container's config.
func (c *Container) Annotations() map[string]string { return c.rec.Saved.Annotations }
