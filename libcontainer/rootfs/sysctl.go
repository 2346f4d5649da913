// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
)

// setSysctls applies the kernel parameters. The namespace that a file in /proc/sys is about
// depends on the writer, not on the procfs, so any genuine procfs will do: the one that was
// just mounted for the container, or a private one if that has no sys (subset=pid), is not
// writable (ro) or was hidden.
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
				return refused // a user namespace may not mount another one, and this error says more
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
		return codes.With(codes.SysctlFailed, configs.AddPhrase(fmt.Errorf("sysctl %s: %w", dotted(s.Key), proc.Explain("sys/"+s.Key, err)),
			fmt.Sprintf(configs.PhraseWriteSysctl, dotted(s.Key), s.Value)))
	}
	return nil
}

// dotted writes a key as sysctl(8) does: with dots, and a slash for each dot that is part of a
// name ("net.ipv4.conf.eth0/1.rp_filter").
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
