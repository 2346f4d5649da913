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

// A restored container has no builder, so what a builder does in the container's network
// namespace is done from outside.

// within calls do on a thread that is in the network namespace of netns.
func within(netns *os.File, do func() error) error {
	done := make(chan error)
	osthread.Go(func() { // the thread ends in the namespace
		if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- os.NewSyscallError("setns", err)
			return
		}
		done <- do()
	})
	return <-done
}

// LoopbackUpIn is LoopbackUp for the namespace of netns.
func LoopbackUpIn(netns *os.File) error { return within(netns, LoopbackUp) }

// SetSysctls sets those parameters of the list that belong to a network namespace, in that of
// netns. It uses the host's files: they act on the namespace of the thread that opens them.
// With early, parameters of interfaces that do not exist yet are left out.
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
