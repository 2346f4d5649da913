// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/configs"
)

// listenFDs are the sockets of socket activation (sd_listen_fds(3)), which stand before
// the preserved file descriptors. Those for another process are not berth's, as to runc;
// without LISTEN_PID they are, as to crun.
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

// preserved is the number of descriptors to pass on, n behind those of socket activation.
// They must be ones that berth was started with: others are its own by now.
func (a *app) preserved(listen libcontainer.ListenFDs, n int) (int, error) {
	if n < 0 {
		return 0, fmt.Errorf("--preserve-fds: %d is negative", n)
	}
	if listen.Count > a.inherited {
		return 0, fmt.Errorf("environment: LISTEN_FDS=%d: fd %d is not open", listen.Count, firstInherited+a.inherited)
	}
	if n += listen.Count; n > a.inherited {
		return 0, fmt.Errorf("preserve-fds: fd %d is not open: "+configs.PhraseNotOpen, firstInherited+a.inherited, firstInherited+a.inherited, n)
	}
	return n, nil
}

// firstInherited comes after the standard streams.
const firstInherited = 3

// awaitReady returns when the service manager knows that the container is ready, if there
// is one. That it cannot be told does not stop what runs.
func (a *app) awaitReady(n *libcontainer.Notifier) {
	if err := n.Await(0); err != nil {
		a.log.Warnf("%v", err)
	}
}

// notifyMeanwhile does the same in the foreground, for as long as the container runs. The
// service's main process is this one, which has started the container and waits for it.
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
