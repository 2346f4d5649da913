// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
)

// listenFDs returns the sockets of socket activation (sd_listen_fds(3)), which come before the
// preserved file descriptors. As in runc, they are ignored if LISTEN_PID names another process.
// As in crun, they are used if LISTEN_PID is not set.
func listenFDs(getenv func(string) string) (l libcontainer.ListenFDs, err error) {
	value, pid := getenv("LISTEN_FDS"), getenv("LISTEN_PID")
	if value == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return l, nil
	}
	if l.Count, err = strconv.Atoi(value); err != nil || l.Count < 0 {
		return libcontainer.ListenFDs{}, fmt.Errorf("environment: LISTEN_FDS=%q is not a number of file descriptors", value)
	}
	l.Names = getenv("LISTEN_FDNAMES")
	return l, nil
}

// preserved returns the number of descriptors to pass on: n after those of socket activation.
// Berth must have been started with all of them; higher ones may now be its own.
func (a *app) preserved(listen libcontainer.ListenFDs, n int) (int, error) {
	if n < 0 {
		return 0, fmt.Errorf("--preserve-fds: %d is negative", n)
	}
	if listen.Count > a.inherited {
		return 0, fmt.Errorf("environment: LISTEN_FDS=%d: fd %d is not open", listen.Count, firstInherited+a.inherited)
	}
	if n += listen.Count; n > a.inherited {
		return 0, codes.With(codes.Usage, fmt.Errorf("preserve-fds: fd %d is not open: "+configs.PhraseNotOpen,
			firstInherited+a.inherited, firstInherited+a.inherited, n))
	}
	return n, nil
}

// firstInherited is the first descriptor after the standard streams.
const firstInherited = 3

// awaitReady waits until the container is ready and reports this to the service manager, if
// there is one. If the report fails, the container still goes on.
func (a *app) awaitReady(n *libcontainer.Notifier) {
	if err := n.Await(0); err != nil {
		a.log.Warnf("%v", err)
	}
}

// notifyMeanwhile does the same in the foreground, in a goroutine, while the container runs.
// The service's main process is then this one, because it waits for the container.
func (a *app) notifyMeanwhile(n *libcontainer.Notifier) (done <-chan struct{}) {
	ended := make(chan struct{})
	if n == nil {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		defer n.Close()
		if err := n.Await(os.Getpid()); err != nil {
			a.log.Warnf("%v", err)
		}
		if err := n.Discard(); err != nil {
			a.log.Warnf("%v", err)
		}
	}()
	return ended
}
