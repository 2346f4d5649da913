// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"golang.org/x/sys/unix"
)

// What a container's builder does in its network namespace has to be done from outside for
// a restored one, which has no builder.

// within calls do on a thread that is in the network namespace netns is a file of.
func within(netns *os.File, do func() error) error {
	done := make(chan error)
	osthread.Go(func() { // and the thread ends in there
		if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- os.NewSyscallError("setns", err)
			return
		}
		done <- do()
	})
	return <-done
}

// LoopbackUpIn is LoopbackUp for the namespace that netns is a file of.
func LoopbackUpIn(netns *os.File) error { return within(netns, LoopbackUp) }

// SetSysctls sets those parameters of the list that are a network namespace's, in that of
// netns. The files are the host's: which namespace they are about depends on who opens them.
// With early those of interfaces may be missing, which are then left out.
func SetSysctls(netns *os.File, list []configs.Sysctl, early bool) error {
	return within(netns, func() error {
		for _, s := range list {
			if !strings.HasPrefix(s.Key, "net/") {
				continue
			}
			err := writeSetting("/proc/sys/"+s.Key, s.Value)
			if early && errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return fmt.Errorf("linux.sysctl: %w", err)
			}
		}
		return nil
	})
}
