// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"os"
	"testing"
)

func TestLeadsOutside(t *testing.T) {
	if !inOwnNamespaces(t) {
		return
	}
	ns := newNamespace(t)
	check := func(what string, want bool) {
		t.Helper()
		got, err := LeadsOutside(ns)
		if err != nil || got != want {
			t.Errorf("%s: %t, %v; want %t", what, got, err, want)
		}
	}
	check("a loopback", false)
	ip(t, ns, "link add eth1 type veth peer name eth2\n")
	check("both ends of a pair", false)
	ip(t, ns, fmt.Sprintf("link add eth3 type veth peer name eth4 netns %d\n", os.Getpid()))
	check("one end of a pair", true)
}
