// SPDX-License-Identifier: Apache-2.0

package record

import "testing"

// TestBadInterface: an address that berth has not written is named with its place.
func TestBadInterface(t *testing.T) {
	c := &Record{Saved: State{Network: []Interface{{HostMAC: "fe:00:00:00:00:01"}, {HostMAC: "fe:00"}}}}
	const want = `state.json: network[1].hostMAC: not a MAC address: "fe:00"`
	if _, err := c.Interfaces(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
