// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"os"
	"strings"
	"testing"
)

func TestMayTrace(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nCapEff:\t0000000000080000\nCapBnd:\t00000000a80425fb\nSeccomp:\t0\n": false,
		"Name:\tx\nCapBnd:\t0000000000080000\n":                                         true,
		"Name:\tx\n":                                                                    true,
		"":                                                                              true,
	} {
		if got := mayTrace([]byte(status)); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}

// TestRefuseTracers: processes in the tests' own pid namespace may trace others.
func TestRefuseTracers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to read the namespaces of other processes")
	}
	own, err := os.Open("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if err := refuseTracers(own); err == nil || !strings.Contains(err.Error(), "CAP_SYS_PTRACE") {
		t.Errorf("error %v", err)
	}
	net, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	if err := refuseTracers(net); err != nil {
		t.Errorf("a namespace without processes: %v", err)
	}
}
