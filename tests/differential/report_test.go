// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestUnusedRows: a row that explains nothing is an error, unless chance decides.
func TestUnusedRows(t *testing.T) {
	for text, fails := range map[string]bool{"as runc": true, byChance + "as runc": false} {
		r := newReport(&config{last: true}, []*rule{{line: 1, peer: "crun", parts: []string{"*"}, key: "outcome", text: text}})
		if err := r.finish(true); (err != nil) != fails {
			t.Errorf("%q: error %v", text, err)
		}
		if err := r.finish(false); err != nil {
			t.Errorf("%q, if not all cases ran: error %v", text, err)
		}
	}
}
