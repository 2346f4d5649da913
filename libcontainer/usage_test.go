// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"reflect"
	"strings"
	"testing"
)

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1140      12    0    0    0     0          0         0     1140      12    0    0    0     0       0          0
  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
veth9.1:7      0    0    0    0     0          0         0     0       0    0    0    0     0       0          0
`

func TestParseInterfaces(t *testing.T) {
	got, err := parseInterfaces(netDev)
	want := []InterfaceStats{
		{Name: "eth0", RxBytes: 1, RxPackets: 2, RxErrors: 3, RxDropped: 4, TxBytes: 9, TxPackets: 10, TxErrors: 11, TxDropped: 12},
		{Name: "veth9.1", RxBytes: 7},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"eth0: 1 2 3", "eth0: 1 2 3 4 5 6 7 8 9 10 11 x"} {
		if _, err := parseInterfaces(text); err == nil {
			t.Errorf("%q is no error", text)
		}
	}
}

func FuzzParseInterfaces(f *testing.F) {
	f.Add(netDev)
	f.Add("a:1 2 3 4 5 6 7 8 9 10 11 12")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseInterfaces(text)
		if err == nil && len(all) > strings.Count(text, ":") {
			t.Errorf("%d interfaces in %q", len(all), text)
		}
	})
}
