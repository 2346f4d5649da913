// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Requires root, for a network namespace.
func TestLoopbackUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root")
	}
	// Never unlocked: the thread ends with the test, and its namespace with it.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	// The net package uses a socket of this thread, and so of its namespace.
	up := func() bool {
		lo, err := net.InterfaceByName("lo")
		if err != nil {
			t.Fatal(err)
		}
		return lo.Flags&net.FlagUp != 0
	}
	if up() {
		t.Fatal("lo is up in a new namespace already: the test proves nothing")
	}
	if err := LoopbackUp(); err != nil {
		t.Fatal(err)
	}
	if !up() {
		t.Error("lo is not up")
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	if len(addrs) == 0 || addrs[0].String() != "127.0.0.1/8" {
		t.Errorf("addresses: %v, want 127.0.0.1/8 first", addrs)
	}
}
