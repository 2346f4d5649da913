// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
)

// setSysctls applies the kernel parameters. Which namespace a file of /proc/sys is
// about is a matter of the writer, not of the procfs, so that any genuine one does:
// the one that was just mounted for the container, or a private one where that
// has no sys (subset=pid), cannot be written to (ro) or was hidden.
func (b *Builder) setSysctls() error {
	var private *procfs.Handle
	defer func() {
		if private != nil {
			private.Close()
		}
	}()
	for _, s := range b.c.Sysctls {
		var refused error
		if b.inner != nil && private == nil {
			err := writeSysctl(b.inner, s)
			refused = err
			if !errors.Is(err, procfs.ErrUnopened) {
				if err != nil {
					return err
				}
				continue
			}
		}
		if private == nil {
			var err error
			private, err = procfs.Private()
			if err != nil && refused != nil {
				return refused // a user namespace may mount no other, and this tells more
			}
			if err != nil {
				return fmt.Errorf("sysctl: private procfs: %w", err)
			}
		}
		if err := writeSysctl(private, s); err != nil {
			return err
		}
	}
	return nil
}

func writeSysctl(proc *procfs.Handle, s configs.Sysctl) error {
	if err := proc.Write("sys/"+s.Key, s.Value); err != nil {
		return fmt.Errorf("sysctl %s: %w ("+configs.PhraseWriteSysctl+")", dotted(s.Key), err, dotted(s.Key), s.Value)
	}
	return nil
}

// dotted is a key the way sysctl(8) writes it: with dots, and a slash for each dot
// that a name has of itself ("net.ipv4.conf.eth0/1.rp_filter").
func dotted(key string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		}
		return r
	}, key)
}
