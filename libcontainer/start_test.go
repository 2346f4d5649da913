// SPDX-License-Identifier: Apache-2.0

package libcontainer

import "testing"

func TestPoststartIsFatal(t *testing.T) {
	for version, want := range map[string]bool{
		"1.3.0": true, "1.3.0-rc.1": true, "1.10.0": true,
		"1.2.1": false, "1.0.2": false, "1.0.2-dev": false, "": false, "junk": false,
	} {
		if got := poststartIsFatal(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
